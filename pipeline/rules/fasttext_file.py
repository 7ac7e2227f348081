"""Reads fastText's compressed models (.ftz): arrays of numbers only, nothing of the file is run."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAGIC, VERSION = 793712314, 12
LABEL = "__label__"
CENTROIDS = 256  # vectors in a codebook: a code is one byte


@dataclass(frozen=True)
class FastText:
    """A classifier of sentences, as its file describes it.

    Args:
        words: rows of `inputs` of the words that have one of their own.
        buckets: how many hashes of runs of characters there were before compression.
        rows_of_buckets: rows of `inputs` of those that are left.
        shortest: characters in the shortest run.
        longest: characters in the longest run.
        inputs: vectors of words and runs, [rows, D].
        labels: names of the classes, the most frequent first.
        counts: how often each class was seen.
        outputs: weights of the questions at the inner nodes of the tree of classes, [L - 1, D].
    """

    words: dict[str, int]
    buckets: int
    rows_of_buckets: dict[int, int]
    shortest: int
    longest: int
    inputs: Floats
    labels: list[str]
    counts: list[int]
    outputs: Floats


class Reader:
    """Takes little-endian numbers and arrays off the front of a file's bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, form: str) -> tuple[Any, ...]:
        """Numbers, as `struct` describes them."""
        values = struct.unpack_from("<" + form, self.data, self.position)
        self.position += struct.calcsize("<" + form)
        return values

    def array(self, kind: str, size: int) -> NDArray[Any]:
        """A vector of numbers of one kind."""
        values = np.frombuffer(self.data, kind, size, self.position)
        self.position += values.nbytes
        return values

    def word(self) -> str:
        """A word that ends with NUL."""
        end = self.data.index(b"\0", self.position)
        word = self.data[self.position : end].decode()
        self.position = end + 1
        return word


def read_model(path: Path) -> FastText:
    """The model in a file.

    Raises:
        RuntimeError: the file is of another kind or version.
    """
    reader = Reader(path.read_bytes())
    if reader.take("ii") != (MAGIC, VERSION):
        raise RuntimeError(f"{path} is no fastText model of version {VERSION}")
    *_, buckets, shortest, longest, _, _ = reader.take("12id")
    _, words, labels, _, pruned = reader.take("iiiqq")
    entries = [(reader.word(), *reader.take("qb")) for _ in range(words + labels)]
    kept = reader.array("<i4", 2 * pruned).reshape(-1, 2)
    return FastText(
        words={word: row for row, (word, _, _) in enumerate(entries[:words])},
        buckets=buckets,
        rows_of_buckets=dict(zip(kept[:, 0].tolist(), (kept[:, 1] + words).tolist(), strict=True)),
        shortest=shortest,
        longest=longest,
        inputs=read_matrix(reader),
        labels=[word.removeprefix(LABEL) for word, _, _ in entries[words:]],
        counts=[count for _, count, _ in entries[words:]],
        outputs=read_matrix(reader)[: labels - 1],
    )


def read_matrix(reader: Reader) -> Floats:
    """A dense matrix, or one whose rows are products of codes with a norm each, [rows, columns]."""
    (is_quantised,) = reader.take("?")
    if not is_quantised:
        rows, columns = reader.take("qq")
        return reader.array("<f4", rows * columns).reshape(rows, columns).astype(np.float64)
    has_norms, rows, _, size = reader.take("?qqi")
    matrix = decode(reader.array("u1", size).reshape(rows, -1), reader)
    if has_norms:
        matrix *= decode(reader.array("u1", rows).reshape(rows, 1), reader)
    return matrix


def decode(codes: NDArray[Any], reader: Reader) -> Floats:
    """Codes as the vectors of their codebooks, one for each part of a row, which the reader is at."""
    columns, parts, width, _ = reader.take("iiii")
    centroids = reader.array("<f4", columns * CENTROIDS).reshape(parts, CENTROIDS, width).astype(np.float64)
    return np.concatenate([centroids[part][codes[:, part]] for part in range(parts)], axis=1)
