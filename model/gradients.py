"""Functions that say what their gradient is."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def with_gradient(function: Callable[..., Any], *given: tf.Tensor, learns: bool) -> Any:
    """Applies a function that answers with its outputs and with its gradient; only learning needs the latter.

    Without it nothing but plain operations is left in the graph, which is what can be exported.
    """
    return tf.custom_gradient(function)(*given) if learns else function(*given)[0]
