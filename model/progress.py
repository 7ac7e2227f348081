"""What a person sees while a model trains."""

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.progress import ProgressLine

if TYPE_CHECKING:
    from model.trainer import Step

SMOOTHING = 0.98  # of the loss that is shown: the mean over about fifty steps


class TrainingProgress(ProgressLine):
    """Shows step, loss, tokens per second and time left; use it in a `with` statement.

    Args:
        steps: the last step.
        done: steps that an earlier run has done.
        console: where the bar goes if it is a terminal; stderr if None.
    """

    def __init__(self, steps: int, done: int = 0, console: Console | None = None) -> None:
        super().__init__("train", steps, done, console)
        self.tokens = 0
        self.has_begun = False
        self.smoothed: float | None = None

    def update(self, step: int, taken: "Sequence[Step]") -> None:
        """Some steps are done, up to one; of those whose loss is no number nothing more is known."""
        self.done = step
        learned = [each for each in taken if isfinite(each.loss)]
        for each in learned:
            before = each.loss if self.smoothed is None else self.smoothed
            self.smoothed = SMOOTHING * before + (1 - SMOOTHING) * each.loss
        if self.has_begun:
            self.tokens += sum(each.tokens for each in learned)
        elif learned:  # the first call also builds what it calls, which takes as long as many others
            self.has_begun = True
            self.count_from(step)
        self.show()

    @property
    def tokens_per_second(self) -> float:
        """Target tokens learned from in a second since the first call of this run, evaluation included."""
        return self.tokens / self.seconds

    def line(self) -> str:
        """The figures.

        >>> TrainingProgress(steps=1000).line()
        'step 0/1,000'
        """
        figures = f"step {self.done:,}/{self.total:,}"
        if self.smoothed is None:
            return figures
        figures += f"  loss {self.smoothed:.3f}"
        return f"{figures}  {self.tokens_per_second:,.0f} tokens/s" if self.tokens else figures
