from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.plan import Plan, copies_of

LENGTHS = np.random.default_rng(5).integers(1, 30, size=(500, 2))
SIZES = (120, 0, 80, 200, 60, 40)
WINDOWS = {
    "one window": {},
    "three windows or four": {"sizes": SIZES, "window_pairs": 200},
    "fixed": {"shapes": "fixed"},
}


def make_plan(seed: int = 3, batch_tokens: int = 200, max_length: int = 100, **more: Any) -> Plan:
    return Plan(more.pop("lengths", LENGTHS), max_length, batch_tokens, seed, **more)


def epoch_of(plan: Plan, epoch: int) -> list[list[int]]:
    """The batches of an epoch."""
    first = 1
    while plan.place(first)[0] < epoch:
        first += 1
    last = first
    while plan.place(last + 1)[0] == epoch:
        last += 1
    return [rows.tolist() for rows in plan.batches(first, last)]


@pytest.mark.parametrize("more", WINDOWS.values(), ids=WINDOWS.keys())
def test_each_pair_is_seen_exactly_once_in_every_epoch(more: dict[str, Any]) -> None:
    plan = make_plan(**more)
    for epoch in range(3):
        assert sorted(row for rows in epoch_of(plan, epoch) for row in rows) == list(range(500))


@pytest.mark.parametrize("more", WINDOWS.values(), ids=WINDOWS.keys())
def test_a_plan_taken_up_in_the_middle_is_the_rest_of_the_whole_plan(more: dict[str, Any]) -> None:
    whole = [rows.tolist() for rows in make_plan(**more).batches(1, 200)]
    assert len(whole) == 200
    for first in (2, 57, 118, 200):
        assert [rows.tolist() for rows in make_plan(**more).batches(first, 200)] == whole[first - 1 :]


def test_every_batch_stays_within_its_tokens_and_nearly_fills_them() -> None:
    plan = make_plan()
    cells = [len(rows) * LENGTHS[rows].max() for rows in plan.batches(1, plan.steps_per_epoch)]
    assert max(cells) <= 200
    assert np.mean(cells) > 165


def test_windows_hold_no_more_pairs_than_they_may_and_change_from_epoch_to_epoch() -> None:
    plan = make_plan(sizes=SIZES, window_pairs=200)
    seen = []
    for epoch in range(4):
        first = next(step for step in range(1, 1000) if plan.place(step) == (epoch, 0))
        steps = next(step for step in range(first, 1000) if plan.place(step + 1)[0] > epoch) - first + 1
        windows = list(plan.windows(first, first + steps - 1))
        assert sum(len(window.batches) for window in windows) == steps
        starts = np.cumsum([0, *SIZES])
        for shards, batches in windows:
            pairs = [row for shard in shards for row in range(starts[shard], starts[shard + 1])]
            assert 0 < len(pairs) <= 200
            assert sorted(row for batch in batches for row in batch.rows.tolist()) == pairs
        seen.append([shards for shards, _ in windows])
    assert len({str(windows) for windows in seen}) == 4


def test_a_shard_that_is_larger_than_a_window_is_a_window() -> None:
    plan = make_plan(sizes=(300, 100, 100), window_pairs=150)
    windows = list(plan.windows(1, plan.steps_per_epoch))
    assert sorted(shards for shards, _ in windows) == [(0,), (1,), (2,)]


def test_one_window_holds_all_shards_in_their_order() -> None:
    plan = make_plan(sizes=SIZES)
    assert [shards for shards, _ in plan.windows(1, plan.steps_per_epoch)] == [(0, 1, 2, 3, 4, 5)]


def test_epochs_and_seeds_differ() -> None:
    plan = make_plan()
    assert epoch_of(plan, 0) != epoch_of(plan, 1)
    assert epoch_of(plan, 0) != epoch_of(make_plan(seed=4), 0)
    assert epoch_of(plan, 0) == epoch_of(make_plan(), 0)


def test_the_place_of_a_step_is_its_epoch_and_its_number_in_it() -> None:
    plan = make_plan(sizes=SIZES, window_pairs=200)
    steps = [len(epoch_of(plan, epoch)) for epoch in range(3)]
    places = [(epoch, place) for epoch in range(3) for place in range(steps[epoch])]
    assert [make_plan(sizes=SIZES, window_pairs=200).place(step) for step in range(1, sum(steps) + 1)] == places
    assert plan.steps_per_epoch == steps[0]
    assert plan.epochs(steps[0]) == 1
    assert plan.epochs(steps[0] + steps[1]) == 2
    assert plan.epochs(1) == pytest.approx(1 / steps[0])


def test_pairs_of_equal_length_change_their_companions() -> None:
    plan = make_plan(lengths=np.full((40, 2), 5), batch_tokens=20)
    assert plan.steps_per_epoch == 10
    first, second = ({tuple(sorted(rows)) for rows in epoch_of(plan, epoch)} for epoch in range(2))
    assert first != second


