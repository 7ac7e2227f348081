"""How a stage is ended in good order by whatever interrupts the flow: a cancelled run, the end of its time, Ctrl-C.

Prefect interrupts by raising in the main thread, between any two instructions. A training has to finish its step and
save, and worker processes have to be ended, so the stage runs in a thread of its own and the main thread does nothing
but wait, and hands on what it hears.
"""

import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from types import FrameType
from typing import Any, Generic, TypeVar

from model.interruption import Interrupted
from pipeline import stopping
from pipeline.stage import log
from pipeline.stopping import Request, Stopped

LOOKS_EVERY = 0.5  # seconds
ENDS_WITHIN = 20.0  # seconds; a worker of Prefect kills a run 30 s after it was cancelled

Result = TypeVar("Result")


class Work(Generic[Result]):
    """Something that is done in a thread, and what came of it."""

    def __init__(self, do: Callable[[], Result]) -> None:
        self.do = do
        self.result: Result | None = None
        self.error: BaseException | None = None
        # Not `thread.join`, which takes a thread for ended when a signal handler raises meanwhile.
        self.over = threading.Event()
        # Its context says to Prefect whose log lines these are. It is a daemon: what does not heed us ends with us.
        self.thread = threading.Thread(target=copy_context().run, args=(self.run,), name="stage", daemon=True)

    def run(self) -> None:
        """Does it."""
        try:
            self.result = self.do()
        except BaseException as error:
            self.error = error
        finally:
            self.over.set()

    def interrupt(self) -> None:
        """Raises `Stopped` where the work is, as soon as it is at Python code again."""
        identity = ctypes.c_ulong(self.thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(Stopped))


def stoppable(name: str, do: Callable[[], Result]) -> Result:
    """Does some work in such a way that an interruption of this thread ends it first.

    Args:
        name: what people call it.
        do: the work; where nobody has set a request for it to heed, it gets one of its own.

    Raises:
        BaseException: what the work raised, or the interruption once the work has ended, at the latest after
            `ENDS_WITHIN` seconds.
    """
    request = stopping.current.get() or Request()
    with stopping.heeding(request):
        stopping.heed()
        work = Work(do)
        work.thread.start()
        try:
            while not work.over.wait(LOOKS_EVERY) and not request.is_made:
                pass
        except BaseException:
            request.make()
            end(name, work, request)
            raise
        if request.is_made:
            end(name, work, request)
            stopping.heed()
    if work.error is not None:
        raise work.error
    return work.result  # type: ignore[return-value]  # it ended without an error, so it is one


def end(name: str, work: Work[Any], request: Request) -> None:
    """Waits for work that was asked to end; interrupts it unless it listens."""
    deadline = time.monotonic() + ENDS_WITHIN
    is_interrupted = False
    request.is_ignored = True  # also for whatever interrupts this wait, such as a second Ctrl-C
    while not work.over.wait(LOOKS_EVERY / 5) and time.monotonic() < deadline:
        if not request.listeners and not is_interrupted:
            work.interrupt()
            is_interrupted = True
    request.is_ignored = not work.over.is_set()
    if request.is_ignored:
        log.warning("%-16s goes on    although it was asked to end; it ends with this process", name)
    elif isinstance(work.error, Interrupted):
        log.info("%-16s stopped   %s", name, work.error.when)
    else:
        log.info("%-16s stopped   as asked; what is half-written is made anew", name)


@contextmanager
def told_by_signals() -> Iterator[None]:
    """Has SIGTERM raise `Interrupted`, for the command line.

    Inside a flow Prefect takes the signal first, and hands it on when the flow's state is written.
    """

    def note(number: int, frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
