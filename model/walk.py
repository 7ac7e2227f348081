"""Searches that follow a single hypothesis of each sentence: greedy search, and sampling.

Letters: B sentences, A of them that have not left the batch, T tokens written, S source positions, V tokens of the
vocabulary.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from model.blocks import draw, largest
from model.choice import log_probabilities, most_probable
from model.hypotheses import (
    IMPOSSIBLE,
    Found,
    Observe,
    State,
    Step,
    array,
    length,
    many,
    of_any_size,
    penalty,
    picked,
    shapes_in_loop,
    spread,
    without_end,
)
from pipeline.vocabulary import BOS, EOS, PAD

Choice = tuple[tf.Tensor, tf.Tensor]  # log-probabilities [A] and the tokens that have them, int32 [A]
Choose = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Choice]  # from logits [A, V], a time from 0 on, which sentences


class Rows(NamedTuple):
    """What is known of the sentences that have not left the batch."""

    sentences: tf.Tensor  # int32 [A]: which of the B they are
    last: tf.Tensor  # int32 [A]: the token written last
    has_ended: tf.Tensor  # bool [A]


class Notes(NamedTuple):
    """What each step did: T tensors of each."""

    tokens: tf.TensorArray  # int32 [B]
    seen: Any  # [B, S] attention weights, or () where nobody observes


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

    def choose(logits: tf.Tensor, *_: tf.Tensor) -> Choice:
        gains, tokens = most_probable(logits, 1)
        return gains[:, 0], tokens[:, 0]

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

    def choose(logits: tf.Tensor, time: tf.Tensor, chosen_for: tf.Tensor) -> Choice:
        gains = log_probabilities(logits)
        least = tf.cond(
            tf.equal(top, 0),
            lambda: tf.fill([tf.shape(gains)[0], 1], IMPOSSIBLE / 2),
            lambda: tf.maximum(largest(gains, tf.minimum(top, tf.shape(gains)[1]))[0][:, -1:], IMPOSSIBLE / 2),
        )
        shares = tf.exp((gains - tf.reduce_max(gains, axis=1, keepdims=True)) / temperature)
        tokens = draw(tf.where(gains >= least, shares, 0.0), tf.gather(chances[:, time], chosen_for))
        return tf.gather(gains, tokens, batch_dims=1), tokens

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

    def extend(time: tf.Tensor, rows: Rows, state: State, totals: tf.Tensor, notes: Notes) -> Any:
        logits, state = step(rows.last, state)
        gains, chosen = choose(logits, time, rows.sentences)
        gains = tf.where(rows.has_ended, 0.0, gains)
        chosen = tf.where(rows.has_ended, PAD, chosen)
        seen = notes.seen
        if observe is not None:
            weights = tf.where(rows.has_ended[:, tf.newaxis], 0.0, observe(state))
            seen = seen.write(time, spread(weights, rows.sentences, sentences))
        notes = Notes(notes.tokens.write(time, spread(chosen, rows.sentences, sentences)), seen)
        totals += spread(gains, rows.sentences, sentences)
        rows = rows._replace(last=chosen, has_ended=rows.has_ended | tf.equal(chosen, EOS))
        return time + 1, *without_ended(rows, state), totals, notes

    start = Rows(tf.range(sentences), tf.fill([sentences], BOS), tf.fill([sentences], False))
    empty = Notes(array(tf.int32, [None]), () if observe is None else array(tf.float32, [None, None]))
    one = tf.TensorShape([None])
    *_, totals, notes = tf.while_loop(
        # The first step is taken even for no sentences, since there must be something to stack.
        lambda time, rows, *_: tf.equal(time, 0) | ((time < max_length) & ~tf.reduce_all(rows.has_ended)),
        extend,
        (0, of_any_size(start), of_any_size(state), tf.zeros([sentences]), empty),
        shape_invariants=(
            tf.TensorShape([]),
            Rows(one, one, one),
            shapes_in_loop(state),
            one,
            tf.nest.map_structure(lambda _: tf.TensorShape(None), empty),
        ),
    )
    tokens = tf.transpose(notes.tokens.stack())
    scores = totals / penalty(length(tokens), length_penalty)
    attention = None if observe is None else tf.transpose(notes.seen.stack(), [1, 0, 2])
    return Found(without_end(tokens), scores, attention)


def without_ended(rows: Rows, state: State) -> tuple[Rows, State]:
    """The sentences that go on; those that have ended leave when there are many."""

    def leave() -> tuple[Rows, State]:
        staying = tf.where(~rows.has_ended)[:, 0]
        return Rows(*(tf.gather(part, staying) for part in rows)), picked(state, staying, staying)

    return tf.cond(many(rows.has_ended), leave, lambda: (rows, state))  # type: ignore[no-any-return]
