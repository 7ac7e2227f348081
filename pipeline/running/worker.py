"""The processes behind `worker_pool`: a helper that forks, and the workers, which run bundles of Beam stages.

A worker is asked to run a bundle and then does the asking itself, so that neither side ever waits for the other to
take something:

    run: descriptor, instruction    ->
                                    <-  take
    piece: transform, data          ->                  at the end without parts
                                    <-  state: key
    value: data                     ->
                                    <-  give: transform, data
                                    <-  count: name, number
                                    <-  done: response, or failed: traceback
    over                            ->                  the job; the next one's functions are others
"""

import gc
import importlib
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from pipeline.running.messages import receive, send

SECONDS_BETWEEN_COUNTS = 0.2
PRELOADED = ("pipeline.transforms", "pipeline.running.harness")  # by the helper, once for all workers


def main(descriptor: str) -> None:
    """The helper: forks a worker whenever it is sent a socket for one, and kills them all when its own is closed.

    Args:
        descriptor: number of the inherited socket on which the helper is told.
    """
    control = socket.socket(fileno=int(descriptor))
    for library in ("apache_beam", "absl", "tensorflow", "root"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # what went wrong is told to the job
    warnings.simplefilter("ignore")
    for module in PRELOADED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what is there now stays shared with the workers
    children: list[int] = []
    while True:
        message, sockets, _, _ = socket.recv_fds(control, 16, 1)
        if not message:
            break
        if (child := os.fork()) == 0:
            control.close()
            serve(Connection(sockets[0]))
        os.close(sockets[0])
        children.append(child)
    for child in children:  # none has been waited for, so each number still means the same process
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)  # so that its CPU time counts as ours


def serve(connection: Connection) -> NoReturn:
    """A worker: runs bundles until the connection is closed."""
    code = 1
    try:
        Worker(connection).serve()
        code = 0
    except (EOFError, BrokenPipeError, ConnectionResetError):
        code = 0  # nobody is left to work for
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(code)  # the helper's exit handlers are not ours to run


class Worker:
    """Runs one bundle after another; it is also the `Exchange` and the source of side inputs of the one that runs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.sending = threading.RLock()  # a function may count from threads of its own
        self.counted: dict[str, int] = {}
        self.told = 0.0

    def serve(self) -> None:
        """Does what it is told, until there is an end."""
        from pipeline.running import counters
        from pipeline.running.harness import Harness

        counters.listen(self.count)
        harness = Harness()
        while True:
            kind, parts = receive(self.connection)
            if kind == b"run":
                self.run(harness, *parts)
            else:  # the job is over
                harness.close()
                harness = Harness()

    def run(self, harness: Any, descriptor: bytes, instruction: bytes) -> None:
        """Runs a bundle and says how it went."""
        from apache_beam.portability.api import beam_fn_api_pb2

        try:
            stage = beam_fn_api_pb2.ProcessBundleDescriptor.FromString(descriptor)
            response = harness.run(stage, instruction.decode(), self, self)
        except Exception:
            self.send(b"failed", traceback.format_exc().encode())
        else:
            self.tell()
            self.send(b"done", response.SerializeToString())

    def take(self) -> tuple[str, bytes] | None:
        """The next piece of input."""
        self.send(b"take")
        _, parts = receive(self.connection)
        return (parts[0].decode(), parts[1]) if parts else None

    def give(self, transform: str, data: bytes) -> None:
        """Hands on a piece of output."""
        self.send(b"give", transform.encode(), data)

    def count(self, name: str, number: int) -> None:
        """Tells what was counted, but not too often."""
        with self.sending:
            self.counted[name] = self.counted.get(name, 0) + number
            if time.monotonic() - self.told >= SECONDS_BETWEEN_COUNTS:
                self.tell()

    def tell(self) -> None:
        """Tells what was counted since the last time."""
        with self.sending:
            self.told = time.monotonic()
            for name, number in self.counted.items():
                self.send(b"count", name.encode(), str(number).encode())
            self.counted.clear()

    def send(self, kind: bytes, *parts: bytes) -> None:
        """Sends a message as a whole."""
        with self.sending:
            send(self.connection, kind, *parts)

    def get_raw(self, state_key: Any, continuation_token: bytes | None = None) -> tuple[bytes, bytes | None]:
        """A side input's value, as Beam's state handlers give it: whole, so there is nothing to continue."""
        self.send(b"state", state_key.SerializeToString())
        _, parts = receive(self.connection)
        return parts[0], None

    @contextmanager
    def process_instruction_id(self, bundle_id: str) -> Iterator[None]:
        """Nothing to prepare, as there is one bundle at a time."""
        yield

    def done(self) -> None:
        """Nothing to end."""
