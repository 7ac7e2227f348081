"""Warm start: a training that begins with the weights of an earlier one.

Where the vocabularies differ, the rows of the pieces that both have are moved and the others stay as they were drawn:

    piece      old row   new row
    ▁rain           17        31    moved
    ▁hail            -        32    as drawn

Sources get the rows of sources, targets and softmax those of targets and softmax, whether either model has one
vocabulary or two. A table that all of them share takes what the earlier targets and sources know, the targets first.
Rows that are frozen stay as they are too, and have no averages of Adam that could move them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from model.averaging import part_of
from model.batches import Booleans
from model.checkpoints import Arrays
from model.config import ModelConfig
from model.network import table_names
from model.predecessor import PARAMETER
from model.trainer import Trainer
from model.weights import AVERAGES, FRAME_SIZE, read_weights
from pipeline.errors import InputError
from pipeline.vocabularies import MODELS, Vocabularies
from pipeline.vocabulary import Vocabulary

BIAS = "output_bias"  # of the softmax, which has a number for each target token


class Move(NamedTuple):
    """Rows of an earlier model's weight that become rows of a new one's."""

    path: str  # of the earlier weight
    before: list[int]
    after: list[int]


def warm_start(trainer: Trainer, source: Path, pieces: Vocabularies) -> None:
    """Gives a trainer the weights that an earlier model exports, and Adam's averages where that is asked for.

    Adam's correction counts steps from 1 all the same, so that its first steps are smaller than their step size.

    Args:
        trainer: of the same network.
        source: folder with that model's `weights.npz` and vocabularies.
        pieces: the trainer's vocabularies.

    Raises:
        InputError: the model is of another network, or was trained without keeping Adam's averages.
    """
    old = Vocabularies.of({path.name: path.read_bytes() for path in source.glob(MODELS)})
    kept, frozen = read_weights(source), trainer.model.frozen
    size = int(kept[FRAME_SIZE])
    if size != trainer.frame_size:
        shown, wanted = (f"frames of {each} numbers" if each else "text" for each in (size, trainer.frame_size))
        raise InputError(PARAMETER, source, f"a model that reads {wanted}", f"it reads {shown}")
    named = moves_between(trainer.config.model, old, pieces, are_frames=size > 0)
    moves = {
        f"{trainer.model.name}/{name}": [move._replace(path=f"{trainer.model.name}/{move.path}") for move in found]
        for name, found in named.items()
    }
    own = trainer.state()
    weights = moved(part_of(kept, "weight"), part_of(own, "weight"), moves, frozen, source)
    state = {f"weight/{path}": values for path, values in weights.items()}
    if trainer.config.ema:
        state |= {f"average/{path}": values for path, values in weights.items()}
    if trainer.config.keep_optimizer:
        for part in AVERAGES:
            if not part_of(kept, part):
                raise InputError("train.keep_optimizer", "true", "a model that was trained with it too", str(source))
            parts = moved(part_of(kept, part), part_of(own, part), moves, frozen, source)
            state |= {f"{part}/{path}": values for path, values in parts.items()}
    trainer.restore(own | state)


def moves_between(
    config: ModelConfig, old: Vocabularies, new: Vocabularies, *, are_frames: bool = False
) -> dict[str, list[Move]]:
    """What moves into each weight that has a row for each token; where two rows meet, the later one stays."""
    sources, targets = shared_rows(old.source, new.source), shared_rows(old.target, new.target)
    before, after = (table_names(config, are_shared=pieces.are_shared, are_frames=are_frames) for pieces in (old, new))
    moves = {name: list[Move]() for name in after.values()}
    for side, name in after.items():  # sources come first
        moves[name].append(Move(before[side], *(sources if side == "source" else targets)))
    return moves | {BIAS: [Move(BIAS, *targets)]}


def shared_rows(old: Vocabulary, new: Vocabulary) -> tuple[list[int], list[int]]:
    """The ids of the pieces that both vocabularies have: in the old one, and in the new one."""
    places = {old.piece(token): token for token in range(old.size)}
    shared = [(places[piece], token) for token in range(new.size) if (piece := new.piece(token)) in places]
    return [before for before, _ in shared], [after for _, after in shared]


def moved(
    given: Arrays, own: Arrays, moves: Mapping[str, list[Move]], frozen: Mapping[str, Booleans], source: Path
) -> Arrays:
    """The trainer's own arrays with all that the given ones know, but for the frozen rows, which stay."""
    made = {}
    for path, values in own.items():
        if path not in moves:
            check(given, path, values, source)
            made[path] = given[path]
            continue
        made[path] = values.copy()
        for move in moves[path]:
            check(given, move.path, values, source, rows_may_differ=True)
            made[path][move.after] = given[move.path][move.before]
        if path in frozen:
            made[path][frozen[path]] = values[frozen[path]]
    return made


def check(given: Arrays, path: str, own: np.ndarray[Any, Any], source: Path, *, rows_may_differ: bool = False) -> None:
    """Raises `InputError` unless a given weight is there and has the shape of our own."""
    first = 1 if rows_may_differ else 0
    if path not in given or given[path].shape[first:] != own.shape[first:]:
        cause = f"its {path} is {'missing' if path not in given else given[path].shape}, ours {own.shape}"
        raise InputError(PARAMETER, source, "a model of the same train.model", cause)
