"""Wide rows in blocks, against NumPy: its stable sort, its search in sums."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from model.blocks import BLOCK, WIDE, draw, largest


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(0, 4),
    columns=st.one_of(st.integers(1, 70), st.integers(WIDE, WIDE + 2 * BLOCK)),
    share=st.floats(0, 1),
    repeats=st.sampled_from([0.001, 0.1, 0.5, 0.9]),
    is_static=st.booleans(),
)
def test_values_and_columns_are_those_of_a_stable_sort(
    seed: int, rows: int, columns: int, share: float, repeats: float, is_static: bool
) -> None:
    count = max(1, int(share * min(columns, 100)))
    chance = np.random.default_rng(seed)
    values = chance.geometric(repeats, size=(rows, columns)).astype(np.float32)  # the larger, the rarer
    values[values == chance.integers(1, 4)] = -np.inf
    best, found = largest(tf.constant(values), count if is_static else tf.constant(count))
    expected = np.argsort(-values, axis=1, kind="stable")[:, :count]
    assert found.numpy().tolist() == expected.tolist()
    assert best.numpy().tolist() == np.take_along_axis(values, expected, axis=1).tolist()


def test_of_equal_values_the_left_one_comes_first_whatever_else_is_in_its_block() -> None:
    values = np.zeros((1, WIDE), np.float32)
    values[0, [3 * BLOCK, 7 * BLOCK, 7 * BLOCK + 1]] = [5, 5, 9]
    best, places = largest(tf.constant(values), 4)
    assert best.numpy().tolist() == [[9, 5, 5, 0]]
    assert places.numpy().tolist() == [[7 * BLOCK + 1, 3 * BLOCK, 7 * BLOCK, 0]]


@pytest.mark.parametrize("columns", [None, 8000])
def test_in_a_graph_the_number_of_columns_may_be_unknown(columns: int | None) -> None:
    found = tf.function(largest, input_signature=[tf.TensorSpec([None, columns]), tf.TensorSpec([], tf.int32)])
    values = np.random.default_rng(1).normal(size=(3, 8000)).astype(np.float32)
    best, places = found(tf.constant(values), tf.constant(7))
    assert places.numpy().tolist() == np.argsort(-values, axis=1)[:, :7].tolist()
    assert best.numpy().tolist() == (-np.sort(-values, axis=1)[:, :7]).tolist()


def test_more_values_than_the_blocks_of_a_row_are_found() -> None:
    values = np.random.default_rng(2).normal(size=(2, WIDE)).astype(np.float32)
    _, places = largest(tf.constant(values), 500)
    assert places.numpy().tolist() == np.argsort(-values, axis=1)[:, :500].tolist()


@pytest.mark.parametrize("columns", [3, BLOCK, 1000])
def test_a_column_is_drawn_as_its_share_says(columns: int) -> None:
    shares = np.random.default_rng(3).integers(0, 3, size=columns).astype(np.float32)  # sums of these are exact
    chances = ((np.arange(4 * columns) + 0.5) / (4 * columns)).astype(np.float32)
    found = draw(tf.tile(tf.constant(shares)[tf.newaxis], [len(chances), 1]), tf.constant(chances))
    sums = np.cumsum(shares, dtype=np.float32)
    assert found.numpy().tolist() == np.searchsorted(sums, chances * sums[-1], side="right").tolist()


def test_a_share_of_nothing_is_never_drawn_whatever_is_rounded() -> None:
    chance = np.random.default_rng(4)
    shares = np.where(chance.random((2000, 500)) < 0.05, chance.random((2000, 500)) ** 9, 0).astype(np.float32)
    shares[:, 0] = 1e-3
    for chances in (chance.random(2000), np.zeros(2000), np.full(2000, 1 - 2.0**-23)):
        found = draw(tf.constant(shares), tf.constant(chances.astype(np.float32).clip(max=1 - 2.0**-23))).numpy()
        assert (shares[np.arange(2000), found] > 0).all()


@pytest.mark.parametrize("columns", [100, 2000])
def test_columns_before_the_first_do_not_count(columns: int) -> None:
    values = np.random.default_rng(3).permutation(4 * columns).reshape(4, columns).astype(np.float32)
    values[:, :3] += 4 * columns
    best, places = largest(tf.constant(values), 5, 3)
    expected = 3 + np.argsort(-values[:, 3:], axis=1)[:, :5]
    assert places.numpy().tolist() == expected.tolist()
    assert best.numpy().tolist() == np.take_along_axis(values, expected, 1).tolist()
