"""What all searches share: the step they are given, the answers they give, how answers are compared.

Letters: B sentences, A of them that are still searched, K hypotheses of each, N = A * K rows, T tokens written, S
source positions, V tokens of the vocabulary.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from pipeline.vocabulary import EOS, PAD

State = Any  # a nest of tensors, see `Shared` and `picked`; a dimension that grows must be None in the static shape
Step = Callable[[tf.Tensor, State], tuple[tf.Tensor, State]]  # see model/search.py
Observe = Callable[[State], tf.Tensor]  # the state after a step to the attention weights of that step, [N, S]

DROPS = 8  # done sentences leave the batch when they are one of so many: leaving costs a copy of what the others share
IMPOSSIBLE = -1e9  # a log-probability that nothing possible is below, finite so that sums stay numbers


class Shared(NamedTuple):
    """A part of a state that all hypotheses of a sentence share: the first dimension of its tensors is A, not N."""

    parts: Any


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


def of_any_size(values: Any) -> Any:
    """The same values, whose number of rows TensorFlow cannot know: from a batch of a fixed size sentences leave too.

    Its graph optimizer would take the number before the first step for that at all times.
    """
    return tf.nest.map_structure(
        lambda part: tf.compat.v1.placeholder_with_default(part, [None, *part.shape[1:]] if part.shape.rank else []),
        values,
    )


def picked(state: State, rows: tf.Tensor | None, sentences: tf.Tensor | None) -> State:
    """Some rows of a state, and some sentences of what is `Shared` in it; None picks all of them.

    >>> state = (Shared(tf.constant([1, 2])), tf.constant([10, 11, 20, 21]))
    >>> shared, own = picked(state, tf.constant([3, 3]), tf.constant([1]))
    >>> shared.parts.numpy().tolist(), own.numpy().tolist()
    ([2], [21, 21])
    """
    if isinstance(state, Shared):
        return Shared(picked(state.parts, sentences, sentences))
    if isinstance(state, tuple):
        parts = [picked(part, rows, sentences) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return state if rows is None else tf.gather(state, rows)


def repeated(state: State, times: tf.Tensor | int) -> State:
    """The state of several hypotheses of each sentence, from that of one; what is `Shared` stays what it is."""
    if isinstance(state, Shared):
        return state
    if isinstance(state, tuple):
        parts = [repeated(part, times) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return tf.repeat(state, times, axis=0)


def spread(values: tf.Tensor, sentences: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """What is known of some sentences, `[A, ...]`, in their places among all, `[B, ...]`, zeros being elsewhere."""
    shape = tf.concat([[count], tf.shape(values)[1:]], axis=0)
    return tf.scatter_nd(sentences[:, tf.newaxis], values, shape)


def many(are_done: tf.Tensor) -> tf.Tensor:
    """Whether so many of the sentences `[A]` are done that they should leave the batch."""
    done = tf.reduce_sum(tf.cast(are_done, tf.int32))
    return (done > 0) & (done * DROPS >= tf.size(are_done))
