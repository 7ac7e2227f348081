"""What a training writes down as it goes."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from model.config import TrainConfig
from model.early_stopping import Plateau, Watch

History = list[dict[str, Any]]


@dataclass
class Notes:
    """The history, and all numbers that the next step depends on beside arrays; part of every checkpoint.

    Args:
        history: one row a measurement.
        tokens: target tokens learned from since the beginning.
        seconds: time spent up to the last checkpoint, over all runs.
        recent_loss: sum of the losses since the last row.
        recent_tokens: target tokens since the last row.
        skipped: updates that were skipped since the beginning, the loss or the gradient not being finite.
        skipped_in_row: how many of them were the last ones.
        dev: the lowest dev loss, and how long ago that was.
        plateau: what the schedule `plateau` has seen and done.
        window_loss: sum of the losses since the last look at whether it learns at all.
        window_tokens: target tokens since then.
    """

    history: History = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0
    recent_loss: float = 0.0
    recent_tokens: int = 0
    skipped: int = 0
    skipped_in_row: int = 0
    dev: Watch = field(default_factory=Watch)
    plateau: Plateau = field(default_factory=Plateau)
    window_loss: float = 0.0
    window_tokens: int = 0

    @classmethod
    def parse(cls, notes: dict[str, Any]) -> Self:
        """What `as_json` gave."""
        plateau = notes["plateau"]
        return cls(
            **notes
            | {
                "dev": Watch(**notes["dev"]),
                "plateau": Plateau(plateau["factor"], Watch(**plateau["watch"])),
            }
        )

    def as_json(self) -> dict[str, Any]:
        """The notes as JSON values."""
        return asdict(self)

    def add(self, loss: float, tokens: int, *, is_expected: bool = False) -> None:
        """A step was taken, or skipped where the loss is no number; float16 expects that while it lowers its scale."""
        if not math.isfinite(loss):
            self.skipped += 1
            self.skipped_in_row += not is_expected
            return
        self.skipped_in_row = 0
        self.tokens += tokens
        self.recent_loss += loss * tokens
        self.recent_tokens += tokens
        self.window_loss += loss * tokens
        self.window_tokens += tokens

    def close_window(self) -> float | None:
        """The loss per token since the last time this was asked; None where all steps were skipped."""
        loss = self.window_loss / self.window_tokens if self.window_tokens else None
        self.window_loss, self.window_tokens = 0.0, 0
        return loss

    def measure(self, step: int, rate: float, dev_loss: float | None, seconds: float) -> None:
        """Closes a row of the history; `seconds` have passed since the last checkpoint."""
        self.history.append(
            {
                "step": step,
                "tokens": self.tokens,
                "seconds": round(self.seconds + seconds, 1),
                "learning_rate": rate,
                "loss": self.recent_loss / self.recent_tokens if self.recent_tokens else None,
                "dev_loss": dev_loss,
            }
        )
        self.recent_loss, self.recent_tokens = 0.0, 0

    def conclude(self, config: TrainConfig, dev_loss: float | None) -> bool:
        """Draws the conclusions of a measurement; gives whether the weights are to be kept as the best so far."""
        if dev_loss is None:
            return False
        if config.schedule == "plateau":
            self.plateau.sees(dev_loss, config.plateau_patience)
        return config.patience > 0 and self.dev.sees(dev_loss)

    def is_over(self, config: TrainConfig) -> bool:
        """Whether the dev loss has not fallen for as long as was asked for."""
        return 0 < config.patience <= self.dev.waited
