import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.shapes import SHAPES, Shape, choose_shapes, deal

LENGTHS = np.random.default_rng(5).poisson(12, size=(3000, 2)) + 1


def test_a_few_lengths_have_a_shape_each() -> None:
    lengths = np.array([[2, 3], [2, 3], [7, 5]])
    assert choose_shapes(lengths, 30) == [Shape(10, 2, 3), Shape(4, 7, 5)]


def test_shapes_fit_all_pairs_and_pad_little() -> None:
    shapes = choose_shapes(LENGTHS, 600)
    assert len(shapes) <= SHAPES
    assert [max(sides) for sides in zip(*(shape[1:] for shape in shapes), strict=True)] == LENGTHS.max(axis=0).tolist()
    for shape in shapes:
        assert shape.rows == 600 // max(shape.sources, shape.targets)
    batches = deal(LENGTHS, shapes, np.random.default_rng(1))
    padding = 1 - LENGTHS.sum() / sum(shape.rows * shape.width for _, shape in batches)
    squares = np.ceil(LENGTHS.max() * np.arange(1, SHAPES + 1) / SHAPES)
    in_squares = squares[np.searchsorted(squares, LENGTHS.max(axis=1))]
    assert padding < 1 - LENGTHS.sum() / (2 * in_squares.sum())  # though that leaves partly empty batches aside


def test_very_long_sentences_do_not_make_the_choice_slow() -> None:
    lengths = np.random.default_rng(1).integers(1, 2000, size=(20_000, 2))
    shapes = choose_shapes(lengths, 4096)
    assert len(shapes) <= SHAPES
    assert any(shape.sources >= lengths[:, 0].max() and shape.targets >= lengths[:, 1].max() for shape in shapes)


def test_leftovers_go_on_into_a_wider_shape() -> None:
    shapes = [Shape(4, 2, 2), Shape(2, 4, 4)]
    lengths = np.array([[2, 2]] * 5 + [[4, 4]])
    assert [(rows.tolist(), shape) for rows, shape in deal(lengths, shapes)] == [
        ([0, 1, 2, 3], shapes[0]),
        ([5, 4], shapes[1]),
    ]


def test_leftovers_that_nearly_fill_a_batch_have_one_of_their_own() -> None:
    shapes = [Shape(4, 2, 2), Shape(2, 4, 4)]
    lengths = np.array([[2, 2]] * 3 + [[4, 4]])
    assert [(rows.tolist(), shape) for rows, shape in deal(lengths, shapes)] == [
        ([0, 1, 2], shapes[0]),
        ([3], shapes[1]),
    ]


def test_no_pairs_need_no_shapes() -> None:
    assert choose_shapes(np.zeros((0, 2), np.int32), 100) == []
    assert deal(np.zeros((0, 2), np.int32), []) == []


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=40),
    st.integers(1, 60),
    st.integers(0, 9),
)
def test_any_pairs_are_dealt_once_into_batches_that_fit(
    pairs: list[tuple[int, int]], batch_tokens: int, seed: int
) -> None:
    lengths = np.array(pairs)
    shapes = choose_shapes(lengths, batch_tokens)
    batches = deal(lengths, shapes, np.random.default_rng(seed))
    assert sorted(np.concatenate([rows for rows, _ in batches]).tolist()) == list(range(len(pairs)))
    for rows, shape in batches:
        assert shape in shapes
        assert 0 < len(rows) <= shape.rows
        assert (lengths[rows] <= shape[1:]).all()
        assert shape.rows == 1 or shape.rows * max(shape.sources, shape.targets) <= batch_tokens
