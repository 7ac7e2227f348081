"""A night, or a part of one, that is alone with its model: what it does where another one is at work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from prefect import State
from prefect.client.schemas import FlowRun
from prefect.runtime import flow_run
from prefect.states import Cancelled

from flows.best_effort import best_effort
from flows.ending import bury
from flows.holder import this_process
from flows.lease import Lease
from flows.notify.hooks import tell
from flows.overlap import Replaced, Skipped
from flows.settings import RetrainConfig
from flows.waiting import acquire
from pipeline import stopping
from pipeline.stage import log
from pipeline.stopping import Request

Result = TypeVar("Result")
SECONDS_AN_HOUR = 3600
NIGHT = "lease"  # name of the lease of a whole night

held: ContextVar[Lease | None] = ContextVar("held", default=None)


def alone(config: RetrainConfig, night: Callable[[RetrainConfig], Result]) -> Result | State[Result]:
    """Runs a night while no other one makes the same model, as `night.overlap` says.

    Gives its result, or the state of a run that did not run or did not end because of another one.
    """
    return holding_lease(config, NIGHT, config.night.overlap, night)


def alone_in(part: str, config: RetrainConfig, work: Callable[[RetrainConfig], Result]) -> Result | State[Result]:
    """Runs a part of a night, on whatever machine, while no other run does the same part of the same model.

    It waits for one that does, and the night that waits for it sees by the lease that it is alive, see `Pulse`.
    """
    return holding_lease(config, part, "wait", work)


def tell_of(night: FlowRun) -> None:
    """Tells the webhook of a night that crashed with its machine, so that its own hooks were not called."""
    if night.state and night.state.is_crashed():
        with best_effort("notify"):
            tell(None, night, night.state)


def lease_of(config: RetrainConfig, name: str) -> Lease:
    """The lease of a night, NIGHT, or of a part of one, as this run sees it."""
    holder = this_process(flow_run.name or "", flow_run.id or "")
    return Lease(config.lease_storage(), f"{config.name}/{name}.json", holder, config.night.lease_seconds)


def holding_lease(
    config: RetrainConfig, name: str, overlap: str, work: Callable[[RetrainConfig], Result]
) -> Result | State[Result]:
    """Takes a lease, works, gives it back."""
    lease = lease_of(config, name)
    try:
        dead = acquire(lease, overlap, config.night.wait_hours * SECONDS_AN_HOUR)
    except Skipped as reason:
        return Cancelled(name="Skipped", message=str(reason), data=reason)
    request = Request()
    try:
        with lease.kept(request), stopping.heeding(request), holding(lease):
            if dead:
                log.warning("%-16s goes on    where %s ended without notice", "night", dead)
                buried = bury(dead)
                if buried and name == NIGHT:
                    tell_of(buried)
            return work(config)
    except Replaced as reason:
        return Cancelled(name="Replaced", message=str(reason), data=reason)


@contextmanager
def holding(lease: Lease) -> Iterator[None]:
    """For `confirm`, as long as the block runs."""
    token = held.set(lease)
    try:
        yield
    finally:
        held.reset(token)


def confirm() -> None:
    """Sees to it that the run's lease is still held before more is written.

    Raises:
        Replaced: another night waits for this one to end.
        LeaseLost: another night has begun.
    """
    stopping.heed()
    if lease := held.get():
        lease.renew()
