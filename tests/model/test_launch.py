"""Workers, clusters and devices, with real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import checkpoints
from model.checkpoints import Checkpoint
from model.config import DeviceConfig, TrainConfig
from model.launch import build_strategy
from model.worker import Job
from model.workers import run_local_workers, started
from pipeline.errors import InputError

TRAIN = """
import sys
from model.interruption import EXIT_CODE, Interrupted
from model.worker import Job
from model.workers import run_local_workers
try:
    run_local_workers(Job.model_validate_json(sys.argv[1]))
except Interrupted as error:
    sys.exit(EXIT_CODE)
"""


@pytest.fixture
def job(toy: Any, toy_config: Callable[..., TrainConfig], tmp_path: Path) -> Callable[..., Job]:
    """A training by two workers; keywords change its configuration."""
    network = toy_config().model.model_copy(update={"dropout": 0.0})

    def make(join_seconds: int = 120, batches_per_call: int = 1, **changes: Any) -> Job:
        devices = DeviceConfig(
            strategy="multi_worker",
            workers=2,
            threads=1,
            join_seconds=join_seconds,
            batches_per_call=batches_per_call,
        )
        config = toy_config(**({"model": network} | changes))
        folders = {"shards": toy.shards.directory, "vocabulary": toy.vocabulary.directory, "folder": tmp_path}
        return Job(config=config, devices=devices, **folders)

    return make


def losses(found: Checkpoint | None) -> list[float]:
    """The losses of a history."""
    assert found
    return [row[name] for row in found.notes["history"] for name in ("loss", "dev_loss")]


def fit_alone(job: Job, folder: Path, **changes: Any) -> Checkpoint:
    """The same training in this process."""
    from model.prepare import prepare
    from model.training import train_on
    from pipeline import manifest as manifests

    config = job.config.model_copy(update=changes)
    data = prepare(config, manifests.read(job.shards), manifests.read(job.vocabulary))
    devices = DeviceConfig(threads=1)
    train_on(build_strategy(devices), config, data, folder, devices)
    found = checkpoints.newest(folder / "checkpoints")
    assert found
    return found


@pytest.mark.slow
def test_two_workers_have_the_losses_of_one(job: Callable[..., Job], tmp_path: Path) -> None:
    together = job(steps=50, evaluate_every=1, clip_norm=0.5, checkpoint_every=20, batch_tokens=64)
    run_local_workers(together)
    found = checkpoints.newest(tmp_path / "checkpoints")
    alone = fit_alone(together, tmp_path / "alone")
    assert len(losses(found)) == 100
    np.testing.assert_allclose(losses(found), losses(alone), rtol=1e-5)
    # And one process goes on where two had stopped.
    (tmp_path / "checkpoints" / "step-00000050.npz").unlink()
    resumed = fit_alone(together, tmp_path)
    assert resumed.step == 50
    np.testing.assert_allclose(losses(resumed), losses(alone), rtol=1e-5)
    # And two where one had.
    (tmp_path / "alone" / "checkpoints" / "step-00000050.npz").unlink()
    run_local_workers(together.model_copy(update={"folder": tmp_path / "alone"}))
    np.testing.assert_allclose(losses(checkpoints.newest(tmp_path / "alone" / "checkpoints")), losses(alone), rtol=1e-5)


@pytest.mark.slow
def test_two_workers_that_learn_from_several_batches_a_call_have_the_losses_of_one(
    job: Callable[..., Job], tmp_path: Path
) -> None:
    together = job(batches_per_call=7, steps=30, evaluate_every=10, accumulate=2, checkpoint_every=20, batch_tokens=64)
    run_local_workers(together)
    found = losses(checkpoints.newest(tmp_path / "checkpoints"))
    assert len(found) == 6
    np.testing.assert_allclose(found, losses(fit_alone(together, tmp_path / "alone")), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "batches_per_call"),
    [("who started them", 1), ("only them", 4)],  # the latter as when a whole group of processes is told
)
def test_workers_asked_to_end_do_so_after_the_same_step(
    job: Callable[..., Job], tmp_path: Path, asked: str, batches_per_call: int
) -> None:
    changes = {"steps": 100_000, "checkpoint_every": 100_000, "evaluate_every": 20}  # no checkpoint but the last
    command = [sys.executable, "-c", TRAIN, job(batches_per_call=batches_per_call, **changes).model_dump_json()]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    # A first point of the curves: all workers take steps.
    wait_for(process, lambda: any(path.stat().st_size > 400 for path in tmp_path.glob("tensorboard/*")))
    for heard in [process.pid] if asked == "who started them" else children_of(process.pid):
        with suppress(ProcessLookupError):  # by then it may have heard of it from the other one
            os.kill(heard, signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == os.EX_TEMPFAIL, errors
    found = checkpoints.newest(tmp_path / "checkpoints")
    assert found
    assert found.notes["history"][-1]["step"] <= found.step < 100_000


@pytest.mark.slow
def test_a_worker_that_dies_ends_all(job: Callable[..., Job], tmp_path: Path) -> None:
    command = [sys.executable, "-c", TRAIN, job(steps=100_000, checkpoint_every=20).model_dump_json()]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(process, lambda: [*tmp_path.glob("checkpoints/step-*.npz")])
    first, second = children_of(process.pid)
    os.kill(second, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert "ChildProcessError: worker 2 of 2 was killed by signal 9; the others were ended" in errors
    assert not Path(f"/proc/{first}").exists()


@pytest.mark.slow
def test_workers_end_with_whoever_started_them(job: Callable[..., Job], tmp_path: Path) -> None:
    command = [sys.executable, "-c", TRAIN, job(steps=100_000, checkpoint_every=20).model_dump_json()]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_for(process, lambda: [*tmp_path.glob("checkpoints/step-*.npz")])
    workers = children_of(process.pid)
    assert len(workers) == 2
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while any(is_running(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds processes to cores")
def test_workers_share_out_the_cores(job: Callable[..., Job]) -> None:
    own = os.sched_getaffinity(0)
    with started(job()) as workers:
        first, second = (os.sched_getaffinity(worker.process.pid) for worker in workers)
    assert first | second == own
    assert len(own) % 2 or not first & second


def test_workers_that_are_not_there_in_time_are_named(job: Callable[..., Job]) -> None:
    with pytest.raises(InputError, match=r"devices.join_seconds = 1: .*\(worker 1, 2 of 2 did not; all were ended\)"):
        run_local_workers(job(join_seconds=1))


def test_workers_that_cannot_even_begin_are_told_of(
    job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexec 0<&-\necho no such library >&2\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(ChildProcessError, match=r"worker [12] of 2 ended with exit code 127"):
        run_local_workers(job())


def test_what_a_worker_refuses_is_told_as_one_process_would(job: Callable[..., Job], toy: Any) -> None:
    with pytest.raises(InputError, match="train.max_length = 1: expected at least 2 tokens"):
        run_local_workers(job(max_length=1))


def test_a_cluster_whose_worker_never_joins_is_given_up(tmp_path: Path) -> None:
    code = (
        "from model.config import DeviceConfig; from model.launch import build_strategy\n"
        "build_strategy(DeviceConfig(strategy='multi_worker', join_seconds=3))"
    )
    cluster = {"cluster": {"worker": ["127.0.0.1:29871", "127.0.0.1:29872"]}, "task": {"type": "worker", "index": 0}}
    environment = os.environ | {"TF_CONFIG": json.dumps(cluster)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert "ConnectionError: 127.0.0.1:29872 did not join within 3 s (devices.join_seconds)" in done.stderr


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ("", "a cluster with workers, and this task in it"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 3}}', "and this task in it"),
        (
            '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
            "expected a task that trains",
        ),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": -1}}', "and this task in it"),
        ('{"cluster": {"worker": ["a:1", 2]}, "task": {"type": "worker", "index": 1}}', "and this task in it"),
        ('{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}', "different addresses"),
        ('{"cluster": {"worker": ["a:1", "b"]}, "task": {"type": "worker", "index": 1}}', "each HOST:PORT"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}', "different addresses"),
        ('{"cluster": {"worker": ["a:99999"]}, "task": {"type": "worker", "index": 0}}', "each HOST:PORT"),
        ('{"cluster": {"worker": ["203.0.113.1:29873"]}, "task": {"type": "worker", "index": 0}}', "of this machine"),
        ("[]", "and this task in it"),
        ("nonsense", "and this task in it"),
    ],
)
def test_a_cluster_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, described: str, said: str) -> None:
    monkeypatch.setenv("TF_CONFIG", described)
    with pytest.raises(InputError, match=f"^TF_CONFIG = .*{said}"):
        build_strategy(DeviceConfig(strategy="multi_worker"))


@pytest.mark.parametrize("tpu", ["local", "grpc://127.0.0.1:9"])
def test_a_tpu_that_cannot_be_reached_is_given_up(tpu: str) -> None:
    code = (
        "import sys; from model.config import DeviceConfig; from model.launch import build_strategy\n"
        "build_strategy(DeviceConfig(strategy='tpu', tpu=sys.argv[1], join_seconds=5))"
    )
    given = {"capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run([sys.executable, "-c", code, tpu], check=False, **given)
    last = done.stderr.splitlines()[-1]
    assert f"InputError: devices.tpu = {tpu}: expected a TPU that can be reached (" in last, done.stderr


def wait_for(process: subprocess.Popen[Any], seen: Callable[[], Any]) -> None:
    """Returns as soon as something is there that a process makes."""
    while not seen():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)


def children_of(process: int) -> list[int]:
    """The processes that a process started, the oldest first."""
    return sorted(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))


def is_running(process: int) -> bool:
    """Whether a process is there and not merely waiting to be collected."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
