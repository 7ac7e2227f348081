"""Gradients that are written out, where TensorFlow's own take longer."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def with_gradient(function: Callable[..., Any], *given: tf.Tensor, learns: bool) -> Any:
    """Applies a function that answers with its outputs and with its gradient; only learning needs the latter.

    Without it nothing but plain operations is left in the graph, which is what can be exported.
    """
    return tf.custom_gradient(function)(*given) if learns else function(*given)[0]


def through_tanh(shown: tf.Tensor, change: tf.Tensor) -> tf.Tensor:
    """The gradient before a tanh, from what it gave and the gradient there."""
    return tf.raw_ops.TanhGrad(y=shown, dy=change)


def through_sigmoid(shown: tf.Tensor, change: tf.Tensor) -> tf.Tensor:
    """The same for a sigmoid."""
    return tf.raw_ops.SigmoidGrad(y=shown, dy=change)
