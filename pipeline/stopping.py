"""How work is asked to end by somebody who is not where it is done, and how it hears of that.

The work runs in a thread of its own, see `flows.stoppable`; whatever interrupts a run, such as somebody who cancels it
or the end of its time, makes a request:

    with stopping.heeding(request):      # around the work
        ...
    request.make(reason)                 # from another thread

Work that has something to bring in order first, as a training has, listens and looks at `is_made`. Other work is ended
where it is by `Stopped`, and may name what else has to end with it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Stopped(BaseException):
    """Raised in work that was asked to end and does not listen; like Ctrl-C it is no error."""


class Request:
    """Whether somebody has asked, and why.

    Attributes:
        is_made: whether somebody has.
        reason: what is to be raised once the work has ended; None where whoever asked raises something.
        listeners: how many look at `is_made` just now, or have and are on their way out.
        is_ignored: whether the work went on all the same, so that somebody still writes.
    """

    def __init__(self) -> None:
        self.is_made = False
        self.is_ignored = False
        self.reason: Exception | None = None
        self.listeners = 0
        self.ends: list[Callable[[], None]] = []
        self.lock = threading.RLock()

    def make(self, reason: Exception | None = None) -> None:
        """Asks; of several requests the first counts."""
        with self.lock:
            if self.is_made:
                return
            self.is_made, self.reason = True, reason
            ends = list(self.ends)
        for end in ends:
            end()

    @contextmanager
    def listened_to(self) -> Iterator[None]:
        """Says that the work looks at `is_made` for as long as the block runs, and is not to be interrupted.

        Nor is it after an error that ends the block once somebody has asked: it is on its way out then.
        """
        with self.lock:
            self.listeners += 1
        try:
            yield
        except BaseException:
            with self.lock:
                if not self.is_made:
                    self.listeners -= 1
            raise
        with self.lock:
            self.listeners -= 1


current: ContextVar[Request | None] = ContextVar("current", default=None)


@contextmanager
def heeding(request: Request) -> Iterator[Request]:
    """The block's work, and that of the threads that are given its context, is to end when this request is made."""
    token = current.set(request)
    try:
        yield request
    finally:
        current.reset(token)


def heed() -> None:
    """Raises the reason of a request that was made; for where work begins, and for loops that wait."""
    request = current.get()
    if request and request.is_made:
        raise request.reason or Stopped


@contextmanager
def ending(end: Callable[[], None]) -> Iterator[None]:
    """Calls a function as soon as the work is asked to end while the block runs; for what a thread waits for."""
    request = current.get()
    if request is None:
        yield
        return
    with request.lock:
        request.ends.append(end)
        is_late = request.is_made
    if is_late:
        end()
    try:
        yield
    finally:
        with request.lock:
            request.ends.remove(end)
