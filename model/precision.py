"""Mixed precision: products in 16 bits, everything that adds up in 32.

TensorFlow's graph optimizer chooses the operations: products become 16-bit ones and casts go around them, and what lies
between two of them may follow. The weights, the softmax, the loss, the gradient once it is summed over a batch, and all
that is kept stay float32 (Micikevicius et al., 2018); `in_32_bits` is where that ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from model.config import TrainConfig
from pipeline.errors import InputError

OPTIONS = {"bfloat16": "auto_mixed_precision_onednn_bfloat16", "float16": "auto_mixed_precision"}
GROWS_AFTER = 2000  # steps
HIGHEST = 2.0**24


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
    """The same values; what is reckoned with them next stays float32, and so does all that follows from it.

    The optimizer has 16 bits spread twice: from products to the sums and quotients that touch them, then from all of
    these to whatever only moves numbers about. A check of the shape is of the second kind, so that a sum behind it is
    out of the first one's reach, and what lies behind that sum out of the second one's.
    """
    return tf.ensure_shape(values, values.shape)


def check_precision(config: TrainConfig) -> None:
    """Raises `InputError` for a precision that this machine's devices are not computed in."""
    if config.precision == "bfloat16" and tf.config.list_logical_devices("GPU"):
        raise InputError("train.precision", config.precision, "float16 or float32", "the training runs on GPUs")


@dataclass
class LossScale:
    """What a float16 loss is multiplied by, so that small gradients do not become zero; part of every checkpoint.

    It halves when a gradient overflows and doubles after `GROWS_AFTER` steps without one.

    Args:
        value: a power of two, so that dividing by it again loses nothing.
        good: steps since it changed.
    """

    value: float = 2.0**15
    good: int = 0

    def sees(self, *, is_finite: bool) -> None:
        """A step was taken, or skipped because it overflowed."""
        self.good += 1
        if not is_finite:
            self.value, self.good = max(1.0, self.value / 2), 0
        elif self.good == GROWS_AFTER:
            self.value, self.good = min(HIGHEST, self.value * 2), 0

    def state(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Both numbers as an array."""
        return np.array([self.value, self.good])

    def restore(self, state: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        """Puts a state back."""
        self.value, self.good = float(state[0]), int(state[1])
