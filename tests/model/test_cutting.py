from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.cutting import FULLNESS, STRAYING, by_length, cut

LENGTHS = np.random.default_rng(5).integers(1, 30, size=(500, 2))


def test_pairs_follow_each_other_by_their_longer_side_and_turn_back_at_the_end_of_a_row() -> None:
    lengths = np.array([[8, 8], [7, 7], [8, 5], [3, 7], [7, 4], [5, 8], [8, 8]])
    assert lengths[by_length(lengths)].tolist() == [[3, 7], [7, 7], [7, 4], [8, 5], [8, 8], [8, 8], [5, 8]]
    assert by_length(lengths).tolist() == [3, 1, 4, 2, 0, 6, 5]  # equal ones as they came


def test_a_line_is_all_pairs_whatever_chance_does() -> None:
    for seed in range(3):
        order = by_length(LENGTHS, np.random.default_rng(seed))
        assert sorted(order.tolist()) == list(range(500))


def test_a_few_pairs_stray_by_one_token() -> None:
    lengths = np.repeat(np.arange(1, 11), 1000)[:, np.newaxis].repeat(2, axis=1)
    longest = lengths[by_length(lengths, np.random.default_rng(1)), 0]
    strays = np.maximum.accumulate(longest) - longest
    assert set(strays.tolist()) == {0, 1}
    assert (strays == 1)[:9000].mean() == pytest.approx(STRAYING, abs=0.005)


def test_a_batch_ends_early_where_that_saves_padding() -> None:
    lengths = np.array([[4, 4]] * 5 + [[5, 4]] * 3)
    # Six rows of five tokens would stay within thirty; five rows of four have no padding.
    assert cut(lengths, 30).tolist() == [0, 5, 8]


def test_the_rows_of_batches_are_a_multiple_of_eight_where_that_leaves_little_room() -> None:
    assert np.diff(cut(np.full((200, 2), 4), 150)).tolist() == [32] * 6 + [8]
    assert np.diff(cut(np.full((60, 2), 4), 84)).tolist() == [21, 21, 18]  # 16 rows would leave a quarter


def test_a_row_that_is_longer_than_a_batch_has_one_of_its_own() -> None:
    assert cut(np.array([[2, 2], [2, 2], [9, 2]]), 4).tolist() == [0, 2, 3]


def test_no_pairs_make_no_batches() -> None:
    assert cut(np.zeros((0, 2), np.int32), 50).tolist() == [0]
    assert by_length(np.zeros((0, 2), np.int32), np.random.default_rng(1)).tolist() == []


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=60),
    st.integers(1, 60),
    st.integers(0, 9),
)
def test_batches_stay_within_their_tokens_and_nearly_fill_them(
    pairs: list[tuple[int, int]], batch_tokens: int, seed: int
) -> None:
    lengths = np.array(pairs)[by_length(np.array(pairs), np.random.default_rng(seed))]
    cuts = cut(lengths, batch_tokens)
    assert cuts[0] == 0
    assert cuts[-1] == len(pairs)
    for start, end in pairwise(cuts):
        rows = end - start
        assert rows == 1 or rows * lengths[start:end].max() <= batch_tokens
        if end < len(pairs):  # so many rows more would be too many
            longer = int(rows / FULLNESS) + 1
            assert longer * lengths[start : start + longer].max() > batch_tokens or start + longer > len(pairs)
