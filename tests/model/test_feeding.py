import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from model import batches
from model.batches import Pairs
from model.feeding import feed, in_order
from model.plan import Plan
from pipeline.errors import InputError
from pipeline.examples import write_shard

SIZES = (30, 20, 25, 40, 15)
SHAPES: tuple[Literal["dynamic"], Literal["fixed"]] = ("dynamic", "fixed")


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    """Shards whose pairs are told apart by their first source id, 1000 and up."""
    chance = np.random.default_rng(1)
    shards, number = [], 1000
    for shard, size in enumerate(SIZES):
        sources = [[number + row, *[7] * chance.integers(0, 9)] for row in range(size)]
        targets = [[number + row, *[8] * chance.integers(0, 9)] for row in range(size)]
        shards.append(tmp_path / f"shard-{shard}.tfrecord")
        write_shard(shards[-1], sources, targets)
        number += size
    return Pairs.read(shards)


def plan_of(pairs: Pairs, **more: Any) -> Plan:
    return Plan(pairs.lengths, 50, 60, seed=1, sizes=pairs.sizes, **more)


def told(made: Iterator[batches.Batch]) -> list[list[int]]:
    """The numbers of each batch's pairs, after a look at both sides."""
    numbers = []
    for batch in made:
        filled = batch.sources[:, 0] >= 1000
        assert (batch.targets[filled, 0] == batch.sources[filled, 0]).all()
        assert (batch.sources[~filled] == [3, *[0] * (batch.sources.shape[1] - 1)]).all()
        assert not batch.targets[~filled].any()
        numbers.append((batch.sources[filled, 0] - 1000).tolist())
    return numbers


@pytest.mark.parametrize("more", [{}, {"window_pairs": 50}, {"window_pairs": 50, "shapes": "fixed"}])
def test_batches_hold_the_pairs_of_the_plan(pairs: Pairs, more: dict[str, Any]) -> None:
    plan = plan_of(pairs, **more)
    assert told(feed(plan, pairs, 1, 100)) == [rows.tolist() for rows in plan.batches(1, 100)]
    assert told(feed(plan, pairs, 41, 100)) == [rows.tolist() for rows in plan.batches(41, 100)]


def test_fixed_batches_have_the_shapes_of_the_plan(pairs: Pairs) -> None:
    plan = plan_of(pairs, shapes="fixed")
    seen = {(*batch.sources.shape, batch.targets.shape[1]) for batch in feed(plan, pairs, 1, 100)}
    assert seen <= set(plan.fixed_shapes)
    assert len(seen) > 1


def test_two_windows_at_most_are_in_memory(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Sequence[int]] = []
    alive: list[weakref.ref[batches.Loaded]] = []
    most = 0
    load = Pairs.load

    def counted(self: Pairs, numbers: Sequence[int]) -> batches.Loaded:
        nonlocal most
        loads.append(numbers)
        loaded = load(self, numbers)
        alive.append(weakref.ref(loaded))
        most = max(most, sum(found() is not None for found in alive))
        return loaded

    monkeypatch.setattr(Pairs, "load", counted)
    plan = plan_of(pairs, window_pairs=50)
    for _ in feed(plan, pairs, 1, 100):
        assert sum(found() is not None for found in alive) <= 2
    assert loads == [window.shards for window in plan.windows(1, 100)]
    assert len(loads) > 6
    assert most == 2


def test_a_data_set_of_one_window_is_read_once(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    read_shard = batches.read_shard
    monkeypatch.setattr(
        batches, "read_shard", lambda path, frame_size: read.append(path) or read_shard(path, frame_size)
    )
    plan = plan_of(pairs)
    list(feed(plan, pairs, 1, 3 * plan.steps_per_epoch))
    assert read == list(pairs.shards)


def test_only_windows_that_are_used_are_read(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    read_shard = batches.read_shard
    monkeypatch.setattr(
        batches, "read_shard", lambda path, frame_size: read.append(path) or read_shard(path, frame_size)
    )
    plan = plan_of(pairs, window_pairs=50)
    steps = plan.steps_per_epoch
    window = list(plan.windows(1, steps))[-1]
    list(feed(plan, pairs, steps, steps))
    assert read == [pairs.shards[shard] for shard in window.shards]


def test_a_damaged_shard_is_told_when_its_window_comes(pairs: Pairs) -> None:
    plan = plan_of(pairs, window_pairs=50)
    first, *_, last = plan.windows(1, plan.steps_per_epoch)
    damaged = pairs.shards[last.shards[0]]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    made = feed(plan, pairs, 1, plan.steps_per_epoch)
    assert len([next(made) for _ in first.batches]) == len(first.batches)
    with pytest.raises(InputError, match=f"shard = {damaged}: expected an intact record"):
        list(made)


def test_a_plan_of_other_shards_is_refused(pairs: Pairs) -> None:
    with pytest.raises(ValueError, match=r"a plan of shards with \(130,\) pairs does not fit shards with \(30, 20, "):
        next(feed(Plan(pairs.lengths, 50, 60, seed=1), pairs, 1, 2))


def test_no_steps_are_no_batches(pairs: Pairs) -> None:
    assert list(feed(plan_of(pairs), pairs, 5, 4)) == []


def test_a_small_set_is_read_once_and_given_in_the_same_order(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    first = told(in_order(plan_of(pairs), pairs))
    assert sorted(number for numbers in first for number in numbers) == list(range(sum(SIZES)))
    monkeypatch.setattr(batches, "read_shard", lambda *_: pytest.fail("read again"))
    assert told(in_order(plan_of(pairs), pairs)) == first


def test_fixed_shapes_have_the_same_loss(toy: Any, toy_config: Callable[..., Any]) -> None:
    from model.config import DeviceConfig
    from model.launch import build_strategy
    from model.trainer import Trainer

    pairs = Pairs.read(toy.shards.paths("train/*.tfrecord"))
    trainer = Trainer(toy_config(), 40, build_strategy(DeviceConfig()))
    dynamic, fixed = (Plan(pairs.lengths, 20, 128, seed=1, sizes=pairs.sizes, shapes=shapes) for shapes in SHAPES)
    assert fixed.padding_share > dynamic.padding_share
    assert any(not batch.targets[-1].any() for batch in in_order(fixed, pairs))  # a row without a pair
    assert trainer.loss(in_order(fixed, pairs)) == pytest.approx(trainer.loss(in_order(dynamic, pairs)), rel=1e-6)
