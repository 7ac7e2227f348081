"""A kernel applied to the last axis of values of any rank."""

from typing import Any

import keras
import tensorflow as tf

from model.rounded import held, product


def linear(values: tf.Tensor, kernel: Any, bias: tf.Tensor | None = None) -> tf.Tensor:
    """Multiplies each vector by a layer's kernel, and adds a bias: `[..., I]` and `[I, O]` to `[..., O]`."""
    width = kernel.shape[-1]
    flat = tf.reshape(values, [-1, values.shape[-1]])  # 2-D: oneDNN fails on [B, 1, S, I] x [I, O]
    found = product(flat, held(kernel))
    # No `bias_add`: in mixed precision its gradient adds up thousands of numbers in 16 bits, and stops growing.
    shown = found if bias is None else found + bias
    return tf.reshape(shown, tf.concat([tf.shape(values)[:-1], [width]], axis=0))


class Linear(keras.layers.Layer):  # type: ignore[misc]
    """A kernel `[I, O]` and a bias `[O]`."""

    def __init__(self, inputs: int, outputs: int, seed: int, name: str) -> None:
        super().__init__(name=name)
        self.kernel = self.add_weight(
            name="kernel", shape=(inputs, outputs), initializer=keras.initializers.GlorotUniform(seed)
        )
        self.bias = self.add_weight(name="bias", shape=(outputs,), initializer="zeros")
        self.built = True

    def apply(self, values: tf.Tensor) -> tf.Tensor:
        """`[..., I]` to `[..., O]`."""
        return linear(values, self.kernel, self.bias)
