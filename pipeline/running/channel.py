"""How a bundle of a local Beam job gets its input and gives its output: it asks for each piece when it wants one.

Whoever finishes a piece first takes the next, so that no process waits for another that had the longer half, and
nobody holds more than one piece of its input.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.worker.data_plane import (
    ClosableOutputStream,
    DataChannel,
    SizeBasedBufferingClosableOutputStream,
)

PIECE = 4 << 20  # bytes of output that are handed on at once


class Exchange(Protocol):
    """The other side of a bundle: where its input comes from and its output goes to."""

    def take(self) -> tuple[str, bytes] | None:
        """The next piece of input and the transform it is for; None at the end."""
        ...

    def give(self, transform: str, data: bytes) -> None:
        """A piece of what a transform put out."""
        ...


class PullChannel(DataChannel):
    """Beam's data plane on top of an `Exchange`; there are no timers in it."""

    def __init__(self) -> None:
        self.exchange: Exchange  # of the bundle that runs now

    def input_elements(
        self, instruction_id: str, expected_inputs: Any, abort_callback: Any = None
    ) -> Iterator[beam_fn_api_pb2.Elements.Data]:
        """The input, a piece at a time."""
        while (piece := self.exchange.take()) is not None:
            transform, data = piece
            yield beam_fn_api_pb2.Elements.Data(instruction_id=instruction_id, transform_id=transform, data=data)

    def output_stream(self, instruction_id: str, transform_id: str) -> ClosableOutputStream:
        """Where a transform writes."""
        exchange = self.exchange

        def give(data: bytes) -> None:
            if data:
                exchange.give(transform_id, data)

        return SizeBasedBufferingClosableOutputStream(give, give, size_flush_threshold=PIECE)

    def output_timer_stream(self, instruction_id: str, transform_id: str, timer_family_id: str) -> ClosableOutputStream:
        """Stages with timers are run by Beam's own bundle manager."""
        raise RuntimeError(f"{transform_id} has a timer, and came to a runner of stages without any")

    def close(self) -> None:
        """Nothing is open."""
