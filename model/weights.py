"""Weights to go on from, beside the export: `weights.npz`, which a registered version holds too.

It has four bytes for each number of the model, as the export has. Where `train.keep_optimizer` is on, Adam's two
averages of each number follow, so that it is three times as large.
"""

import io
from pathlib import Path

import numpy as np

from model.averaging import exported, part_of
from model.checkpoints import Arrays
from model.registry import WEIGHTS
from pipeline.errors import InputError
from pipeline.manifest import write_atomically

AVERAGES = ("mean", "square")
FRAME_SIZE = "frame_size"  # of the sources, 0 where they are text


def write_weights(folder: Path, state: Arrays, *, frame_size: int, with_optimizer: bool) -> None:
    """Writes what a training's last state exports, as `weight/...`, and Adam's `mean/...` and `square/...`."""
    kept = {f"weight/{path}": values for path, values in exported(state).items()}
    for part in AVERAGES if with_optimizer else ():
        kept |= {f"{part}/{path}": values for path, values in part_of(state, part).items()}
    kept[FRAME_SIZE] = np.array(frame_size)
    data = io.BytesIO()
    np.savez(data, allow_pickle=False, **kept)
    write_atomically(folder / WEIGHTS, data.getvalue())


def read_weights(folder: Path) -> Arrays:
    """What was written into a folder; raises `InputError` where nothing was."""
    try:
        with np.load(folder / WEIGHTS, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise InputError("train.warm_start", folder, f"a model with {WEIGHTS}", "trained long ago?") from error
