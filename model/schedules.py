"""Step sizes: how the learning rate follows the step."""

import math

from model.config import TrainConfig


def learning_rate(config: TrainConfig, step: int, factor: float = 1.0) -> float:
    """The step size of a step, from 1 to `config.steps`.

    >>> config = TrainConfig(steps=7, warmup_steps=4, learning_rate=0.4)
    >>> [round(learning_rate(config, step), 3) for step in (1, 2, 4, 6, 7)]
    [0.1, 0.2, 0.4, 0.2, 0.059]

    The cosine is the one of Loshchilov & Hutter (2017) without restarts; it would reach zero at the step after the
    last, so that no step is taken in vain. The inverse square root is the one of Vaswani
    et al. (2017). `plateau` stays at its highest but for the factor, which follows the dev loss.

    Args:
        config: the schedule with its numbers.
        step: from 1 on.
        factor: what `model.early_stopping.Plateau` has come to.
    """
    peak, warmup = config.learning_rate * factor, max(1, config.warmup_steps)
    if step < warmup:
        return peak * step / warmup
    if config.schedule == "cosine":
        done = (step - warmup) / (config.steps + 1 - warmup)
        return peak * (1 + math.cos(math.pi * done)) / 2
    if config.schedule == "inverse_sqrt":
        return peak * math.sqrt(warmup / step)
    return peak
