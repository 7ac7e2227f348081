"""A few fixed shapes of batches, for compilers that make a program for each shape.

Letters: N pairs, K shapes, C classes of pairs of equal lengths.

A pair goes into a batch of the smallest shape that both its sides fit. The shapes are chosen once for a data set: they
begin evenly spaced up to its longest sides, and each side of each of them moves as long as that saves padding.
"""

from typing import Final, NamedTuple

import numpy as np

from model.batches import Floats, Ints

SHAPES: Final = 12  # at most; on captions of some 16 tokens eight pad an eighth, twelve a tenth
MOVES: Final = [sides for size in (-4, -2, -1, 1, 2, 4) for sides in ((size, 0), (0, size))]
CLASSES: Final = 64  # lengths that are told apart on a side; longer sides are looked at in larger steps


class Shape(NamedTuple):
    """Rows of a batch, and its width on both sides."""

    rows: int
    sources: int
    targets: int

    @property
    def width(self) -> int:
        """Cells of a row."""
        return self.sources + self.targets

    def fits(self, other: "Shape") -> bool:
        """Whether rows of the other shape have room in this one."""
        return self.sources >= other.sources and self.targets >= other.targets


def choose_shapes(lengths: Ints, batch_tokens: int) -> list[Shape]:
    """At most `SHAPES` shapes that together fit pairs of the lengths `[N, 2]`, narrow ones first."""
    if not len(lengths):
        return []
    longest = lengths.max(axis=0)
    step = -(-int(longest.max()) // CLASSES)
    coarse = -(-lengths // step)
    base = int(coarse.max()) + 1
    counts = np.bincount(coarse[:, 0] * base + coarse[:, 1])
    kinds = np.flatnonzero(counts)
    classes, counts = np.stack(np.divmod(kinds, base), axis=1), counts[kinds]  # [C, 2], [C]

    corners = -(-coarse.max(axis=0) * np.arange(1, SHAPES + 1)[:, np.newaxis] // SHAPES)  # [K, 2]
    least, before = float(widths(corners, classes).min(axis=1) @ counts), np.inf
    while least < before:
        before = least
        for corner in range(SHAPES):
            others = widths(np.delete(corners, corner, axis=0), classes).min(axis=1)  # [C]
            for move in MOVES:
                moved = corners[corner] + move
                needed = float(np.minimum(others, widths(moved[np.newaxis], classes)[:, 0]) @ counts)
                if needed < least:
                    corners[corner], least = moved, needed
    used = corners[np.unique(widths(corners, classes).argmin(axis=1))]
    sides = np.minimum(np.unique(used, axis=0) * step, longest).tolist()
    shapes = [Shape(max(1, batch_tokens // max(both)), *both) for both in sides]
    return sorted(shapes, key=lambda shape: (shape.width, shape))


def widths(corners: Ints, classes: Ints) -> Floats:
    """What a pair of each class takes in each shape, infinitely much where it does not fit, `[C, K]`.

    >>> widths(np.array([[2, 2], [4, 4]]), np.array([[1, 2], [2, 3]])).tolist()
    [[4.0, 8.0], [inf, 8.0]]
    """
    is_fit = (classes[:, np.newaxis] <= corners).all(axis=2)
    return np.where(is_fit, corners.sum(axis=1), np.inf)


def deal(lengths: Ints, shapes: list[Shape], chance: np.random.Generator | None = None) -> list[tuple[Ints, Shape]]:
    """Deals pairs of the lengths `[N, 2]` out to batches, each with its shape; with `chance` in any order.

    What is left over of a shape and fills no batch goes on into the next wider one, if that takes fewer cells than a
    batch which is partly empty.
    """
    places = np.arange(len(lengths)) if chance is None else chance.permutation(len(lengths))
    kinds = np.zeros(len(lengths), np.int64)
    for kind in reversed(range(len(shapes))):
        kinds[(lengths[places] <= shapes[kind][1:]).all(axis=1)] = kind
    waiting = [places[kinds == kind] for kind in range(len(shapes))]
    batches = []
    for kind, shape in enumerate(shapes):
        rows = waiting[kind]
        ends = range(shape.rows, len(rows) + 1, shape.rows)
        batches += [(rows[end - shape.rows : end], shape) for end in ends]
        left = rows[len(ends) * shape.rows :]
        wider = next((other for other in range(kind + 1, len(shapes)) if shapes[other].fits(shape)), None)
        if wider is not None and len(left) * shapes[wider].width < shape.rows * shape.width:
            waiting[wider] = np.concatenate([waiting[wider], left])
        elif len(left):
            batches.append((left, shape))
    return batches
