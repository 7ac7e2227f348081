"""Batches: which pairs a step learns from.

Letters: N pairs, B sentences of a batch, S source tokens, T target tokens.

The whole schedule is a pure function of the lengths, the seed and the step. Pairs are sorted by length and cut into
batches that hold about the same number of tokens; each epoch shuffles the pairs of equal lengths among themselves and
the order of the batches. Since equal lengths are exchangeable, every epoch has the same cuts, so a run that was
killed finds its place by one division instead of reading what it had read before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.examples import read_shard
from pipeline.vocabulary import EOS, PAD

Ints = np.ndarray[Any, np.dtype[np.integer[Any]]]
Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]
Booleans = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Batch:
    """Ids with `EOS` after each sentence, padded at the end with `PAD`: `[B, S]` and `[B, T]`, int32."""

    sources: Ints
    targets: Ints


@dataclass(frozen=True)
class Plan:
    """The schedule of a training.

    Args:
        lengths: tokens of the sources and the targets, the closing `EOS` included, `[N, 2]`.
        max_length: pairs with a longer side are left out.
        batch_tokens: a batch's rows times its longest side stay within it, unless a single row does not.
        seed: decides the order.
        copies: how often each pair is seen in an epoch, `[N]`; None: once.
    """

    lengths: Ints
    max_length: int
    batch_tokens: int
    seed: int
    copies: Ints | None = None

    @cached_property
    def rows(self) -> Ints:
        """The pairs of an epoch, sorted by target length, then source length, then place."""
        kept = np.flatnonzero(self.is_short_enough)
        if self.copies is not None:
            kept = np.repeat(kept, self.copies[kept])
        return kept[np.lexsort((self.lengths[kept, 0], self.lengths[kept, 1]))]

    @cached_property
    def is_short_enough(self) -> Booleans:
        """Whether each pair takes part, `[N]`."""
        short: Booleans = self.lengths.max(axis=1, initial=0) <= self.max_length
        return short

    @property
    def left_out(self) -> int:
        """Pairs with a side that is too long."""
        return int((~self.is_short_enough).sum())

    @cached_property
    def cuts(self) -> Ints:
        """Where each batch begins in the sorted rows, and where the last one ends.

        >>> Plan(np.array([[1, 2], [1, 2], [2, 2], [1, 3], [1, 4], [2, 4]]), 9, batch_tokens=8, seed=1).cuts.tolist()
        [0, 3, 5, 6]
        """
        cuts = [0]
        longest = 0
        for place, length in enumerate(self.lengths[self.rows].max(axis=1).tolist()):
            longest = max(longest, length)
            if place > cuts[-1] and longest * (place + 1 - cuts[-1]) > self.batch_tokens:
                cuts.append(place)
                longest = length
        return np.array([*cuts, len(self.rows)] if len(self.rows) else [0])

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which every pair is seen once."""
        return len(self.cuts) - 1

    @cached_property
    def padding_share(self) -> float:
        """Share of padding among the ids of an epoch."""
        rows = [self.lengths[self.rows[start:end]] for start, end in zip(self.cuts, self.cuts[1:], strict=False)]
        cells = sum(int(lengths.max(axis=0).sum()) * len(lengths) for lengths in rows)
        return 1 - sum(int(lengths.sum()) for lengths in rows) / cells

    def epoch(self, epoch: int) -> tuple[Ints, Ints]:
        """The rows in this epoch's order, and the order of its batches."""
        chance = np.random.default_rng([self.seed, epoch])
        lengths = self.lengths[self.rows]
        rows = self.rows[np.lexsort((chance.permutation(len(lengths)), lengths[:, 0], lengths[:, 1]))]
        return rows, chance.permutation(self.steps_per_epoch)

    def batches(self, first_step: int, last_step: int) -> Iterator[Ints]:
        """The rows of each step from the first to the last; the first step of all is 1."""
        shuffled = -1
        for step in range(first_step, last_step + 1):
            epoch, place = divmod(step - 1, self.steps_per_epoch)
            if epoch != shuffled:
                (rows, order), shuffled = self.epoch(epoch), epoch
            start, end = self.cuts[order[place] : order[place] + 2]
            yield rows[start:end]


@dataclass(frozen=True)
class Pairs:
    """Pairs of ids, in the order of the shards they came from, and the index of each pair's origin, `[N]`."""

    sides: tuple[tuple[Ints, Ints], tuple[Ints, Ints]]
    origins: Ints

    @classmethod
    def read(cls, shards: Sequence[Path]) -> "Pairs":
        """Reads TFRecord shards, in the order given."""
        read = [read_shard(path) for path in shards]
        return cls(
            (
                joined([(pairs.source_values, pairs.source_offsets) for pairs in read]),
                joined([(pairs.target_values, pairs.target_offsets) for pairs in read]),
            ),
            np.concatenate([np.zeros(0, np.int32), *(pairs.origins for pairs in read)]),
        )

    @cached_property
    def lengths(self) -> Ints:
        """Tokens of both sides with the closing `EOS`, `[N, 2]`."""
        return np.stack([np.diff(offsets) + 1 for _, offsets in self.sides], axis=1)

    def batch(self, rows: Ints) -> Batch:
        """The ids of some pairs."""
        return Batch(*(padded(values, offsets, rows) for values, offsets in self.sides))


def copies_of(weights: Floats, seed: int) -> Ints:
    """How often each pair is seen in an epoch: as often as its weight says, `[N]`.

    What a weight has after the point is its chance to be seen once more; the seed decides.

    >>> copies_of(np.array([1.0, 1.0, 2.0]), seed=1).tolist()
    [1, 1, 2]
    """
    whole = np.floor(weights)
    return (whole + (np.random.default_rng([seed]).random(len(weights)) < weights - whole)).astype(np.int64)


def joined(parts: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Ragged arrays one after the other: their values, and the offsets of their rows."""
    lengths = [np.diff(offsets) for _, offsets in parts]
    values = [values for values, _ in parts]
    none = np.zeros(0, np.int64)
    offsets = np.concatenate([[0], np.cumsum(np.concatenate([none, *lengths]))])
    return np.concatenate([none.astype(np.int32), *values]), offsets


def padded(values: Ints, offsets: Ints, rows: Ints) -> Ints:
    """Some rows of a ragged array with `EOS` after each, as a rectangle.

    >>> padded(np.array([7, 8, 9]), np.array([0, 2, 3]), np.array([1, 0])).tolist()
    [[9, 3, 0], [7, 8, 3]]
    """
    starts, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
    columns = np.arange(lengths.max(initial=0) + 1)
    inside = columns < lengths[:, np.newaxis]
    filled = np.where(columns == lengths[:, np.newaxis], EOS, PAD).astype(np.int32)
    filled[inside] = values[(starts[:, np.newaxis] + columns)[inside]]
    return filled
