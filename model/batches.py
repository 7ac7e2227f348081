"""Batches: pairs of ids as rectangles, and the shards that they are read from.

Letters: N pairs, B sentences of a batch, S source tokens or frames, F numbers of a frame, T target tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipeline.errors import InputError
from pipeline.examples import lengths_path, read_lengths, read_origins, read_shard
from pipeline.vocabulary import EOS, PAD

Ints = np.ndarray[Any, np.dtype[np.integer[Any]]]
Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]
Booleans = np.ndarray[Any, np.dtype[np.bool_]]
Form = tuple[int, int, int]  # B, S and T of a batch
Ragged = tuple[Any, Ints]  # values, and the offsets of the rows among them

WINDOW_PAIRS: Final = 1_000_000
WINDOW_NUMBERS: Final = 1 << 28  # of frames, a gigabyte
PADDING: Final = nan  # of frames: no number of a corpus, where a frame of zeros is silence


@dataclass(frozen=True)
class Batch:
    """Ids with `EOS` after each sentence, padded at the end with `PAD`: `[B, S]` and `[B, T]`, int32.

    Sources may also be frames, padded with frames of `PADDING`: `[B, S, F]`, float32.
    """

    sources: Ints | Floats
    targets: Ints


@dataclass(frozen=True)
class FrameForm:
    """How sources that are frames become positions of an encoder.

    Args:
        size: numbers of a frame.
        stride: frames that become one position.
    """

    size: int
    stride: int

    def positions(self, frames: Ints) -> Ints:
        """The positions that so many frames become.

        >>> FrameForm(size=80, stride=4).positions(np.array([1, 4, 5])).tolist()
        [1, 1, 2]
        """
        return -(-frames // self.stride)

    def padded(
        self, values: Floats, offsets: Ints, rows: Ints, height: int | None = None, positions: int | None = None
    ) -> Floats:
        """Some rows of a ragged array `[sum of lengths, F]`; a row without a sequence is a frame of zeros."""
        starts, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
        columns = np.arange(lengths.max(initial=1) if positions is None else positions * self.stride)
        shape = len(rows) if height is None else height, len(columns), self.size
        filled = np.full(shape, PADDING, np.float32)
        inside = columns < lengths[:, np.newaxis]
        filled[: len(rows)][inside] = values[(starts[:, np.newaxis] + columns)[inside]]
        filled[len(rows) :, 0] = 0
        return filled


def full_batch(shape: tuple[int, int, int], frames: FrameForm | None = None) -> Batch:
    """A batch of a shape, B, S and T, without padding: as much work as a batch of that shape can be."""
    rows, sources, targets = shape
    width = (sources * frames.stride, frames.size) if frames else (sources,)
    filled = np.zeros((rows, *width), np.float32) if frames else np.full((rows, *width), EOS, np.int32)
    return Batch(filled, np.full((rows, targets), EOS, np.int32))


@dataclass(frozen=True)
class Loaded:
    """The pairs of some shards in memory.

    Args:
        sides: the ids of all sources and of all targets.
        firsts: the number of each shard's first pair among the pairs of all shards, ascending.
        moved: how much smaller than that its number is in memory.
        frames: how the sources are frames, None where they are ids.
    """

    sides: tuple[Ragged, Ragged]
    firsts: Ints
    moved: Ints
    frames: FrameForm | None = None

    def batch(self, rows: Ints, shape: tuple[int, int, int] | None = None) -> Batch:
        """The ids of some pairs, which are numbered as among the pairs of all shards.

        Args:
            rows: the pairs.
            shape: B, S and T, where they are larger than the pairs need. A row without a pair is an empty sentence,
                for an encoder needs one, and no target, which the loss passes over.
        """
        rows = rows - self.moved[np.searchsorted(self.firsts, rows, side="right") - 1]
        height, *widths = shape or (None, None, None)
        targets = padded(*self.sides[1], rows, height, widths[1])
        if self.frames:
            return Batch(self.frames.padded(*self.sides[0], rows, height, widths[0]), targets)
        sources = padded(*self.sides[0], rows, height, widths[0])
        sources[len(rows) :, 0] = EOS
        return Batch(sources, targets)


@dataclass(frozen=True)
class Pairs:
    """Pairs of ids in shards on disk, in the order of the shards; what is needed of them is loaded.

    Args:
        shards: TFRecord files, each with its length index beside it.
        sizes: pairs of each shard.
        lengths: tokens of both sides with the closing `EOS`, `[N, 2]`; of sources that are frames, positions.
        frames: how the sources are frames, None where they are ids.
    """

    shards: tuple[Path, ...]
    sizes: tuple[int, ...]
    lengths: Ints
    frames: FrameForm | None = None

    @classmethod
    def read(cls, shards: Sequence[Path], frames: FrameForm | None = None) -> "Pairs":
        """Reads the length indexes, and no record."""
        indexes = [read_lengths(path) for path in shards]
        lengths = seen(np.concatenate([np.zeros((0, 2), np.int32), *indexes]), frames)
        return cls(tuple(shards), tuple(map(len, indexes)), lengths, frames)

    @property
    def frame_size(self) -> int:
        """Numbers of a frame, 0 where sources are ids."""
        return self.frames.size if self.frames else 0

    @property
    def window_pairs(self) -> int:
        """How many pairs of the average length may be in memory together."""
        if not self.frames or not len(self.lengths):
            return WINDOW_PAIRS
        numbers = int(self.lengths[:, 0].sum(dtype=np.int64)) * self.frames.stride * self.frames.size
        return min(WINDOW_PAIRS, max(1, WINDOW_NUMBERS * len(self.lengths) // numbers))

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
            pairs = read_shard(path, self.frame_size)
            sides = (pairs.source_values, pairs.source_offsets), (pairs.target_values, pairs.target_offsets)
            lengths = seen(np.stack([np.diff(offsets) for _, offsets in sides], axis=1), self.frames)
            if not np.array_equal(lengths, self.lengths[first : starts[number + 1]]):
                allowed = f"the lengths of the {len(lengths):,} records of {path.name}"
                raise InputError("shard", lengths_path(path), allowed, "one of both was changed after it was written")
            sources.append(sides[0])
            targets.append(sides[1])
            firsts.append(first)
        sizes = [len(offsets) - 1 for _, offsets in sources]
        moved = np.array(firsts, np.int64) - np.cumsum([0, *sizes])[:-1]
        nothing = np.zeros((0, self.frames.size), np.float32) if self.frames else np.zeros(0, np.int32)
        both = joined(nothing, sources), joined(np.zeros(0, np.int32), targets)
        return Loaded(both, np.array(firsts, np.int64), moved, self.frames)


def seen(lengths: Ints, frames: FrameForm | None) -> Ints:
    """Lengths `[N, 2]` as a network sees them: with the closing `EOS`, or of frames in positions."""
    longer = lengths + np.int32(1)
    if frames:
        longer[:, 0] = frames.positions(lengths[:, 0])
    return longer


def joined(nothing: Ints | Floats, parts: Sequence[Ragged]) -> Ragged:
    """Ragged arrays one after the other, after an empty array of values."""
    lengths = [np.diff(offsets) for _, offsets in parts]
    offsets = np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, np.int64), *lengths]))])
    return np.concatenate([nothing, *(values for values, _ in parts)]), offsets


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
