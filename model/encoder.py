"""A recurrent encoder: one or more layers, in one direction or both.

Letters: B sentences, S source positions, I width of an input, U units in each direction, M width of the memory (the
directions side by side), L layers.
"""

from collections.abc import Iterator

import keras
import tensorflow as tf

from model import recurrent
from model.config import ModelConfig
from model.dropout import Dropout, drop, inside, mask
from model.gradients import with_gradient
from model.recurrent import State


class RecurrentEncoder(keras.layers.Layer):  # type: ignore[misc]
    """Each layer reads what the one below shows, both directions of it; from the second on it adds to that.

    Such residual connections let many layers learn (Wu et al., 2016).
    """

    def __init__(self, config: ModelConfig, inputs: int, seeds: Iterator[int]) -> None:
        super().__init__(name="encoder")
        self.is_variational = config.variational
        cell, units = recurrent.CELLS[config.architecture], config.encoder_units
        directions = ("forward", "backward") if config.bidirectional else ("forward",)
        self.width = len(directions) * units
        self.cells = [
            [
                cell(units, self.width if number else inputs, 0, next(seeds), name=f"{direction}_{number}")
                for direction in directions
            ]
            for number in range(config.encoder_layers)
        ]
        self.built = True

    def read(self, vectors: tf.Tensor, lengths: tf.Tensor, dropout: Dropout | None) -> tuple[tf.Tensor, State]:
        """Reads `[S, B, I]`, of which `lengths`, `[B]`, are real.

        Gives what the top layer shows, `[S, B, M]`, and all layers' last states side by side, each `[B, L * M]`.
        """
        rows = tf.range(tf.size(lengths))
        last = tf.stack([tf.maximum(lengths - 1, 0), rows], axis=1)  # a row may be padding alone
        values, ends = vectors, []
        for number, cells in enumerate(self.cells):
            below = drop(values, inside(dropout, number), 0, same_along=0 if self.is_variational else None)
            runs = [
                self._run(cell, below, lengths, inside(dropout, number), place)
                for place, cell in enumerate(cells, start=1)
            ]
            ends += [[tf.gather_nd(part, last) for part in states] for states in runs]
            shown = [states[0] for states in runs]
            if len(shown) > 1:
                shown[1] = reverse(shown[1], lengths, learns=dropout is not None)
            above = tf.concat(shown, axis=2)
            values = values + above if number else above
        return values, tuple(tf.concat(parts, axis=1) for parts in zip(*ends, strict=True))

    def _run(
        self, cell: recurrent.Cell, below: tf.Tensor, lengths: tf.Tensor, dropout: Dropout | None, place: int
    ) -> State:
        """The states of one direction, in its own order; the second one reads each sentence from its end."""
        sentences = tf.size(lengths)
        held = mask([sentences, cell.units], dropout, place) if self.is_variational else None
        # Reversing each sentence within its own length keeps the padding last in both directions.
        learns = dropout is not None
        projected = cell.project(below if place == 1 else reverse(below, lengths, learns=learns))
        return recurrent.run(cell, projected, cell.zero_state(sentences), learns=learns, mask=held)


def reverse(values: tf.Tensor, lengths: tf.Tensor, *, learns: bool) -> tf.Tensor:
    """Each sentence the other way round, its padding staying at the end: `[S, B, I]`.

    To turn round is its own gradient. TensorFlow's kernel for it goes value by value, this one copies whole vectors.
    """
    steps, sentences, width = tf.shape(values)[0], tf.shape(values)[1], values.shape[2]
    step = tf.range(steps)[:, tf.newaxis]
    places = tf.where(step < lengths, lengths - 1 - step, step) * sentences + tf.range(sentences)  # [S, B]

    def turned(values: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.reshape(values, [-1, width]), places)  # of [S * B, I]

    return with_gradient(lambda values: (turned(values), turned), values, learns=learns)