def test_pairs_of_neighbouring_lengths_become_companions() -> None:
    lengths = np.repeat(np.arange(1, 21), 4)[:, np.newaxis].repeat(2, axis=1)
    plan = make_plan(lengths=lengths, batch_tokens=40)
    companions = {
        (row, other) for epoch in range(20) for rows in epoch_of(plan, epoch) for row in rows for other in rows
    }
    assert len({tuple(lengths[list(both), 0].tolist()) for both in companions if lengths[both[0], 0] > 10}) > 10


def test_pairs_with_a_side_that_is_too_long_are_left_out_and_counted() -> None:
    plan = make_plan(lengths=np.array([[3, 3], [4, 3], [3, 4], [2, 1]]), max_length=3)
    assert plan.left_out == 2
    assert plan.rows.tolist() == [0, 3]
    assert sorted(row for rows in epoch_of(plan, 0) for row in rows) == [0, 3]


@pytest.mark.parametrize("more", [{}, {"shapes": "fixed"}, {"sizes": (1000, 1500, 500), "window_pairs": 1600}])
def test_a_pair_is_seen_as_often_as_its_weight_says(more: dict[str, Any]) -> None:
    weights = np.repeat([0.25, 1.0, 2.5], 1000)
    copies = copies_of(weights, seed=1)
    assert set(copies[:1000]) == {0, 1}
    assert set(copies[1000:2000]) == {1}
    assert set(copies[2000:]) == {2, 3}
    assert copies[:1000].mean() == pytest.approx(0.25, abs=0.05)
    assert copies[2000:].mean() == pytest.approx(2.5, abs=0.05)
    assert (copies == copies_of(weights, seed=1)).all()
    assert (copies != copies_of(weights, seed=2)).any()
    plan = Plan(np.full((3000, 2), 5), 9, 50, seed=1, copies=copies, **more)
    for epoch in range(2):
        rows = np.concatenate(epoch_of(plan, epoch))
        assert np.bincount(rows, minlength=3000).tolist() == copies.tolist()


def test_padding_share_counts_the_ids_of_both_sides() -> None:
    plan = make_plan(lengths=np.array([[1, 2], [2, 2], [4, 4], [9, 9]]), batch_tokens=4, max_length=8)
    assert plan.steps_per_epoch == 2  # [[1, 2], [2, 2]] in 2 * (2 + 2) cells, [[4, 4]] in 8
    assert plan.padding_share == pytest.approx(1 / 16)


def test_padding_share_counts_the_rows_that_fill_fixed_shapes() -> None:
    plan = make_plan(lengths=np.array([[2, 2]] * 5), batch_tokens=4, shapes="fixed")
    assert plan.steps_per_epoch == 3  # of two rows
    assert plan.padding_share == pytest.approx(1 / 6)


def test_the_largest_batch_has_most_cells_of_attention() -> None:
    lengths = np.array([[2, 2]] * 9 + [[9, 3]])
    assert make_plan(lengths=lengths, batch_tokens=18).largest == (2, 9, 3)
    assert make_plan(lengths=lengths[:8], batch_tokens=18).largest == (8, 2, 2)


def test_the_order_to_measure_in_leaves_nothing_to_chance() -> None:
    for more in WINDOWS.values():
        rows = [batch.rows.tolist() for batch in make_plan(**more).in_order()]
        assert rows == [batch.rows.tolist() for batch in make_plan(seed=9, **more).in_order()]
        assert sorted(row for batch in rows for row in batch) == list(range(500))


def test_a_plan_of_nothing_has_no_steps() -> None:
    plan = make_plan(lengths=np.zeros((0, 2), np.int64))
    assert plan.steps_per_epoch == 0
    assert plan.in_order() == []
    with pytest.raises(ValueError, match="a plan without pairs has no steps"):
        list(plan.batches(1, 2))


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=20), min_size=1, max_size=5),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["dynamic", "fixed"]),
    st.integers(0, 9),
)
def test_any_shards_are_all_seen_once_whatever_the_window(
    shards: list[list[tuple[int, int]]], window_pairs: int, batch_tokens: int, shapes: Any, seed: int
) -> None:
    lengths = np.array([pair for shard in shards for pair in shard]).reshape(-1, 2)
    plan = Plan(lengths, 11, batch_tokens, seed, None, tuple(map(len, shards)), window_pairs, shapes)
    short = [number for number, pair in enumerate(lengths.tolist()) if max(pair) < 12]
    assert sum(1 for _ in plan.rows) + plan.left_out == len(lengths)
    if not short:
        return
    batches = list(plan.batches(1, plan.steps_per_epoch))
    assert sorted(np.concatenate(batches).tolist()) == short
    for rows in batches:
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= batch_tokens
    again = Plan(lengths, 11, batch_tokens, seed, None, tuple(map(len, shards)), window_pairs, shapes)
    middle = 1 + len(batches) // 2
    tail = list(again.batches(middle, len(batches)))
    assert [rows.tolist() for rows in tail] == [rows.tolist() for rows in batches[middle - 1 :]]
