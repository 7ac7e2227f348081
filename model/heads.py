"""Attention with several heads (Vaswani et al., 2017).

Letters: B sentences, T positions that ask, S positions that are looked at, D width, H heads.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from model.linear import Linear


class KeyValue(NamedTuple):
    """Positions that can be looked at."""

    keys: tf.Tensor  # [B, H, S, D/H]
    values: tf.Tensor  # [B, H, S, D/H]

    def then(self, later: "KeyValue") -> "KeyValue":
        """These positions and those that come after them."""
        return KeyValue(*(tf.concat(parts, axis=2) for parts in zip(self, later, strict=True)))


class Heads(keras.layers.Layer):  # type: ignore[misc]
    """softmax(Q K^T / sqrt(D/H)) V for each head, and a kernel over all heads side by side."""

    def __init__(self, width: int, heads: int, seed: int, name: str) -> None:
        super().__init__(name=name)
        self.width, self.heads = width, heads
        self.query = Linear(width, width, seed, name=f"{name}_query")
        self.key_value = Linear(width, 2 * width, seed + 1, name=f"{name}_key_value")
        self.output_layer = Linear(width, width, seed + 2, name=f"{name}_output")
        self.built = True

    def read(self, values: tf.Tensor) -> KeyValue:
        """What positions offer to be looked at: `[B, S, D]`."""
        keys, values = tf.split(self.key_value.apply(values), 2, axis=2)
        return KeyValue(self.parted(keys), self.parted(values))

    def none(self, sentences: tf.Tensor) -> KeyValue:
        """No positions yet; their number has no static shape, since a search adds to it."""
        nothing = 0 * sentences  # which TensorFlow does not see through
        empty = tf.zeros([sentences, self.heads, nothing, self.width // self.heads])
        return KeyValue(empty, empty)

    def weights(self, asking: tf.Tensor, seen: KeyValue, hidden: tf.Tensor) -> tf.Tensor:
        """The share of each position, by head: `[B, T, D]` to `[B, H, T, S]`.

        Args:
            asking: `[B, T, D]`.
            seen: S positions.
            hidden: MASKED where nothing may be seen, 0 elsewhere; of a shape that fits `[B, H, T, S]`.
        """
        query = self.parted(self.query.apply(asking) * (self.width // self.heads) ** -0.5)
        return tf.nn.softmax(tf.matmul(query, seen.keys, transpose_b=True) + hidden)

    def attend(self, asking: tf.Tensor, seen: KeyValue, hidden: tf.Tensor) -> tf.Tensor:
        """What is found, `[B, T, D]`; arguments as of `weights`."""
        found = tf.matmul(self.weights(asking, seen, hidden), seen.values)  # [B, H, T, D/H]
        joined = tf.reshape(tf.transpose(found, [0, 2, 1, 3]), tf.shape(asking))
        return self.output_layer.apply(tf.ensure_shape(joined, [None, None, self.width]))

    def parted(self, values: tf.Tensor) -> tf.Tensor:
        """`[B, T, D]` to `[B, H, T, D/H]`."""
        shape = [tf.shape(values)[0], tf.shape(values)[1], self.heads, self.width // self.heads]
        return tf.transpose(tf.reshape(values, shape), [0, 2, 1, 3])
