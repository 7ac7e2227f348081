import numpy as np
import pytest
import tensorflow as tf

from model.attention import MASKED, AdditiveAttention, Attention, Memory, MultiplicativeAttention

UNITS, STATE, WIDTH = 3, 2, 4


def make(kind: str) -> Attention:
    if kind == "additive":
        return AdditiveAttention(UNITS, STATE, WIDTH, seed=1, name="attention")
    return MultiplicativeAttention(WIDTH, STATE, seed=1, name="attention")


def memory_of(attention: Attention, values: tf.Tensor, real: list[list[bool]]) -> Memory:
    return Memory(values, attention.keys(values), tf.where(real, 0.0, MASKED))


@pytest.mark.parametrize("kind", ["additive", "multiplicative"])
def test_attention_is_the_formula_of_its_paper(kind: str) -> None:
    attention = make(kind)
    values = tf.random.stateless_normal([1, 5, WIDTH], [3, 1])
    state = tf.random.stateless_normal([1, STATE], [3, 2])
    found = attention.attend(state, memory_of(attention, values, [[True] * 5])).numpy()[0]

    h, s = values.numpy()[0], state.numpy()[0]
    if isinstance(attention, AdditiveAttention):
        w, u, v = (weight.numpy() for weight in (attention.query_kernel, attention.memory_kernel, attention.vector))
        scores = [np.tanh(s @ w + value @ u) @ v[:, 0] for value in h]
    else:
        scores = [s @ attention.query_kernel.numpy() @ value for value in h]
    weights = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(found, weights @ h, rtol=1e-5)


@pytest.mark.parametrize("kind", ["additive", "multiplicative"])
def test_padding_is_not_looked_at(kind: str) -> None:
    attention = make(kind)
    values = tf.random.stateless_normal([2, 3, WIDTH], [3, 3])
    state = tf.random.stateless_normal([2, STATE], [3, 4])
    real = [[True, True, False], [True, False, False]]
    memory = memory_of(attention, values, real)
    query = tf.matmul(state, attention.query_kernel)
    weights = attention.weights(query, memory.keys, memory.hidden, *attention.parameters).numpy()
    assert (weights > 0).tolist() == real
    np.testing.assert_allclose(weights.sum(axis=1), [1, 1], rtol=1e-6)
    np.testing.assert_allclose(attention.attend(state, memory)[1], values[1, 0], rtol=1e-6)
