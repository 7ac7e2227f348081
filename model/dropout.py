"""Dropout that a step can repeat: its masks depend on a seed alone (Srivastava et al., 2014)."""

from typing import NamedTuple

import tensorflow as tf

DRAWS = 1 << 16


class Dropout(NamedTuple):
    """What is dropped in one step of the training. Where a network takes None instead, nothing is learned."""

    rate: float
    seed: tf.Tensor  # int32 [2]


def inside(dropout: Dropout | None, part: int) -> Dropout | None:
    """The dropout of one part of a network, whose places have masks of their own."""
    if dropout is None:
        return None
    return dropout._replace(seed=folded(dropout.seed, part))


def folded(seed: tf.Tensor, part: tf.Tensor | int) -> tf.Tensor:
    """The seed of a part, drawn from that of the whole, int32 `[2]`, and the part's number.

    As `tf.random.experimental.stateless_fold_in`, but never negative: from a negative seed XLA draws other numbers.
    """
    drawn = tf.random.stateless_uniform([], seed, minval=None, maxval=None, dtype=tf.int32)
    return tf.stack([tf.bitwise.bitwise_and(drawn, tf.int32.max), part])


def drop(values: tf.Tensor, dropout: Dropout | None, place: int, same_along: int | None = None) -> tf.Tensor:
    """Sets a share of the values to zero and enlarges the others; each place in the network has masks of its own.

    With `same_along` there is one mask for all steps along that axis (variational; Gal & Ghahramani, 2016).
    """
    shape = [1 if axis == same_along else size for axis, size in enumerate(tf.unstack(tf.shape(values)))]
    factors = mask(shape, dropout, place)
    return values if factors is None else values * factors


def mask(shape: list[tf.Tensor | int], dropout: Dropout | None, place: int) -> tf.Tensor | None:
    """What values of a shape are multiplied by, again and again; None where nothing is dropped.

    A value takes 16 random bits, which is half of the time of a random float.
    """
    if dropout is None or dropout.rate == 0:
        return None
    seed = folded(dropout.seed, place)
    size = tf.reduce_prod(tf.stack(shape))
    draws = tf.random.stateless_uniform([(size + 3) // 4], seed, minval=None, maxval=None, dtype=tf.uint64)
    bits = tf.reshape(tf.bitcast(draws, tf.uint16), [-1])[:size]
    is_kept = bits >= tf.constant(round(dropout.rate * DRAWS), tf.uint16)
    return tf.reshape(tf.cast(is_kept, tf.float32) / (1 - dropout.rate), shape)
