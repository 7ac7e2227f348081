"""The plan: which pairs each step learns from.

Letters: N pairs.

The whole schedule is a pure function of the lengths, the shards' sizes, the seed and the step. In each epoch the shards
are put into another order and make up windows, as many of them as memory may hold at a time; the pairs of a window are
sorted by length and cut into batches, the batches are shuffled, and the next window follows. Chance changes the cuts a
little from epoch to epoch, so the steps of an epoch are counted from the lengths, and a run that was killed finds its
place without reading what it had read before.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Literal, NamedTuple

import numpy as np

from model.batches import WINDOW_PAIRS, Booleans, Floats, Ints
from model.cutting import by_length, cut
from model.shapes import Shape, choose_shapes, deal


class Cut(NamedTuple):
    """The pairs of a batch, and its shape where that is fixed."""

    rows: Ints
    shape: Shape | None = None


class Window(NamedTuple):
    """Shards that are in memory together, and the batches that are taken from them, in the order of the steps."""

    shards: tuple[int, ...]
    batches: list[Cut]


@dataclass(frozen=True)
class Plan:
    """The schedule of a training.

    Args:
        lengths: tokens of the sources and the targets, the closing `EOS` included, `[N, 2]`.
        max_length: pairs with a longer side are left out.
        batch_tokens: a batch's rows times its longest side stay within it, unless a single row does not.
        seed: decides the order.
        copies: how often each pair is seen in an epoch, `[N]`; None: once.
        sizes: pairs of each shard, in the order of the lengths; None: they are one shard.
        window_pairs: pairs of a window at most, unless a single shard has more; about two windows are in memory.
        shapes: of batches: as the pairs need it, or a few fixed ones.
    """

    lengths: Ints
    max_length: int
    batch_tokens: int
    seed: int
    copies: Ints | None = None
    sizes: tuple[int, ...] | None = None
    window_pairs: int = WINDOW_PAIRS
    shapes: Literal["dynamic", "fixed"] = "dynamic"

    @property
    def shard_sizes(self) -> tuple[int, ...]:
        """Pairs of each shard."""
        return (len(self.lengths),) if self.sizes is None else self.sizes

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
    def rows(self) -> Ints:
        """The pairs of an epoch, in their order in the shards, each as often as it is seen."""
        return self._rows_of(range(len(self.shard_sizes)))

    @cached_property
    def fixed_shapes(self) -> list[Shape]:
        """The shapes that batches may have where they are fixed."""
        return choose_shapes(self.lengths[self.is_short_enough], self.batch_tokens)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of the first epoch; others have some more or less."""
        return sum(self._counts(0))

    @cached_property
    def padding_share(self) -> float:
        """Share of padding among the ids of the first epoch."""
        cells = sum(shape.rows * shape.width for shape in self._first_shapes)
        return 1 - int(self.lengths[self.rows].sum()) / cells

    @cached_property
    def largest(self) -> Shape:
        """The shape of the first epoch's batch whose attention, rows by source by target tokens, is largest."""
        return max(self._first_shapes, key=prod)

    def epochs(self, steps: int) -> float:
        """How often all pairs are seen in a number of steps."""
        epoch, place = self.place(steps)
        return epoch + (place + 1) / sum(self._counts(epoch))

    def place(self, step: int) -> tuple[int, int]:
        """The epoch of a step and its place in it, both from 0; the first step of all is 1.

        Raises:
            ValueError: there are no pairs, and so no steps.
        """
        if not len(self.rows):
            raise ValueError("a plan without pairs has no steps")
        ends = self._ends
        while not ends or ends[-1] < step:
            ends.append(sum(self._counts(len(ends))) + (ends[-1] if ends else 0))
        epoch = bisect_left(ends, step)
        return epoch, step - 1 - (ends[epoch - 1] if epoch else 0)

    def batches(self, first_step: int, last_step: int) -> Iterator[Ints]:
        """The pairs of each step from the first to the last."""
        return (batch.rows for window in self.windows(first_step, last_step) for batch in window.batches)

    def windows(self, first_step: int, last_step: int) -> Iterator[Window]:
        """The batches of each step from the first to the last, window by window; those before are only counted."""
        if first_step > last_step:
            return
        epoch, place = self.place(first_step)
        start = first_step - place  # the first step of the window at hand
        while start <= last_step:
            for (shards, chance), steps in zip(self._windows(epoch), self._counts(epoch), strict=True):
                begin, end = max(first_step - start, 0), min(last_step + 1 - start, steps)
                if begin < end:
                    batches = self._batches(shards, chance)
                    order = chance.permutation(steps)
                    yield Window(shards, [batches[number] for number in order[begin:end]])
                start += steps
            epoch += 1

    def in_order(self) -> list[Cut]:
        """Batches of all pairs as they follow each other by length: to measure on, where chance has no part."""
        return self._batches(tuple(range(len(self.shard_sizes))), None)

    @cached_property
    def _starts(self) -> Ints:
        """The first pair of each shard, and the end of the last."""
        return np.concatenate([[0], np.cumsum(self.shard_sizes)]).astype(np.int64)

    @cached_property
    def _ends(self) -> list[int]:
        """The last step of each epoch that was asked for so far: it grows."""
        return []

    @cached_property
    def _counted(self) -> list[list[int]]:
        """The steps of each window of each epoch that was asked for so far: it grows."""
        return []

    @cached_property
    def _first_shapes(self) -> list[Shape]:
        """The shapes of the first epoch's batches."""
        batches = [batch for shards, chance in self._windows(0) for batch in self._batches(shards, chance)]
        return [shape or Shape(len(rows), *self.lengths[rows].max(axis=0).tolist()) for rows, shape in batches]

    def _counts(self, epoch: int) -> list[int]:
        """The steps of an epoch's windows.

        They are cut here and once more in `windows`, by equal chances: what draws before the cuts draws in both.
        """
        for uncounted in range(len(self._counted), epoch + 1):
            windows = self._windows(uncounted)
            self._counted.append([len(self._batches(shards, chance)) for shards, chance in windows])
        return self._counted[epoch]

    def _windows(self, epoch: int) -> list[tuple[tuple[int, ...], np.random.Generator]]:
        """The shards of each of an epoch's windows, and the chance that orders their pairs."""
        windows: list[list[int]] = []
        filled = 0
        for shard in np.random.default_rng([self.seed, epoch]).permutation(len(self.shard_sizes)).tolist():
            if not windows or filled + self.shard_sizes[shard] > self.window_pairs:
                windows.append([])
                filled = 0
            windows[-1].append(shard)
            filled += self.shard_sizes[shard]
        return [
            (tuple(sorted(shards)), np.random.default_rng([self.seed, epoch, number]))
            for number, shards in enumerate(windows, start=1)
        ]

    def _rows_of(self, shards: range | tuple[int, ...]) -> Ints:
        """The pairs of shards that take part, each as often as it is seen."""
        spans = [np.arange(self._starts[shard], self._starts[shard + 1]) for shard in shards]
        rows = np.concatenate([np.zeros(0, np.int64), *spans])
        rows = rows[self.is_short_enough[rows]]
        return rows if self.copies is None else np.repeat(rows, self.copies[rows])

    def _batches(self, shards: tuple[int, ...], chance: np.random.Generator | None) -> list[Cut]:
        rows = self._rows_of(shards)
        lengths = self.lengths[rows]
        if self.shapes == "fixed":
            return [Cut(rows[places], shape) for places, shape in deal(lengths, self.fixed_shapes, chance)]
        order = by_length(lengths, chance)
        rows = rows[order]
        return [Cut(rows[start:end]) for start, end in pairwise(cut(lengths[order], self.batch_tokens))]


def copies_of(weights: Floats, seed: int) -> Ints:
    """How often each pair is seen in an epoch: as often as its weight says, `[N]`.

    What a weight has after the point is its chance to be seen once more; the seed decides.

    >>> copies_of(np.array([1.0, 1.0, 2.0]), seed=1).tolist()
    [1, 1, 2]
    """
    whole = np.floor(weights)
    return (whole + (np.random.default_rng([seed]).random(len(weights)) < weights - whole)).astype(np.int64)
