"""What a training concludes from its dev losses: when to halve the step size, when to stop, which weights were best."""

import math
from dataclasses import dataclass, field


@dataclass
class Watch:
    """Counts measurements since the lowest one.

    >>> watch = Watch()
    >>> [watch.sees(loss) for loss in (3.0, 2.5, 2.5, 2.6)]
    [True, True, False, False]
    >>> watch
    Watch(best=2.5, waited=2)

    Args:
        best: the lowest so far, None before the first.
        waited: measurements since then.
    """

    best: float | None = None
    waited: int = 0

    def sees(self, loss: float) -> bool:
        """Takes a measurement; gives whether it is the lowest so far, which one that is not finite never is."""
        if math.isfinite(loss) and (self.best is None or loss < self.best):
            self.best, self.waited = loss, 0
            return True
        self.waited += 1
        return False


@dataclass
class Plateau:
    """Halves the step size each time the dev loss did not fall for some measurements; part of every checkpoint.

    >>> plateau = Plateau()
    >>> for loss in (3.0, 3.0, 3.1, 2.0, 2.0):
    ...     plateau.sees(loss, patience=2)
    >>> plateau.factor
    0.5

    Args:
        factor: of the step size.
        watch: what it has seen.
    """

    factor: float = 1.0
    watch: Watch = field(default_factory=Watch)

    def sees(self, loss: float, patience: int) -> None:
        """Takes a measurement."""
        self.watch.sees(loss)
        if self.watch.waited == patience:
            self.factor /= 2
            self.watch.waited = 0
