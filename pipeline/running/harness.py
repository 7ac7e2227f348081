"""Runs bundles of Beam stages in this process, be it the one that started the job or a worker."""

from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    FNAPI_RUNNER_CAPABILITIES,
    SingletonStateHandlerFactory,
)
from apache_beam.runners.worker import sdk_worker
from apache_beam.runners.worker.data_plane import InMemoryDataChannelFactory
from apache_beam.runners.worker.statecache import StateCache

from pipeline.quiet import tensorflow_quietly
from pipeline.running.channel import Exchange, PullChannel

STATE_CACHE = 100 << 20  # bytes of side inputs that are kept


class Harness:
    """Beam's worker code with our channel in place of a network connection; it lives as long as a job.

    harness = Harness()
    response = harness.run(descriptor, "0-1", exchange, state)
    harness.close()
    """

    def __init__(self) -> None:
        self.channel = PullChannel()
        self.processors: sdk_worker.BundleProcessorCache | None = None

    def run(
        self, descriptor: beam_fn_api_pb2.ProcessBundleDescriptor, instruction: str, exchange: Exchange, state: Any
    ) -> beam_fn_api_pb2.InstructionResponse:
        """Runs a bundle of the stage that is described.

        Args:
            descriptor: the stage, with its functions pickled by Beam.
            instruction: a name of the bundle, unique within the job.
            exchange: where input comes from and output goes to.
            state: Beam's state handler, from which side inputs are read.
        """
        if self.processors is None:
            caching = sdk_worker.GlobalCachingStateHandler(StateCache(STATE_CACHE), state)
            self.processors = sdk_worker.BundleProcessorCache(
                FNAPI_RUNNER_CAPABILITIES,
                SingletonStateHandlerFactory(caching),
                InMemoryDataChannelFactory(self.channel),
                {},
            )
        self.processors.register(descriptor)
        with tensorflow_quietly():  # unpickling the functions may import it
            self.processors.get(instruction, descriptor.id)
            self.processors.release(instruction)
        self.channel.exchange = exchange
        bundle = beam_fn_api_pb2.ProcessBundleRequest(process_bundle_descriptor_id=descriptor.id)
        request = beam_fn_api_pb2.InstructionRequest(instruction_id=instruction, process_bundle=bundle)
        return sdk_worker.SdkWorker(self.processors).do_instruction(request)

    def close(self) -> None:
        """Tears the functions of the job down."""
        if self.processors is not None:
            self.processors.shutdown()
