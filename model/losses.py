"""The loss: cross-entropy as a sum over real tokens, to be divided once.

Letters: N tokens, F width of what the softmax sees, V tokens of the vocabulary, C chunks of R tokens.
"""

from typing import Any

import tensorflow as tf

from pipeline.vocabulary import PAD

CHUNK_BYTES = 1 << 25  # of logits at a time: all of a batch would be written and read again from main memory


def cross_entropy(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each token in nats: `[N, V]` and `[N]` to `[N]`."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)


def summed_cross_entropy(
    features: tf.Tensor, table: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor, label_smoothing: float = 0.0
) -> tf.Tensor:
    """Sum over all tokens of their cross-entropy in nats, from what the softmax sees.

    With label smoothing e the target is 1 - e at the true token and e / V everywhere (Szegedy et al., 2016). With z the
    logits, t the true token and m their mean, the loss of a token is

        (1 - e) (log sum exp z - z_t) + e (log sum exp z - m) = log sum exp z - (1 - e) z_t - e m

    Only its first part and the gradient of that, the softmax, need V logits. They are worked out some rows at a time,
    value and gradient together, so that no more than `CHUNK_BYTES` of logits exist. The others are products of width F.
    Padding among the tokens has no loss; with a static N everything is of a static shape, as compilers want it.

    Args:
        features: `[N, F]`.
        table: the vectors of the vocabulary, `[V, F]`.
        bias: `[V]`.
        targets: the true tokens, int32 `[N]`; `PAD` where there is none.
        label_smoothing: share of the target that is spread over the vocabulary.
    """
    real = tf.cast(tf.not_equal(targets, PAD), tf.float32)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def summed(features: tf.Tensor, table: tf.Tensor, bias: tf.Tensor) -> Any:
        normalizers, at_features, at_table, at_bias = in_chunks(features, table, bias, real)

        def backward(change: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return change * at_features, change * at_table, change * at_bias

        return normalizers, backward

    true = tf.reduce_sum(features * tf.gather(table, targets), axis=1) + tf.gather(bias, targets)
    if label_smoothing:
        mean = tf.linalg.matvec(features, tf.reduce_mean(table, axis=0)) + tf.reduce_mean(bias)
        true += label_smoothing * (mean - true)
    return summed(features, table, bias) - tf.reduce_sum(true * real)


def in_chunks(features: tf.Tensor, table: tf.Tensor, bias: tf.Tensor, real: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The sum of log sum exp z, and its gradients at features, table and bias; `real` is 0 where none counts."""
    vocabulary = table.shape[0]
    # The bias is one more column of the table, for a feature that is 1. Added to the product it would take as long.
    features, table = (tf.concat([wide, one[:, tf.newaxis]], axis=1) for wide, one in ((features, real), (table, bias)))
    width = table.shape[1]  # F + 1
    tokens = features.shape[0] or tf.shape(features)[0]
    chunks = tokens // max(1, CHUNK_BYTES // (4 * vocabulary)) + 1
    rows = (tokens + chunks - 1) // chunks
    filling = chunks * rows - tokens  # all chunks are equally long, the last one with some rows that do not count
    parts = tf.reshape(tf.pad(features, [[0, filling], [0, 0]]), [chunks, rows, width])  # [C, R, F + 1]

    def add(chunk: tf.Tensor, total: tf.Tensor, at_features: Any, at_table: tf.Tensor) -> Any:
        part = parts[chunk]
        counts = part[:, -1:]
        logits = tf.matmul(part, table, transpose_b=True)
        # From the softmax, whose kernel is many times as fast as TensorFlow's of the cross-entropy. The likeliest token
        # is the one whose probability is never so small that its logarithm is lost.
        shares = tf.nn.softmax(logits)
        normalizers = tf.reduce_max(logits, axis=1) - tf.math.log(tf.reduce_max(shares, axis=1))
        # What does not count is left out of the products with the shares, and not by a pass over their V columns.
        return (
            chunk + 1,
            total + tf.reduce_sum(normalizers * counts[:, 0]),
            at_features.write(chunk, tf.matmul(shares, table) * counts),
            at_table + tf.matmul(shares, part * counts, transpose_a=True),
        )

    room = tf.TensorArray(tf.float32, size=chunks, element_shape=parts.shape[1:])
    nothing = tf.constant(0.0), room, tf.zeros_like(table)
    _, total, at_features, at_table = tf.while_loop(lambda chunk, *_: chunk < chunks, add, (0, *nothing))
    return total, tf.reshape(at_features.stack(), [-1, width])[:tokens, :-1], at_table[:, :-1], at_table[:, -1]
