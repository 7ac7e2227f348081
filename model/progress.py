"""What a person sees while a model trains: a bar on a terminal, a line now and then in a log file."""

import logging
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 10.0
SMOOTHING = 0.98  # of the loss that is shown: the mean over about fifty steps

log = logging.getLogger("nightshift")


class TrainingProgress:
    """Shows step, loss, tokens per second and time left; use it in a `with` statement.

    Args:
        steps: the last step.
        done: steps that an earlier run has done.
        console: where the bar goes if it is a terminal; stderr if None.
    """

    def __init__(self, steps: int, done: int = 0, console: Console | None = None) -> None:
        self.steps = steps
        self.done = done
        self.first = done
        self.tokens = 0
        self.smoothed: float | None = None
        self.started = self.last_line = time.monotonic()
        self.bar = Progress(
            TextColumn("train"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console or Console(file=sys.stderr),
            transient=True,
        )
        self.on_terminal = self.bar.console.is_terminal
        self.task = self.bar.add_task(self.line(), total=steps, completed=done)

    def __enter__(self) -> Self:
        if self.on_terminal:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.on_terminal:
            self.bar.stop()

    def update(self, step: int, loss: float, tokens: int) -> None:
        """A step is done."""
        self.done = step
        self.tokens += tokens
        self.smoothed = loss if self.smoothed is None else SMOOTHING * self.smoothed + (1 - SMOOTHING) * loss
        now = time.monotonic()
        if self.on_terminal:
            self.bar.update(self.task, completed=step, description=self.line())
        elif now - self.last_line >= SECONDS_BETWEEN_LINES:
            self.last_line = now
            log.info("%-16s %s", "train", f"{self.line()}  {self.seconds_left:.0f} s left")

    @property
    def tokens_per_second(self) -> float:
        """Target tokens learned from in a second of this run, evaluation included."""
        return self.tokens / max(1e-9, time.monotonic() - self.started)

    @property
    def seconds_left(self) -> float:
        """How long the remaining steps take at the speed so far."""
        return (time.monotonic() - self.started) * (self.steps - self.done) / max(1, self.done - self.first)

    def line(self) -> str:
        """The figures.

        >>> TrainingProgress(steps=1000).line()
        'step 0/1,000'
        """
        figures = f"step {self.done:,}/{self.steps:,}"
        if self.smoothed is None:
            return figures
        return f"{figures}  loss {self.smoothed:.3f}  {self.tokens_per_second:,.0f} tokens/s"
