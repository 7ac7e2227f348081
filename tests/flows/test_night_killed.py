"""Nights that are killed or asked to end: what they leave behind, and how they go on."""

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from flows.dag import STAGES, inputs_of
from flows.settings import load

pytestmark = pytest.mark.slow

NIGHTSHIFT = str(Path(sys.executable).with_name("nightshift"))


def kill_in(stage, folder, environment, options):
    """Starts a stage as a process and kills it, and all it started, as soon as it has begun to write something."""
    command = [NIGHTSHIFT, stage.name.replace("_", "-"), "--preset", "weather", *options()]
    given = {"cwd": folder, "env": environment, "stderr": subprocess.PIPE, "text": True}
    run = subprocess.Popen(command, start_new_session=True, **given)
    seen = []
    for printed in run.stderr:
        seen.append(printed)
        if printed.startswith(f"{stage.name:<16} started"):
            break
    else:
        raise AssertionError(f"{stage.name} did not start: {seen}")
    before = files_below(folder)
    while files_below(folder) <= before:
        assert run.poll() is None, run.stderr.read()
        time.sleep(0.002)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    run.stderr.close()


def files_below(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


def test_killed_in_every_stage_a_night_ends_with_the_same_result(night, tmp_path, environment, outputs, options, tiny):
    folder, _ = night
    places = [f"workspace={tmp_path / 'workspace'}", f"registry={tmp_path / 'workspace/registry'}"]
    config = load("weather", overrides=[*tiny, *places])
    for stage in STAGES:
        kill_in(stage, tmp_path, environment, options)
        config.run(stage, *inputs_of(stage, config))
    whole, killed = outputs(folder), outputs(tmp_path)
    for name in ("ingest", "clean", "build_vocabulary", "shard", "inspect"):
        assert killed[name].digest == whole[name].digest, name
    assert_same_weights(whole["train"], killed["train"])
    assert killed["evaluate"].facts == whole["evaluate"].facts
    assert killed["register"].facts["version"] in (1, 2)  # a number that a killed writer took is not given again
    assert killed["register"].facts["promoted"]


def assert_same_weights(left, right):
    checkpoints = [sorted(made.directory.glob("checkpoints/*.npz"))[-1] for made in (left, right)]
    first, second = (np.load(path, allow_pickle=False) for path in checkpoints)
    assert first.files == second.files
    for name in first.files:
        if first[name].dtype.kind == "f":
            assert np.array_equal(first[name], second[name]), name


def test_no_server_outlives_a_killed_run(tmp_path, environment, options):
    command = [NIGHTSHIFT, "retrain", "--preset", "weather", *options()]
    run = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    assert run.stderr.readline().startswith("ingest")
    started = children(run.pid)
    assert any(b"temporary_server" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in started)
    run.kill()
    run.wait()
    run.stderr.close()
    wait_until_gone(started)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_run_that_is_interrupted_ends_at_once(night, tmp_path, environment, sent, code, options):
    whole, _ = night
    for stage in STAGES[:5]:  # the data are there already
        of_stage = f"workspace/weather-en-fr/{stage.name}"
        shutil.copytree(whole / of_stage, tmp_path / of_stage)
    command = [NIGHTSHIFT, "retrain", "--preset", "weather", *options("train.steps=100000")]
    given = {"cwd": tmp_path, "env": environment, "stderr": subprocess.PIPE, "text": True}
    # A background job of a shell ignores Ctrl-C and hands that down; a terminal's does not.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    run = subprocess.Popen(command, start_new_session=True, preexec_fn=heeding, **given)  # noqa: PLW1509
    for line in run.stderr:
        if line.startswith("train ") and " step " in line:  # it is at work
            break
    started = children(run.pid)
    os.killpg(run.pid, sent)  # as a terminal does: to the run and all that belongs to its session
    printed = run.communicate(timeout=30)[1]
    assert run.returncode == code
    assert "Traceback" not in printed
    if sent == signal.SIGTERM:
        assert " as asked, with a checkpoint\n" in printed
        assert printed.endswith("nightshift: stopped as asked; run the same command to go on\n")
        assert list(tmp_path.glob("workspace/*/train/*/checkpoints/step-*.npz"))
    wait_until_gone(started)


def wait_until_gone(processes):
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in processes):
        assert time.monotonic() < deadline, "something that the run started is still there"
        time.sleep(0.1)


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
