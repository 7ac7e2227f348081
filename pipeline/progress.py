"""What a person sees while something counts up: a bar on a terminal, a line now and then in a log file.

Whoever shows it elsewhere too watches the lines that begin and end, with `watched_by`.
"""

import logging
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 5.0
ENOUGH_TO_TELL = 0.01  # share of the work from which on the time left is told

log = logging.getLogger("nightshift")


class ProgressLine(ABC):
    """How far something is; what it says beside that, its kinds decide in `line`. Use it in a `with` statement.

    Args:
        stage: what is shown in front.
        total: how many there will be; None if that is not known.
        done: how many an earlier run has done.
        console: where the bar goes if it is a terminal; stderr if None.
    """

    def __init__(self, stage: str, total: int | None, done: int = 0, console: Console | None = None) -> None:
        self.stage = stage
        self.total = total
        self.done = self.first = done
        self.started = self.last_line = time.monotonic()
        self.bar = Progress(
            TextColumn(stage),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console or Console(file=sys.stderr),
            transient=True,
        )
        self.on_terminal = self.bar.console.is_terminal
        self.task = self.bar.add_task("", total=total, completed=done)

    def __enter__(self) -> Self:
        if self.on_terminal:
            self.bar.update(self.task, description=self.line())
            self.bar.start()
        for watcher in _watchers:
            watcher.begins(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.on_terminal:
            self.bar.stop()
        for watcher in _watchers:
            watcher.ends(self, is_whole=kind is None)

    @abstractmethod
    def line(self) -> str:
        """The figures, without the time left."""

    def told(self) -> str:
        """The figures and the time left."""
        return self.line() + ("" if self.seconds_left is None else f"  {self.seconds_left:.0f} s left")

    def show(self) -> None:
        """Brings the bar up to date, or writes a line if the last one is some seconds old."""
        now = time.monotonic()
        if self.on_terminal:
            self.bar.update(self.task, completed=self.done, description=self.line())
        elif now - self.last_line >= SECONDS_BETWEEN_LINES:
            self.last_line = now
            log.info("%-16s %s", self.stage, self.told())

    def count_from(self, done: int) -> None:
        """Speed and time left are told by what comes after these."""
        self.first = done
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start of what is counted, never quite 0."""
        return max(1e-9, time.monotonic() - self.started)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the speed so far; None where the end is not known, or hardly begun with.

        The first things that are done pay for all that is loaded or compiled, and would promise hours.
        """
        if self.total is None or self.done - self.first < (self.total - self.first) * ENOUGH_TO_TELL:
            return None
        return self.seconds * max(0, self.total - self.done) / max(1, self.done - self.first)


class Watcher(Protocol):
    """Somebody who looks at the lines while they move, from a thread of their own: the work waits for none of it."""

    def begins(self, line: ProgressLine) -> None:
        """From now on there is something to see."""

    def ends(self, line: ProgressLine, *, is_whole: bool) -> None:
        """The line moves no more; what it counted is done, unless it ended by an error."""


_watchers: list[Watcher] = []


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Tells a watcher of every line of this process that begins or ends in the block."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


class JobProgress(ProgressLine):
    """Shows how many are done of how many, how many a second, and the time left.

    A job that goes over the same things more than once names each pass but the first with `begin`. It may be told from
    several threads.

        with JobProgress("ingest", total=22_000) as progress:
            for block in blocks:
                progress.advance(len(block))

    Args:
        stage: what is shown in front.
        total: how many there will be; None if that is not known.
        unit: what is counted, in the plural.
        console: where the bar goes if it is a terminal; stderr if None.
    """

    def __init__(self, stage: str, total: int | None, unit: str = "pairs", console: Console | None = None) -> None:
        super().__init__(stage, total, console=console)
        self.unit = unit
        self.step = ""
        self.lock = threading.Lock()

    def begin(self, step: str) -> None:
        """The next pass: counting starts again from nothing, and the line says what is done now.

        Nothing changes if it has begun: of several threads that come to it, the first begins it.
        """
        with self.lock:
            if step == self.step:
                return
            self.step = step
            self.done = 0
            self.started = time.monotonic()
            self.bar.reset(self.task, total=self.total, description=self.line())

    def advance(self, number: int) -> None:
        """So many more are done."""
        with self.lock:
            self.done += number
            self.show()

    def line(self) -> str:
        """The figures.

        >>> JobProgress("clean", total=4_000_000).line()
        '0/4,000,000 pairs'
        """
        of = "" if self.total is None else f"/{self.total:,}"
        figures = f"{self.step}  " * bool(self.step) + f"{self.done:,}{of} {self.unit}"
        return figures + f"  {self.done / self.seconds:,.0f}/s" * bool(self.done)
