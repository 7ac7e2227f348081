"""Aliases move by compare-and-swap and remember where they were: in a folder and in a bucket of a real server."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from model.registry import Registry
from pipeline.errors import InputError
from pipeline.storage import Conflict

RACERS = 32
ROUNDS = 5


def registry_with(versions: int, location: str, tmp_path: Path) -> Registry:
    """A registry with that many versions."""
    registry = Registry(location, "weather")
    (tmp_path / "graph").write_bytes(b"graph")
    for number in range(1, versions + 1):
        registry.add(
            {"export/saved_model.pb": tmp_path / "graph"},
            fingerprint=f"f{number}",
            metrics={},
            lineage={},
            configs={},
            versions={},
        )
    return registry


def test_an_alias_moves_from_what_was_expected_and_remembers(location: str, tmp_path: Path) -> None:
    registry = registry_with(2, location, tmp_path)
    assert (registry.alias("champion"), registry.history("champion"), registry.aliases()) == (None, (), {})

    registry.move_alias("champion", 1, expected=None, why="the first")
    registry.move_alias("champion", 2, expected=1, why="better")
    registry.move_alias("candidate", 2, expected=None, why="new")

    assert registry.aliases() == {"candidate": 2, "champion": 2}
    assert registry.get("champion").number == 2
    moves = [(move.previous, move.version, move.why) for move in registry.history("champion")]
    assert moves == [(None, 1, "the first"), (1, 2, "better")]


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (None, "champion of weather stands for version 2 by now and was not moved to version 1 for the first time"),
        (1, "champion of weather stands for version 2 by now and was not moved from version 1 to 1"),
    ],
)
def test_a_decision_against_an_old_champion_is_refused(tmp_path: Path, expected: int | None, message: str) -> None:
    registry = registry_with(2, str(tmp_path / "registry"), tmp_path)
    registry.move_alias("champion", 2, expected=None, why="the first")

    with pytest.raises(Conflict, match=message):
        registry.move_alias("champion", 1, expected=expected, why="late")

    assert registry.alias("champion") == 2
    assert len(registry.history("champion")) == 1


@pytest.mark.usefixtures("slow_renames")
def test_exactly_one_of_many_racing_promotions_wins_each_time(location: str, tmp_path: Path) -> None:
    registry = registry_with(ROUNDS + 1, location, tmp_path)
    registry.move_alias("champion", 1, expected=None, why="start")
    racers = [Registry(location, "weather") for _ in range(RACERS)]
    together = Barrier(RACERS)

    def race(racer: int) -> list[str]:
        outcomes = []
        for turn in range(ROUNDS):
            together.wait(timeout=60)
            try:
                outcomes.append(
                    racers[racer].move_alias("champion", turn + 2, expected=turn + 1, why=f"racer {racer}").why
                )
            except Conflict:
                outcomes.append("lost")
        return outcomes

    with ThreadPoolExecutor(RACERS) as pool:
        outcomes = list(pool.map(race, range(RACERS)))

    winners = [[why for why in told if why != "lost"] for told in zip(*outcomes, strict=True)]
    assert [len(turn) for turn in winners] == [1] * ROUNDS
    history = registry.history("champion")
    assert [move.version for move in history] == list(range(1, ROUNDS + 2))
    assert [move.why for move in history[1:]] == [winner for [winner] in winners]


RACING_PROCESS = """
import sys
from model.registry import Registry
from pipeline.storage import Conflict

registry = Registry(sys.argv[1], "weather")
print("ready", flush=True)
sys.stdin.readline()
try:
    print(registry.move_alias("champion", 1, expected=None, why=sys.argv[2]).why)
except Conflict as error:
    print(error)
"""


def test_exactly_one_of_many_racing_processes_promotes(location: str, tmp_path: Path) -> None:
    registry = registry_with(1, location, tmp_path)
    command = [sys.executable, "-c", RACING_PROCESS, location]
    racers = [
        subprocess.Popen([*command, f"racer {racer}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for racer in range(8)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = [racer.communicate(timeout=60)[0].strip() for racer in racers]

    [move] = registry.history("champion")
    lost = "champion of weather stands for version 1 by now and was not moved to version 1 for the first time"
    assert sorted(answers) == [lost] * 7 + [move.why]


def test_a_move_whose_answer_got_lost_counts_if_others_went_on_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = str(tmp_path / "registry")
    registry, other = registry_with(2, location, tmp_path), Registry(location, "weather")
    write = registry.storage.write

    def write_and_lose_the_answer(name: str, data: bytes, **condition: Any) -> str:
        write(name, data, **condition)
        other.move_alias("champion", 2, expected=1, why="another one")
        raise Conflict(name)

    monkeypatch.setattr(registry.storage, "write", write_and_lose_the_answer)

    move = registry.move_alias("champion", 1, expected=None, why="ours")

    assert [kept.why for kept in registry.history("champion")] == ["ours", "another one"]
    assert registry.history("champion")[0] == move


@pytest.mark.parametrize("alias", ["", "3", "Champion", "../champion", "champion.json", "a/b"])
def test_an_alias_is_a_word(tmp_path: Path, alias: str) -> None:
    with pytest.raises(InputError, match=r"^alias = "):
        Registry(str(tmp_path), "weather").alias(alias)
