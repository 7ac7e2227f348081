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
MOVES = 10  # of one alias, as its history is read at each look


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


@pytest.mark.parametrize(("location", "rounds"), [("folder", 100), ("bucket", 30)], indirect=["location"])
def test_exactly_one_of_many_racing_promotions_wins_each_time(location: str, rounds: int, tmp_path: Path) -> None:
    registry = registry_with(MOVES, location, tmp_path)
    turns = [(f"champion-{turn // MOVES}", turn % MOVES) for turn in range(rounds)]
    racers = [Registry(location, "weather") for _ in range(RACERS)]
    together = Barrier(RACERS)

    def race(racer: int) -> list[str]:
        outcomes = []
        for alias, before in turns:
            together.wait(timeout=60)
            try:
                move = racers[racer].move_alias(alias, before + 1, expected=before or None, why=f"racer {racer}")
                outcomes.append(move.why)
            except Conflict as lost:
                outcomes.append(f"lost: {lost}")
        return outcomes

    with ThreadPoolExecutor(RACERS) as pool:
        outcomes = list(pool.map(race, range(RACERS)))

    for (alias, before), told in zip(turns, zip(*outcomes, strict=True), strict=True):
        [winner] = [why for why in told if not why.startswith("lost: ")]
        stands = f"lost: {alias} of weather stands for version {before + 1} by now and was not moved"
        assert sum(why.startswith(stands) for why in told) == RACERS - 1
        assert registry.history(alias)[before].why == winner
    for alias in {alias for alias, _ in turns}:
        assert [move.version for move in registry.history(alias)] == list(range(1, MOVES + 1))


@pytest.mark.usefixtures("slow_renames")
def test_exactly_one_wins_where_looking_and_renaming_are_far_apart(tmp_path: Path) -> None:
    registry = registry_with(1, str(tmp_path / "registry"), tmp_path)
    together = Barrier(RACERS)

    def race(racer: int) -> bool:
        together.wait(timeout=60)
        try:
            registry.move_alias("champion", 1, expected=None, why=f"racer {racer}")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(RACERS) as pool:
        assert sum(pool.map(race, range(RACERS))) == 1


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


def test_an_alias_of_a_newer_format_is_refused_and_a_damaged_one_named(location: str, tmp_path: Path) -> None:
    registry = registry_with(1, location, tmp_path)
    registry.move_alias("champion", 1, expected=None, why="the first")
    name = "weather/aliases/champion.json"
    stored = registry.storage.read(name)
    assert stored is not None

    registry.storage.write(name, stored.data.replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(InputError, match=f"{name}: expected registry format 1, not 2 .written by a newer nightshift"):
        registry.alias("champion")
    registry.storage.write(name, stored.data.replace(b"the first", b"the fjrst"))
    with pytest.raises(InputError, match=f"{name}: expected the alias with its checksum .damaged after it was written"):
        registry.move_alias("champion", 1, expected=None, why="again")


def test_a_file_that_is_no_alias_is_left_alone_and_a_copy_of_another_refused(location: str, tmp_path: Path) -> None:
    registry = registry_with(1, location, tmp_path)
    registry.move_alias("champion", 1, expected=None, why="the first")
    stored = registry.storage.read("weather/aliases/champion.json")
    assert stored is not None
    for name in ("Notes.json", "champion.json.bak", "1.json"):
        registry.storage.write(f"weather/aliases/{name}", stored.data)
    assert registry.aliases() == {"champion": 1}

    registry.storage.write("weather/aliases/staging.json", stored.data)
    with pytest.raises(InputError, match=r"staging.json: expected the alias staging \(it is the alias champion\)"):
        registry.alias("staging")
