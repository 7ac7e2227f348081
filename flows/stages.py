"""The stages as Prefect tasks: how often they are tried again and how long they may take. Each body is one call."""

import errno
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.task_engine import TaskRunTimeoutError

from flows.alone import confirm
from flows.artifacts.progress import progress_shown
from flows.settings import RetrainConfig
from flows.stoppable import stoppable
from model.interruption import Interrupted
from model.register import register as register_stage
from model.stages import evaluate as evaluate_stage
from model.stages import train as train_stage
from pipeline import jobs
from pipeline.build_vocabulary import build_vocabulary as build_vocabulary_stage
from pipeline.ingest import ingest as ingest_stage
from pipeline.inspection import inspect as inspect_stage
from pipeline.manifest import Manifest
from pipeline.stage import Stage, log
from pipeline.storage import Conflict

HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}  # waiting frees no disk
WAITS = [10.0, 60.0, 300.0]  # seconds before each new try


def may_pass(task: Any, run: Any, state: Any) -> bool:
    """Whether a failure is worth another try: storage and networks recover, bad input and defects do not.

    The end of a stage's time is not worth one either. A training that was interrupted is: had this run been asked to
    end, the failure would be another one, so somebody took back a machine or a process of the training alone.
    """
    failure = state.data
    is_worth_it = isinstance(failure, OSError | Conflict | Interrupted) and not isinstance(failure, TaskRunTimeoutError)
    if isinstance(failure, OSError) and failure.errno in HOPELESS:
        is_worth_it = False
    if is_worth_it and run.run_count <= len(WAITS):
        what = failure.when if isinstance(failure, Interrupted) else failure
        log.warning("%-16s failed    %s; trying again in %.0f s", task.name, what, WAITS[run.run_count - 1])
    return is_worth_it


def task_of(stage: Stage[Any]) -> Task[..., Manifest]:
    """A task that calls a stage with its section of the configuration.

    Skipping is the stage's own affair: it knows what its output was made of, and Prefect's cache does not.
    """

    @task(
        name=stage.name,
        description=stage.__doc__,
        retries=len(WAITS),
        retry_delay_seconds=list(WAITS),
        retry_condition_fn=may_pass,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def run(config: RetrainConfig, *inputs: Manifest) -> Manifest:
        def work() -> Manifest:
            with progress_shown(config.name, stage.name):
                return config.run(stage, *inputs)

        confirm()
        return stoppable(stage.name, work)

    return run


def as_step(stage: Stage[Any]) -> Callable[..., Manifest]:
    """A stage's task, with the time that the configuration gives it."""
    unlimited = task_of(stage)

    def run(config: RetrainConfig, *inputs: Manifest) -> Manifest:
        hours = config.night.hours_of(stage.name)
        limited = unlimited.with_options(timeout_seconds=timedelta(hours=hours).total_seconds())
        try:
            return limited(config, *inputs)
        except TaskRunTimeoutError as error:
            raise TimeoutError(f"{stage.name} took longer than night.hours.{stage.name} = {hours:g} hours") from error

    return run


ingest = as_step(ingest_stage)
clean = as_step(jobs.clean)
build_vocabulary = as_step(build_vocabulary_stage)
shard = as_step(jobs.shard)
inspect = as_step(inspect_stage)
train = as_step(train_stage)
evaluate = as_step(evaluate_stage)
register = as_step(register_stage)
