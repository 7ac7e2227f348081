"""Batches of texts of similar length, and the answers to them in the order in which the texts were given."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from pipeline.frames import count_frames

LONGEST: Final = 10_000  # characters; a model that learned sentences has nothing to say about a book
BATCH_CHARACTERS: Final = 8192  # of a batch, padding included: memory is needed for each token times the vocabulary


def in_batches(
    function: Callable[..., Sequence[Any]], size: int, *columns: Sequence[str], frame_size: int = 0
) -> list[Any]:
    """Applies a function of lists to batches of rows of similar length; results come in the order of the rows.

    >>> in_batches(lambda words: [word.upper() for word in words], 2, ["three", "a", "to"])
    ['THREE', 'A', 'TO']
    """
    results: list[Any] = [None] * len(columns[0])
    for rows in batches(size, *columns, frame_size=frame_size):
        answers = function(*([column[row] for row in rows] for column in columns))
        for row, answer in zip(rows, answers, strict=True):
            results[row] = answer
    return results


def batches(size: int, *columns: Sequence[str], frame_size: int = 0) -> Iterator[Sequence[int]]:
    """The numbers of the rows that go together, the shortest rows first.

    A batch has at most `size` rows, and its rows times its longest text stay within `BATCH_CHARACTERS`, unless a single
    row does not. Where the first column is frames of `frame_size` numbers, its lengths are numbers of frames.

    >>> list(batches(2, ["three", "a", "to"]))
    [[1, 2], [0]]
    """
    sides = [list(map(len, column)) for column in columns]
    if frame_size:
        sides[0] = [count_frames(text, frame_size) for text in columns[0]]
    lengths = list(map(max, zip(*sides, strict=True)))
    order = sorted(range(len(lengths)), key=lambda row: [lengths[row], *(side[row] for side in sides)])
    start = 0
    for end, row in enumerate(order):
        rows = end + 1 - start
        if rows > size or (rows > 1 and rows * lengths[row] > BATCH_CHARACTERS):
            yield order[start:end]
            start = end
    if order:
        yield order[start:]
