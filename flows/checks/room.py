"""Whether there is room for what a night writes and holds: disk, temporary files, memory."""

import math
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from flows.checks.estimate import Estimate
from flows.checks.finding import Finding, ok, warning, wrong
from flows.settings import RetrainConfig
from pipeline.reading.cache import cache_folder
from pipeline.running.cores import CGROUP
from pipeline.sampling import Sample

SPARE: Final = 1.5  # times what was estimated, from which on there is enough


def find_room(config: RetrainConfig, expected: Estimate, samples: list[Sample]) -> Iterator[Finding]:
    """What is to be said of the disks and the memory."""
    coming = sum(one.missing for one in samples)
    needs = {
        "workspace": (config.workspace, expected.data + expected.model),
        "TMPDIR": (Path(tempfile.gettempdir()), expected.shuffle),
        "XDG_CACHE_HOME": (cache_folder(), float(coming)),
    }
    if "://" not in config.registry:
        needs["registry"] = (Path(config.registry).expanduser(), expected.model / 2)
    disks: dict[int, list[str]] = {}
    for name, (folder, need) in needs.items():
        if need:
            disks.setdefault(existing(folder).stat().st_dev, []).append(name)
    for names in disks.values():  # folders on one disk share what is free
        free = shutil.disk_usage(existing(needs[names[0]][0])).free
        yield enough("disk", f"of {', '.join(names)}", sum(needs[name][1] for name in names), float(free))
    if expected.memory:
        yield enough("memory", "of the largest process", expected.memory, available())


def enough(subject: str, what: str, need: float, free: float) -> Finding:
    """Whether what is free is as much as what is needed, with some to spare for what an estimate does not know."""
    said = f"{what}: about {amount(need)} needed, {amount(free)} free"
    if need > free:
        return wrong(subject, said)
    return warning(subject, f"{said}, which is close") if need * SPARE > free else ok(subject, said)


def existing(folder: Path) -> Path:
    """The folder itself or the nearest one above it that exists."""
    folder = folder.absolute()
    return folder if folder.exists() else existing(folder.parent)


def available(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = CGROUP) -> float:
    """Bytes of memory that a new process may take: what the machine has free, and what its container may have more."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free = 1024.0 * int(lines["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        free = math.inf
    return min(free, left_in(cgroup))


def left_in(cgroup: Path) -> float:
    """Bytes that the container may take beyond what it has; infinite where nothing limits it.

    What it has includes files that the system keeps in memory and gives back, so they count as free.
    """
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            most, now = (cgroup / limit).read_text().strip(), int((cgroup / used).read_text())
            told = (cgroup / used).with_name("memory.stat").read_text()
        except (OSError, ValueError):
            continue
        if most == "max":
            return math.inf
        given_back = sum(int(line.split()[1]) for line in told.splitlines() if line.startswith("inactive_file "))
        return float(int(most) - now + given_back)
    return math.inf


def amount(size: float) -> str:
    """Bytes for people.

    >>> amount(383_000), amount(2.4e9)
    ('0.4 MB', '2.4 GB')
    """
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
