"""Who holds a lease, and whether that process is still there."""

import hashlib
import os
import socket
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import Field

from flows.processes import PROC, born
from pipeline.config import Frozen


class Holder(Frozen):
    """A run that holds a lease."""

    id: str = Field(description="Of this one time that it is held.")
    run: str = Field(description="The run's name, for people.")
    run_id: str = Field("", description="Prefect's number of the flow run, where there is one.")
    host: str = Field(description="The machine's name, for people.")
    machine: str = Field(description="Digest of what tells machines and containers apart; empty where nothing does.")
    pid: int = Field(description="Number of the process on that machine.")
    born: str = Field(description="When that process started, in the machine's own ticks: numbers are used again.")
    since: str = Field(description="UTC, as that machine's clock said.")

    def __str__(self) -> str:
        since = datetime.fromisoformat(self.since).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"{self.run or 'a night'} (process {self.pid} on {self.host}, since {since})"

    @property
    def is_here(self) -> bool:
        """Whether it runs, or ran, where its process could be seen from this one."""
        return self.machine != "" and self.machine == this_machine()

    @property
    def is_gone(self) -> bool:
        """Whether it is certain that its process has ended; False for one on another machine."""
        return self.is_here and birth(self.pid) != self.born


def this_process(run: str, run_id: str = "") -> Holder:
    """This process as a holder."""
    return Holder(
        id=uuid4().hex,
        run=run,
        run_id=run_id,
        host=socket.gethostname(),
        machine=this_machine(),
        pid=os.getpid(),
        born=birth(os.getpid()),
        since=datetime.now(UTC).isoformat(),
    )


def this_machine() -> str:
    """The same for all processes that see each other's numbers, and different after a restart; empty if unknown.

    Host names will not do: copies of a machine share one, and containers number their processes each for themselves.
    """
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text()
        numbers = str((PROC / "self/ns/pid").readlink())
    except OSError:
        return ""
    return hashlib.blake2b(f"{boot}{numbers}".encode(), digest_size=8).hexdigest()


def birth(pid: int) -> str:
    """When a process started; empty if there is none, or if it ended and was not yet taken note of."""
    return str(born(pid) or "")
