"""Sources that are float features, such as those of speech, instead of tokens.

Letters: B sources, S frames, F numbers of a frame, K frames that become one position, P = S / K positions, E width of a
token vector.
"""

import keras
import tensorflow as tf

from model.linear import Linear


class Frames(keras.layers.Layer):  # type: ignore[misc]
    """K frames side by side, and a kernel that makes them as wide and about as long as a token's vector.

    Frames of zeros at the end are padding; elsewhere they are frames like others.
    """

    def __init__(self, numbers: int, stride: int, width: int, seed: int) -> None:
        super().__init__(name="frames")
        self.numbers, self.stride, self.width = numbers, stride, width
        self.kernel = Linear(numbers * stride, width, seed, name="frames_kernel")
        self.built = True

    def read(self, frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """`[B, S, F]` to vectors `[B, P, E]` and whether each position holds a frame that is no padding, `[B, P]`."""
        frames = tf.pad(frames, [[0, 0], [0, -tf.shape(frames)[1] % self.stride], [0, 0]])
        positions = tf.shape(frames)[1] // self.stride
        joined = tf.reshape(frames, [tf.shape(frames)[0], positions, self.stride * self.numbers])
        vectors = self.kernel.apply(joined) * self.width**-0.5
        holds = tf.cast(tf.reduce_any(tf.not_equal(joined, 0), axis=2), tf.int32)
        return vectors, tf.cumsum(holds, axis=1, reverse=True) > 0
