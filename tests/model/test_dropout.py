import numpy as np
import pytest
import tensorflow as tf

from model.dropout import Dropout, drop, inside, mask


def test_dropout_depends_on_its_seed_and_place_alone() -> None:
    ones = tf.ones([200, 50])
    dropout = Dropout(0.25, tf.constant([1, 7]))
    first, again, elsewhere = (drop(ones, dropout, place).numpy() for place in (0, 0, 1))
    later = drop(ones, Dropout(0.25, tf.constant([1, 8])), 0).numpy()
    within = drop(ones, inside(dropout, 0), 0).numpy()
    assert np.array_equal(first, again)
    for other in (elsewhere, later, within):
        assert not np.array_equal(first, other)
    assert (first == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert first.mean() == pytest.approx(1, abs=0.03)


def test_one_mask_can_serve_all_steps() -> None:
    values = tf.random.stateless_uniform([7, 3, 20], [1, 2], 1, 2)
    dropped = drop(values, Dropout(0.5, tf.constant([1, 7])), 0, same_along=0).numpy()
    assert ((dropped == 0) == (dropped[0] == 0)).all()
    np.testing.assert_allclose(dropped[dropped > 0], 2 * values.numpy()[dropped > 0])
    assert not np.array_equal(dropped[0, 0] == 0, dropped[0, 1] == 0)


def test_nothing_is_dropped_where_nothing_is_learned_or_the_rate_is_zero() -> None:
    ones = tf.ones([3, 2])
    for none in (None, Dropout(0.0, tf.constant([1, 7]))):
        assert drop(ones, none, 0) is ones
        assert mask([3, 2], none, 0) is None
    assert inside(None, 3) is None


@pytest.mark.parametrize("seed", [[1, 7], [3, 4], [5, 6]])
def test_what_xla_compiles_drops_the_same_values(seed: list[int]) -> None:
    def draw(seed: tf.Tensor) -> tf.Tensor:
        return mask([3, 11], inside(Dropout(0.3, seed), 2), 5)

    plain, compiled = (tf.function(draw, jit_compile=compiles)(tf.constant(seed)) for compiles in (False, True))
    np.testing.assert_array_equal(plain, compiled)
