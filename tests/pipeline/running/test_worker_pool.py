"""Real processes, really killed."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.running.worker_pool import WorkerPool

ROOT = Path(__file__).parents[3]
GONE_WITHIN = 15  # seconds

JOB = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job of a shell ignores
import apache_beam as beam
from pipeline.beam_config import BeamConfig
from pipeline.runners import open_pipeline

def stay(group):
    [folder] = group[1]
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(600)

with open_pipeline(BeamConfig(workers=2), stage="clean", pairs=2) as job:
    _ = job | beam.Create([(n, sys.argv[1]) for n in range(2)]) | beam.GroupByKey() | beam.Map(stay)
"""


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """A process in the middle of a Beam job, and the numbers of its helper and its two workers."""
    with subprocess.Popen(
        [sys.executable, "-c", JOB, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2 or process.poll() is not None)
        workers = [int(path.name) for path in tmp_path.iterdir()]
        yield process, [parent_of(workers[0]), *workers]
        process.kill()


@pytest.mark.parametrize("reason", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_are_gone_with_the_process_that_made_them(busy, reason):
    process, others = busy
    assert all(map(is_alive, others))
    process.send_signal(reason)
    wait_until(lambda: not any(map(is_alive, others)))
    assert process.wait(GONE_WITHIN) != 0


def test_nobody_else_can_talk_to_workers_and_they_say_nothing(busy):
    process, others = busy
    listening = {
        line.split()[9]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    }
    for number in [process.pid, *others]:
        sockets = {str(path.readlink()) for path in Path(f"/proc/{number}/fd").iterdir()}
        assert not sockets & {f"socket:[{inode}]" for inode in listening}
    process.kill()
    assert process.communicate() == (b"", b"")


def test_a_pool_costs_nothing_until_it_is_used():
    pool = WorkerPool()
    assert pool.helper is None
    pool.stop()


def test_a_job_that_fails_takes_its_workers_with_it():
    pool = WorkerPool()
    pool.start()
    helper = pool.helper
    with pytest.raises(ZeroDivisionError), pool.lease(1) as [_]:
        raise ZeroDivisionError
    assert helper.poll() is not None
    assert pool.workers == []


def parent_of(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("PPid:")[2].split()[0])


def is_alive(process: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(claim) -> None:
    deadline = time.monotonic() + 12 * GONE_WITHIN
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.02)
