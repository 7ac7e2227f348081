"""Registers the flows with a Prefect server as deployments: which they are, and with what a night of theirs begins.

retrain/nightly         the whole night, by the clock or by hand
prepare/POOL            its parts, which a night hands over where `deployments` in its configuration names them
train/POOL
evaluate/POOL
translate-batch/POOL    a file into a file
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import VersionInfo, WorkPool
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.schedules import Cron, Schedule
from prefect.settings import PREFECT_API_URL
from prefect.types.entrypoint import EntrypointType
from prefect.workers.process import ProcessWorker

from flows.console import LIBRARY_SETTINGS
from pipeline.errors import InputError

NIGHTLY: Final = "nightly"  # the deployment, and the work queue that its runs wait in
# That one at a time makes the model is seen to by its lease, `night.overlap`. Two, as the second has to begin in order
# to wait or to take over, and as one that was killed keeps its place until the next one notes its end. It is the queue
# that has the limit: for one of the deployment the server wants to hear of each run every few minutes, and a night
# would be ended by a server that is started anew, and by a laptop that was asleep.
AT_MOST: Final = 2


@dataclass(frozen=True, slots=True)
class Target:
    """Where deployments run and with what.

    Args:
        pool: name of the work pool.
        parameters: preset and overrides that runs begin with.
        schedule: when a night begins.
        job_variables: what the pool's workers are told about each run, such as the image.
    """

    pool: str
    parameters: dict[str, Any]
    schedule: Schedule
    job_variables: dict[str, Any]


def deploy(names: Iterable[str], target: Target) -> list[str]:
    """Makes the deployments of some flows, or changes those that are there; gives their names."""
    return [deploy_one(name, target) for name in names]


def deploy_one(name: str, target: Target) -> str:
    """Makes the deployment of one flow."""
    is_night = name == "retrain"
    version = metadata.version("nightshift")
    made = RunnerDeployment.from_flow(
        flow_named(name),
        name=NIGHTLY if is_night else target.pool,
        entrypoint_type=EntrypointType.MODULE_PATH,  # the package is installed where a worker runs
        work_pool_name=target.pool,
        parameters={} if name == "translate-batch" else target.parameters,
        schedules=[target.schedule] if is_night else [],
        work_queue_name=nightly_queue(target.pool) if is_night else None,
        job_variables=target.job_variables,
        version=version,
    )
    made.apply(version_info=VersionInfo(version=version, type="prefect:simple"))
    return made.full_name


def nightly_queue(pool: str) -> str:
    """The work queue of the nights in a pool, made where it is not there yet; a limit that somebody gave it stays."""
    with get_client(sync_client=True) as client:
        try:
            client.create_work_queue(NIGHTLY, concurrency_limit=AT_MOST, work_pool_name=pool)
        except ObjectAlreadyExists:
            there = client.read_work_queue_by_name(NIGHTLY, pool)
            if there.concurrency_limit is None:  # `prefect deploy` makes it without one
                client.update_work_queue(there.id, concurrency_limit=AT_MOST)
    return NIGHTLY


def flow_named(name: str) -> Flow[..., Any]:
    """A flow, from the module of its name."""
    word = name.replace("-", "_")
    found: Flow[..., Any] = getattr(importlib.import_module(f"flows.{word}"), word)
    return found


def schedule_of(cron: str, timezone: str) -> Schedule:
    """When nights begin; raises `InputError` for what is no cron expression or no time zone."""
    try:
        ZoneInfo(timezone)
    except (ValueError, OSError, LookupError) as error:
        raise InputError("--timezone", timezone, "a time zone, such as Europe/Berlin") from error
    try:
        return Cron(cron, timezone=timezone)
    except ValueError as error:
        raise InputError("--cron", cron, "minute, hour, day, month and weekday, such as '0 2 * * *'") from error


def job_variables(pool: WorkPool, image: str | None, directory: Path | None) -> dict[str, Any]:
    """What a pool's workers are told; raises `InputError` where the pool cannot do it."""
    env = env_of_runs()
    if pool.type == ProcessWorker.type:
        if image:
            raise InputError("--image", image, "a pool of another type", f"{pool.name} starts processes")
        return {"env": env, "working_dir": str((directory or Path()).absolute())}
    if directory:
        raise InputError("--directory", directory, "a pool of processes", f"{pool.name} is of type {pool.type}")
    return {"env": env} | ({"image": image} if image else {})


def env_of_runs() -> dict[str, str]:
    """Variables of the processes that run the flows: the server shows our lines with the run, and no library's."""
    return {name: LIBRARY_SETTINGS[name] for name in ("PREFECT_LOGGING_EXTRA_LOGGERS", "TF_CPP_MIN_LOG_LEVEL")}


def pool_named(name: str) -> WorkPool:
    """A work pool of the server; raises `InputError` where there is none of that name."""
    try:
        with get_client(sync_client=True) as client:
            return client.read_work_pool(name)
    except ObjectNotFound as error:
        allowed = f"a work pool of the Prefect server {PREFECT_API_URL.value()}"
        raise InputError("--pool", name, allowed, "prefect work-pool create NAME --type process makes one") from error


def process_pool(name: str) -> WorkPool:
    """A work pool whose workers start processes, made where it is not there yet."""
    with get_client(sync_client=True) as client:
        try:
            return client.read_work_pool(name)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            return client.create_work_pool(
                WorkPoolCreate(name=name, type=ProcessWorker.type, base_job_template=template)
            )
