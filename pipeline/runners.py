"""One configuration -> a Beam pipeline on this machine, or on a service that Beam knows.

The local runner is chosen by object, never by name: `beam.Pipeline()` alone would look for one on the network first.
"""

import copy
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.runners.runner import PipelineState

from pipeline import stopping
from pipeline.beam_config import BeamConfig
from pipeline.progress import JobProgress
from pipeline.running import counters
from pipeline.running.beam_checks import check_beam
from pipeline.running.beam_errors import unwrapped
from pipeline.running.beam_options import pipeline_options
from pipeline.running.local_runner import LocalRunner
from pipeline.running.packages import compare_packages, packages_here
from pipeline.running.remote_worker import RemoteWorker
from pipeline.running.worker_pool import pool

log = logging.getLogger("nightshift")

SECONDS_BETWEEN_LOOKS = 2.0  # at a job that runs elsewhere


class Job(beam.Pipeline):
    """A Beam pipeline that shows how far it is, and knows afterwards what its functions counted.

    Attributes:
        counts: the sums of what `count` was told, by name, once the job has run.
    """

    def __init__(self, config: BeamConfig, stage: str, local: LocalRunner | None, progress: JobProgress) -> None:
        super().__init__(runner=local, options=pipeline_options(config, stage))
        self.stage = stage
        self.is_on_dataflow = config.runner == "dataflow"
        self.progress = progress
        self.counts: dict[str, int] = {}

    def run(self, test_runner_api: bool | str = "AUTO") -> Any:
        """Runs the job to its end."""
        result = super().run(test_runner_api)
        try:
            self.follow(result)
        except BaseException:  # an interruption, a time-out, a service that answers no more
            self.cancel(result)  # nobody would wait for it, and it may cost money
            raise
        if self.is_on_dataflow and result.state != PipelineState.DONE:
            raise RuntimeError(failure_of(result))
        result.wait_until_finish()
        self.counts = counters.sums(result.metrics())
        return result

    def cancel(self, result: Any) -> None:
        """Ends a job; what made us do so is raised afterwards, also where the service does not answer."""
        try:
            result.cancel()
        except Exception as error:
            said = " ".join(str(error).split())
            log.warning("%-16s goes on    its job could not be cancelled, so end it by hand (%s)", self.stage, said)

    def follow(self, result: Any) -> None:
        """Shows how far a job is that runs elsewhere, until it ends; a local one has ended by now."""
        pause = 0.1
        while not PipelineState.is_terminal(result.state):
            time.sleep(pause)
            pause = min(SECONDS_BETWEEN_LOOKS, 2 * pause)
            self.show(counters.sums(copy.copy(result).metrics()))  # a result keeps the first metrics it was asked for

    def show(self, counts: dict[str, int]) -> None:
        """Brings the line up to what a remote job has counted by now."""
        for name in ("pairs", "written"):
            new = counts.get(name, 0) - self.counts.get(name, 0)
            if new > 0:
                self.hear(name, new)
        self.counts = counts

    def hear(self, name: str, number: int) -> None:
        """Moves the line."""
        if name == "written":
            self.progress.begin("writing")
        self.progress.advance(number)


def failure_of(result: Any) -> str:
    """What Dataflow says of a job that did not end well, for which it needs some seconds."""
    from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

    DataflowRunner.poll_for_job_completion(result._runner, result, None)
    said = result._runner.last_error_msg or "its page in the console may say why"
    return f"Dataflow job {result.job_id()} ended as {result.state}: {said}"


@contextmanager
def open_pipeline(config: BeamConfig, *, stage: str, pairs: int, unit: str = "pairs") -> Iterator[Job]:
    """A pipeline to be used in a `with` statement, which runs it at the end.

        with open_pipeline(config, stage="clean", pairs=22_000) as job:
            _ = job | Create(blocks) | ParDo(...)
        job.counts  # {"kept": 20000, "pairs": 22000, ...}: what `count` was told, in whichever process

    The workers of a remote runner read and write what the job names, see `exchange`, and must have the packages of this
    machine, which a step of the job looks at.

    Args:
        config: the runner.
        stage: what is shown before the progress.
        pairs: how many pairs the job will read, for the number of processes and the progress line.
        unit: what they are to people, in the plural.

    Raises:
        InputError: a function of the job raised it; Beam itself would make something else of it.
        OSError: a file could not be read or written, likewise.
    """
    check_beam(config)
    with ExitStack() as stack:
        local = None
        if config.runner == "local":
            processes = config.processes(pairs)
            workers = stack.enter_context(pool.lease(processes)) if processes > 1 else []
            if workers:
                stack.enter_context(stopping.ending(pool.stop))
            local = LocalRunner([RemoteWorker(worker) for worker in workers], pool.stop)
        progress = stack.enter_context(JobProgress(stage, pairs, unit))
        stack.enter_context(unwrapped())
        stack.enter_context(quiet_beam())
        job = Job(config, stage, local, progress)
        counters.listen(job.hear)
        stack.callback(counters.stop_listening, job.hear)
        with job:
            if config.is_elsewhere:
                _ = (
                    job
                    | "list packages" >> beam.Create([packages_here()])
                    | "compare packages" >> beam.Map(compare_packages)
                )
            yield job


@contextmanager
def quiet_beam() -> Iterator[None]:
    """Keeps Beam from logging the traceback of an error that is raised all the same."""
    logger = logging.getLogger("apache_beam")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
