"""Sources that are float features, such as those of speech, instead of tokens.

Letters: B sources, S frames, F numbers of a frame, K frames that become one position, P = S / K positions, E width of a
token vector.
"""

import keras
import tensorflow as tf

from model.batches import PADDING
from model.linear import Linear
from pipeline.frames import LETTERS, NUMBER


class Frames(keras.layers.Layer):  # type: ignore[misc]
    """K frames side by side, and a kernel that makes them as wide and about as long as a token's vector.

    Frames of `PADDING`, which is no number, are padding; frames of zeros are frames like others, at the end too.
    """

    def __init__(self, numbers: int, stride: int, width: int, seed: int) -> None:
        super().__init__(name="frames")
        self.numbers, self.stride, self.width = numbers, stride, width
        self.kernel = Linear(numbers * stride, width, seed, name="frames_kernel")
        self.built = True

    def read(self, frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """`[B, S, F]` to vectors `[B, P, E]` and whether each position holds a frame that is no padding, `[B, P]`."""
        missing = -tf.shape(frames)[1] % self.stride
        frames = tf.pad(frames, [[0, 0], [0, missing], [0, 0]], constant_values=PADDING)
        positions = tf.shape(frames)[1] // self.stride
        joined = tf.reshape(frames, [tf.shape(frames)[0], positions, self.stride * self.numbers])
        is_padding = tf.math.is_nan(joined)
        vectors = self.kernel.apply(tf.where(is_padding, 0.0, joined)) * self.width**-0.5
        return vectors, tf.logical_not(is_padding[:, :, 0])


def frames_of(texts: tf.Tensor, numbers: int) -> tf.Tensor:
    """The frames `[B, S, F]` that texts `[B]` stand for (`pipeline.frames`), padded at the end with `PADDING`.

    Texts that are none fail with `tf.errors.InvalidArgumentError`.
    """
    letters = tf.strings.length(texts)
    each = NUMBER * numbers
    must = tf.debugging
    checks = [
        must.assert_equal(letters % each, 0, f"frames are {numbers} numbers, each {NUMBER} letters"),
        must.assert_positive(letters, "there must be a frame at least"),
        must.assert_equal(tf.strings.regex_full_match(texts, f"[{LETTERS.decode()}]*"), True, "frames are letters"),
    ]
    with tf.control_dependencies(checks):
        longest = tf.maximum(tf.reduce_max(letters), each)  # for no texts too
    halves = tf.io.decode_raw(texts, tf.uint8, fixed_length=longest) - ord("a")
    pairs = tf.reshape(halves, [tf.size(texts), longest // each, numbers, 4, 2])
    values = tf.bitcast(pairs[..., 0] * 16 + pairs[..., 1], tf.float32)
    is_real = tf.sequence_mask(letters // each, longest // each)[:, :, tf.newaxis]
    must.assert_all_finite(tf.where(is_real, values, 0.0), "frames are finite numbers")
    return tf.where(is_real, values, PADDING)
