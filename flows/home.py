"""The folder of a night shift: what was started there, and one command at a time that changes it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from pydantic import Field, ValidationError

from flows.processes import Started, marked
from pipeline.config import Frozen
from pipeline.errors import InputError
from pipeline.manifest import write_atomically

STATE: Final = "up.json"
LOCK: Final = "up.lock"


class Running(Frozen):
    """What was started, as the state file has it."""

    mark: str = Field(description="Value of the variable that all processes of it have.")
    ui: str = Field(description="Address of the server.")
    processes: tuple[Started, ...] = Field((), description="The server and the worker.")

    @property
    def is_there(self) -> bool:
        """Whether something of it still runs, also where it is another user's."""
        return bool(marked(self.mark)) or any(one.is_running for one in self.processes)

    def write(self, home: Path) -> None:
        """Writes the state file."""
        write_atomically(home / STATE, (self.model_dump_json(indent=2) + "\n").encode())


def read_state(home: Path) -> Running | None:
    """What the state file says, None where there is none; raises `InputError` where it is damaged."""
    path = home / STATE
    try:
        return Running.model_validate(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError) as error:
        raise InputError("--home", home, f"a folder whose {STATE} can be read", "damaged?") from error


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Waits until no other command changes what runs there; a command that is killed gives way too."""
    file = os.open(home / LOCK, os.O_RDONLY | os.O_CREAT, 0o644)  # whoever may read it may wait for it
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            click.echo("waits for another nightshift up or down")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
