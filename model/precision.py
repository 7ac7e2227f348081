"""Mixed precision: products in 16 bits; the loss, and what adds up over batches and replicas, in 32.

TensorFlow's graph optimizer chooses the operations: products become 16-bit ones, casts go around them, and what lies
between two of them follows. That includes sums over the positions of a batch, which TensorFlow reckons in 32 bits and
rounds (but for `bias_add`, whose gradient it adds up in 16). The weights, the softmax, the loss, each weight's gradient
from there on, and all that is kept stay float32 (Micikevicius et al., 2018); `in_32_bits` is where 16 bits end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import log2
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from model.config import TrainConfig
from pipeline.errors import InputError

OPTIONS = {"bfloat16": "auto_mixed_precision_onednn_bfloat16", "float16": "auto_mixed_precision"}
GROWS_AFTER = 2000  # steps
HIGHEST = 24  # exponent


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Has the graphs that run within the block computed in a precision, and no others.

    The option is part of how TensorFlow finds an optimized graph again, so one process can hold trainings of several
    precisions.
    """
    if precision == "float32":
        yield
        return
    option = OPTIONS[precision]
    before = tf.config.optimizer.get_experimental_options().get(option)
    tf.config.optimizer.set_experimental_options({option: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({option: before})


def in_32_bits(values: tf.Tensor) -> tf.Tensor:
    """The same values; quotients, products and sums that take them next stay float32, and so does what follows.

    The optimizer has 16 bits spread twice: from products to the sums and quotients that touch them, then from all of
    these to whatever only moves numbers about. A check of the shape is of the second kind, so that a sum behind it is
    out of the first one's reach, and what lies behind that sum out of the second one's.
    """
    return tf.ensure_shape(values, values.shape)


def check_precision(config: TrainConfig) -> None:
    """Raises `InputError` for a precision that this machine's devices are not computed in."""
    if config.precision == "bfloat16" and tf.config.list_logical_devices("GPU"):
        raise InputError("train.precision", config.precision, "float16 or float32", "the training runs on GPUs")


class LossScale(NamedTuple):
    """What a float16 loss is multiplied by, so that small gradients do not become zero; part of every checkpoint.

    It halves when a gradient overflows and doubles after `GROWS_AFTER` steps without one. As a power of two it loses
    nothing, and as whole numbers it keeps out of the optimizer's reach.

    Args:
        exponent: of the power of two.
        good: steps since it changed.
    """

    exponent: int = 15
    good: int = 0

    def state(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """The factor and the steps as an array."""
        return np.array([2.0**self.exponent, self.good])

    @classmethod
    def parse(cls, state: np.ndarray[tuple[int], np.dtype[np.float64]]) -> "LossScale":
        """What `state` gave."""
        factor, good = state.tolist()
        return cls(round(log2(factor)), round(good))


def factor_of(scale: tf.Tensor) -> tf.Tensor:
    """What the loss is multiplied by, of a scale `[2]`: the float32 whose bits have that exponent (IEEE 754)."""
    return tf.bitcast(tf.bitwise.left_shift(scale[0] + 127, 23), tf.float32)


def followed(scale: tf.Tensor, is_finite: tf.Tensor) -> tf.Tensor:
    """The scale, `[2]`, after a step that was taken, or skipped because it overflowed."""
    exponent, good = scale[0], scale[1] + 1
    is_grown = good == GROWS_AFTER
    higher, lower = tf.minimum(HIGHEST, exponent + 1), tf.maximum(0, exponent - 1)
    exponent = tf.where(is_finite, tf.where(is_grown, higher, exponent), lower)
    return tf.stack([exponent, tf.where(is_finite & ~is_grown, good, 0)])
