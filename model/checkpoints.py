"""Checkpoints: everything a training needs to go on as if nothing had happened.

    checkpoints/
        step-00000900.npz     arrays by name, and the notes as JSON; nothing in it is unpickled
        step-00001000.npz

A file appears under its name complete or not at all. The two newest stay; the older one is for the case that the
disk damages the newer.
"""

import io
import json
import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.manifest import write_atomically

KEPT = 2
NOTES = "notes"

log = logging.getLogger("nightshift")

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Checkpoint:
    """A training after a step: its arrays by name, and what was noted down until then, as JSON values."""

    step: int
    state: Arrays
    notes: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint and removes what is older than the one before it."""
    folder.mkdir(parents=True, exist_ok=True)
    data = io.BytesIO()
    noted = np.frombuffer(json.dumps(checkpoint.notes).encode(), np.uint8)
    np.savez(data, allow_pickle=False, **{NOTES: noted}, **checkpoint.state)
    write_atomically(path_of(folder, checkpoint.step), data.getvalue())
    for path in steps_of(folder)[:-KEPT]:
        path.unlink()
    for path in folder.glob(".*.partial"):  # of a run that was killed while it wrote
        path.unlink()


def newest(folder: Path) -> Checkpoint | None:
    """The last checkpoint that can be read, or None."""
    for path in reversed(steps_of(folder)):
        try:
            with np.load(path, allow_pickle=False) as file:
                state = {name: file[name] for name in file.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            log.warning("%s is damaged (%s); going on from the one before it", path, error)
            continue
        notes = json.loads(state.pop(NOTES).tobytes())
        return Checkpoint(int(path.stem.removeprefix("step-")), state, notes)
    return None


def path_of(folder: Path, step: int) -> Path:
    """Where the checkpoint after a step lies."""
    return folder / f"step-{step:08d}.npz"


def steps_of(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    return sorted(folder.glob("step-*.npz"))
