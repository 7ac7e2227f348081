"""How much of the machine this process may use."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """The cores that this process may run on, at least 1: what its affinity and its container's quota leave.

    Args:
        cgroup: where the control group is mounted; version 2 writes `cpu.max`, version 1 `cpu/cpu.cfs_*_us`.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(allowed, quota(cgroup))))


def quota(cgroup: Path) -> float:
    """The cores' worth of time that the container may use, infinite where nothing limits it."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text()
        except OSError:
            return math.inf
    if limit == "max" or int(limit) <= 0:
        return math.inf
    return int(limit) / int(period)
