"""Where the stages of a night run: in this process, or in a deployment that the configuration names for them.

    deployments: {train: train/gpu}

The part `train` then becomes a run of that deployment: this process waits for it, and finds what it made in the shared
workspace, by the fingerprint that it would have made it under itself. Whatever is there already needs no run. Each
reader of an output verifies its digests, so a file that reached this machine damaged is not used.
"""

import time
from collections.abc import Callable
from typing import Any, Final, cast
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from flows import ending, stages
from flows.alone import lease_of
from flows.best_effort import best_effort
from flows.dag import stage_named
from flows.deployments import DeploymentsConfig
from flows.parameters import parameters_of
from flows.pulse import Pulse
from flows.settings import RetrainConfig
from pipeline import stopping
from pipeline.errors import InputError
from pipeline.manifest import Manifest
from pipeline.stage import log
from pipeline.stopping import Request

PARTS: Final = {
    "prepare": ("ingest", "clean", "build_vocabulary", "shard", "inspect"),
    "train": ("train",),
    # Registering scores the champion anew, which wants the machine that scores, and this one then needs no TensorFlow.
    "evaluate": ("evaluate", "register"),
}
LOOKS_EVERY: Final = 2.0  # seconds
SILENT_WITHIN: Final = 900.0  # seconds that a server may give no answer, as one that is started anew
SILENT_PAUSE: Final = 15.0  # seconds


def check_deployments(config: DeploymentsConfig) -> None:
    """Raises `InputError` for a deployment that the server does not know: told at once and not after hours."""
    for part in PARTS:
        if name := getattr(config, part):
            try:
                with get_client(sync_client=True) as client:
                    client.read_deployment_by_name(name)
            except ObjectNotFound as error:
                allowed = f"a deployment of the Prefect server {PREFECT_API_URL.value()}"
                cause = "PREFECT_API_URL names the server; nightshift deploy makes some, prefect deployment ls lists"
                raise InputError(f"deployments.{part}", name, allowed, cause) from error


def somewhere(name: str) -> Callable[..., Manifest]:
    """A stage in the place that the configuration names for its part of the night."""
    stage, task = stage_named(name), getattr(stages, name)
    part = next(part for part, names in PARTS.items() if name in names)

    def run(config: RetrainConfig, *inputs: Manifest) -> Manifest:
        deployment = getattr(config.deployments, part)
        if deployment and config.find(stage, *inputs) is None:
            run_there(deployment, config, part)
            if config.find(stage, *inputs) is None:
                allowed = f"a worker of this version of nightshift that shares the folder {config.workspace.absolute()}"
                raise InputError(f"deployments.{part}", deployment, allowed, f"{name} left nothing there that fits")
        made: Manifest = task(config, *inputs)
        return made

    return run


def run_there(name: str, config: RetrainConfig, part: str) -> None:
    """Has a deployment do its part of the night and waits for it; once more where its machine was taken away.

    Args:
        name: of the deployment.
        config: of the night.
        part: one of `PARTS`.

    Raises:
        ChildProcessError: it failed, was cancelled, or took too long; the message is one line.
    """
    for wait in (*stages.WAITS, None):
        run, state = run_once(name, config, part)
        if state.is_completed():
            return
        said = " ".join((state.message or "without a word").split())
        what = f"the run {run.name} is {str(state.type.value).lower()}: {said}"
        if wait is None or not state.is_crashed():  # bad input and defects do not pass, and nobody cancels in vain
            raise ChildProcessError(f"{name}: {what}")
        log.warning("%-16s failed    %s; trying again in %.0f s", name, what, wait)
        rest(wait)


def rest(seconds: float) -> None:
    """Waits, unless the night is asked to end."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        stopping.heed()
        time.sleep(min(LOOKS_EVERY, seconds))


def run_once(name: str, config: RetrainConfig, part: str) -> tuple[FlowRun, State[Any]]:
    """One run of a deployment, and the state in which it ended."""
    log.info("%-16s waits for a worker", name)
    run = cast(FlowRun, run_deployment(name, parameters=parameters_of(config), timeout=0))
    with get_client(sync_client=True) as client:
        try:
            return run, final_state(client, run.id, name, config, part)
        except BaseException:  # this night ends, so what it started ends as well
            request = stopping.current.get() or Request()
            request.is_ignored = True  # whatever comes in between: unless it is seen to end, it still writes
            request.is_ignored = not ending.end(client, run.id, ending.ENDS_WITHIN)
            raise


def final_state(client: SyncPrefectClient, run: UUID, name: str, config: RetrainConfig, part: str) -> State[Any]:
    """The state in which a run ended; raises `ChildProcessError` where it does not start or end in time.

    The end of a run that has begun and whose machine is gone is noted here, as nobody else tells the server.
    """
    limits = config.deployments
    asked, begun = time.monotonic(), None
    pulse = Pulse(lease_of(config, part))
    while True:
        stopping.heed()
        state = patiently(client, run)
        if state is not None and state.is_final():
            return state
        now = time.monotonic()
        if begun is None and state is not None and (state.is_running() or state.is_cancelling()):
            log.info("%-16s started   by a worker", name)
            begun = now
        if begun is None and now - asked > limits.start_within:
            raise ChildProcessError(f"{name}: no worker began it within {limits.start_within:g} s")
        if begun is not None and now - begun > limits.finish_within:
            raise ChildProcessError(f"{name}: it did not end within {limits.finish_within:g} s")
        if begun is not None and pulse.has_stopped():
            with best_effort("end of a part"):
                ending.note(client, run, state, "It gave no sign of life; its machine may be gone.")
        time.sleep(LOOKS_EVERY)


def patiently(client: SyncPrefectClient, run: UUID) -> State[Any] | None:
    """The state that a run is in; a server that is away for a while costs no night, as the run goes on without it."""
    asked = time.monotonic()
    while True:
        try:
            return client.read_flow_run(run).state
        except httpx.HTTPError as error:
            if time.monotonic() - asked > SILENT_WITHIN:
                raise
            log.warning("%-16s no answer  %s; asking again", "server", type(error).__name__)
            stopping.heed()
            time.sleep(SILENT_PAUSE)


ingest = somewhere("ingest")
clean = somewhere("clean")
build_vocabulary = somewhere("build_vocabulary")
shard = somewhere("shard")
inspect = somewhere("inspect")
train = somewhere("train")
evaluate = somewhere("evaluate")
register = somewhere("register")
