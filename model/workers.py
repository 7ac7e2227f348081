"""Local workers: several processes on this machine that train one model together over loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from model import checkpoints
from model.cluster import TF_CONFIG, described
from model.interruption import EXIT_CODE, Interrupted, listening
from model.worker import JOINED, REFUSED, Job
from pipeline.errors import InputError
from pipeline.stopping import Request

LOOKS_EVERY = 0.05  # seconds
ENDS_WITHIN = 60.0  # seconds that workers have for a step and a checkpoint when they are asked to end


class Worker(NamedTuple):
    """A process and what it says."""

    process: subprocess.Popen[bytes]
    out: Path
    errors: Path

    @property
    def has_joined(self) -> bool:
        """Whether it sees all the others."""
        return self.out.read_text().startswith(JOINED)

    @property
    def refusal(self) -> InputError | None:
        """The bad input that it met."""
        lines = [line for line in self.out.read_text().splitlines() if line.startswith(REFUSED)]
        return InputError(*json.loads(lines[-1].removeprefix(REFUSED))) if lines else None

    @property
    def last_words(self) -> str:
        """The last line of its standard error, where that was kept."""
        lines = self.errors.read_text(errors="replace").split("\n") if self.errors.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def run_local_workers(job: Job) -> None:
    """Trains in as many processes as `devices.workers` says, and returns when all of them are done.

    Raises:
        InputError: a worker met bad input, or they were not all there in time.
        ChildProcessError: a worker died; the others are ended.
        Interrupted: this process was asked to end, and handed that on.
    """
    with listening() as request, started(job) as workers:
        deadline = time.monotonic() + job.devices.join_seconds
        while any(worker.process.poll() is None for worker in workers):
            time.sleep(LOOKS_EVERY)
            codes = {worker.process.poll() for worker in workers} - {None, 0}
            if request.is_made or EXIT_CODE in codes:  # a signal to the whole group reaches workers first, perhaps
                end(workers)
                break
            if codes:
                break
            if time.monotonic() > deadline:
                check_joined(workers, job)
        conclude(workers, request, job)


@contextmanager
def started(job: Job) -> Iterator[list[Worker]]:
    """Starts the workers, and leaves none behind."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        addresses = free_addresses(job.devices.workers)
        workers = []
        for index in range(job.devices.workers):
            out, errors = (Path(folder) / f"{index}.{kind}" for kind in ("out", "errors"))
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "model.worker"],
                env=os.environ | {TF_CONFIG: described(addresses, index), "CUDA_VISIBLE_DEVICES": "-1"},
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=stack.enter_context(out.open("wb")),
                stderr=stack.enter_context(errors.open("wb")) if index else None,  # people see the first one's
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            if sys.platform == "linux":  # threads that it starts from now on inherit it
                os.sched_setaffinity(process.pid, cores_of(index, job.devices.workers, os.sched_getaffinity(0)))
            workers.append(Worker(process, out, errors))
        for worker in workers:
            if worker.process.stdin:
                with suppress(BrokenPipeError):  # it has ended, and its exit code says how
                    # And left open: its end is the sign that this process is gone.
                    worker.process.stdin.write(job.model_dump_json().encode() + b"\n")
        yield workers


def cores_of(index: int, workers: int, cores: Collection[int]) -> list[int]:
    """One worker's share of the cores, or all of them where they do not divide equally.

    All workers wait for the slowest in each step, so two on one core while another idles cost all of them, and so
    would a smaller share. With `devices.threads: 0` TensorFlow starts as many threads as the share has cores.

    >>> [cores_of(index, 2, {0, 1, 4, 5}) for index in (0, 1)]
    [[0, 1], [4, 5]]
    >>> [cores_of(index, 2, {0, 1, 2}) for index in (0, 1)]
    [[0, 1, 2], [0, 1, 2]]
    """
    size, left = divmod(len(cores), workers)
    return sorted(cores) if left else sorted(cores)[index * size : (index + 1) * size]


def free_addresses(number: int) -> list[str]:
    """Ports of this machine that nobody listens to."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]


def end(workers: Sequence[Worker]) -> None:
    """Asks all workers to end and waits for that."""
    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + ENDS_WITHIN
    while any(worker.process.poll() is None for worker in workers) and time.monotonic() < deadline:
        time.sleep(LOOKS_EVERY)


def check_joined(workers: Sequence[Worker], job: Job) -> None:
    """Raises `InputError` unless the workers have all joined."""
    late = [str(place) for place, worker in enumerate(workers, start=1) if not worker.has_joined]
    if late:
        cause = f"worker {', '.join(late)} of {len(workers)} did not; all were ended"
        raise InputError("devices.join_seconds", job.devices.join_seconds, "time for all workers to join", cause)


def conclude(workers: Sequence[Worker], request: Request, job: Job) -> None:
    """Raises what the workers' ends stand for, unless all have done their work."""
    codes = [worker.process.poll() for worker in workers]
    if not any(code is None or code for code in codes):
        return
    if request.is_made or EXIT_CODE in codes:
        last = checkpoints.newest(job.folder / "checkpoints")
        raise Interrupted(last.step if last else 0)
    for worker in workers:
        if refusal := worker.refusal:
            raise refusal
    # One that was killed comes before those that ended because it was gone.
    place = min((place for place, code in enumerate(codes) if code), key=lambda place: codes[place] or 0)
    code = codes[place] or 0
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}: {workers[place].last_words}"
    raise ChildProcessError(f"worker {place + 1} of {len(workers)} {how}; the others were ended")
