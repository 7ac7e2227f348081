"""The loss: cross-entropy as a sum over real tokens, to be divided once.

Letters: N tokens, F width of what the softmax sees, V tokens of the vocabulary, C chunks of R tokens.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from model.precision import in_32_bits
from pipeline.vocabulary import PAD

LEAST = np.finfo(np.float32).tiny  # a true token of a smaller probability, or none, costs 87 nats all the same
CHUNK_BYTES = 1 << 25  # of logits at a time: all of a batch would be written and read again from main memory


def cross_entropy(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each token in nats: `[N, V]` and `[N]` to `[N]`."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)


def summed_cross_entropy(
    features: tf.Tensor, table: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor, label_smoothing: float = 0.0
) -> tf.Tensor:
    """Sum over all tokens of their cross-entropy in nats, from what the softmax sees.

    With label smoothing the target is (1 - smoothing) at the true token and smoothing / V everywhere (Szegedy et al.,
    2016). With z the logits, t the true token and m their mean, the loss of a token is

        (1 - smoothing) (log sum exp z - z_t) + smoothing (log sum exp z - m) = cross-entropy + smoothing (z_t - m)

    The second part and its gradient need two products of width F, and no pass over V logits. The first part is worked
    out some rows at a time, loss and gradient together, so that no more than `CHUNK_BYTES` of logits exist. Padding
    among the tokens has no loss; with a static N everything is of a static shape, as compilers want it.

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
        loss, at_features, at_table, at_bias = in_chunks(features, table, bias, targets, real)

        def backward(change: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return change * at_features, change * at_table, change * at_bias

        return loss, backward

    loss = summed(features, table, bias)
    if label_smoothing == 0:
        return loss
    true = tf.reduce_sum(in_32_bits(features) * tf.gather(table, targets), axis=1) + tf.gather(bias, targets)
    mean = in_32_bits(tf.linalg.matvec(features, tf.reduce_mean(table, axis=0))) + tf.reduce_mean(bias)
    return loss + label_smoothing * tf.reduce_sum((true - mean) * real)


def in_chunks(
    features: tf.Tensor, table: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor, real: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """The sum of the cross-entropies, and its gradients at features, table and bias; `real` is 0 where none counts."""
    vocabulary = table.shape[0]
    # The bias is one more column of the table, for a feature that is 1: added to the product it would take as long.
    features, table = (tf.concat([wide, one[:, tf.newaxis]], axis=1) for wide, one in ((features, real), (table, bias)))
    width = table.shape[1]  # F + 1
    tokens = features.shape[0] or tf.shape(features)[0]
    chunks = tokens // max(1, CHUNK_BYTES // (4 * vocabulary)) + 1
    rows = (tokens + chunks - 1) // chunks
    filling = chunks * rows - tokens  # all chunks are equally long, the last one with some rows that do not count

    def parted(values: tf.Tensor, *more: int) -> tf.Tensor:
        return tf.reshape(tf.pad(values, [[0, filling], *([0, 0] for _ in more)]), [chunks, rows, *more])

    parts, trues = parted(features, width), parted(targets)  # [C, R, F + 1], [C, R]

    def add(chunk: tf.Tensor, loss: tf.Tensor, at_features: Any, at_table: tf.Tensor) -> Any:
        part = parts[chunk]
        counts = part[:, -1:]
        losses, change = with_change(tf.matmul(part, table, transpose_b=True), trues[chunk])
        # What does not count is left out of the products with `change`, and not by a pass over its V columns.
        return (
            chunk + 1,
            loss + tf.reduce_sum(losses * counts[:, 0]),
            at_features.write(chunk, tf.matmul(change, table) * counts),
            at_table + in_32_bits(tf.matmul(change, part * counts, transpose_a=True)),
        )

    room = tf.TensorArray(tf.float32, size=chunks, element_shape=parts.shape[1:])
    nothing = tf.constant(0.0), room, tf.zeros_like(table)
    _, loss, at_features, at_table = tf.while_loop(lambda chunk, *_: chunk < chunks, add, (0, *nothing))
    return loss, tf.reshape(at_features.stack(), [-1, width])[:tokens, :-1], at_table[:, :-1], at_table[:, -1]


def with_change(logits: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cross-entropy of each token, `[R]`, and its gradient at the logits `[R, V]`: the softmax, less 1 at the target.

    TensorFlow's kernel that does all of this takes several times as long as the softmax's.
    """
    shares = tf.nn.softmax(in_32_bits(logits))  # of a nearly certain token 16 bits lose the difference to 1
    places = tf.stack([tf.range(tf.size(targets)), targets], axis=1)
    losses = -tf.math.log(tf.gather_nd(shares, places) + LEAST)
    return losses, tf.tensor_scatter_nd_sub(shares, places, tf.ones_like(losses))
