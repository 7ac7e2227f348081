"""Attention: which of a sentence's positions a decoder looks at.

Letters: B sentences, S source positions, M width of the memory, H width of the state that asks, A width in which a
query is compared with the keys.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

MASKED = -1e9  # a score that no softmax lets through, yet finite: -inf - -inf would be no number


class Memory(NamedTuple):
    """What a decoder needs to know of the sources."""

    values: tf.Tensor  # [B, S, M]
    keys: tf.Tensor  # [B, S, A]
    hidden: tf.Tensor  # [B, S]: 0 at real positions, MASKED at padding


class Attention(keras.layers.Layer):  # type: ignore[misc]
    """Compares a query with keys. All forms share the query kernel `[H, A]`; `weights` takes it as done."""

    def __init__(self, units: int, state: int, seed: int, name: str) -> None:
        super().__init__(name=name)
        self.query_kernel = self.add_weight(
            name="query_kernel", shape=(state, units), initializer=keras.initializers.GlorotUniform(seed)
        )
        self.built = True

    @property
    def parameters(self) -> tuple[tf.Tensor, ...]:
        """The weights that `compare` works with."""
        return ()

    def keys(self, values: tf.Tensor) -> tf.Tensor:
        """What queries are compared with, once for each sentence: `[B, S, M]` to `[B, S, A]`."""
        raise NotImplementedError

    def compare(self, query: tf.Tensor, keys: tf.Tensor, *parameters: tf.Tensor) -> tf.Tensor:
        """How well each position fits: `[B, A]` and `[B, S, A]` to `[B, S]`."""
        raise NotImplementedError

    def weights(self, query: tf.Tensor, keys: tf.Tensor, hidden: tf.Tensor, *parameters: tf.Tensor) -> tf.Tensor:
        """The share of each position, zero at padding: `[B, S]`."""
        return tf.nn.softmax(self.compare(query, keys, *parameters) + hidden)

    def attend(self, state: tf.Tensor, memory: Memory) -> tf.Tensor:
        """The memory's average under the weights that a state `[B, H]` asks for: `[B, M]`."""
        query = tf.matmul(state, self.query_kernel)
        return average(self.weights(query, memory.keys, memory.hidden, *self.parameters), memory.values)


class AdditiveAttention(Attention):
    """score = v . tanh(W state + U value) (Bahdanau et al., 2015)."""

    def __init__(self, units: int, state: int, memory: int, seed: int, name: str) -> None:
        super().__init__(units, state, seed, name)
        glorot = keras.initializers.GlorotUniform
        self.memory_kernel = self.add_weight(name="memory_kernel", shape=(memory, units), initializer=glorot(seed + 1))
        self.vector = self.add_weight(name="vector", shape=(units, 1), initializer=glorot(seed + 2))

    @property
    def parameters(self) -> tuple[tf.Tensor, ...]:
        """The vector v, `[A]`."""
        return (tf.convert_to_tensor(self.vector)[:, 0],)

    def keys(self, values: tf.Tensor) -> tf.Tensor:
        """U value."""
        flat = tf.matmul(tf.reshape(values, [-1, values.shape[-1]]), self.memory_kernel)
        return tf.reshape(flat, [tf.shape(values)[0], tf.shape(values)[1], flat.shape[-1]])  # [B, S, A]

    def compare(self, query: tf.Tensor, keys: tf.Tensor, *parameters: tf.Tensor) -> tf.Tensor:
        """A product with a single column would be slower than this sum."""
        (vector,) = parameters
        return tf.reduce_sum(tf.tanh(keys + query[:, tf.newaxis]) * vector, axis=2)


class MultiplicativeAttention(Attention):
    """score = (W state) . value, the form "general" (Luong et al., 2015)."""

    def keys(self, values: tf.Tensor) -> tf.Tensor:
        """The values themselves."""
        return values

    def compare(self, query: tf.Tensor, keys: tf.Tensor, *parameters: tf.Tensor) -> tf.Tensor:
        """One product for all positions."""
        return tf.linalg.matvec(keys, query)


def average(weights: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Sum of the values, each times its weight: `[B, S]` and `[B, S, M]` to `[B, M]`."""
    return tf.linalg.matvec(values, weights, transpose_a=True)
