"""Beam search: the answers to a sentence that are most probable of those that grow from its K best beginnings.

Letters: B sentences, K hypotheses kept for each (beams), N = B * K rows, n answers wanted, T steps taken, S source
positions.

No hypothesis is copied while the search goes on. Each step notes the K tokens it took and from which of the K places
before they go on; answers are named by their last step and their place there, and read backwards in the end:

    step         0      1      2
    tokens     A  B   C  B   D  .       the answer (2, 1) is "A B .", found from the right:
    parents    0  0   1  0   1  1       . at place 1 goes on from place 1, B there from place 0, A there
"""

from typing import Any, NamedTuple

import tensorflow as tf

from model.blocks import largest
from model.hypotheses import (
    IMPOSSIBLE,
    Found,
    Observe,
    State,
    Step,
    array,
    is_end,
    penalty,
    shapes_in_loop,
    without_end,
)
from pipeline.vocabulary import BOS, EOS, PAD


class Ended(NamedTuple):
    """Hypotheses by where they are written; the best comes first."""

    scores: tf.Tensor  # [B, n], IMPOSSIBLE: there is none
    steps: tf.Tensor  # int32 [B, n]: the step of the last token
    places: tf.Tensor  # int32 [B, n]: which of the K that step's is


class Beams(NamedTuple):
    """What is known of each sentence's hypotheses."""

    last: tf.Tensor  # int32 [B, K]: the tokens written last
    totals: tf.Tensor  # [B, K]: log-probability of what is written
    lengths: tf.Tensor  # int32 [B, K]: tokens written, EOS included
    ended: Ended  # the best of all that have ended until now
    state: State


class Notes(NamedTuple):
    """What each step did: T tensors of each."""

    tokens: tf.TensorArray  # int32 [B, K]
    parents: tf.TensorArray  # int32 [B, K]
    seen: Any  # [N, S] attention weights, or () where nobody observes


def beam(
    step: Step,
    state: State,
    sentences: tf.Tensor,
    *,
    beams: tf.Tensor | int,
    max_length: int,
    length_penalty: float = 0.0,
    observe: Observe | None = None,
) -> Found:
    """The best answer to each sentence; see `n_best`."""
    found = n_best(
        step,
        state,
        sentences,
        answers=1,
        beams=beams,
        max_length=max_length,
        length_penalty=length_penalty,
        observe=observe,
    )
    return Found(*(None if part is None else part[:, 0] for part in found))


