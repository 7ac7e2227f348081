"""How a training that is asked to end does so: after the step it is at, with a checkpoint."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = os.EX_TEMPFAIL  # 75: the same command again goes on


class Interrupted(Exception):  # noqa: N818 -- it is no error
    """A training was asked to end and did, with a checkpoint; the command line exits with `EXIT_CODE`."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step

    def __str__(self) -> str:
        when = (
            f"after step {self.step:,} as asked, with a checkpoint" if self.step else "before the first step as asked"
        )
        return f"stopped {when}; run the same command to go on"


class Request:
    """Whether somebody has asked."""

    is_made = False


@contextmanager
def listening() -> Iterator[Request]:
    """Takes SIGTERM as a request for as long as the block runs.

    Only a process' main thread may listen to signals; in another one nothing changes.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        request.is_made = True

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, before)
