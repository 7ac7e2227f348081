"""Checkpoints: everything a training needs to go on as if nothing had happened.

    checkpoints/
        step-00000900.npz     arrays by name, and the notes as JSON; nothing in it is unpickled
        step-00001000.npz

A file appears under its name complete or not at all, and ends with the SHA-256 of what is before. The two newest stay;
the older one is for the case that the disk damages the newer.
"""

import io
import json
import logging
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.manifest import write_atomically

KEPT = 2
DIGEST_BYTES = 32
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
    content = data.getvalue()
    write_atomically(path_of(folder, checkpoint.step), content + sha256(content).digest())
    prune(folder)


def prune(folder: Path) -> None:
    """Removes all checkpoints but the newest."""
    for path in steps_of(folder)[:-KEPT]:
        path.unlink()


def newest(folder: Path) -> Checkpoint | None:
    """The last checkpoint that is what was written, or None."""
    for path in reversed(steps_of(folder)):
        data = path.read_bytes()
        content, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
        if sha256(content).digest() != digest:
            log.warning("%-16s %s is damaged; going on from the one before it", "train", path)
            continue
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
        notes = json.loads(state.pop(NOTES).tobytes())
        return Checkpoint(int(path.stem.removeprefix("step-")), state, notes)
    return None


def path_of(folder: Path, step: int) -> Path:
    """Where the checkpoint after a step lies."""
    return folder / f"step-{step:08d}.npz"


def steps_of(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    return sorted(folder.glob("step-*.npz"))