def n_best(
    step: Step,
    state: State,
    sentences: tf.Tensor,
    *,
    answers: tf.Tensor | int,
    beams: tf.Tensor | int,
    max_length: int,
    length_penalty: float = 0.0,
    observe: Observe | None = None,
) -> Found:
    """Keeps the K most probable beginnings of each sentence (Graves, 2012; Sutskever et al., 2014).

    Hypotheses are compared by their log-probability divided by ((5 + length) / 6) ** penalty (Wu et al., 2016). Those
    that have ended stay in the beam and push out worse ones; the n best of them all are the answers, even if better
    beginnings push them out and come to nothing afterwards. A sentence is done when all of its K have ended, or when
    none that goes on can still become better than the worst answer. Answers that are missing when the longest length is
    reached are cut off, and come last; where there are fewer possible answers than n, the others have no tokens and the
    score IMPOSSIBLE.

    Args:
        step: see `model.search`.
        state: before the first step, of `sentences` rows.
        sentences: how many there are, B.
        answers: n, at most K.
        beams: K.
        max_length: tokens after which an answer is cut off.
        length_penalty: exponent of the length.
        observe: gives the attention weights of a step, `[N, S]`, from the state after it.
    """
    rows = sentences * beams
    state = tf.nest.map_structure(lambda part: tf.repeat(part, beams, axis=0), state)
    # At first all K rows of a sentence are the same: only the first may win. One that has ended goes on in one way.
    only_first = tf.where(tf.equal(tf.range(beams), 0), 0.0, IMPOSSIBLE)

    def extend(time: tf.Tensor, beam: Beams, notes: Notes) -> Any:
        has_ended = is_end(beam.last)  # [B, K]
        gains, state = step(tf.reshape(beam.last, [rows]), beam.state)
        # K of the whole row of candidates are among the K best of each hypothesis.
        top, tokens = best_of(gains, beams)  # [N, K]
        shape = [sentences, beams, beams]
        gains, tokens = tf.reshape(top, shape), tf.reshape(tokens, shape)
        # A hypothesis that has ended goes on with PAD and at no cost.
        gains = tf.where(has_ended[:, :, tf.newaxis], only_first, gains)
        tokens = tf.where(has_ended[:, :, tf.newaxis], PAD, tokens)
        totals = tf.reshape(beam.totals[:, :, tf.newaxis] + gains, [sentences, beams * beams])
        longer = tf.repeat(beam.lengths + tf.where(has_ended, 0, 1), beams, axis=1)  # [B, K*K]
        scores, chosen = tf.math.top_k(totals / penalty(longer, length_penalty), beams)  # [B, K]
        totals, lengths = (tf.gather(values, chosen, batch_dims=1) for values in (totals, longer))
        parents = chosen // beams
        picked = tf.gather(tf.reshape(tokens, [sentences, beams * beams]), chosen, batch_dims=1)
        notes = Notes(
            notes.tokens.write(time, picked),
            notes.parents.write(time, parents),
            () if observe is None else notes.seen.write(time, observe(state)),
        )
        origin = tf.reshape(parents + tf.range(sentences)[:, tf.newaxis] * beams, [rows])
        state = tf.nest.map_structure(lambda part: tf.gather(part, origin), state)
        is_answer = tf.equal(picked, EOS) & is_possible(totals)
        ended = best_ended(beam.ended, at_step(time, tf.where(is_answer, scores, IMPOSSIBLE)))
        return time + 1, Beams(picked, totals, lengths, ended, state), notes

    def goes_on(time: tf.Tensor, beam: Beams, _: Notes) -> tf.Tensor:
        hopeful = is_possible(beam.totals) & ~is_end(beam.last)
        # Log-probabilities only fall: the most that one can still reach is its total at the largest penalty.
        hope = tf.reduce_max(tf.where(hopeful, beam.totals / penalty(max_length, length_penalty), IMPOSSIBLE), axis=1)
        # The first step is taken even for no sentences, since there must be something to stack.
        return tf.equal(time, 0) | ((time < max_length) & tf.reduce_any(hope > beam.ended.scores[:, -1]))

    none = tf.zeros([sentences, answers], tf.int32)
    start = Beams(
        tf.fill([sentences, beams], BOS),
        tf.tile(only_first[tf.newaxis], [sentences, 1]),
        tf.zeros([sentences, beams], tf.int32),
        Ended(tf.fill([sentences, answers], IMPOSSIBLE), none - 1, none),
        state,
    )
    empty = Notes(
        array(tf.int32, [None, None]),
        array(tf.int32, [None, None]),
        () if observe is None else array(tf.float32, [None, None]),
    )
    two = tf.TensorShape([None, None])
    steps, found, notes = tf.while_loop(
        goes_on,
        extend,
        (0, start, empty),
        shape_invariants=(
            tf.TensorShape([]),
            Beams(two, two, two, Ended(two, two, two), shapes_in_loop(state)),
            tf.nest.map_structure(lambda _: tf.TensorShape(None), empty),
        ),
    )
    goes_on_still = is_possible(found.totals) & ~is_end(found.last)
    cut_off = at_step(
        steps - 1, tf.where(goes_on_still, found.totals / penalty(found.lengths, length_penalty), IMPOSSIBLE)
    )
    return read(notes, filled_up(found.ended, cut_off), with_attention=observe is not None)


