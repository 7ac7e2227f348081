"""Processes that live on when the command that started them has ended, and how they are found again.

Each inherits a variable with a value of its own from the first on, NIGHTSHIFT_UP, and so does all that it starts. So
whatever a server, a worker and their runs left behind is found, sessions of their own, crashes and all, and a process
of another that got the number of one of ours is not.
"""

import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import Field

from pipeline.config import Frozen

MARK: Final = "NIGHTSHIFT_UP"
PROC: Final = Path("/proc")


class Started(Frozen):
    """A process as it was when it was started."""

    name: str = Field(description="What people call it: server, worker.")
    pid: int = Field(description="Its number.")
    born: int = Field(description="When it was started, in the clock ticks of this machine since it was switched on.")
    command: tuple[str, ...] = Field(description="Program and arguments.")

    @property
    def is_running(self) -> bool:
        """Whether this very process is still there."""
        return born(self.pid) == self.born


def start(name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Started:
    """Starts a process in a session of its own; what it prints goes to the end of a file that only its owner reads."""
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawnp(command[0], list(command), dict(environment), file_actions=files, setsid=True)
    return Started(name=name, pid=pid, born=born(pid) or 0, command=tuple(command))


def born(pid: int) -> int | None:
    """When a process was started, None where there is none any more; one that only waits to be buried is none."""
    try:
        stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


def marked(value: str) -> list[int]:
    """The processes of this user that have the variable with this value."""
    wanted = f"{MARK}={value}".encode()
    found = []
    for place in PROC.glob("[0-9]*/environ"):
        with suppress(OSError):  # it ended just now, or is somebody else's
            if wanted in place.read_bytes().split(b"\0") and born(int(place.parent.name)) is not None:
                found.append(int(place.parent.name))
    return sorted(found)


def stop(pids: Iterable[int], seconds: float) -> None:
    """Asks processes to end, and ends those that are still there after a while."""
    births = {pid: born(pid) for pid in pids}
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = [pid for pid, birth in births.items() if birth is not None and born(pid) == birth]
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while any(born(pid) == births[pid] for pid in left) and time.monotonic() < deadline:
            time.sleep(0.1)
