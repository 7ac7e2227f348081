"""Step sizes: how the learning rate follows the step."""

import math

from model.config import TrainConfig


def learning_rate(config: TrainConfig, step: int) -> float:
    """The step size of a step, the first being 1.

    >>> [learning_rate(TrainConfig(steps=8, warmup_steps=4, learning_rate=0.4), step) for step in (1, 2, 4, 6, 8)]
    [0.1, 0.2, 0.4, 0.2, 0.0]

    The cosine is the one of Loshchilov & Hutter (2017) without restarts, the inverse square root is the one of Vaswani
    et al. (2017).
    """
    peak, warmup = config.learning_rate, config.warmup_steps
    if step < warmup:
        return peak * step / warmup
    if config.schedule == "cosine":
        done = (step - warmup) / max(1, config.steps - warmup)
        return peak * (1 + math.cos(math.pi * min(1.0, done))) / 2
    if config.schedule == "inverse_sqrt":
        return peak * math.sqrt(max(1, warmup) / step)
    return peak
