"""Nights that a worker of Prefect runs: cancelled from the UI, and killed with their worker."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.holder import birth
from flows.settings import given

pytestmark = pytest.mark.slow

NIGHTSHIFT = str(Path(sys.executable).with_name("nightshift"))
ENDS_WITHIN = 30  # seconds, from the button in the UI to the last process


@pytest.fixture
def place(tmp_path, tiny):
    """A folder's settings as `--set` takes them: of a night in it, and more."""
    where = [f"workspace={tmp_path / 'workspace'}", f"registry={tmp_path / 'registry'}"]
    return lambda *more: [*tiny, *where, "night.lease_seconds=4", *more]


def parameters(overrides):
    return {"preset": "weather", "overrides": given(None, overrides)}


def holder(folder):
    """Who holds the lease of the folder's night."""
    return json.loads((folder / "workspace/weather-en-fr/lease.json").read_text())["holder"]


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def family(pid):
    """A process and all that it started, however deep."""
    found = [pid]
    for one in found:
        found += children(one)
    return found


def beam_workers(pid):
    """The two workers of a run's Beam job, once they are there."""
    found = [worker for helper in children(pid) for worker in children(helper)]
    return found if len(found) == 2 else None


def checkpoints(folder):
    return sorted(folder.glob("workspace/weather-en-fr/train/*/checkpoints/step-*.npz"))


def cancel(prefect, run, processes):
    """Cancels a run; gives the seconds until none of its processes was left."""
    births = {pid: birth(pid) for pid in processes}
    began = time.monotonic()
    prefect.cancel(run)
    while any(birth(pid) == born for pid, born in births.items()):
        assert time.monotonic() - began < ENDS_WITHIN
        time.sleep(0.05)
    took = time.monotonic() - began
    state = prefect.wait(run)
    assert state["state_type"] == "CANCELLED", state["state"]
    return took


def test_cancelled_from_the_ui_beam_and_training_end_within_30_seconds_and_go_on_later(
    worker, tmp_path, place, environment, wait_until
):
    overrides = place("beam.workers=2", "train.steps=100000")
    run = worker.trigger("retrain/nightly", **parameters(overrides))
    pid = wait_until(lambda: holder(tmp_path), 120)["pid"]
    workers = wait_until(lambda: beam_workers(pid), 120)
    for beam_worker in workers:
        os.kill(beam_worker, signal.SIGSTOP)  # so that the job is in the middle of it for as long as it takes
    in_beam = cancel(worker, run, family(pid))
    assert holder(tmp_path) is None
    ended = " stopped   as asked; what is half-written is made anew"
    wait_until(lambda: any(line["message"].endswith(ended) for line in worker.of(run, "logs")))
    assert not list(tmp_path.glob("workspace/weather-en-fr/train"))

    run = worker.trigger("retrain/nightly", **parameters(overrides))
    wait_until(lambda: checkpoints(tmp_path), 300)
    in_training = cancel(worker, run, family(holder(tmp_path)["pid"]))
    ended = "train            stopped   after step "
    wait_until(lambda: any(line["message"].startswith(ended) for line in worker.of(run, "logs")))
    last = int(checkpoints(tmp_path)[-1].stem.removeprefix("step-"))

    command = [NIGHTSHIFT, "train", "--preset", "weather", *[part for one in overrides for part in ("--set", one)]]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as again:
        first = next(line for line in again.stderr if " goes on " in line)
        again.kill()
    assert first == f"train            goes on   after {last:,} of 100,000 steps\n"
    print(f"cancelled in Beam: {in_beam:.1f} s, in training: {in_training:.1f} s")


def test_a_night_that_is_killed_with_its_worker_jams_neither_the_next_one_nor_prefect(
    worker, tmp_path, place, environment, nightshift, wait_until
):
    overrides = place("train.steps=60")
    doomed = worker.start_another("doomed")
    run = worker.trigger("retrain/doomed", **parameters(overrides))
    wait_until(lambda: checkpoints(tmp_path) and holder(tmp_path), 300)
    killed = holder(tmp_path)
    os.killpg(doomed.pid, signal.SIGKILL)
    os.killpg(killed["pid"], signal.SIGKILL)
    assert worker.ask(f"flow_runs/{run}")["state_type"] == "RUNNING"
    # As another machine sees it, which cannot look whether the process is there and waits for the lease to run out.
    lease = tmp_path / "workspace/weather-en-fr/lease.json"
    lease.write_text(lease.read_text().replace(killed["machine"], "another"))

    arguments = [part for one in overrides for part in ("--set", one)]
    there = environment | {"PREFECT_API_URL": worker.url}
    done = nightshift(tmp_path, there, "retrain", "--preset", "weather", *arguments, timeout=600)

    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert said[0].startswith(f"night            waits     as {killed['run']} (process {killed['pid']} on ")
    assert said[1].startswith(f"night            goes on    where {killed['run']} (process {killed['pid']} on ")
    assert any(line.startswith("train            started   again, after a run that did not finish") for line in said)
    assert any(re.match(r"train +goes on   after [1-9]0 of 60 steps$", line) for line in said)
    assert "version     1, promoted to champion" in done.stdout
    assert worker.ask(f"flow_runs/{run}")["state_type"] == "CRASHED"
