"""Searches that follow a single hypothesis of each sentence: greedy search, and sampling.

Letters: B sentences, T tokens written, S source positions, V tokens of the vocabulary.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from model.blocks import draw, largest
from model.hypotheses import (
    IMPOSSIBLE,
    Found,
    Observe,
    State,
    Step,
    array,
    length,
    penalty,
    shapes_in_loop,
    without_end,
)
from pipeline.vocabulary import BOS, EOS, PAD

Choose = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # log-probabilities [B, V] at a time from 0 on to tokens int32 [B]


class Rows(NamedTuple):
    """What is known of each sentence."""

    last: tf.Tensor  # int32 [B]: the token written last
    has_ended: tf.Tensor  # bool [B]
    totals: tf.Tensor  # [B]: log-probability of what is written
    state: State


def greedy(
    step: Step,
    state: State,
    sentences: tf.Tensor,
    *,
    max_length: int,
    length_penalty: float = 0.0,
    observe: Observe | None = None,
) -> Found:
    """Always takes the most probable token."""

    def choose(gains: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        return tf.argmax(gains, axis=1, output_type=tf.int32)

    return walk(step, state, sentences, choose, max_length=max_length, length_penalty=length_penalty, observe=observe)


def sample(
    step: Step,
    state: State,
    sentences: tf.Tensor,
    *,
    seeds: tf.Tensor,
    temperature: tf.Tensor | float = 1.0,
    top: tf.Tensor | int = 0,
    max_length: int,
    length_penalty: float = 0.0,
) -> Found:
    """Draws each token by its probability; scores are those of the distribution before it is changed.

    The same sentence with the same seed gets the same answer, whatever else is in the batch: a row's random numbers are
    a function of its seed and the time.

    Args:
        step: see `model.search`.
        state: before the first step.
        sentences: how many there are, B.
        seeds: int32 [B, 2], two numbers for each sentence.
        temperature: above 0; probabilities are taken to the power of 1 / temperature, greedy search being its limit.
        top: draw from that many tokens, the most probable ones (Fan et al., 2018), and equal ones; 0: from all.
        max_length: tokens after which an answer is cut off.
        length_penalty: see `model.hypotheses.penalty`.
    """
    chances = tf.map_fn(  # [B, longest]
        lambda seed: tf.random.stateless_uniform([max_length], seed), seeds, fn_output_signature=tf.float32
    )

    def choose(gains: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
        least = tf.cond(
            tf.equal(top, 0),
            lambda: tf.fill([tf.shape(gains)[0], 1], IMPOSSIBLE / 2),
            lambda: tf.maximum(largest(gains, tf.minimum(top, tf.shape(gains)[1]))[0][:, -1:], IMPOSSIBLE / 2),
        )
        shares = tf.exp((gains - tf.reduce_max(gains, axis=1, keepdims=True)) / temperature)
        return draw(tf.where(gains >= least, shares, 0.0), chances[:, time])

    return walk(step, state, sentences, choose, max_length=max_length, length_penalty=length_penalty, observe=None)


def walk(
    step: Step,
    state: State,
    sentences: tf.Tensor,
    choose: Choose,
    *,
    max_length: int,
    length_penalty: float,
    observe: Observe | None,
) -> Found:
    """Takes the tokens that are chosen until each answer has ended."""

    def extend(time: tf.Tensor, rows: Rows, written: tf.TensorArray, seen: Any) -> Any:
        gains, state = step(rows.last, rows.state)
        chosen = tf.where(rows.has_ended, PAD, choose(gains, time))
        gained = tf.gather(gains, chosen, batch_dims=1)
        if observe is not None:
            seen = seen.write(time, tf.where(rows.has_ended[:, tf.newaxis], 0.0, observe(state)))
        totals = rows.totals + tf.where(rows.has_ended, 0.0, gained)
        rows = Rows(chosen, rows.has_ended | tf.equal(chosen, EOS), totals, state)
        return time + 1, rows, written.write(time, chosen), seen

    start = Rows(tf.fill([sentences], BOS), tf.fill([sentences], False), tf.zeros([sentences]), state)
    seen = () if observe is None else array(tf.float32, [None, None])
    one = tf.TensorShape([None])
    _, rows, written, seen = tf.while_loop(
        # The first step is taken even for no sentences, since there must be something to stack.
        lambda time, rows, *_: tf.equal(time, 0) | ((time < max_length) & ~tf.reduce_all(rows.has_ended)),
        extend,
        (0, start, array(tf.int32, [None]), seen),
        shape_invariants=(
            tf.TensorShape([]),
            Rows(one, one, one, shapes_in_loop(state)),
            tf.TensorShape(None),
            tf.nest.map_structure(lambda _: tf.TensorShape(None), seen),
        ),
    )
    tokens = tf.transpose(written.stack())
    scores = rows.totals / penalty(length(tokens), length_penalty)
    attention = None if observe is None else tf.transpose(seen.stack(), [1, 0, 2])
    return Found(without_end(tokens), scores, attention)
