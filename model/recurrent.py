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

from model.gradients import through_sigmoid, through_tanh, with_gradient
from model.linear import linear

State = tuple[tf.Tensor, ...]  # each [B, H]; the first one is what the cell shows
Kept = tuple[tf.Tensor, ...]  # what a cell's way back has to know of a step, each [B, some times H]


class Cell(keras.layers.Layer, ABC):  # type: ignore[misc]
    """What all cells share: an input kernel `[I, G*H]`, a recurrent kernel `[F + H, G*H]` and a bias `[G*H]`."""

    gates = 1
    states = 1
    keeps: int  # parts of `Kept`

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
        return self.gate(projected, product, state)[0]

    @abstractmethod
    def gate(self, projected: tf.Tensor, product: tf.Tensor, state: State) -> tuple[State, Kept]:
        """The state after a step, from both shares of the gates, each `[B, G*H]`, and the state before.

        Beside it there is what the way back has to know of the step.
        """

    @abstractmethod
    def back(self, kept: Kept, state: State, change: State) -> tuple[tf.Tensor, State]:
        """From the gradient at the state after a step to the one at the projected inputs, `[B, G*H]`.

        And to the one at the state before, but for what reached it through the product.

        Args:
            kept: what `gate` kept of the step.
            state: the state before.
            change: the gradient at the state after.
        """

    def at_product(self, at_projected: tf.Tensor, kept: Kept) -> tf.Tensor:
        """The gradient at the product, `[..., G*H]`, from the one at the projected inputs: the same for a sum."""
        return at_projected


class RnnCell(Cell):
    """The simple recurrent network (Elman, 1990): h' = tanh(W x + U h + b)."""

    keeps = 1

    def gate(self, projected: tf.Tensor, product: tf.Tensor, state: State) -> tuple[State, Kept]:
        """One sum, one nonlinearity."""
        shown = tf.tanh(projected + product)
        return (shown,), (shown,)

    def back(self, kept: Kept, state: State, change: State) -> tuple[tf.Tensor, State]:
        """The state before is seen through the product alone."""
        return through_tanh(kept[0], change[0]), (tf.zeros_like(change[0]),)


