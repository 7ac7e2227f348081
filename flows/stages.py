"""The stages as Prefect tasks: how often they are tried again and how long they may take. Each body is one call."""

import errno
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.settings import RetrainConfig
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
    """Whether a failure is worth another try: storage and networks recover, bad input and defects do not."""
    failure = state.data
    is_worth_it = isinstance(failure, OSError | Conflict) and not isinstance(failure, TimeoutError)
    if isinstance(failure, OSError) and failure.errno in HOPELESS:
        is_worth_it = False
    if is_worth_it and run.run_count <= len(WAITS):
        log.warning("%-16s failed    %s; trying again in %.0f s", task.name, failure, WAITS[run.run_count - 1])
    return is_worth_it


def as_task(stage: Stage[Any], *, at_most: timedelta) -> Callable[..., Manifest]:
    """A task that calls a stage with its section of the configuration.

    Skipping is the stage's own affair: it knows what its output was made of, and Prefect's cache does not.
    """

    @task(
        name=stage.name,
        description=stage.__doc__,
        retries=len(WAITS),
        retry_delay_seconds=WAITS,
        retry_condition_fn=may_pass,
        timeout_seconds=at_most.total_seconds(),
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def run(config: RetrainConfig, *inputs: Manifest) -> Manifest:
        return config.run(stage, *inputs)

    return run


ingest = as_task(ingest_stage, at_most=timedelta(hours=12))
clean = as_task(jobs.clean, at_most=timedelta(hours=12))
build_vocabulary = as_task(build_vocabulary_stage, at_most=timedelta(hours=6))
shard = as_task(jobs.shard, at_most=timedelta(hours=12))
inspect = as_task(inspect_stage, at_most=timedelta(hours=6))
train = as_task(train_stage, at_most=timedelta(days=7))
evaluate = as_task(evaluate_stage, at_most=timedelta(hours=6))
register = as_task(register_stage, at_most=timedelta(hours=2))
