"""Feeding: the batches of a plan, one after the other, with the shards of two windows in memory."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from model.batches import Batch, Pairs
from model.plan import Plan


def feed(plan: Plan, pairs: Pairs, first_step: int, last_step: int) -> Iterator[Batch]:
    """The batch of each step from the first to the last; the first step of all is 1.

    While the batches of a window are used, a thread reads the next window's shards. A data set of one window is read
    once.

    Raises:
        InputError: a shard is damaged.
        ValueError: the plan is not one of these shards.
    """
    if plan.shard_sizes != pairs.sizes:
        raise ValueError(f"a plan of shards with {plan.shard_sizes} pairs does not fit shards with {pairs.sizes}")
    windows = plan.windows(first_step, last_step)
    with ThreadPoolExecutor(1, "shards") as reader:
        ahead = next(windows, None)
        loading = reader.submit(pairs.load, ahead.shards if ahead else ())
        while window := ahead:
            loaded = loading.result()
            ahead = next(windows, None)
            if ahead and ahead.shards != window.shards:
                loading = reader.submit(pairs.load, ahead.shards)
            for batch in window.batches:
                yield loaded.batch(*batch)


def in_order(plan: Plan, pairs: Pairs) -> Iterator[Batch]:
    """All pairs of a small set once, without chance."""
    return (pairs.whole.batch(*batch) for batch in plan.in_order())
