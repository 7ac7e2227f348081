"""A stage's progress as an artifact that moves while a Beam job or a training runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Final
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.runtime import flow_run, task_run

from flows.artifacts.keys import key_of
from flows.best_effort import AWAY, best_effort
from pipeline.progress import ProgressLine, watched_by

SECONDS_BETWEEN_UPDATES: Final = 3.0
SECONDS_WITHOUT_ANSWER: Final = 60.0  # that pass until a server is asked again
LAST_UPDATE_WITHIN: Final = 5.0  # seconds that the end of a stage waits for
TIMEOUT: Final = 20.0  # seconds; of a client that is not the flow's own


@contextmanager
def progress_shown(model: str, stage: str) -> Iterator[None]:
    """While the block runs, Prefect shows how far it is; outside of a task run there is nobody to show it to."""
    if not task_run.id:
        yield
        return
    follower = Follower(key_of(model, f"{stage} progress"), UUID(flow_run.id), UUID(task_run.id))
    with watched_by(follower):
        try:
            yield
        finally:
            follower.finish()


class Follower:
    """Looks at a progress line now and then, from a thread of its own, and tells Prefect's server.

    Lines whose end is not known are not shown: there is no percentage of them.

    Args:
        key: the artifact's.
        flow_run: what the artifact belongs to.
        task_run: the same.
    """

    def __init__(self, key: str, flow_run: UUID, task_run: UUID) -> None:
        self.key = key
        self.flow_run = flow_run
        self.task_run = task_run
        self.line: ProgressLine | None = None
        self.is_whole = False
        self.artifact: UUID | None = None
        self.shown: tuple[float, str] | None = None
        self.is_over = threading.Event()
        self.is_told = False  # that the server does not answer
        here = copy_context()  # which says where Prefect's server is
        self.thread = threading.Thread(target=here.run, args=[self.follow], name=f"progress of {key}", daemon=True)

    def begins(self, line: ProgressLine) -> None:
        """A line to follow from now on, instead of the one before."""
        if line.total:
            self.line, self.is_whole = line, False
            if not self.thread.is_alive() and not self.is_over.is_set():
                self.thread.start()

    def ends(self, line: ProgressLine, *, is_whole: bool) -> None:
        """What it showed last stays."""
        if line is self.line:
            self.is_whole = is_whole

    def finish(self) -> None:
        """Shows how it ended, if the server takes it in time."""
        self.is_over.set()
        if self.thread.is_alive():
            self.thread.join(LAST_UPDATE_WITHIN)

    def follow(self) -> None:
        """What the thread does; a server that does not answer is told of once and asked again after a pause."""
        is_last = False
        while not is_last:
            is_last = self.is_over.is_set()
            passing = suppress(*AWAY) if self.is_told else best_effort(self.key)
            with passing, get_client({"timeout": TIMEOUT}, sync_client=True) as client:
                self.keep_showing(client)
                return
            self.is_told = True
            self.is_over.wait(SECONDS_WITHOUT_ANSWER)

    def keep_showing(self, client: SyncPrefectClient) -> None:
        """Shows what is new until it is over."""
        while not self.is_over.wait(SECONDS_BETWEEN_UPDATES):
            self.show(client)
        self.show(client)

    def show(self, client: SyncPrefectClient) -> None:
        """Brings the artifact up to date."""
        if self.line is None:
            return
        now = percent(self.line, is_whole=self.is_whole), self.line.told()
        if now == self.shown:
            return
        if self.artifact is None:
            runs = {"flow_run_id": self.flow_run, "task_run_id": self.task_run}
            made = client.create_artifact(
                ArtifactCreate(key=self.key, type="progress", description=now[1], data=now[0], **runs)
            )
            self.artifact = made.id
        else:
            client.update_artifact(self.artifact, ArtifactUpdate(description=now[1], data=now[0]))
        self.shown, self.is_told = now, False


def percent(line: ProgressLine, *, is_whole: bool) -> float:
    """How much is done; a training that ended early, as its dev loss fell no more, has done all."""
    return 100.0 if is_whole else round(min(100.0, 100 * line.done / (line.total or 1)), 1)
