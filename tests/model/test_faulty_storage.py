"""A fifth of all storage calls fails, some after they were carried out: nothing is lost, and nothing done twice."""

import gc
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock

import pytest

from model import deletion
from model.registry import Registry
from model.verification import verify
from pipeline import gcs
from pipeline.storage import Conflict

SHARE = 0.2
RESET = -1  # as tests/conftest.py has it
WRITERS = 4
VERSIONS = 6  # of each


class Faults:
    """A fifth of the requests: 429 or 503 without being carried out, 503 after it, or a connection that breaks off."""

    def __init__(self) -> None:
        self.chance = random.Random(1)
        self.lock = Lock()
        self.calls = 0
        self.failed = 0

    def __call__(self, _: str) -> tuple[int, bool] | None:
        with self.lock:
            self.calls += 1
            if self.chance.random() >= SHARE:
                return None
            self.failed += 1
            return self.chance.choice([(429, False), (503, False), (503, True), (RESET, False), (RESET, True)])


# The client lets the connection of a failed download go without closing it; the sweep at the end is for those.
@pytest.mark.filterwarnings("ignore:.*<socket.socket:pytest.PytestUnraisableExceptionWarning")
def test_nothing_is_lost_where_a_fifth_of_all_calls_fails(
    bucket: str,
    faulty: Callable[[Faults], AbstractContextManager[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick = gcs.DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.1)  # the pauses of the service's client are seconds
    monkeypatch.setattr(gcs, "DEFAULT_RETRY", quick)
    (tmp_path / "graph").write_bytes(bytes(range(256)) * 40)
    faults = Faults()

    def work(writer: int) -> list[int]:
        registry = Registry(f"{bucket}/models", "weather")
        numbers = []
        for turn in range(VERSIONS):
            version = registry.add(
                {"export/saved_model.pb": tmp_path / "graph", "evaluation.json": tmp_path / "graph"},
                fingerprint=f"{writer}-{turn}",
                metrics={},
                lineage={},
                configs={},
                versions={},
            )
            numbers.append(version.number)
            promote(registry, version.number)
        return numbers

    with faulty(faults) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        with ThreadPoolExecutor(WRITERS) as pool:
            taken = list(pool.map(work, range(WRITERS)))
        registry = Registry(f"{bucket}/models", "weather")
        versions, history = registry.versions(), registry.history("champion")
        assert all(len(verify(registry, version)) == 2 for version in versions)
        deletion.delete(registry, min(taken[0]), why="old")
        left = [version.number for version in registry.versions()]

    gc.collect()
    everything = list(range(1, WRITERS * VERSIONS + 1))
    assert sorted(number for numbers in taken for number in numbers) == everything
    found = {version.number: version.fingerprint for version in versions}
    written = {
        number: f"{writer}-{turn}" for writer, numbers in enumerate(taken) for turn, number in enumerate(numbers)
    }
    assert found == written
    assert sorted(move.version for move in history) == everything  # each promoted once, none lost
    assert [move.previous for move in history] == [None, *(move.version for move in history[:-1])]
    assert left == [number for number in everything if number != min(taken[0])]
    assert faults.failed > 50
    assert abs(faults.failed / faults.calls - SHARE) < 0.05


def promote(registry: Registry, number: int) -> None:
    """Moves the alias, again as long as others are first."""
    while True:
        try:
            registry.move_alias("champion", number, expected=registry.alias("champion"), why="test")
        except Conflict:
            continue
        return
