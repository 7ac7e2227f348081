import numpy as np
import pytest
import tensorflow as tf

from model.attention import MASKED, AdditiveAttention, Memory, MultiplicativeAttention

UNITS, STATE, WIDTH = 3, 4, 4


def memory_of(attention: AdditiveAttention | MultiplicativeAttention, values: tf.Tensor, real: list) -> Memory:
    return Memory(values, attention.keys(values), tf.where(real, 0.0, MASKED))


def softmax(scores: np.ndarray) -> np.ndarray:
    return np.exp(scores) / np.exp(scores).sum()


def test_additive_attention_is_the_formula_of_its_paper() -> None:
    attention = AdditiveAttention(UNITS, 2, WIDTH, seed=1, name="attention")
    values = tf.random.stateless_normal([1, 5, WIDTH], [3, 1])
    state = tf.random.stateless_normal([1, 2], [3, 2])
    found = attention.attend(state, memory_of(attention, values, [[True] * 5])).numpy()[0]

    h, s = values.numpy()[0], state.numpy()[0]
    w, u, v = (weight.numpy() for weight in (attention.query_kernel, attention.memory_kernel, attention.vector))
    scores = np.array([np.tanh(s @ w + value @ u) @ v[:, 0] for value in h])
    np.testing.assert_allclose(found, softmax(scores) @ h, rtol=1e-5)


@pytest.mark.parametrize(("form", "state"), [("general", 2), ("general", WIDTH), ("dot", WIDTH)])
def test_multiplicative_attention_is_the_formula_of_its_paper_at_every_step(form: str, state: int) -> None:
    attention = MultiplicativeAttention(form, state, WIDTH, seed=1, name="attention")
    values = tf.random.stateless_normal([2, 5, WIDTH], [3, 1])
    states = tf.random.stateless_normal([2, 3, state], [3, 2])
    found = attention.attend(states, memory_of(attention, values, [[True] * 5] * 2)).numpy()

    kernel = np.eye(WIDTH) if form == "dot" else attention.kernel.numpy()
    assert len(attention.trainable_variables) == (form == "general")
    for row in range(2):
        h = values.numpy()[row]
        for step in range(3):
            scores = np.array([states.numpy()[row, step] @ (value @ kernel) for value in h])
            np.testing.assert_allclose(found[row, step], softmax(scores) @ h, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["additive", "general", "dot"])
def test_padding_is_not_looked_at(kind: str) -> None:
    values = tf.random.stateless_normal([2, 3, WIDTH], [3, 3])
    state = tf.random.stateless_normal([2, STATE], [3, 4])
    real = [[True, True, False], [True, False, False]]
    if kind == "additive":
        attention = AdditiveAttention(UNITS, STATE, WIDTH, seed=1, name="attention")
        memory = memory_of(attention, values, real)
        weights, found = attention.weights(state, memory).numpy(), attention.attend(state, memory)
    else:
        attention = MultiplicativeAttention(kind, STATE, WIDTH, seed=1, name="attention")
        memory = memory_of(attention, values, real)
        weights = attention.weights(state[:, tf.newaxis], memory).numpy()[:, 0]
        found = attention.attend(state[:, tf.newaxis], memory)[:, 0]
    assert (weights > 0).tolist() == real
    np.testing.assert_allclose(weights.sum(axis=1), [1, 1], rtol=1e-6)
    np.testing.assert_allclose(found[1], values[1, 0], rtol=1e-6)
