"""Kernels in 16 bits, for exported models: half as much to read from memory, and products several times as quick.

They are made once, from float32 kernels, and kept in their place. Values are rounded where they meet such a kernel, the
sums of their products are float32, and so is everything else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

import tensorflow as tf

KINDS = {"float32": tf.float32, "bfloat16": tf.bfloat16}


class Kernels:
    """The rounded kernels of a model by the names of its own, made when a graph first asks for one."""

    def __init__(self, precision: Literal["float32", "bfloat16"]) -> None:
        self.kind = KINDS[precision]
        self.made: dict[str, tf.Variable] = {}

    def of(self, kernel: Any) -> Any:
        """What is multiplied with in the place of one of the model's own."""
        if self.kind == tf.float32:
            return kernel
        if kernel.path not in self.made:
            with tf.init_scope():  # no graph's
                self.made[kernel.path] = tf.Variable(tf.cast(kernel.value, self.kind), trainable=False)
        return self.made[kernel.path]


used: ContextVar[Kernels | None] = ContextVar("used", default=None)


@contextmanager
def using(kernels: Kernels) -> Iterator[None]:
    """Has the graphs that are traced within the block multiply with these."""
    token = used.set(kernels)
    try:
        yield
    finally:
        used.reset(token)


def held(kernel: Any) -> tf.Tensor:
    """A kernel as it is to be used here, float32 in every training."""
    kernels = used.get()
    return tf.convert_to_tensor(kernels.of(kernel) if kernels else kernel)


def product(values: tf.Tensor, kernel: tf.Tensor, *, is_transposed: bool = False) -> tf.Tensor:
    """Values `[N, I]` times a kernel `[I, O]`, or `[O, I]` that is transposed, in the kernel's precision: `[N, O]`."""
    found = tf.matmul(tf.cast(values, kernel.dtype), kernel, transpose_b=is_transposed)
    return tf.cast(found, values.dtype)
