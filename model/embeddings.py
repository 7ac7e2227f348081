"""Token vectors that were learned elsewhere, from a text file in the form of word2vec or GloVe.

    2 4                        word2vec begins with the numbers of lines and of columns, GloVe does not
    rain 0.1 -0.2 0.3 0.4
    snow 0.2 0.1 -0.1 0.5

Letters: V tokens of the vocabulary, E width of a token vector, N tokens that were found.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from model.config import ReadSide, TrainConfig
from model.network import Network, Side
from pipeline.errors import InputError
from pipeline.vocabularies import Vocabularies
from pipeline.vocabulary import EOS, SPACE, Vocabulary

PARAMETER = "train.vectors"


class Vectors(NamedTuple):
    """What a file knows of a vocabulary."""

    tokens: np.ndarray[Any, np.dtype[np.int64]]  # [N], in order
    values: np.ndarray[Any, np.dtype[np.float32]]  # [N, E]


def vectors_of(config: TrainConfig, pieces: Vocabularies, frame_size: int = 0) -> dict[ReadSide, Vectors]:
    """What the files of a configuration know of the vocabularies, by side.

    Raises:
        InputError: a file as below, two of them for one table, or one for frames.
    """
    given, width = config.vectors.given, config.model.embedding_size
    if frame_size and "source" in given:
        raise InputError("train.vectors.source.path", given["source"].path, "no file", "the sources are frames")
    if len(given) > 1 and config.model.tied and pieces.are_shared:
        allowed = "a file of one side, or train.model.tied=false or vocabulary.separate=true beside it"
        raise InputError("train.vectors.source.path", config.vectors.source.path, allowed, "both sides share a table")
    vocabularies = {"source": pieces.source, "target": pieces.target}
    return {side: read_vectors(Path(one.path), vocabularies[side], width) for side, one in given.items()}


def fill(model: Network, vectors: Vectors, side: Side, *, is_frozen: bool = False) -> None:
    """Puts vectors in the place of a new network's own; those that are frozen stay as they are in training.

    It is called in the scope of the strategy, before the first step and before a checkpoint is restored.
    """
    table = model.tables[side]
    values = table.numpy()
    values[vectors.tokens] = vectors.values
    table.assign(values)
    if is_frozen:
        model.freeze(side, vectors.tokens)


def read_vectors(path: Path, vocabulary: Vocabulary, width: int) -> Vectors:
    """The vectors of those pieces of a vocabulary that a file has.

    A piece is looked for as it is spelt and then without the mark of a word's beginning, so `rain` in the file is found
    for the pieces `rain` and `▁rain`. Of lines with the same token the first one counts.

    Raises:
        InputError: a line that does not hold a token and `width` numbers, or no piece is found.
    """
    wanted: dict[str, list[int]] = {}
    for token in range(EOS + 1, vocabulary.size):
        piece = vocabulary.piece(token)
        for spelling in {piece, piece.removeprefix(SPACE)} - {""}:
            wanted.setdefault(spelling, []).append(token)
    exact: dict[int, np.ndarray[Any, np.dtype[np.float32]]] = {}
    unmarked: dict[int, np.ndarray[Any, np.dtype[np.float32]]] = {}
    for number, word, numbers in entries(path, width):
        for token in wanted.get(word, ()):
            found = exact if vocabulary.piece(token) == word else unmarked
            if token not in found:
                found[token] = parsed(numbers, path, number)
    found = unmarked | exact
    if not found:
        raise InputError(PARAMETER, path, "vectors of tokens that the vocabulary has", "not one of its pieces is there")
    tokens = sorted(found)
    return Vectors(np.array(tokens), np.stack([found[token] for token in tokens]))


def entries(path: Path, width: int) -> Iterator[tuple[int, str, list[str]]]:
    """Each line's number, token and `width` numbers as text; a token may hold spaces, as some of GloVe's do."""
    number = 0
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                fields = line.strip("\r\n ").split(" ")
                if number == 1 and len(fields) == 2 and all(field.isascii() and field.isdigit() for field in fields):
                    if int(fields[1]) != width:
                        raise wrong(path, number, width, f"its first line promises {fields[1]} numbers")
                    continue
                word = " ".join(fields[:-width])
                if not word or (len(fields) > width + 1 and is_number(fields[-width - 1])):
                    raise wrong(path, number, width, f"it has {len(fields)} fields")
                yield number, word, fields[-width:]
    except UnicodeDecodeError as error:
        raise InputError(PARAMETER, path, "UTF-8", f"after line {number}: {error}") from error
    except OSError as error:
        raise InputError(PARAMETER, path, "a text file of token vectors", str(error.strerror)) from error


def parsed(fields: list[str], path: Path, line: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The numbers of a line."""
    try:
        values = np.array(fields, np.float32)
    except ValueError as error:
        raise wrong(path, line, len(fields), str(error)) from error
    if not np.isfinite(values).all():
        raise wrong(path, line, len(fields), "one of them is not finite")
    return values


def is_number(text: str) -> bool:
    """Whether a text can be read as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def wrong(path: Path, line: int, width: int, cause: str) -> InputError:
    """What to say of a line."""
    allowed = f"a token and {width} numbers, as train.model.embedding_size says"
    return InputError(PARAMETER, f"{path}, line {line}", allowed, cause)
