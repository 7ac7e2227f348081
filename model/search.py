"""Search: the tokens a model finds most probable, one after the other.

Letters: B sentences, K hypotheses kept for each (beams), N = B * K rows, T tokens written, V tokens of the vocabulary.

A search takes a step function and the state before the first step and knows no model. `step(tokens, state)` gets the
tokens `[N]` written last, `BOS` at first, and gives the next tokens' log-probabilities `[N, V]`, `PAD` being
impossible, and the state after; a state is any nest of tensors whose first dimension is N. Both searches run inside a
graph and stop as soon as every answer has ended.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from model.attention import MASKED
from model.config import SearchConfig
from pipeline.vocabulary import BOS, EOS, PAD

State = Any
Step = Callable[[tf.Tensor, State], tuple[tf.Tensor, State]]

IMPOSSIBLE = MASKED  # a log-probability that nothing possible is below, finite so that sums stay numbers


class Found(NamedTuple):
    """The best answer for each sentence."""

    tokens: tf.Tensor  # int32 [B, T], without EOS, PAD after the end
    scores: tf.Tensor  # [B]: log-probability, EOS included, divided by the length penalty


class Rows(NamedTuple):
    """What greedy search knows of each sentence."""

    last: tf.Tensor  # int32 [B]: the token written last
    has_ended: tf.Tensor  # bool [B]
    totals: tf.Tensor  # [B]: log-probability of what is written
    state: State


class Beams(NamedTuple):
    """What beam search knows of each sentence's hypotheses."""

    written: tf.Tensor  # int32 [B, K, 1 + T], from BOS on, PAD after the end
    totals: tf.Tensor  # [B, K]: log-probability of what is written
    lengths: tf.Tensor  # int32 [B, K]: tokens written, EOS included
    best: Found  # of all that have ended until now, `[B, 1 + T]` like `written`
    state: State


def search(step: Step, state: State, sentences: tf.Tensor, config: SearchConfig) -> Found:
    """Greedy or beam search, as configured; `state` is that of `sentences` rows."""
    if config.beams == 1:
        return greedy(step, state, sentences, max_length=config.max_length, length_penalty=config.length_penalty)
    return beam(
        step,
        state,
        sentences,
        beams=config.beams,
        max_length=config.max_length,
        length_penalty=config.length_penalty,
    )


def greedy(step: Step, state: State, sentences: tf.Tensor, *, max_length: int, length_penalty: float = 0.0) -> Found:
    """Always takes the most probable token."""

    def extend(time: tf.Tensor, rows: Rows, written: Any) -> Any:
        gains, state = step(rows.last, rows.state)
        chosen = tf.where(rows.has_ended, PAD, tf.argmax(gains, axis=1, output_type=tf.int32))
        totals = rows.totals + tf.where(rows.has_ended, 0.0, tf.reduce_max(gains, axis=1))
        rows = Rows(chosen, rows.has_ended | tf.equal(chosen, EOS), totals, state)
        return time + 1, rows, written.write(time, chosen)

    start = Rows(tf.fill([sentences], BOS), tf.fill([sentences], False), tf.zeros([sentences]), state)
    _, rows, written = tf.while_loop(
        # The first step is taken even for no sentences, since there must be something to stack.
        lambda time, rows, _: tf.equal(time, 0) | ((time < max_length) & ~tf.reduce_all(rows.has_ended)),
        extend,
        (0, start, tf.TensorArray(tf.int32, size=0, dynamic_size=True, element_shape=[None])),
    )
    tokens = tf.transpose(written.stack())
    return Found(without_end(tokens), rows.totals / penalty(length(tokens), length_penalty))


