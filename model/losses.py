"""The loss: cross-entropy as a sum over real tokens, to be divided once.

Letters: N tokens, V tokens of the vocabulary.
"""

import tensorflow as tf


def cross_entropy(logits: tf.Tensor, targets: tf.Tensor, label_smoothing: float = 0.0) -> tf.Tensor:
    """Cross-entropy of each token in nats: `[N, V]` and `[N]` to `[N]`.

    With label smoothing the target is (1 - smoothing) at the true token and smoothing / V everywhere (Szegedy et al.,
    2016). The gradient is softmax - target, computed together with the loss.
    """
    if label_smoothing == 0:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)
    tokens = tf.shape(logits)[1]
    spread = label_smoothing / tf.cast(tokens, tf.float32)
    labels = tf.one_hot(targets, tokens, on_value=1 - label_smoothing + spread, off_value=spread)
    return tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits)
