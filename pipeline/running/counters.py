"""What the functions inside a Beam job count, for the job's sums and for the line that people watch."""

from collections.abc import Callable
from typing import Any

from apache_beam.metrics.metric import Metrics

NAMESPACE = "nightshift"
SHOWN = frozenset({"pairs", "written"})  # what the progress line follows

_counters: dict[str, Any] = {}
_listeners: list[Callable[[str, int], None]] = []


def count(name: str, number: int) -> None:
    """Counts something that a function of a Beam job did; cheap enough for every block of pairs, not for every pair.

        count("pairs", 4096)
        count("rejected.too_long", 12)

    "pairs" moves the progress line, against the `pairs` given to `open_pipeline`. A job that goes over the same pairs
    once more after its shuffle counts "written" there, and the line begins anew.
    """
    if name not in _counters:
        _counters[name] = Metrics.counter(NAMESPACE, name)
    _counters[name].inc(number)
    if name in SHOWN:
        announce(name, number)


def announce(name: str, number: int) -> None:
    """Tells the listeners of something that is shown, counted here or in a worker process."""
    for listener in _listeners:
        listener(name, number)


def listen(listener: Callable[[str, int], None]) -> None:
    """From now on the listener hears of everything that is shown and counted in this process."""
    _listeners.append(listener)


def stop_listening(listener: Callable[[str, int], None]) -> None:
    """The listener hears no more."""
    _listeners.remove(listener)


def sums(metrics: Any) -> dict[str, int]:
    """Our counters in a finished or running job's metrics, summed over its steps, by name.

    A runner that knows nothing of an attempt's success gives no committed value; then the attempted one is taken.
    """
    found: dict[str, int] = {}
    for counter in metrics.query()["counters"]:
        name = counter.key.metric
        if name.namespace == NAMESPACE:
            value = counter.attempted if counter.committed is None else counter.committed
            found[name.name] = found.get(name.name, 0) + value
    return dict(sorted(found.items()))
