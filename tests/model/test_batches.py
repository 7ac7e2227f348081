from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.batches import Pairs, Plan, copies_of, padded
from pipeline.examples import write_shard

LENGTHS = np.random.default_rng(5).integers(1, 30, size=(500, 2))


def make_plan(seed: int = 3, batch_tokens: int = 200, max_length: int = 100, lengths: np.ndarray = LENGTHS) -> Plan:
    return Plan(lengths, max_length, batch_tokens, seed)


def test_each_pair_is_seen_exactly_once_in_every_epoch() -> None:
    plan = make_plan()
    for epoch in range(3):
        first = 1 + epoch * plan.steps_per_epoch
        rows = np.concatenate(list(plan.batches(first, first + plan.steps_per_epoch - 1)))
        assert sorted(rows.tolist()) == list(range(500))


def test_every_batch_stays_within_its_tokens_and_nearly_fills_them() -> None:
    plan = make_plan()
    cells = [len(rows) * LENGTHS[rows].max() for rows in plan.batches(1, plan.steps_per_epoch)]
    assert max(cells) <= 200
    assert np.mean(cells) > 170


def test_a_pair_that_is_longer_than_a_batch_has_one_of_its_own() -> None:
    plan = make_plan(lengths=np.array([[9, 2], [2, 2], [2, 2]]), batch_tokens=4)
    assert sorted(sorted(rows.tolist()) for rows in plan.batches(1, 2)) == [[0], [1, 2]]


def test_a_plan_taken_up_in_the_middle_is_the_rest_of_the_whole_plan() -> None:
    whole = [rows.tolist() for rows in make_plan().batches(1, 200)]
    assert [rows.tolist() for rows in make_plan().batches(118, 200)] == whole[117:]


def test_epochs_and_seeds_differ() -> None:
    plan, steps = make_plan(), make_plan().steps_per_epoch
    first, second = ([rows.tolist() for rows in plan.batches(1 + i * steps, steps + i * steps)] for i in range(2))
    other = [rows.tolist() for rows in make_plan(seed=4).batches(1, steps)]
    assert first != second
    assert first != other


def test_pairs_of_equal_length_change_their_companions() -> None:
    plan = make_plan(lengths=np.full((40, 2), 5), batch_tokens=20)
    assert plan.steps_per_epoch == 10
    first, second = ({tuple(sorted(rows)) for rows in plan.batches(i * 10 + 1, i * 10 + 10)} for i in range(2))
    assert first != second


def test_pairs_with_a_side_that_is_too_long_are_left_out_and_counted() -> None:
    plan = make_plan(lengths=np.array([[3, 3], [4, 3], [3, 4], [2, 1]]), max_length=3)
    assert plan.left_out == 2
    assert np.concatenate(list(plan.batches(1, plan.steps_per_epoch))).tolist() in ([0, 3], [3, 0])


def test_a_pair_is_seen_as_often_as_its_weight_says() -> None:
    weights = np.repeat([0.25, 1.0, 2.5], 1000)
    copies = copies_of(weights, seed=1)
    assert set(copies[:1000]) == {0, 1}
    assert set(copies[1000:2000]) == {1}
    assert set(copies[2000:]) == {2, 3}
    assert copies[:1000].mean() == pytest.approx(0.25, abs=0.05)
    assert copies[2000:].mean() == pytest.approx(2.5, abs=0.05)
    assert (copies == copies_of(weights, seed=1)).all()
    assert (copies != copies_of(weights, seed=2)).any()
    plan = Plan(np.full((3000, 2), 5), 9, 50, seed=1, copies=copies)
    for epoch in range(2):
        first = 1 + epoch * plan.steps_per_epoch
        rows = np.concatenate(list(plan.batches(first, first + plan.steps_per_epoch - 1)))
        assert np.bincount(rows, minlength=3000).tolist() == copies.tolist()


def test_padding_share_counts_the_ids_of_both_sides() -> None:
    plan = make_plan(lengths=np.array([[1, 2], [2, 2], [4, 4]]), batch_tokens=4)
    assert plan.steps_per_epoch == 2  # [[1, 2], [2, 2]] in 2 * (2 + 2) cells, [[4, 4]] in 8
    assert plan.padding_share == pytest.approx(1 / 16)


def test_no_pairs_make_no_batches() -> None:
    assert make_plan(lengths=np.zeros((0, 2), np.int64)).steps_per_epoch == 0


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=60),
    st.integers(1, 40),
    st.integers(0, 9),
)
def test_any_lengths_are_all_seen_once(lengths: list[tuple[int, int]], batch_tokens: int, seed: int) -> None:
    plan = Plan(np.array(lengths), 12, batch_tokens, seed)
    batches = list(plan.batches(1, plan.steps_per_epoch))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for rows in batches:
        assert len(rows) == 1 or len(rows) * np.array(lengths)[rows].max() <= batch_tokens


def test_batches_end_with_the_closing_token_and_padding(tmp_path: Path) -> None:
    write_shard(tmp_path / "shard-0.tfrecord", [[10, 11], []], [[20], [21, 22, 23]])
    write_shard(tmp_path / "shard-1.tfrecord", [[12]], [[24]])
    pairs = Pairs.read([tmp_path / "shard-0.tfrecord", tmp_path / "shard-1.tfrecord"])
    assert pairs.lengths.tolist() == [[3, 2], [1, 4], [2, 2]]
    batch = pairs.batch(np.array([2, 0, 1]))
    assert batch.sources.tolist() == [[12, 3, 0], [10, 11, 3], [3, 0, 0]]
    assert batch.targets.tolist() == [[24, 3, 0, 0], [20, 3, 0, 0], [21, 22, 23, 3]]
    assert batch.sources.dtype == batch.targets.dtype == np.int32


def test_no_shards_are_no_pairs() -> None:
    assert Pairs.read([]).lengths.shape == (0, 2)


def test_padding_no_rows_gives_a_rectangle_of_none() -> None:
    assert padded(np.array([7]), np.array([0, 1]), np.array([], np.int64)).shape == (0, 1)