def beam(
    step: Step, state: State, sentences: tf.Tensor, *, beams: int, max_length: int, length_penalty: float = 0.0
) -> Found:
    """Keeps the K most probable beginnings of each sentence (Graves, 2012; Sutskever et al., 2014).

    Hypotheses are compared by their log-probability divided by ((5 + length) / 6) ** penalty (Wu et al., 2016). Those
    that have ended stay in the beam and push out worse ones; the best of them all is the answer, even if better
    beginnings push it out and come to nothing afterwards. A sentence is done when all of its K have ended, or when none
    that goes on can still become better than the best that has ended. An answer is cut off where none has ended.
    """
    rows = sentences * beams
    state = tf.nest.map_structure(lambda part: tf.repeat(part, beams, axis=0), state)
    # At first all K rows of a sentence are the same: only the first may win.
    first = tf.tile(tf.constant([[0.0] + [IMPOSSIBLE] * (beams - 1)]), [sentences, 1])

    def extend(time: tf.Tensor, beam: Beams) -> tuple[tf.Tensor, Beams]:
        last = beam.written[:, :, -1]
        has_ended = is_end(last)  # [B, K]
        gains, state = step(tf.reshape(last, [rows]), beam.state)
        # K of the whole row of candidates are among the K best of each hypothesis.
        top, tokens = best_of(gains, beams)  # [N, K]
        shape = [sentences, beams, beams]
        gains, tokens = tf.reshape(top, shape), tf.reshape(tokens, shape)
        # A hypothesis that has ended goes on in one way only, with PAD and at no cost.
        free = tf.constant([0.0] + [IMPOSSIBLE] * (beams - 1))
        gains = tf.where(has_ended[:, :, tf.newaxis], free, gains)
        tokens = tf.where(has_ended[:, :, tf.newaxis], PAD, tokens)
        totals = tf.reshape(beam.totals[:, :, tf.newaxis] + gains, [sentences, beams * beams])
        longer = tf.repeat(beam.lengths + tf.where(has_ended, 0, 1), beams, axis=1)  # [B, K*K]
        scores, chosen = tf.math.top_k(totals / penalty(longer, length_penalty), beams)  # [B, K]
        totals, lengths = (tf.gather(values, chosen, batch_dims=1) for values in (totals, longer))
        parents = chosen // beams
        picked = tf.gather(tf.reshape(tokens, [sentences, beams * beams]), chosen, batch_dims=1)
        written = tf.concat([tf.gather(beam.written, parents, batch_dims=1), picked[:, :, tf.newaxis]], axis=2)
        origin = tf.reshape(parents + tf.range(sentences)[:, tf.newaxis] * beams, [rows])
        state = tf.nest.map_structure(lambda part: tf.gather(part, origin), state)
        is_answer = is_end(picked) & (totals > IMPOSSIBLE / 2)
        ended = best_row(written, tf.where(is_answer, scores, IMPOSSIBLE))
        before = Found(tf.pad(beam.best.tokens, [[0, 0], [0, 1]], constant_values=PAD), beam.best.scores)
        return time + 1, Beams(written, totals, lengths, better(before, ended), state)

    def goes_on(time: tf.Tensor, beam: Beams) -> tf.Tensor:
        has_ended = is_end(beam.written[:, :, -1])
        # Log-probabilities only fall: the most that one can still reach is its total at the largest penalty.
        hope = tf.reduce_max(tf.where(has_ended, IMPOSSIBLE, beam.totals / penalty(max_length, length_penalty)), axis=1)
        return (time < max_length) & tf.reduce_any(hope > beam.best.scores)

    nothing = tf.fill([sentences, beams, 1], BOS)
    none = Found(nothing[:, 0], tf.fill([sentences], IMPOSSIBLE))
    shapes = Beams(
        tf.TensorShape([None, beams, None]),
        tf.TensorShape([None, beams]),
        tf.TensorShape([None, beams]),
        Found(tf.TensorShape([None, None]), tf.TensorShape([None])),
        tf.nest.map_structure(lambda part: tf.TensorShape([None, *part.shape[1:]]), state),
    )
    _, found = tf.while_loop(
        goes_on,
        extend,
        (0, Beams(nothing, first, tf.zeros([sentences, beams], tf.int32), none, state)),
        shape_invariants=(tf.TensorShape([]), shapes),
    )
    cut_off = best_row(found.written, found.totals / penalty(found.lengths, length_penalty))
    has_answer = found.best.scores > IMPOSSIBLE
    tokens = tf.where(has_answer[:, tf.newaxis], found.best.tokens, cut_off.tokens)
    return Found(without_end(tokens[:, 1:]), tf.where(has_answer, found.best.scores, cut_off.scores))


def best_row(written: tf.Tensor, scores: tf.Tensor) -> Found:
    """The best of each sentence's hypotheses: `[B, K, T]` and `[B, K]` to `[B, T]` and `[B]`."""
    best = tf.argmax(scores, axis=1, output_type=tf.int32)
    return Found(tf.gather(written, best, batch_dims=1), tf.reduce_max(scores, axis=1))


def better(one: Found, other: Found) -> Found:
    """The better of two answers to each sentence, the first one where they are equal."""
    wins = other.scores > one.scores
    return Found(tf.where(wins[:, tf.newaxis], other.tokens, one.tokens), tf.where(wins, other.scores, one.scores))


def best_of(values: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The largest values of each row and their places, `[N, count]`; fewer columns than that are filled up."""
    missing = tf.maximum(0, count - tf.shape(values)[1])
    best, places = tf.math.top_k(tf.pad(values, [[0, 0], [0, missing]], constant_values=IMPOSSIBLE), count)
    return best, tf.minimum(places, tf.shape(values)[1] - 1)


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
