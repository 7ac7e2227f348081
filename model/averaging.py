"""Which weights are measured and exported: the last ones, an average of several, or the best so far."""

from typing import Any

import numpy as np

from model.checkpoints import Arrays
from model.config import TrainConfig
from model.trainer import Trainer


class Candidates:
    """The weights a training keeps beside those it learns with; part of every checkpoint.

    Args:
        config: what is averaged, and whether the best are kept.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.recent: list[Arrays] = []  # of the last checkpoints, the oldest first
        self.best: Arrays = {}

    def add(self, trainer: Trainer) -> None:
        """A checkpoint is due, and its weights take part in the average."""
        if self.config.average_checkpoints > 1:
            self.recent = [*self.recent, trainer.model_weights()][-self.config.average_checkpoints :]

    def current(self, trainer: Trainer) -> Arrays:
        """The weights to measure now."""
        parts = {"weight": trainer.model_weights(), "average": trainer.moving_average()}
        named = {f"{part}/{path}": values for part, found in parts.items() for path, values in found.items()}
        return chosen(named | self.state_of_recent())

    def state_of_recent(self) -> Arrays:
        """The recent weights by name."""
        return {
            f"recent/{place}/{path}": values for place, one in enumerate(self.recent) for path, values in one.items()
        }

    def state(self) -> Arrays:
        """All of them by name."""
        return self.state_of_recent() | {f"best/{path}": values for path, values in self.best.items()}

    def restore(self, state: Arrays) -> None:
        """Takes them out of a checkpoint's state."""
        self.recent, self.best = recent_of(state), part_of(state, "best")


def exported(state: Arrays) -> Arrays:
    """The weights to export, from the state of the last checkpoint: the best where they were kept."""
    return part_of(state, "best") or chosen(state)


def chosen(state: Arrays) -> Arrays:
    """The weights that a state stands for: an average where it holds one, the plain ones otherwise."""
    if average := part_of(state, "average"):
        return average
    if recent := recent_of(state):
        return {path: mean([one[path] for one in recent]) for path in recent[0]}
    return part_of(state, "weight")


def recent_of(state: Arrays) -> list[Arrays]:
    """The weights of the last checkpoints, the oldest first."""
    places = {int(name.split("/")[1]) for name in state if name.startswith("recent/")}
    return [part_of(state, f"recent/{place}") for place in sorted(places)]


def part_of(state: Arrays, part: str) -> Arrays:
    """The arrays whose names begin with a word, by the rest of their names."""
    return {name.removeprefix(f"{part}/"): values for name, values in state.items() if name.startswith(f"{part}/")}


def mean(values: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """The mean of arrays, worked out in twice their precision."""
    middle = np.mean(np.stack(values), axis=0, dtype=np.float64)
    return middle.astype(values[0].dtype)
