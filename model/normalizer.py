"""What a softmax divides by."""

import tensorflow as tf


def normalizer(logits: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """log(sum(exp(logits))) of each row, `[N, 1]`, from the logits `[N, V]` and their softmax `[N, V]`.

    With m the largest logit, the largest probability is exp(m) / sum(exp(logits)). The softmax is one kernel that looks
    at each row while it is in the cache; TensorFlow's own `reduce_logsumexp` passes over all rows three times.
    """
    highest = tf.reduce_max(logits, axis=1, keepdims=True)
    return highest - tf.math.log(tf.reduce_max(shares, axis=1, keepdims=True))
