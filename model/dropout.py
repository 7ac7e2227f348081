"""Dropout that a step can repeat: its masks depend on a seed alone (Srivastava et al., 2014)."""

from typing import NamedTuple

import tensorflow as tf


class Dropout(NamedTuple):
    """What is dropped in one step of the training. Where a network takes None instead, nothing is learned."""

    rate: float
    seed: tf.Tensor  # int32 [2]


def inside(dropout: Dropout | None, part: int) -> Dropout | None:
    """The dropout of one part of a network, whose places have masks of their own."""
    if dropout is None:
        return None
    return dropout._replace(seed=tf.random.experimental.stateless_fold_in(dropout.seed, part))


def drop(values: tf.Tensor, dropout: Dropout | None, place: int, same_along: int | None = None) -> tf.Tensor:
    """Sets a share of the values to zero and enlarges the others; each place in the network has masks of its own.

    With `same_along` there is one mask for all steps along that axis (variational; Gal & Ghahramani, 2016).
    """
    if dropout is None or dropout.rate == 0:
        return values
    seed = tf.random.experimental.stateless_fold_in(dropout.seed, place)
    shape = [1 if axis == same_along else size for axis, size in enumerate(tf.unstack(tf.shape(values)))]
    return tf.nn.experimental.stateless_dropout(values, dropout.rate, seed, noise_shape=shape)


def mask(shape: list[tf.Tensor | int], dropout: Dropout | None, place: int) -> tf.Tensor | None:
    """What values of a shape are multiplied by, again and again; None where nothing is dropped."""
    if dropout is None or dropout.rate == 0:
        return None
    return drop(tf.ones(shape), dropout, place)
