"""When a training learns nothing and ends: its loss is no number, or far above that of guessing."""

import math
from typing import TYPE_CHECKING, Final

from model.config import TrainConfig
from pipeline.errors import InputError

if TYPE_CHECKING:
    from model.notes import Notes

WINDOW: Final = 100  # steps over which the loss is averaged
HOPELESS: Final = 2.0  # times the loss of guessing among all tokens of the vocabulary; a new network begins at 1


def check_learning(config: TrainConfig, notes: "Notes", step: int, vocabulary: int) -> None:
    """Raises `InputError` where too many steps were skipped, or where the loss was hopeless over a window of steps.

    A step size that is far too large seldom ends in what is no number: the gradient is clipped and Adam divides by its
    size, so the weights stay finite, and the loss with them, ever so high.

    Args:
        config: what is trained.
        notes: with the last step.
        step: its number.
        vocabulary: tokens of the targets.
    """
    allowed = "one that keeps the loss finite"
    advice = "a lower value or a lower train.clip_norm helps"
    if notes.skipped_in_row == config.max_skips:
        cause = f"the loss or its gradient was not finite in {config.max_skips} steps up to step {step}; {advice}"
        raise InputError("train.learning_rate", config.learning_rate, allowed, cause)
    if step % WINDOW:
        return
    loss, guessing = notes.close_window(), math.log(vocabulary)
    if loss is not None and loss > HOPELESS * guessing:
        cause = f"it was {loss:.1f} over the last {WINDOW} steps up to step {step}, and guessing has {guessing:.1f}"
        raise InputError(
            "train.learning_rate", config.learning_rate, "one that lowers the loss", f"{cause}; a lower value helps"
        )
