"""The cell that is fed what attention found."""

import numpy as np
import pytest
import tensorflow as tf

from model import decoder
from model.attention import MASKED, AdditiveAttention, Memory
from model.decoder import FedState
from model.recurrent import CELLS

STEPS, SENTENCES, INPUTS, UNITS, WIDTH = 4, 2, 3, 2, 5
MASK = tf.constant([[0, 2, 2, 0, 2, 2, 0], [2, 2, 0, 0, 2, 0, 2]], tf.float32)  # [B, M + H]


def normal(*shape: int) -> tf.Tensor:
    return tf.random.stateless_normal(shape, [len(shape), sum(shape)])


ATTENTION = AdditiveAttention(3, UNITS, WIDTH, seed=1, name="attention")
VALUES = normal(SENTENCES, 6, WIDTH)
HIDDEN = tf.constant([[0.0] * 6, [0.0] * 4 + [MASKED] * 2])


def test_it_is_fed_the_last_context_through_the_mask() -> None:
    cell = CELLS["rnn"](UNITS, INPUTS, WIDTH, seed=3, name="rnn")
    memory = Memory(VALUES, ATTENTION.keys(VALUES), HIDDEN)
    inputs, start = normal(STEPS, SENTENCES, INPUTS), FedState((normal(SENTENCES, UNITS),), normal(SENTENCES, WIDTH))
    shown, contexts = decoder.run(cell, ATTENTION, memory, start, cell.project(inputs), learns=False, mask=MASK)
    kernel, recurrent, bias = (weight.numpy() for weight in (cell.kernel, cell.recurrent, cell.bias))
    state, context = start.cell[0].numpy(), start.context.numpy()
    for step in range(STEPS):
        fed = np.concatenate([context, state], axis=1) * MASK.numpy()
        state = np.tanh(inputs[step].numpy() @ kernel + fed @ recurrent + bias)
        context = ATTENTION.attend(state, memory).numpy()
        np.testing.assert_allclose(shown[step], state, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(contexts[step], context, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("mask", [None, MASK], ids=["plain", "masked"])
def test_the_written_out_gradient_is_tensorflows_own(name: str, mask: tf.Tensor | None) -> None:
    cell = CELLS[name](UNITS, INPUTS, WIDTH, seed=3, name=name)
    first = tuple(normal(SENTENCES, UNITS) + part for part in range(cell.states))
    given = [normal(STEPS, SENTENCES, INPUTS), VALUES, normal(SENTENCES, WIDTH), *first]
    weights = [weight.value for layer in (cell, ATTENTION) for weight in layer.trainable_variables]

    def gradients(*, learns: bool) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(given)
            inputs, values, context, *state = given
            start, memory = FedState(tuple(state), context), Memory(values, ATTENTION.keys(values), HIDDEN)
            found = decoder.run(cell, ATTENTION, memory, start, cell.project(inputs), learns=learns, mask=mask)
            value = sum(tf.reduce_sum(part * normal(*part.shape)) for part in found)
        return tape.gradient(value, [*given, *weights])

    for ours, theirs in zip(gradients(learns=True), gradients(learns=False), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
