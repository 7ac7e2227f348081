"""One configuration -> a Beam pipeline on the machine at hand.

The runner is chosen by object, never by name: `beam.Pipeline()` alone would look for one on the network first.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle

from pipeline.beam_config import BeamConfig

OS_ERROR = re.compile(r"OSError: (?:\[Errno (\d+)\] )?(.*?) \[while running")


@contextmanager
def open_pipeline(config: BeamConfig) -> Iterator[beam.Pipeline]:
    """A pipeline to be used in a `with` statement, which runs it at the end.

    Raises:
        OSError: a file could not be read or written; Beam itself makes a RuntimeError of everything.
    """
    try:
        with new_pipeline(config) as pipeline:
            yield pipeline
    except RuntimeError as error:
        found = OS_ERROR.search(str(error))
        if not found:
            raise
        raise OSError(int(found[1] or errno.EIO), found[2]) from error


def new_pipeline(config: BeamConfig) -> beam.Pipeline:
    """The pipeline, on a runner with one process or several."""
    mode = "in_memory" if config.workers == 1 else "multi_processing"
    options = PipelineOptions([f"--direct_running_mode={mode}", f"--direct_num_workers={config.workers}"])
    # Worker processes learn their options from the provision info, which the runner leaves empty unless it is given.
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    provision = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    runner = fn_runner.FnApiRunner(provision_info=fn_runner.ExtendedProvisionInfo(provision))
    return beam.Pipeline(runner=runner, options=options)
