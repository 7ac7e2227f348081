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
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.manifest import write_atomically
from pipeline.stage import differences

KEPT = 2
DIGEST_BYTES = 32
NOTES = "notes"

log = logging.getLogger("nightshift")

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Checkpoint:
    """A training after a step.

    Args:
        step: the last one that was taken.
        state: its arrays by name.
        notes: what was noted down until then, as JSON values.
        made_with: the configuration and the size of the vocabulary, as JSON values.
    """

    step: int
    state: Arrays
    notes: dict[str, Any]
    made_with: dict[str, Any] = field(default_factory=dict)

    def check(self, wanted: dict[str, Any]) -> None:
        """Raises `InputError` unless it was made with this; names the keys that differ."""
        changes = differences("", self.made_with, wanted)
        if changes:
            cause = f"{', '.join(change.removeprefix('.') for change in changes)}; a training goes on as it began"
            raise InputError("checkpoint", f"step {self.step}", "one of the same configuration", cause)

    def encode(self) -> bytes:
        """The content of its file, which ends with the SHA-256 of what is before."""
        data = io.BytesIO()
        said = {"step": self.step, "notes": self.notes, "made_with": self.made_with}
        noted = np.frombuffer(json.dumps(said).encode(), np.uint8)
        np.savez(data, allow_pickle=False, **{NOTES: noted}, **self.state)
        content = data.getvalue()
        return content + sha256(content).digest()

    @classmethod
    def decode(cls, data: bytes) -> "Checkpoint | None":
        """What `encode` made it of, or None if it is not what was written."""
        content, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
        if sha256(content).digest() != digest:
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
        said = json.loads(state.pop(NOTES).tobytes())
        return cls(said["step"], state, said["notes"], said["made_with"])


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint and removes what is older than the one before it, or damaged and so of later steps."""
    folder.mkdir(parents=True, exist_ok=True)
    path = path_of(folder, checkpoint.step)
    write_atomically(path, checkpoint.encode())
    for later in steps_of(folder):
        if later > path:  # the run began before it; left there, it would count as one of the two newest
            later.unlink()
    prune(folder)


def prune(folder: Path) -> None:
    """Removes all checkpoints but the newest."""
    for path in steps_of(folder)[:-KEPT]:
        path.unlink()


def newest(folder: Path) -> Checkpoint | None:
    """The last checkpoint that is what was written, or None."""
    for path in reversed(steps_of(folder)):
        found = Checkpoint.decode(path.read_bytes())
        if found:
            return found
        log.warning("%-16s %s is damaged; going on from the one before it, if there is one", "train", path)
    return None


def path_of(folder: Path, step: int) -> Path:
    """Where the checkpoint after a step lies."""
    return folder / f"step-{step:08d}.npz"


def steps_of(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    return sorted(folder.glob("step-*.npz"))
