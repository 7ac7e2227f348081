"""Sorting pairs by length and cutting them into batches of a number of tokens, with little padding.

Letters: N pairs.

Batches are cut from one line of pairs, so the line has to bring pairs together that are alike on both sides. It goes
up by the longer side, and within pairs of one longest side through the difference of the sides, by turns up and down:

    longer side 7:  (3, 7) (5, 7) (7, 7) (7, 6) (7, 4)
    longer side 8:                (8, 5) (8, 7) (8, 8) (6, 8)

A batch that crosses from one row to the next then has neighbours on both sides of the border; with a jump back to the
beginning it would hold short and long sources at once.
"""

from typing import Final

import numpy as np

from model.batches import Ints

STRAYING: Final = 0.05  # share of the pairs that are sorted as if one token longer, others in each epoch
FULLNESS: Final = 0.8  # of a batch, from which on it may end early where that saves padding
ROWS: Final = 8  # of whose multiples a batch has one where it may: a kernel is compiled for each number of rows


def by_length(lengths: Ints, chance: np.random.Generator | None = None) -> Ints:
    """The places of pairs of the lengths `[N, 2]` along the line.

    With `chance` equal pairs change places and some pairs stray into the next row, so that batches mix.

    >>> by_length(np.array([[8, 8], [7, 4], [8, 5], [3, 7], [7, 7]])).tolist()
    [3, 4, 1, 2, 0]
    """
    places = np.arange(len(lengths)) if chance is None else chance.permutation(len(lengths))
    sources, targets = lengths[places, 0], lengths[places, 1]
    rows = np.maximum(sources, targets)
    if chance is not None:
        rows = rows + (chance.random(len(rows)) < STRAYING)
    across = np.where(rows % 2, sources - targets, targets - sources)
    order = ranks(across - across.min(initial=0))
    return places[order[ranks(rows[order])]]


def ranks(keys: Ints) -> Ints:
    """The places of keys from 0 on in their order, equal ones as they come; NumPy counts keys of at most 16 bits."""
    return np.argsort(keys.astype(np.min_scalar_type(keys.max(initial=0))), kind="stable")


def cut(lengths: Ints, batch_tokens: int) -> Ints:
    """Where each batch begins in a line of pairs of the lengths `[N, 2]`, and where the last one ends.

    A batch's rows times its longest side stay within `batch_tokens`, unless a single row does not. It is filled, or
    ends a little earlier, where the share of padding in it is lowest, at a multiple of `ROWS` if there is one.

    >>> cut(np.array([[1, 2], [1, 2], [2, 2], [1, 3], [1, 4], [2, 4]]), batch_tokens=8).tolist()
    [0, 3, 5, 6]
    """
    sources, targets = (np.ascontiguousarray(side) for side in lengths.T)
    longest = np.maximum(sources, targets)
    cuts = [0]
    while (start := cuts[-1]) < len(lengths):
        end = start + max(1, batch_tokens // int(longest[start]))
        widths = [np.maximum.accumulate(side[start:end]) for side in (sources, targets)]
        rows = np.arange(1, len(widths[0]) + 1)
        fitting = max(1, int(np.searchsorted(rows * np.maximum(*widths), batch_tokens, side="right")))
        if start + fitting < len(lengths):
            first = int(np.ceil(fitting * FULLNESS)) - 1
            cells = rows[:fitting] * (widths[0] + widths[1])[:fitting]
            real = np.cumsum(sources[start : start + fitting] + targets[start : start + fitting])
            shares = (real / cells)[first:]
            is_multiple = rows[first:fitting] % ROWS == 0
            if is_multiple.any():
                shares = np.where(is_multiple, shares, 0)
            fitting -= int(np.argmax(shares[::-1]))  # the last of the best
        cuts.append(start + fitting)
    return np.array(cuts)