def best_of(gains: tf.Tensor, count: tf.Tensor | int) -> tuple[tf.Tensor, tf.Tensor]:
    """The largest values of each row and their places, `[N, count]`; fewer columns than that are filled up."""
    columns = tf.shape(gains)[1]
    best, places = largest(gains, tf.minimum(count, columns))
    missing = [[0, 0], [0, tf.maximum(0, count - columns)]]
    return tf.pad(best, missing, constant_values=IMPOSSIBLE), tf.pad(places, missing)


def is_possible(totals: tf.Tensor) -> tf.Tensor:
    """Whether no token of a hypothesis is impossible."""
    return totals > IMPOSSIBLE / 2


def at_step(time: tf.Tensor, scores: tf.Tensor) -> Ended:
    """The hypotheses of a step by their scores `[B, K]`."""
    places = tf.broadcast_to(tf.range(tf.shape(scores)[1]), tf.shape(scores))
    return Ended(scores, tf.where(scores > IMPOSSIBLE, time, -1), places)


def best_ended(before: Ended, now: Ended) -> Ended:
    """The best of both, as many as there were before; the earlier one where they are equal."""
    scores = tf.concat([before.scores, now.scores], axis=1)
    return pick(before, now, tf.math.top_k(scores, tf.shape(before.scores)[1])[1])


def filled_up(ended: Ended, cut_off: Ended) -> Ended:
    """Where answers are missing, the best of those cut off come after those that have ended."""
    answers = tf.shape(ended.scores)[1]
    best = best_ended(Ended(*(part[:, :answers] for part in cut_off)), Ended(*(part[:, answers:] for part in cut_off)))
    have_ended = tf.reduce_sum(tf.cast(ended.scores > IMPOSSIBLE, tf.int32), axis=1, keepdims=True)
    ranks = tf.range(answers)[tf.newaxis]
    return pick(ended, best, tf.where(ranks < have_ended, ranks, answers + ranks - have_ended))


def pick(one: Ended, other: Ended, chosen: tf.Tensor) -> Ended:
    """Some of the hypotheses of both, side by side, by their columns `[B, n]`."""
    both = (tf.concat(parts, axis=1) for parts in zip(one, other, strict=True))
    return Ended(*(tf.gather(part, chosen, batch_dims=1) for part in both))


def read(notes: Notes, answers: Ended, *, with_attention: bool) -> Found:
    """The tokens of hypotheses and the attention that led to them, found from the right to the left."""
    tokens, parents = notes.tokens.stack(), notes.parents.stack()  # [T, B, K]
    steps = tf.shape(tokens)[0]

    def back(time: tf.Tensor, places: tf.Tensor, written: tf.TensorArray, origins: tf.TensorArray) -> Any:
        has_begun = time <= answers.steps
        token = tf.where(has_begun, tf.gather(tokens[time], places, batch_dims=1), PAD)
        places = tf.where(has_begun, tf.gather(parents[time], places, batch_dims=1), places)
        return time - 1, places, written.write(time, token), origins.write(time, places)

    rooms = [tf.TensorArray(tf.int32, size=steps, element_shape=[None, None]) for _ in range(2)]
    *_, written, origins = tf.while_loop(lambda time, *_: time >= 0, back, (steps - 1, answers.places, *rooms))
    found = Found(without_end(tf.transpose(written.stack(), [1, 2, 0])), answers.scores)  # [B, n, T]
    if not with_attention:
        return found
    seen = notes.seen.stack()  # [T, N, S]
    seen = tf.reshape(seen, [*tf.unstack(tf.shape(tokens)), tf.shape(seen)[2]])  # [T, B, K, S]
    seen = tf.gather(seen, origins.stack(), batch_dims=2)  # [T, B, n, S]
    has_begun = tf.range(steps)[:, tf.newaxis, tf.newaxis] <= answers.steps
    seen = tf.where(has_begun[:, :, :, tf.newaxis], seen, 0.0)
    return found._replace(attention=tf.transpose(seen, [1, 2, 0, 3]))
