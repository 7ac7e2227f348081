"""How a training that is asked to end does so: after the step it is at, or the call, with a checkpoint."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline import stopping
from pipeline.stopping import Request

EXIT_CODE = os.EX_TEMPFAIL  # 75: the same command again goes on


class Interrupted(Exception):  # noqa: N818 -- it is no error
    """A training was asked to end and did, with a checkpoint; the command line exits with `EXIT_CODE`.

    Args:
        step: the last one; 0: before the first; None: it was no training, or it was not in its steps.
    """

    def __init__(self, step: int | None = None) -> None:
        super().__init__(step)
        self.step = step

    def __str__(self) -> str:
        return f"stopped {self.when}; run the same command to go on"

    @property
    def when(self) -> str:
        """After what, for people."""
        if not self.step:
            return "as asked" if self.step is None else "before the first step as asked"
        return f"after step {self.step:,} as asked, with a checkpoint"


@contextmanager
def listening() -> Iterator[Request]:
    """Hears of requests for as long as the block runs: of the one that the work is to heed, or else of SIGTERM.

    Only a process' main thread may listen to signals; in another one nothing changes.
    """
    if given := stopping.current.get():
        with given.listened_to():
            yield given
        return
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        request.is_made = True  # and no more: the lock may be held by what the signal interrupted

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, before)
