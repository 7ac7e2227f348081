"""Worker processes of the local runner: made once, kept for the jobs that follow, gone with the process that made them.

One helper process imports Beam and our transforms while this process is busy importing them too, and then forks the
workers, which so cost milliseconds each. Everybody talks over pairs of connected sockets, which nobody else can open:

    this process --- helper (kills the workers and ends as soon as its socket is closed, however that came about)
         |             | forks
         +---------- workers

This module itself imports nothing heavy. See `worker` for the other side.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from pipeline.beam_config import BeamConfig

BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from pipeline.running import worker; worker.main(sys.argv[2])"
)
GOES_WITHIN = 10  # seconds that the helper may take to end; importing Beam is the longest thing it does


class WorkerPool:
    """Workers, started when they are first needed.

    It costs nothing until then. `start` returns at once, so that the helper's imports and one's own run side by side.
    """

    def __init__(self) -> None:
        self.helper: subprocess.Popen[bytes] | None = None
        self.control: socket.socket | None = None
        self.workers: list[Connection] = []
        self.in_use = threading.Lock()
        atexit.register(self.stop)

    def start(self) -> socket.socket:
        """Starts the helper, if it does not run yet; where it is told what to do."""
        if self.control is not None and self.helper is not None and self.helper.poll() is None:
            return self.control
        self.stop()
        self.control, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-c", BOOT, json.dumps(sys.path), str(theirs.fileno())]
        settings = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
        # A session of its own: Ctrl-C is for this process, which then ends the others.
        self.helper = subprocess.Popen(  # noqa: S603
            command, pass_fds=[theirs.fileno()], env=settings, stdin=subprocess.DEVNULL, start_new_session=True
        )
        theirs.close()
        return self.control

    @contextmanager
    def lease(self, number: int) -> Iterator[list[Connection]]:
        """Connections to so many idle workers, for one job; another job waits.

        A job that fails takes all workers with it, as some may be in the middle of their work.
        """
        with self.in_use:
            control = self.start()
            try:
                while len(self.workers) < number:
                    self.workers.append(fork(control))
                yield self.workers[:number]
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Ends the workers and the helper at once, whatever they are doing."""
        if self.control is not None:
            self.control.close()  # which is how the helper learns of it
            self.control = None
        if self.helper is not None:
            try:
                self.helper.wait(GOES_WITHIN)
            except subprocess.TimeoutExpired:
                self.helper.kill()
                self.helper.wait()
            self.helper = None
        for worker in self.workers:
            worker.close()
        self.workers.clear()


def fork(control: socket.socket) -> Connection:
    """One more worker."""
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(control, [b"fork"], [theirs.fileno()])
    return Connection(ours.detach())


pool = WorkerPool()


def prepare(config: BeamConfig, pairs: int) -> None:
    """Starts what the workers of a job will need, if it is to have any, while this process still imports Beam itself.

    Args:
        config: as `open_pipeline` will get it.
        pairs: likewise.
    """
    if config.runner == "local" and config.processes(pairs) > 1:
        pool.start()
