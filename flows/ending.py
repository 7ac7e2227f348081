"""How flow runs are ended that no night waits for any more."""

import time
from typing import Any, Final
from uuid import UUID

from prefect import State, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Cancelled, Cancelling, Crashed

from flows.best_effort import best_effort
from flows.holder import Holder

LOOKS_EVERY: Final = 0.5  # seconds
ENDS_WITHIN: Final = 20.0  # seconds; a worker of Prefect kills the run that waits 30 s after it was cancelled itself
PARTS_END_WITHIN: Final = 60.0  # seconds, of a night that is gone: nobody kills the one that waits for them


def end(client: SyncPrefectClient, run: UUID, within: float) -> bool:
    """Has a run's worker end it, and waits for that; whether it was seen to end within so many seconds."""
    deadline = time.monotonic() + within
    with best_effort("end of a part"):
        client.set_flow_run_state(run, Cancelling())
        while True:
            state = client.read_flow_run(run).state
            if state is not None and state.is_final():
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOKS_EVERY)
    return False


def note(client: SyncPrefectClient, run: UUID, state: State[Any] | None, why: str) -> None:
    """Has Prefect note that a run is over that cannot say so itself.

    Args:
        client: of the server.
        run: its number.
        state: that it is in until now; one that was to end was cancelled, any other one crashed.
        why: for people.
    """
    is_cancelled = state is not None and state.is_cancelling()
    client.set_flow_run_state(run, Cancelled(message=why) if is_cancelled else Crashed(message=why))


def bury(dead: Holder) -> FlowRun | None:
    """Ends the parts that a dead run waited for, and has Prefect note its end, which nobody was left to tell it.

    It may be the run that calls this, started a second time: then it is alive.

    Returns:
        The run in its last state, if that was noted here and now.
    """
    if not dead.run_id:
        return None
    run = UUID(dead.run_id)
    parts = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run]))
    with best_effort("dead night"), get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(run).state
        except ObjectNotFound:  # it reported to another server
            return None
        for part in client.read_flow_runs(flow_run_filter=parts):
            if part.state is None or not part.state.is_final():
                end(client, part.id, PARTS_END_WITHIN)
        if dead.run_id != flow_run.id and (state is None or not state.is_final()):
            note(client, run, state, "Its process is gone.")
            return client.read_flow_run(run)
    return None
