"""Beam's runner for one machine, with our own way of handing work to processes.

Beam's `FnApiRunner` plans the job; this one runs a stage's bundle in every process at once, all of which draw on the
same input, and shuffles through a file. Stages with state or timers are left to Beam.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import Any, Protocol

from apache_beam.metrics.monitoring_infos import consolidate
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner import execution, fn_runner
from apache_beam.runners.portability.fn_api_runner.translations import split_buffer_id

from pipeline.running.channel import Exchange
from pipeline.running.harness import Harness
from pipeline.running.shuffle import ShuffleBuffer

PIECES_PER_PROCESS = 32  # of a stage's input: enough that the processes finish at about the same time

Descriptor = beam_fn_api_pb2.ProcessBundleDescriptor
Response = beam_fn_api_pb2.InstructionResponse


class Processor(Protocol):
    """Something that runs a bundle: this process, or another at the end of a connection."""

    def run(self, descriptor: Descriptor, instruction: str, exchange: Exchange, state: Any) -> Response:
        """Runs the stage that the descriptor describes on what it takes from the exchange.

        Raises:
            Exception: whatever the stage's functions raise, in this process.
            RuntimeError: the traceback of it, in another process.
        """
        ...

    def close(self) -> None:
        """The job is over, and its functions are torn down."""
        ...


class LocalRunner(fn_runner.FnApiRunner):
    """Runs a pipeline in this process, or in the given ones.

    Args:
        processors: those at the end of a connection; none: this process does the work.
        abort: ends the processors, whatever they are doing; called when one of them fails.
    """

    def __init__(self, processors: Sequence[Processor] = (), abort: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.processors = processors
        self.abort = abort
        self.shuffles: list[ShuffleBuffer] = []

    def run_stages(self, stage_context: Any, stages: Any) -> Any:
        """Runs the planned stages."""
        with ExitStack() as stack:
            stack.callback(self.close_shuffles)
            self.running = self.processors or [Harness()]
            for processor in self.running:
                stack.callback(processor.close)
            return super().run_stages(stage_context, stages)

    def close_shuffles(self) -> None:
        """Gives back the room that the job's shuffles took."""
        for shuffle in self.shuffles:
            shuffle.close()
        self.shuffles.clear()

    def _get_bundle_manager(self, bundle_context_manager: execution.BundleContextManager) -> Any:
        if bundle_context_manager.stage.is_stateful() or bundle_context_manager.stage_timer_outputs:
            return super()._get_bundle_manager(bundle_context_manager)
        return SharedBundle(bundle_context_manager, self.running, self.abort, self.shuffles)


class SharedBundle:
    """One stage's work, shared by all processors.

    Args:
        stage: Beam's description of the stage, and of the buffers around it.
        processors: who does it.
        abort: ends the processors.
        shuffles: where new shuffle buffers are noted, so that they are closed.
    """

    def __init__(
        self,
        stage: execution.BundleContextManager,
        processors: Sequence[Processor],
        abort: Callable[[], None],
        shuffles: list[ShuffleBuffer],
    ) -> None:
        self.stage = stage
        self.processors = processors
        self.abort = abort
        self.shuffles = shuffles

    def process_bundle(
        self,
        inputs: Mapping[str, Any],
        expected_outputs: Mapping[str, bytes],
        fired_timers: Any,
        expected_output_timers: Any,
        dry_run: bool = False,
    ) -> tuple[Response, list[Any]]:
        """Runs the stage on its inputs, and puts what comes out into the buffers of the stages that follow."""
        outputs = {name: self.buffer(name, identifier) for name, identifier in expected_outputs.items()}
        exchange = SharedExchange(self.pieces(inputs), outputs)
        descriptor = self.stage.process_bundle_descriptor
        state = self.stage.execution_context.state_servicer

        def run(number: int) -> Response:
            if number and not exchange.has_more():
                return Response()  # a stage with a single element, such as a side input's, is one process's work
            return self.processors[number].run(descriptor, f"{descriptor.id}-{number}", exchange, state)

        if len(self.processors) == 1:
            return run(0), []
        with ThreadPoolExecutor(len(self.processors), "beam-worker") as threads:
            try:
                bundles = [threads.submit(run, number) for number in range(len(self.processors))]
                wait(bundles, return_when=FIRST_EXCEPTION)
                for bundle in bundles:
                    if bundle.done():
                        bundle.result()
            except BaseException:
                self.abort()  # before the threads are waited for
                raise
        return merged([bundle.result() for bundle in bundles]), []

    def pieces(self, inputs: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
        """The input in so many pieces that it can be shared."""
        number = PIECES_PER_PROCESS * len(self.processors)
        for transform, buffer in inputs.items():
            if isinstance(buffer, ShuffleBuffer):
                parts = buffer.chunks(number)
            elif len(self.processors) == 1:
                parts = iter(buffer)
            else:
                parts = (piece for part in buffer.partition(len(self.processors)) for piece in part)
            for data in parts:
                yield transform, data

    def buffer(self, transform: str, identifier: bytes) -> Any:
        """Where a transform's output goes."""
        buffers: Any = self.stage.execution_context.pcoll_buffers
        is_new_group = split_buffer_id(identifier)[0] == "group" and identifier not in buffers
        plain: Any = self.stage.get_buffer(identifier, transform)
        if not is_new_group or not plain._windowing.is_default():
            return plain
        buffers[identifier] = shuffle = ShuffleBuffer(plain)
        self.shuffles.append(shuffle)
        return shuffle


class SharedExchange:
    """The input of a stage, of which several bundles take, and the buffers that they give their output to."""

    def __init__(self, pieces: Iterator[tuple[str, bytes]], buffers: Mapping[str, Any]) -> None:
        self.pieces = pieces
        self.buffers = buffers
        self.first: tuple[str, bytes] | None = None
        self.taking = threading.Lock()
        self.giving = threading.Lock()

    def has_more(self) -> bool:
        """Whether something is left to take."""
        with self.taking:
            if self.first is None:
                self.first = next(self.pieces, None)
            return self.first is not None

    def take(self) -> tuple[str, bytes] | None:
        """The next piece, for whoever asks first."""
        with self.taking:
            piece, self.first = self.first, None
            return piece or next(self.pieces, None)

    def give(self, transform: str, data: bytes) -> None:
        """Puts a piece of output into the buffer for it."""
        with self.giving:
            self.buffers[transform].append(data)


def merged(responses: Sequence[Response]) -> Response:
    """One answer of several; their metrics are summed."""
    infos = consolidate(info for response in responses for info in response.process_bundle.monitoring_infos)
    roots = [root for response in responses for root in response.process_bundle.residual_roots]
    return Response(process_bundle=beam_fn_api_pb2.ProcessBundleResponse(monitoring_infos=infos, residual_roots=roots))