class LstmCell(Cell):
    """Long short-term memory with a forget gate (Hochreiter & Schmidhuber, 1997; Gers et al., 2000).

    f, i, o = sigmoid(W x + U h + b)     g = tanh(W x + U h + b)
    c' = f * c + i * g                   h' = o * tanh(c')

    The forget gate's bias starts at one, so that a new cell remembers (Jozefowicz et al., 2015).
    """

    gates = 4
    states = 2
    keeps = 3

    def first_bias(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """One for the forget gate, zero for the others."""
        return np.repeat(np.array([1, 0, 0, 0], np.float32), self.units)

    def gate(self, projected: tf.Tensor, product: tf.Tensor, state: State) -> tuple[State, Kept]:
        """The three sigmoids lie side by side, so that one kernel computes them."""
        sigmoids, candidate = tf.split(projected + product, [3 * self.units, self.units], axis=1)
        sigmoids, candidate = tf.sigmoid(sigmoids), tf.tanh(candidate)
        keep, write, show = tf.split(sigmoids, 3, axis=1)
        memory = keep * state[1] + write * candidate
        seen = tf.tanh(memory)
        return (show * seen, memory), (sigmoids, candidate, seen)

    def back(self, kept: Kept, state: State, change: State) -> tuple[tf.Tensor, State]:
        """First to the memory, which is what both parts of the state came from."""
        sigmoids, candidate, seen = kept
        keep, write, show = tf.split(sigmoids, 3, axis=1)
        at_memory = change[1] + through_tanh(seen, change[0] * show)
        at_sigmoids = tf.concat([at_memory * state[1], at_memory * candidate, change[0] * seen], axis=1)
        at_candidate = through_tanh(candidate, at_memory * write)
        at_projected = tf.concat([through_sigmoid(sigmoids, at_sigmoids), at_candidate], axis=1)
        return at_projected, (tf.zeros_like(seen), at_memory * keep)


class GruCell(Cell):
    """The gated recurrent unit (Cho et al., 2014).

    r, z = sigmoid(W x + U h + b)
    n = tanh(W x + b + r * (U h))        h' = (1 - z) * n + z * h

    As in cuDNN the reset gate works on the product U h and not on h, so that one product serves all gates.
    """

    gates = 3
    keeps = 3

    def gate(self, projected: tf.Tensor, product: tf.Tensor, state: State) -> tuple[State, Kept]:
        """The new state's share of the product stays apart, for the reset gate to work on."""
        sizes = [2 * self.units, self.units]
        gates, new = tf.split(projected, sizes, axis=1)
        recurrent_gates, recurrent_new = tf.split(product, sizes, axis=1)
        gates = tf.sigmoid(gates + recurrent_gates)
        reset, update = tf.split(gates, 2, axis=1)
        new = tf.tanh(new + reset * recurrent_new)
        return (new + update * (state[0] - new),), (gates, new, recurrent_new)

    def back(self, kept: Kept, state: State, change: State) -> tuple[tf.Tensor, State]:
        """The update gate lets a share of the state before pass."""
        gates, new, recurrent_new = kept
        passed = change[0] * gates[:, self.units :]
        at_new = through_tanh(new, change[0] - passed)
        at_gates = tf.concat([at_new * recurrent_new, change[0] * (state[0] - new)], axis=1)
        return tf.concat([through_sigmoid(gates, at_gates), at_new], axis=1), (passed,)

    def at_product(self, at_projected: tf.Tensor, kept: Kept) -> tf.Tensor:
        """The reset gate stands between the product and the new state."""
        at_gates, at_new = tf.split(at_projected, [2 * self.units, self.units], axis=-1)
        return tf.concat([at_gates, at_new * kept[0][..., : self.units]], axis=-1)


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
        keeps = cell.keeps if learns else 0

        def ahead(step: tf.Tensor, state: State, kept: Any, states: Any) -> Any:
            product = tf.matmul(masked(state[0], mask), recurrent)
            state, seen = cell.gate(projected[step], product, state)
            return step + 1, state, write(kept, step, seen[:keeps]), write(states, step, state)

        rooms = arrays(steps, keeps), arrays(steps, cell.states)
        *_, kept, states = tf.while_loop(lambda step, *_: step < steps, ahead, (0, first, *rooms))
        outputs = tuple(room.stack() for room in states)
        before = tuple(delayed(start, part) for start, part in zip(first, outputs, strict=True))

        def backward(*gradients: tf.Tensor) -> tuple[tf.Tensor, ...]:
            def back(step: tf.Tensor, later: State, at_inputs: Any) -> Any:
                seen = tuple(room.read(step) for room in kept)
                change = tuple(part + gradient[step] for part, gradient in zip(later, gradients, strict=True))
                at_input, at_before = cell.back(seen, tuple(part[step] for part in before), change)
                at_product = cell.at_product(at_input, seen)
                at_shown = at_before[0] + masked(tf.matmul(at_product, recurrent, transpose_b=True), mask)
                return step - 1, (at_shown, *at_before[1:]), at_inputs.write(step, at_input)

            zeros = tuple(tf.zeros_like(part) for part in first)
            *_, at_first, at_inputs = tf.while_loop(lambda step, *_: step >= 0, back, (steps - 1, zeros, array(steps)))
            at_projected = at_inputs.stack()
            at_products = cell.at_product(at_projected, tuple(room.stack() for room in kept))
            return at_projected, weight_gradient(masked(before[0], mask), at_products), *at_first

        return outputs, backward

    outputs: State = with_gradient(forward, projected, tf.convert_to_tensor(cell.recurrent), *start, learns=learns)
    return outputs


def masked(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """The values times a mask, if there is one."""
    return values if mask is None else values * mask


def array(steps: tf.Tensor) -> tf.TensorArray:
    """Room for one tensor a step, which can be read again on the way back."""
    return tf.TensorArray(tf.float32, size=steps, clear_after_read=False)


def arrays(steps: tf.Tensor, count: int) -> tuple[Any, ...]:
    """Room for several tensors a step."""
    return tuple(array(steps) for _ in range(count))


def write(rooms: tuple[Any, ...], step: tf.Tensor, parts: tuple[tf.Tensor, ...]) -> tuple[Any, ...]:
    """Writes one tensor into each of several arrays."""
    return tuple(room.write(step, part) for room, part in zip(rooms, parts, strict=True))


def delayed(first: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """What there was before each step, given what there was before the first and after each: `[S, B, H]`."""
    return tf.concat([first[tf.newaxis], values[:-1]], axis=0)


def weight_gradient(inputs: tf.Tensor, changes: tf.Tensor) -> tf.Tensor:
    """Gradient of a kernel that was used at all steps: `[S, B, I]` and `[S, B, O]` to `[I, O]`."""
    flat = (tf.reshape(values, [-1, values.shape[-1]]) for values in (inputs, changes))  # [S*B, I], [S*B, O]
    return tf.matmul(*flat, transpose_a=True)
