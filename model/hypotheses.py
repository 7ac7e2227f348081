"""What all searches share: the step they are given, the answers they give, how answers are compared.

Letters: B sentences, T tokens written, S source positions, V tokens of the vocabulary, N rows: one for each hypothesis
that a search follows at a time.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from pipeline.vocabulary import EOS, PAD

State = Any  # a nest of tensors whose first dimension is N; another one that grows must be None in the static shape
Step = Callable[[tf.Tensor, State], tuple[tf.Tensor, State]]  # see model/search.py
Observe = Callable[[State], tf.Tensor]  # the state after a step to the attention weights of that step, [N, S]

IMPOSSIBLE = -1e9  # a log-probability that nothing possible is below, finite so that sums stay numbers


class Found(NamedTuple):
    """The answer to each sentence; where n answers are asked for, all parts have n as their second dimension."""

    tokens: tf.Tensor  # int32 [B, T], without EOS, PAD after the end
    scores: tf.Tensor  # [B]: log-probability, EOS included, divided by the length penalty; IMPOSSIBLE: there is none
    attention: tf.Tensor | None = None  # [B, T, S] for those who observe: a row for each token and EOS, then zeros


def penalty(lengths: tf.Tensor | int, exponent: float) -> tf.Tensor:
    """What a log-probability is divided by, so that longer answers have a chance (Wu et al., 2016)."""
    return ((5.0 + tf.cast(lengths, tf.float32)) / 6.0) ** exponent


def is_end(tokens: tf.Tensor) -> tf.Tensor:
    """Whether nothing comes after a token."""
    return tf.equal(tokens, EOS) | tf.equal(tokens, PAD)


def length(tokens: tf.Tensor) -> tf.Tensor:
    """Tokens of each row, `EOS` included and padding not."""
    return tf.reduce_sum(tf.cast(tf.not_equal(tokens, PAD), tf.int32), axis=1)


def without_end(tokens: tf.Tensor) -> tf.Tensor:
    """Replaces `EOS` by padding."""
    return tf.where(tf.equal(tokens, EOS), PAD, tokens)


def array(of: tf.DType, shape: list[int | None]) -> tf.TensorArray:
    """Room for a tensor a step, however many steps there will be."""
    return tf.TensorArray(of, size=0, dynamic_size=True, element_shape=shape)


def shapes_in_loop(state: State) -> State:
    """The static shapes of a state while a loop runs: the number of rows may be anything."""
    return tf.nest.map_structure(lambda part: tf.TensorShape([None, *part.shape[1:]]), state)
