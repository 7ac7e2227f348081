"""A worker process, from the side of the job; see `worker` for the other side and for what is said."""

from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2

from pipeline.running import counters
from pipeline.running.channel import Exchange
from pipeline.running.messages import receive, send


class WorkerLost(RuntimeError):  # noqa: N818 - what happened to a process; the job is at no fault
    """A worker process ended in the middle of its work."""


class RemoteWorker:
    """Runs bundles in the process at the end of a connection, and answers what it asks meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def run(self, descriptor: Any, instruction: str, exchange: Exchange, state: Any) -> Any:
        """Lets the worker run a bundle, and answers what it asks."""
        try:
            send(self.connection, b"run", descriptor.SerializeToString(), instruction.encode())
            while True:
                kind, parts = receive(self.connection)
                if kind == b"take":
                    piece = exchange.take()
                    send(self.connection, b"piece", *((piece[0].encode(), piece[1]) if piece else ()))
                elif kind == b"give":
                    exchange.give(parts[0].decode(), parts[1])
                elif kind == b"count":
                    counters.announce(parts[0].decode(), int(parts[1]))
                elif kind == b"state":
                    key = beam_fn_api_pb2.StateKey.FromString(parts[0])
                    send(self.connection, b"value", state.get_raw(key)[0])
                elif kind == b"done":
                    return beam_fn_api_pb2.InstructionResponse.FromString(parts[0])
                else:
                    raise RuntimeError(parts[0].decode())
        except (EOFError, ConnectionError):
            raise WorkerLost(
                "a worker process ended in the middle of its work, most likely for want of memory: "
                "beam.workers=1 needs less"
            ) from None

    def close(self) -> None:
        """Lets the worker forget the job's functions."""
        with suppress(OSError):  # it may have been ended with a job that failed
            send(self.connection, b"over")
