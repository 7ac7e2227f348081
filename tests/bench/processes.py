"""How much a command uses: wall time, CPU time and memory, over all the processes that it starts."""

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PAUSE = 0.1  # seconds between two looks
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Usage:
    """What a command used.

    Args:
        wall: seconds.
        output: what it printed.
        cpu: seconds by process.
        memory: largest resident bytes by process.
    """

    wall: float = 0.0
    output: str = ""
    cpu: dict[int, float] = field(default_factory=dict)
    memory: dict[int, int] = field(default_factory=dict)

    @property
    def cpu_seconds(self) -> float:
        """Of all processes."""
        return sum(self.cpu.values())

    @property
    def peak_gb(self) -> float:
        """Of the largest process."""
        return max(self.memory.values(), default=0) / 1e9


def measure(command: list[str]) -> Usage:
    """Runs a command, and looks at it and all that came of it until it ends."""
    usage = Usage()
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        family = {process.pid}
        while process.poll() is None:
            for pid in sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
                look(pid, family, usage)
            time.sleep(PAUSE)
        usage.wall = time.perf_counter() - started
        usage.output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return usage


def look(pid: int, family: set[int], usage: Usage) -> None:
    """Notes what a process has used so far, if it or its parent belongs to the family."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        if pid not in family and int(stat[1]) not in family:
            return
        family.add(pid)
        usage.cpu[pid] = (int(stat[11]) + int(stat[12])) / TICKS
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                usage.memory[pid] = int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return
