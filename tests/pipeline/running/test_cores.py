import os
from pathlib import Path

import pytest

from pipeline import beam_config
from pipeline.beam_config import BeamConfig
from pipeline.running.cores import usable_cores

ALLOWED = len(os.sched_getaffinity(0))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("quota", ["50000 100000", "100000 100000"])
def test_a_container_with_a_core_or_less_has_one(tmp_path, quota):
    write(tmp_path / "cpu.max", quota)
    assert usable_cores(tmp_path) == 1


@pytest.mark.parametrize("quota", ["max 100000", f"{ALLOWED * 100000} 100000", "6400000 100000"])
def test_no_more_than_the_affinity_allows(tmp_path, quota):
    write(tmp_path / "cpu.max", quota)
    assert usable_cores(tmp_path) == ALLOWED


@pytest.mark.parametrize(("limit", "cores"), [("-1", ALLOWED), ("100000", 1)])
def test_the_first_version_of_control_groups_is_read_too(tmp_path, limit, cores):
    write(tmp_path / "cpu/cpu.cfs_quota_us", f"{limit}\n")
    write(tmp_path / "cpu/cpu.cfs_period_us", "100000\n")
    assert usable_cores(tmp_path) == cores


def test_without_control_groups_the_affinity_decides(tmp_path):
    assert usable_cores(tmp_path) == ALLOWED


def test_small_jobs_stay_in_this_process_and_large_ones_take_every_core(monkeypatch):
    monkeypatch.setattr(beam_config, "usable_cores", lambda: 6)
    assert BeamConfig().processes(49_999) == 1
    assert BeamConfig().processes(50_000) == 6
    assert BeamConfig(workers=3).processes(10) == 3
