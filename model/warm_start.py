"""Warm start: a training that begins with the weights of an earlier one.

Where the vocabularies differ, the rows of the pieces that both have are moved and the others stay as they were drawn:

    piece      old row   new row
    ▁rain           17        31    moved
    ▁hail            -        32    as drawn

Rows that are frozen stay as they are too, and have no averages of Adam that could move them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from model.architectures import build_model
from model.averaging import part_of
from model.checkpoints import Arrays
from model.predecessor import PARAMETER
from model.trainer import Trainer
from model.weights import AVERAGES, read_weights
from pipeline.errors import InputError
from pipeline.vocabulary import Vocabulary


def warm_start(trainer: Trainer, source: Path, pieces: Vocabulary) -> None:
    """Gives a trainer the weights that an earlier model exports, and Adam's averages where that is asked for.

    Adam's correction counts steps from 1 all the same, so that its first steps are smaller than their step size.

    Args:
        trainer: of the same network.
        source: folder with that model's `weights.npz` and `vocabulary.model`.
        pieces: the trainer's vocabulary.

    Raises:
        InputError: the model is of another network, or was trained without keeping Adam's averages.
    """
    old, kept = Vocabulary.load(source / "vocabulary.model"), read_weights(source)
    rows = shared_rows(old, pieces)
    axes, frozen = vocabulary_axes(trainer), trainer.model.frozen
    own = trainer.state()
    weights = moved(part_of(kept, "weight"), part_of(own, "weight"), axes, rows, frozen=frozen, source=source)
    state = {f"weight/{path}": values for path, values in weights.items()}
    if trainer.config.ema:
        state |= {f"average/{path}": values for path, values in weights.items()}
    if trainer.config.keep_optimizer:
        for part in AVERAGES:
            if not part_of(kept, part):
                raise InputError("train.keep_optimizer", "true", "a model that was trained with it too", str(source))
            parts = moved(part_of(kept, part), part_of(own, part), axes, rows, frozen=frozen, source=source)
            state |= {f"{part}/{path}": values for path, values in parts.items()}
    trainer.restore(own | state)


def shared_rows(old: Vocabulary, new: Vocabulary) -> tuple[list[int], list[int]]:
    """The ids of the pieces that both vocabularies have: in the old one, and in the new one."""
    places = {old.piece(token): token for token in range(old.size)}
    shared = [(places[piece], token) for token in range(new.size) if (piece := new.piece(token)) in places]
    return [before for before, _ in shared], [after for _, after in shared]


def vocabulary_axes(trainer: Trainer) -> dict[str, int]:
    """Along which axis a weight has a row for each piece, for those weights that do.

    It is asked of the network itself: those are the shapes that another size of the vocabulary changes.
    """
    larger = build_model(trainer.config.model, trainer.vocabulary + 1, trainer.config.seed)
    shapes = {weight.path: weight.shape for weight in larger.trainable_variables}
    changes = {path: np.not_equal(shapes[path], weight.shape) for path, weight in trainer.weights.items()}
    return {path: int(change.argmax()) for path, change in changes.items() if change.any()}


def moved(
    given: Arrays,
    own: Arrays,
    axes: dict[str, int],
    rows: tuple[list[int], list[int]],
    *,
    frozen: Mapping[str, np.ndarray[Any, np.dtype[np.bool_]]],
    source: Path,
) -> Arrays:
    """The trainer's own arrays with all that the given ones know, but for the frozen rows, which stay."""
    made = {}
    for path, values in own.items():
        axis = axes.get(path)
        shapes = [list(array.shape) for array in (given.get(path, np.zeros(0)), values)]
        if axis is not None and all(len(shape) > axis for shape in shapes):
            for shape in shapes:
                del shape[axis]
        if path not in given or shapes[0] != shapes[1]:
            cause = f"its {path} is {'missing' if path not in given else given[path].shape}, ours {values.shape}"
            raise InputError(PARAMETER, source, "a model of the same train.model", cause)
        if axis is None:
            made[path] = given[path]
            continue
        mixed = np.moveaxis(values.copy(), axis, 0)
        mixed[rows[1]] = np.moveaxis(given[path], axis, 0)[rows[0]]
        made[path] = np.moveaxis(mixed, 0, axis)
        if path in frozen:
            made[path][frozen[path]] = values[frozen[path]]
    return made
