"""Recurrent cells, and how one runs along a sequence.

Letters: B sentences, S steps, I width of an input, F width of what is fed back (0 in an encoder), H units, G gates.

A cell splits its work in three. `project` multiplies the inputs of all steps by the input weights in one large
product; a step then multiplies what has to wait for the step before, and `gate` does the rest, value by value. Padding
comes last in every sequence, so no step looks at a mask: what happens after the last real token reaches no real token
before it, and the caller picks the states at the last real ones.
"""

from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from model.gradients import with_gradient
from model.linear import linear

State = tuple[tf.Tensor, ...]  # each [B, H]; the first one is what the cell shows


class Cell(keras.layers.Layer, ABC):  # type: ignore[misc]
    """What all cells share: an input kernel `[I, G*H]`, a recurrent kernel `[F + H, G*H]` and a bias `[G*H]`."""

    gates = 1
    states = 1

    def __init__(self, units: int, inputs: int, fed_back: int, seed: int, name: str) -> None:
        super().__init__(name=name)
        self.units = units
        width = self.gates * units
        glorot = keras.initializers.GlorotUniform
        self.kernel = self.add_weight(name="kernel", shape=(inputs, width), initializer=glorot(seed))
        self.recurrent = self.add_weight(
            name="recurrent", shape=(fed_back + units, width), initializer=glorot(seed + 1)
        )
        self.bias = self.add_weight(
            name="bias", shape=(width,), initializer=lambda *_, **__: tf.constant(self.first_bias())
        )
        self.built = True

    def first_bias(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The bias of a new cell, `[G*H]`."""
        return np.zeros(self.gates * self.units, np.float32)

    def zero_state(self, sentences: tf.Tensor) -> State:
        """The state before the first step."""
        return tuple(tf.zeros([sentences, self.units]) for _ in range(self.states))

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        """The inputs' share of the gates, for all steps at once: `[..., I]` to `[..., G*H]`."""
        return linear(inputs, self.kernel) + self.bias

    def step(self, projected: tf.Tensor, fed_back: tf.Tensor, state: State) -> State:
        """One step: `[B, G*H]` projected inputs, `[B, F]` fed back, and the state before; gives the state after."""
        product = tf.matmul(tf.concat([fed_back, state[0]], axis=1), self.recurrent)
        return self.gate(projected, product, state)

    @abstractmethod
    def gate(self, projected: tf.Tensor, product: tf.Tensor, state: State) -> State:
        """The state after a step, from both shares of the gates, each `[B, G*H]`, and the state before."""


class RnnCell(Cell):
    """The simple recurrent network (Elman, 1990): h' = tanh(W x + U h + b)."""

    def gate(self, projected: tf.Tensor, product: tf.Tensor, state: State) -> State:
        """One sum, one nonlinearity."""
        return (tf.tanh(projected + product),)


class LstmCell(Cell):
    """Long short-term memory with a forget gate (Hochreiter & Schmidhuber, 1997; Gers et al., 2000).

    f, i, o = sigmoid(W x + U h + b)     g = tanh(W x + U h + b)
    c' = f * c + i * g                   h' = o * tanh(c')

    The forget gate's bias starts at one, so that a new cell remembers (Jozefowicz et al., 2015).
    """

    gates = 4
    states = 2

    def first_bias(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """One for the forget gate, zero for the others."""
        return np.repeat(np.array([1, 0, 0, 0], np.float32), self.units)

    def gate(self, projected: tf.Tensor, product: tf.Tensor, state: State) -> State:
        """The three sigmoids lie side by side, so that one kernel computes them."""
        sigmoids, candidate = tf.split(projected + product, [3 * self.units, self.units], axis=1)
        keep, write, show = tf.split(tf.sigmoid(sigmoids), 3, axis=1)
        memory = keep * state[1] + write * tf.tanh(candidate)
        return show * tf.tanh(memory), memory


class GruCell(Cell):
    """The gated recurrent unit (Cho et al., 2014).

    r, z = sigmoid(W x + U h + b)
    n = tanh(W x + b + r * (U h))        h' = (1 - z) * n + z * h

    As in cuDNN the reset gate works on the product U h and not on h, so that one product serves all gates.
    """

    gates = 3

    def gate(self, projected: tf.Tensor, product: tf.Tensor, state: State) -> State:
        """The new state's share of the product stays apart, for the reset gate to work on."""
        sizes = [2 * self.units, self.units]
        gates, new = tf.split(projected, sizes, axis=1)
        recurrent_gates, recurrent_new = tf.split(product, sizes, axis=1)
        reset, update = tf.split(tf.sigmoid(gates + recurrent_gates), 2, axis=1)
        new = tf.tanh(new + reset * recurrent_new)
        return (new + update * (state[0] - new),)


CELLS: dict[str, type[Cell]] = {"lstm": LstmCell, "gru": GruCell, "rnn": RnnCell}


def run(cell: Cell, projected: tf.Tensor, start: State, *, learns: bool, mask: tf.Tensor | None = None) -> State:
    """Runs a cell without feedback: `[S, B, G*H]` to the states of all steps, each `[S, B, H]`.

    What a step sees of the state before is multiplied by `mask`, `[B, H]`, if there is one (variational dropout; Gal &
    Ghahramani, 2016).

    For learning, the gradient is written out, because TensorFlow's own adds up the gradient of the recurrent kernel in
    the loop, a pass over the whole kernel at each step; here it is one product over all steps after the loop.
    """

    def forward(projected: tf.Tensor, recurrent: tf.Tensor, *first: tf.Tensor) -> Any:
        steps = tf.shape(projected)[0]
        inputs = array(steps).unstack(projected)

        def ahead(step: tf.Tensor, state: State, products: Any, states: Any) -> Any:
            product = tf.matmul(masked(state[0], mask), recurrent)
            state = cell.gate(inputs.read(step), product, state)
            return step + 1, state, products.write(step, product), write(states, step, state)

        kept = (array(steps), tuple(array(steps) for _ in first))
        *_, products, states = tf.while_loop(lambda step, *_: step < steps, ahead, (0, first, *kept))
        outputs = tuple(kept.stack() for kept in states)
        before = tuple(delayed(start, part) for start, part in zip(first, outputs, strict=True))

        def backward(*gradients: tf.Tensor) -> tuple[tf.Tensor, ...]:
            arrived = tuple(array(steps).unstack(gradient) for gradient in gradients)
            earlier = tuple(array(steps).unstack(part) for part in before)

            def back(step: tf.Tensor, later: State, from_inputs: Any, from_products: Any) -> Any:
                state = tuple(part.read(step) for part in earlier)
                change = tuple(part + now.read(step) for part, now in zip(later, arrived, strict=True))
                change, at_input, at_product = gate_gradient(
                    cell, inputs.read(step), products.read(step), state, change
                )
                shown = change[0] + masked(tf.matmul(at_product, recurrent, transpose_b=True), mask)
                return (
                    step - 1,
                    (shown, *change[1:]),
                    from_inputs.write(step, at_input),
                    from_products.write(step, at_product),
                )

            zeros = tuple(tf.zeros_like(part) for part in first)
            _, at_first, from_inputs, from_products = tf.while_loop(
                lambda step, *_: step >= 0, back, (steps - 1, zeros, array(steps), array(steps))
            )
            at_recurrent = weight_gradient(masked(before[0], mask), from_products.stack())
            return from_inputs.stack(), at_recurrent, *at_first

        return outputs, backward

    outputs: State = with_gradient(forward, projected, tf.convert_to_tensor(cell.recurrent), *start, learns=learns)
    return outputs


def masked(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """The values times a mask, if there is one."""
    return values if mask is None else values * mask


def array(steps: tf.Tensor) -> tf.TensorArray:
    """Room for one tensor a step, which can be read again on the way back."""
    return tf.TensorArray(tf.float32, size=steps, clear_after_read=False)


def write(rooms: tuple[Any, ...], step: tf.Tensor, parts: tuple[tf.Tensor, ...]) -> tuple[Any, ...]:
    """Writes one tensor into each of several arrays."""
    return tuple(room.write(step, part) for room, part in zip(rooms, parts, strict=True))


def delayed(first: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """What there was before each step, given what there was before the first and after each: `[S, B, H]`."""
    return tf.concat([first[tf.newaxis], values[:-1]], axis=0)


def gate_gradient(
    cell: Cell, projected: tf.Tensor, product: tf.Tensor, state: State, change: State
) -> tuple[State, tf.Tensor, tf.Tensor]:
    """From the gradient at the state after a step to those at the state before and at both shares of the gates.

    The gates are computed a second time: they are cheap, and a cell need only say what it does forwards.
    """
    with tf.GradientTape() as tape:
        tape.watch((projected, product, state))
        after = cell.gate(projected, product, state)
    return tape.gradient(after, (state, projected, product), change, unconnected_gradients="zero")  # type: ignore[no-any-return]


def weight_gradient(inputs: tf.Tensor, changes: tf.Tensor) -> tf.Tensor:
    """Gradient of a kernel that was used at all steps: `[S, B, I]` and `[S, B, O]` to `[I, O]`."""
    flat = (tf.reshape(values, [-1, values.shape[-1]]) for values in (inputs, changes))  # [S*B, I], [S*B, O]
    return tf.matmul(*flat, transpose_a=True)
