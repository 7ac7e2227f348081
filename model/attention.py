"""Attention: which of a sentence's positions a decoder looks at.

Letters: B sentences, S source positions, T target positions, M width of the memory, H width of the state that asks, A
width in which a query is compared with the keys, K hypotheses of each sentence in a search, N = B * K.
"""

from typing import Literal, NamedTuple

import keras
import tensorflow as tf

from model.gradients import through_tanh
from model.linear import linear

MASKED = -3e4  # a score that no softmax lets through, yet finite in float16 too: -inf - -inf would be no number


class Memory(NamedTuple):
    """What a decoder needs to know of the sources."""

    values: tf.Tensor  # [B, S, M]
    keys: tf.Tensor  # [B, S, A]
    hidden: tf.Tensor  # [B, S]: 0 at real positions, MASKED at padding


class AdditiveAttention(keras.layers.Layer):  # type: ignore[misc]
    """score = v . tanh(W state + U value) (Bahdanau et al., 2015); asked at one step after the other."""

    def __init__(self, units: int, state: int, memory: int, seed: int, name: str) -> None:
        super().__init__(name=name)
        glorot = keras.initializers.GlorotUniform
        self.query_kernel = self.add_weight(name="query_kernel", shape=(state, units), initializer=glorot(seed))
        self.memory_kernel = self.add_weight(name="memory_kernel", shape=(memory, units), initializer=glorot(seed + 1))
        self.vector = self.add_weight(name="vector", shape=(units, 1), initializer=glorot(seed + 2))
        self.built = True

    def keys(self, values: tf.Tensor) -> tf.Tensor:
        """U value, once for each sentence: `[B, S, M]` to `[B, S, A]`."""
        return linear(values, self.memory_kernel)

    def weights(self, states: tf.Tensor, memory: Memory) -> tf.Tensor:
        """The share of each position that states `[N, H]` look at, zero at padding: `[N, S]`.

        Each sentence has as many states, next to each other.
        """
        asking = by_sentence(tf.matmul(states, self.query_kernel), memory.hidden)  # [B, K, A]
        return by_row(compare(asking, memory.keys[:, tf.newaxis], memory.hidden[:, tf.newaxis], self.vector))

    def attend(self, states: tf.Tensor, memory: Memory) -> tf.Tensor:
        """The memory's averages under the weights that states `[N, H]` ask for: `[N, M]`."""
        return by_row(tf.matmul(by_sentence(self.weights(states, memory), memory.hidden), memory.values))


def by_sentence(rows: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
    """Rows `[N, X]` with a dimension for the sentences of `hidden`, `[B, S]`, and one for a sentence's: `[B, K, X]`."""
    sentences = tf.shape(hidden)[0]
    each = tf.shape(rows)[0] // tf.maximum(sentences, 1)
    return tf.reshape(rows, [sentences, each, rows.shape[1] or tf.shape(rows)[1]])


def by_row(parts: tf.Tensor) -> tf.Tensor:
    """The other way round: `[B, K, X]` to `[N, X]`."""
    sentences, each, width = tf.unstack(tf.shape(parts))
    return tf.reshape(parts, [sentences * each, parts.shape[2] or width])


def compare(query: tf.Tensor, keys: tf.Tensor, hidden: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
    """The weights of additive attention from `W state`, `[..., A]`, and keys `[..., S, A]`: `[..., S]`."""
    # A product with a single column would be slower than this sum.
    scores = tf.reduce_sum(tf.tanh(keys + tf.expand_dims(query, -2)) * tf.reshape(vector, [-1]), axis=-1)
    return tf.nn.softmax(scores + hidden)


def compare_gradient(
    query: tf.Tensor, keys: tf.Tensor, vector: tf.Tensor, weights: tf.Tensor, change: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """From the weights `[B, S]` that `compare` gave and the gradient there to those at query, keys and vector."""
    shown = tf.tanh(keys + query[:, tf.newaxis])  # [B, S, A]
    at_scores = weights * (change - tf.reduce_sum(weights * change, axis=1, keepdims=True))
    at_scores = at_scores[:, :, tf.newaxis]
    at_keys = through_tanh(shown, at_scores * tf.reshape(vector, [-1]))
    at_vector = tf.reduce_sum(shown * at_scores, axis=[0, 1])[:, tf.newaxis]
    return tf.reduce_sum(at_keys, axis=1), at_keys, at_vector


def average(weights: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Sum of the values, each times its weight: `[B, S]` and `[B, S, M]` to `[B, M]`."""
    return tf.linalg.matvec(values, weights, transpose_a=True)


class MultiplicativeAttention(keras.layers.Layer):  # type: ignore[misc]
    """score = state . W value, the form "general", or state . value, the form "dot" (Luong et al., 2015).

    All steps of a decoder ask at once. The kernel works on the values, not on the states, so that a search applies it
    once for each sentence.
    """

    def __init__(self, form: Literal["general", "dot"], state: int, memory: int, seed: int, name: str) -> None:
        super().__init__(name=name)
        self.kernel = (
            self.add_weight(name="kernel", shape=(memory, state), initializer=keras.initializers.GlorotUniform(seed))
            if form == "general"
            else None
        )
        self.built = True

    def keys(self, values: tf.Tensor) -> tf.Tensor:
        """W value, once for each sentence, or the values themselves: `[B, S, M]` to `[B, S, H]`."""
        return values if self.kernel is None else linear(values, self.kernel)

    def weights(self, states: tf.Tensor, memory: Memory) -> tf.Tensor:
        """The share of each position that states `[B, T, H]` look at, zero at padding: `[B, T, S]`."""
        return tf.nn.softmax(tf.matmul(states, memory.keys, transpose_b=True) + memory.hidden[:, tf.newaxis])

    def attend(self, states: tf.Tensor, memory: Memory) -> tf.Tensor:
        """The memory's averages under the weights that states `[B, T, H]` ask for: `[B, T, M]`."""
        return tf.matmul(self.weights(states, memory), memory.values)
