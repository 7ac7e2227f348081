import numpy as np
import pytest
import tensorflow as tf

from model import recurrent
from model.recurrent import CELLS, Cell

STEPS, SENTENCES, INPUTS, UNITS = 5, 3, 4, 2
MASK = tf.constant([[0.0, 2.0], [2.0, 2.0], [2.0, 0.0]])


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def textbook(
    name: str, x: np.ndarray, state: list[np.ndarray], cell: Cell, mask: np.ndarray | float
) -> list[np.ndarray]:
    """One step as the papers write it, gate by gate; products with the state before see it through a mask."""
    kernel, product, bias = (
        np.split(weight.numpy(), cell.gates, axis=-1) for weight in (cell.kernel, cell.recurrent, cell.bias)
    )
    h = state[0] * mask
    if name == "rnn":
        return [np.tanh(x @ kernel[0] + h @ product[0] + bias[0])]
    if name == "gru":
        r, z = (sigmoid(x @ kernel[i] + h @ product[i] + bias[i]) for i in range(2))
        n = np.tanh(x @ kernel[2] + bias[2] + r * (h @ product[2]))
        return [(1 - z) * n + z * state[0]]
    f, i, o = (sigmoid(x @ kernel[k] + h @ product[k] + bias[k]) for k in range(3))
    c = f * state[1] + i * np.tanh(x @ kernel[3] + h @ product[3] + bias[3])
    return [o * np.tanh(c), c]


def make(name: str) -> tuple[Cell, tf.Tensor]:
    cell = CELLS[name](UNITS, INPUTS, 0, seed=3, name=name)
    cell.bias.assign(tf.random.stateless_normal(cell.bias.shape, [1, 1]))
    return cell, tf.random.stateless_normal([STEPS, SENTENCES, INPUTS], [1, 2])


def start_of(cell: Cell) -> tuple[tf.Tensor, ...]:
    return tuple(tf.random.stateless_normal([SENTENCES, UNITS], [3, part]) for part in range(cell.states))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("is_masked", [False, True])
def test_a_cell_runs_along_a_sequence_as_the_textbook_says(name: str, learns: bool, is_masked: bool) -> None:
    cell, inputs = make(name)
    mask = MASK if is_masked else None
    outputs = recurrent.run(cell, cell.project(inputs), start_of(cell), learns=learns, mask=mask)
    state = [part.numpy() for part in start_of(cell)]
    for step in range(STEPS):
        state = textbook(name, inputs[step].numpy(), state, cell, MASK.numpy() if is_masked else 1.0)
        for found, expected in zip(outputs, state, strict=True):
            np.testing.assert_allclose(found[step], expected, atol=1e-6)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("mask", [None, MASK], ids=["plain", "masked"])
def test_the_written_out_gradient_is_tensorflows_own(name: str, mask: tf.Tensor | None) -> None:
    cell, inputs = make(name)
    start = start_of(cell)
    directions = [tf.random.stateless_normal([STEPS, SENTENCES, UNITS], [2, part]) for part in range(cell.states)]

    @tf.function
    def gradients(learns: bool) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch((inputs, start))
            outputs = recurrent.run(cell, cell.project(inputs), start, learns=learns, mask=mask)
            value = sum(tf.reduce_sum(part * way) for part, way in zip(outputs, directions, strict=True))
        return tape.gradient(value, [inputs, *start, cell.kernel.value, cell.recurrent.value, cell.bias.value])

    for ours, theirs in zip(gradients(True), gradients(False), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_new_lstm_remembers() -> None:
    cell = CELLS["lstm"](2, 3, 0, seed=1, name="lstm")
    assert cell.bias.numpy().tolist() == [1, 1, 0, 0, 0, 0, 0, 0]


def test_two_cells_of_one_seed_are_equal_and_of_two_seeds_are_not() -> None:
    first, same, other = (CELLS["gru"](UNITS, INPUTS, 0, seed=seed, name="gru") for seed in (1, 1, 2))
    assert np.array_equal(first.kernel.numpy(), same.kernel.numpy())
    assert not np.array_equal(first.kernel.numpy(), other.kernel.numpy())
