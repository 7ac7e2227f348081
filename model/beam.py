"""Beam search: the answers to a sentence that are most probable of those that grow from its K best beginnings.

Letters: B sentences, A of them that are still searched, K hypotheses kept for each (beams), N = A * K rows, n answers
wanted, T steps taken, S source positions.

No hypothesis is copied while the search goes on. Each step notes the K tokens it took and from which of the K places
before they go on; answers are named by their last step and their place there, and read backwards in the end:

    step         0      1      2
    tokens     A  B   C  B   D  .       the answer (2, 1) is "A B .", found from the right:
    parents    0  0   1  0   1  1       . at place 1 goes on from place 1, B there from place 0, A there

Sentences that are done leave the batch a few at a time, since a step costs what its rows cost.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from model.choice import most_probable
from model.hypotheses import (
    IMPOSSIBLE,
    Found,
    Observe,
    State,
    Step,
    array,
    is_end,
    many,
    of_any_size,
    penalty,
    picked,
    repeated,
    shapes_in_loop,
    spread,
    without_end,
)
from pipeline.vocabulary import BOS, EOS, PAD


class Ended(NamedTuple):
    """Hypotheses by where they are written; the best comes first."""

    scores: tf.Tensor  # [B, n], IMPOSSIBLE: there is none
    steps: tf.Tensor  # int32 [B, n]: the step of the last token
    places: tf.Tensor  # int32 [B, n]: which of the K that step's is


class Beams(NamedTuple):
    """What is known of the hypotheses of the sentences that are still searched."""

    sentences: tf.Tensor  # int32 [A]: which of the B they are
    last: tf.Tensor  # int32 [A, K]: the tokens written last
    totals: tf.Tensor  # [A, K]: log-probability of what is written
    lengths: tf.Tensor  # int32 [A, K]: tokens written, EOS included
    are_open: tf.Tensor  # bool [A]: whether one that goes on may still become an answer


class Notes(NamedTuple):
    """What each step did: T tensors of each."""

    tokens: tf.TensorArray  # int32 [B, K]
    parents: tf.TensorArray  # int32 [B, K]
    seen: Any  # [B, K, S] attention weights, or () where nobody observes


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

    def extend(time: tf.Tensor, beam: Beams, state: State, found: Ended, notes: Notes) -> Any:
        logits, state = step(tf.reshape(beam.last, [-1]), state)
        after, scores, parents = continued(beam, *most_probable(logits, beams), length_penalty)
        notes = Notes(
            notes.tokens.write(time, spread(after.last, beam.sentences, sentences)),
            notes.parents.write(time, spread(parents, beam.sentences, sentences)),
            () if observe is None else notes.seen.write(time, seen_by(observe(state), beam, sentences)),
        )
        is_answer = tf.equal(after.last, EOS) & is_possible(after.totals)
        ended = best_ended(
            Ended(*(tf.gather(part, beam.sentences) for part in found)),
            at_step(time, tf.where(is_answer, scores, IMPOSSIBLE)),
        )
        found = Ended(*(replaced(old, beam.sentences, new) for old, new in zip(found, ended, strict=True)))
        # Log-probabilities only fall: the most that one can still reach is its total at the largest penalty.
        hope = scores_of(after.totals, goes_on(after), penalty(max_length, length_penalty))
        after = after._replace(are_open=tf.reduce_max(hope, axis=1) > ended.scores[:, -1])
        return time + 1, *without_done(after, parents, state), found, notes

    none = tf.zeros([sentences, answers], tf.int32)
    start = Beams(
        tf.range(sentences),
        tf.fill([sentences, beams], BOS),
        tf.tile(only_first(beams)[tf.newaxis], [sentences, 1]),  # at first all K rows of a sentence are the same
        tf.zeros([sentences, beams], tf.int32),
        tf.fill([sentences], True),
    )
    empty = Notes(
        array(tf.int32, [None, None]),
        array(tf.int32, [None, None]),
        () if observe is None else array(tf.float32, [None, None, None]),
    )
    state = repeated(state, beams)
    one, two = tf.TensorShape([None]), tf.TensorShape([None, None])
    steps, last, _, found, notes = tf.while_loop(
        # The first step is taken even for no sentences, since there must be something to stack.
        lambda time, beam, *_: tf.equal(time, 0) | ((time < max_length) & tf.reduce_any(beam.are_open)),
        extend,
        (
            0,
            of_any_size(start),
            of_any_size(state),
            Ended(tf.fill([sentences, answers], IMPOSSIBLE), none - 1, none),
            empty,
        ),
        shape_invariants=(
            tf.TensorShape([]),
            Beams(one, two, two, two, one),
            shapes_in_loop(state),
            Ended(two, two, two),
            tf.nest.map_structure(lambda _: tf.TensorShape(None), empty),
        ),
    )
    unfinished = scores_of(last.totals, goes_on(last), penalty(last.lengths, length_penalty))
    unfinished = replaced(tf.fill([sentences, beams], IMPOSSIBLE), last.sentences, unfinished)
    return read(notes, filled_up(found, at_step(steps - 1, unfinished)), with_attention=observe is not None)


def continued(
    beam: Beams, gains: tf.Tensor, tokens: tf.Tensor, length_penalty: float
) -> tuple[Beams, tf.Tensor, tf.Tensor]:
    """The K best of all that the hypotheses may become, their scores and whom they continue, `[A, K]`.

    Gains and tokens are those of the K most probable tokens of each, `[N, K]`: the K best of all are among them.
    """
    searched, beams = tf.unstack(tf.shape(beam.last))
    has_ended = is_end(beam.last)[:, :, tf.newaxis]  # [A, K, 1]
    shape, flat = [searched, beams, beams], [searched, beams * beams]
    tokens = tf.reshape(tf.where(has_ended, PAD, tf.reshape(tokens, shape)), flat)
    # A hypothesis that has ended goes on in one way, with PAD and at no cost.
    gains = tf.where(has_ended, only_first(beams), tf.reshape(gains, shape))
    totals = tf.reshape(beam.totals[:, :, tf.newaxis] + gains, flat)
    lengths = tf.repeat(beam.lengths + tf.where(has_ended[:, :, 0], 0, 1), beams, axis=1)
    scores, places = tf.math.top_k(totals / penalty(lengths, length_penalty), beams)
    last, totals, lengths = (tf.gather(part, places, batch_dims=1) for part in (tokens, totals, lengths))
    return beam._replace(last=last, totals=totals, lengths=lengths), scores, places // beams


def only_first(beams: tf.Tensor | int) -> tf.Tensor:
    """The gains of K ways to go on that are the same: only the first has a chance, `[K]`."""
    return tf.where(tf.equal(tf.range(beams), 0), 0.0, IMPOSSIBLE)


def without_done(beam: Beams, parents: tf.Tensor, state: State) -> tuple[Beams, State]:
    """What the next step needs, in the order of the hypotheses; sentences that are done leave if there are many."""
    searched, beams = tf.unstack(tf.shape(parents))
    rows = parents + tf.range(searched)[:, tf.newaxis] * beams  # [A, K]

    def leave() -> tuple[Beams, State]:
        staying = tf.where(beam.are_open)[:, 0]
        kept = Beams(*(tf.gather(part, staying) for part in beam))
        return kept, picked(state, tf.reshape(tf.gather(rows, staying), [-1]), staying)

    return tf.cond(  # type: ignore[no-any-return]
        many(~beam.are_open), leave, lambda: (beam, picked(state, tf.reshape(rows, [-1]), None))
    )


def goes_on(beam: Beams) -> tf.Tensor:
    """Which hypotheses have not ended, bool `[A, K]`."""
    return is_possible(beam.totals) & ~is_end(beam.last)


def scores_of(totals: tf.Tensor, are_meant: tf.Tensor, divisor: tf.Tensor) -> tf.Tensor:
    """The scores of the hypotheses that are meant; the others are IMPOSSIBLE."""
    return tf.where(are_meant, totals / divisor, IMPOSSIBLE)


def replaced(values: tf.Tensor, sentences: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
    """What is known of all sentences `[B, ...]`, with what is newly known of some `[A, ...]`."""
    return tf.tensor_scatter_nd_update(values, sentences[:, tf.newaxis], new)


def seen_by(weights: tf.Tensor, beam: Beams, count: tf.Tensor) -> tf.Tensor:
    """Attention weights `[N, S]` at the places of their hypotheses, `[B, K, S]`."""
    return spread(tf.reshape(weights, [*tf.unstack(tf.shape(beam.last)), tf.shape(weights)[1]]), beam.sentences, count)


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
    seen = tf.gather(notes.seen.stack(), origins.stack(), batch_dims=2)  # [T, B, K, S] to [T, B, n, S]
    has_begun = tf.range(steps)[:, tf.newaxis, tf.newaxis] <= answers.steps
    seen = tf.where(has_begun[:, :, :, tf.newaxis], seen, 0.0)
    return found._replace(attention=tf.transpose(seen, [1, 2, 0, 3]))
