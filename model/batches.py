"""Batches: pairs of ids as rectangles, and the shards that they are read from.

Letters: N pairs, B sentences of a batch, S source tokens, T target tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.examples import lengths_path, read_lengths, read_origins, read_shard
from pipeline.vocabulary import EOS, PAD

Ints = np.ndarray[Any, np.dtype[np.integer[Any]]]
Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]
Booleans = np.ndarray[Any, np.dtype[np.bool_]]
Ragged = tuple[Ints, Ints]  # values, and the offsets of the rows among them


@dataclass(frozen=True)
class Batch:
    """Ids with `EOS` after each sentence, padded at the end with `PAD`: `[B, S]` and `[B, T]`, int32."""

    sources: Ints
    targets: Ints


def full_batch(shape: tuple[int, int, int]) -> Batch:
    """A batch of a shape, B, S and T, without padding: as much work as a batch of that shape can be."""
    rows, *widths = shape
    return Batch(*(np.full((rows, width), EOS, np.int32) for width in widths))


@dataclass(frozen=True)
class Loaded:
    """The pairs of some shards in memory.

    Args:
        sides: the ids of all sources and of all targets.
        firsts: the number of each shard's first pair among the pairs of all shards, ascending.
        moved: how much smaller than that its number is in memory.
    """

    sides: tuple[Ragged, Ragged]
    firsts: Ints
    moved: Ints

    def batch(self, rows: Ints, shape: tuple[int, int, int] | None = None) -> Batch:
        """The ids of some pairs, which are numbered as among the pairs of all shards.

        Args:
            rows: the pairs.
            shape: B, S and T, where they are larger than the pairs need. A row without a pair is an empty sentence,
                for an encoder needs one, and no target, which the loss passes over.
        """
        rows = rows - self.moved[np.searchsorted(self.firsts, rows, side="right") - 1]
        height, *widths = shape or (None, None, None)
        sources, targets = (padded(*side, rows, height, width) for side, width in zip(self.sides, widths, strict=True))
        sources[len(rows) :, 0] = EOS
        return Batch(sources, targets)


@dataclass(frozen=True)
class Pairs:
    """Pairs of ids in shards on disk, in the order of the shards; what is needed of them is loaded.

    Args:
        shards: TFRecord files, each with its length index beside it.
        sizes: pairs of each shard.
        lengths: tokens of both sides with the closing `EOS`, `[N, 2]`.
    """

    shards: tuple[Path, ...]
    sizes: tuple[int, ...]
    lengths: Ints

    @classmethod
    def read(cls, shards: Sequence[Path]) -> "Pairs":
        """Reads the length indexes, and no record."""
        indexes = [read_lengths(path) for path in shards]
        lengths = np.concatenate([np.zeros((0, 2), np.int32), *indexes]) + np.int32(1)
        return cls(tuple(shards), tuple(map(len, indexes)), lengths)

    @cached_property
    def origins(self) -> Ints:
        """The index of each pair's origin, `[N]`; reads all shards once and keeps nothing else of them."""
        return np.concatenate([np.zeros(0, np.int32), *map(read_origins, self.shards)])

    @cached_property
    def whole(self) -> Loaded:
        """All pairs, for sets that are small."""
        return self.load(range(len(self.shards)))

    def load(self, numbers: Sequence[int]) -> Loaded:
        """Reads some shards, in ascending order.

        Raises:
            InputError: a record is damaged, or the length index does not tell its length.
        """
        starts = np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)
        sources, targets, firsts = [], [], []
        for number in numbers:
            path, first = self.shards[number], int(starts[number])
            pairs = read_shard(path)
            sides = (pairs.source_values, pairs.source_offsets), (pairs.target_values, pairs.target_offsets)
            lengths = np.stack([np.diff(offsets) + 1 for _, offsets in sides], axis=1)
            if not np.array_equal(lengths, self.lengths[first : starts[number + 1]]):
                allowed = f"the lengths of the {len(lengths):,} records of {path.name}"
                raise InputError("shard", lengths_path(path), allowed, "one of both was changed after it was written")
            sources.append(sides[0])
            targets.append(sides[1])
            firsts.append(first)
        sizes = [len(offsets) - 1 for _, offsets in sources]
        moved = np.array(firsts, np.int64) - np.cumsum([0, *sizes])[:-1]
        return Loaded((joined(sources), joined(targets)), np.array(firsts, np.int64), moved)


def joined(parts: Sequence[Ragged]) -> Ragged:
    """Ragged arrays one after the other."""
    lengths = [np.diff(offsets) for _, offsets in parts]
    values = [values for values, _ in parts]
    none = np.zeros(0, np.int64)
    offsets = np.concatenate([[0], np.cumsum(np.concatenate([none, *lengths]))])
    return np.concatenate([none.astype(np.int32), *values]), offsets


def padded(values: Ints, offsets: Ints, rows: Ints, height: int | None = None, width: int | None = None) -> Ints:
    """Some rows of a ragged array with `EOS` after each, as a rectangle, which may be given larger than they need.

    >>> padded(np.array([7, 8, 9]), np.array([0, 2, 3]), np.array([1, 0])).tolist()
    [[9, 3, 0], [7, 8, 3]]
    """
    starts, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
    columns = np.arange(lengths.max(initial=0) + 1 if width is None else width)
    filled = np.full((len(rows) if height is None else height, len(columns)), PAD, np.int32)
    used = filled[: len(rows)]
    inside = columns < lengths[:, np.newaxis]
    used[inside] = values[(starts[:, np.newaxis] + columns)[inside]]
    used[np.arange(len(rows)), lengths] = EOS
    return filled
