"""A call from Python to TensorFlow that learns from several batches, whatever their shapes.

Letters: N batches of the call; B sentences of a batch, S source tokens or frames of F numbers, T target tokens.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import tensorflow as tf

from model.batches import Batch, Floats, Form, Ints

INTEGER, NUMBER, TRUTH = (tf.TensorSpec([], kind) for kind in (tf.int32, tf.float32, tf.bool))


class Given(NamedTuple):
    """What is said of a batch, one number each; of all batches of a call, `[N]` each."""

    draw: Any  # number of the batch: decides what dropout draws
    step: Any  # for Adam's correction
    rate: Any  # step size
    decay: Any  # of the weights' moving average
    asks: Any  # 1 where this worker was asked to end, otherwise 0
    is_real: Any  # whether the weights are to change


GIVEN: Final = Given(INTEGER, INTEGER, NUMBER, NUMBER, NUMBER, TRUTH)


# What is answered of a batch that completes a step, as in the trainer's `Step`: loss, tokens, norm, whether anybody was
# asked to end, float32 [4], all 0 of one that is only held; and the scale of the next one's loss, int32 [2].
Answer = tuple[tf.Tensor, tf.Tensor]
Learn = Callable[[tf.Tensor, tf.Tensor, Given, tf.Tensor], Answer]  # sources, targets, given, scale


class Packed(NamedTuple):
    """The batches of a call, one behind the other."""

    sources: Ints | Floats  # [sum of all B S], or [sum of all B S, F]
    targets: Ints  # [sum of all B T]
    forms: Ints  # B, S and T of each, [N, 3]


def form_of(batch: Batch) -> Form:
    """B, S and T."""
    rows, columns = batch.sources.shape[:2]
    return rows, columns, batch.targets.shape[1]


def pack(batches: Sequence[Batch]) -> Packed:
    """Packs batches.

    >>> batch = Batch(np.array([[5, 3]]), np.array([[6, 7, 3]]))
    >>> sources, _, forms = pack([batch, batch])
    >>> sources.tolist(), forms.tolist()
    ([5, 3, 5, 3], [[1, 2, 3], [1, 2, 3]])
    """
    sources = np.concatenate([batch.sources.reshape(-1, *batch.sources.shape[2:]) for batch in batches])
    targets = np.concatenate([batch.targets.ravel() for batch in batches])
    return Packed(sources, targets, np.array([form_of(batch) for batch in batches], np.int32))


def specs_of(frame_size: int) -> tuple[Packed, Given]:
    """What a graph takes that learns from packed batches."""
    sources = tf.TensorSpec([None, frame_size]) if frame_size else tf.TensorSpec([None], tf.int32)
    packed = Packed(sources, tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, 3], tf.int32))
    return packed, Given(*(tf.TensorSpec([None], spec.dtype) for spec in GIVEN))


def as_tensors(given: Given) -> Given:
    """Numbers, or lists of them, in the types that a graph takes."""
    return Given(*(tf.constant(value, spec.dtype) for value, spec in zip(given, GIVEN, strict=True)))


def in_turn(
    learn: Learn,
    packed: Packed,
    given: Given,
    scale: tf.Tensor,
    *,
    listens: bool = False,
    forms: Sequence[Form] = (),
) -> Answer:
    """Learns from one batch after the other, in a graph.

    Args:
        learn: learns from a batch.
        packed: the batches.
        given: what is said of them.
        scale: of the first one's loss, `[2]`.
        listens: whether it leaves when it is told that somebody was asked to end, for which a GPU has to be waited for.
        forms: those that batches can be of, if `learn` has to know their shapes when it is traced.

    Returns:
        The answers of all batches, `[N, 4]` and `[N, 2]`, zeros where it left before.
    """
    rows, *widths = tf.unstack(packed.forms, axis=1)
    starts = [tf.cumsum(rows * width, exclusive=True) for width in widths]  # of each batch, on both sides

    def rectangle(side: int, place: tf.Tensor, form: Any) -> tf.Tensor:
        values, size = packed[side], [form[0], form[1 + side]]
        start = starts[side][place]
        cells = values[start : start + size[0] * size[1]]  # one slice: all that is behind it may be large
        return tf.reshape(cells, [*size, *values.shape[1:]])  # [B, S], [B, S, F] or [B, T]

    def learn_from(place: tf.Tensor, scale: tf.Tensor, form: Any) -> Answer:
        sources, targets = (rectangle(side, place, form) for side in range(2))
        return learn(sources, targets, Given(*(values[place] for values in given)), scale)

    def goes_on(place: tf.Tensor, is_over: tf.Tensor, *_: Any) -> tf.Tensor:
        return (place < number) & ~is_over

    def take(place: tf.Tensor, _: tf.Tensor, scale: tf.Tensor, all_told: Any, scales: Any) -> tuple[Any, ...]:
        form = packed.forms[place]
        if forms:
            kind = tf.argmax(tf.reduce_all(form == tf.constant(forms), axis=1), output_type=tf.int32)
            told, scale = tf.switch_case(kind, [partial(learn_from, place, scale, each) for each in forms])
        else:
            told, scale = learn_from(place, scale, tf.unstack(form))
        is_over = told[3] > 0 if listens else False
        return place + 1, is_over, scale, all_told.write(place, told), scales.write(place, scale)

    number = tf.shape(packed.forms)[0]
    empty = (tf.TensorArray(kind, size=number, element_shape=[size]) for kind, size in ((tf.float32, 4), (tf.int32, 2)))
    _, _, _, *answers = tf.while_loop(goes_on, take, (0, False, scale, *empty), parallel_iterations=1)
    all_told, scales = (answer.stack() for answer in answers)
    return all_told, scales
