"""However many try at once, the best model ends as champion; and the way back from there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from model.decision import Decision
from model.deletion import delete
from model.promotion import RegisterConfig, Rival
from model.race import ATTEMPTS, line_of, nominate, promote, roll_back
from model.registry import Registry
from model.versions import Move, Version
from pipeline.errors import InputError
from pipeline.storage import Conflict

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"


def add(registry: Registry, tmp_path: Path, bleu: float, digest: str = "d1") -> Version:
    """Registers a model with that BLEU on those data."""
    graph = tmp_path / f"graph-{bleu}"
    graph.write_text(str(bleu))
    scores = {"bleu": bleu, "bleu_signature": SIGNATURE, "sentences": 1000, "data_digest": digest}
    return registry.add(
        {"export/saved_model.pb": graph},
        fingerprint=f"f{bleu}",
        metrics={"test": scores},
        lineage={},
        configs={},
        versions={},
    )


def stored(champion: Version) -> Rival:
    """A champion whose stored scores can be compared."""
    return Rival(champion.number, champion.metrics)


def scored(bleu: float, meanwhile: Callable[[], object] = lambda: None) -> Callable[[Version], Rival]:
    """Scores every model with that BLEU on the data `d2`, after something else happened."""

    def meet(champion: Version) -> Rival:
        meanwhile()
        scores = {"bleu": bleu, "bleu_signature": SIGNATURE, "data_digest": "d2"}
        return Rival(champion.number, {"test": scores}, was_scored_again=True)

    return meet


def test_a_champion_that_changed_meanwhile_is_compared_with_in_turn(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"), "weather")
    promote(registry, add(registry, tmp_path, 97.1), RegisterConfig(), stored)
    late, better = add(registry, tmp_path, 97.5, "d2"), add(registry, tmp_path, 98.0, "d2")
    raced = []

    def meet(champion: Version) -> Rival:
        if raced:
            return stored(champion)
        raced.append(promote(registry, better, RegisterConfig(), scored(90.0)))
        return scored(90.0)(champion)

    decision = promote(registry, late, RegisterConfig(), meet)

    assert [one.is_promoted for one in raced] == [True]
    assert registry.alias("champion") == better.number
    assert decision.champion == 3
    assert decision.reason == (
        "BLEU 97.50 against 98.00 of version 3 on the same 1,000 test sentences, which is not better"
    )


def test_a_champion_that_never_stops_changing_is_told(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"), "weather")
    for bleu in (97.1, 97.2):
        promote(registry, add(registry, tmp_path, bleu), RegisterConfig(), stored)

    def move_the_alias() -> None:
        champion = registry.alias("champion")
        registry.move_alias("champion", 1 if champion == 2 else 2, expected=champion, why="restless")

    with pytest.raises(Conflict, match=f"champion of weather was moved by others each of the {ATTEMPTS} times"):
        promote(registry, add(registry, tmp_path, 97.5, "d2"), RegisterConfig(), scored(90.0, move_the_alias))

    assert [move.version for move in registry.history("champion")] == [1, 2] + [1, 2] * (ATTEMPTS // 2)


def test_a_champion_that_is_replaced_and_deleted_meanwhile_is_not_missed(location: str, tmp_path: Path) -> None:
    registry = Registry(location, "weather")
    for bleu in (96.0, 97.0):
        promote(registry, add(registry, tmp_path, bleu), RegisterConfig(), stored)
    candidate = add(registry, tmp_path, 98.0)

    def meet(champion: Version) -> Rival:
        if champion.number == 2:
            roll_back(registry, "it stutters")
            delete(registry, 2, why="it stutters")
            registry.get(2)
        return stored(champion)

    decision = promote(registry, candidate, RegisterConfig(), meet)

    assert (decision.is_promoted, decision.champion) == (True, 1)
    assert [move.version for move in registry.history("champion")] == [1, 2, 1, 3]


def test_a_champion_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"), "weather")
    promote(registry, add(registry, tmp_path, 96.0), RegisterConfig(), stored)
    candidate = add(registry, tmp_path, 98.0)
    (tmp_path / "registry/weather/versions/0001/manifest.json").write_text("{}")

    with pytest.raises(InputError, match="0001/manifest.json: expected registry format 1"):
        promote(registry, candidate, RegisterConfig(), stored)


@pytest.mark.usefixtures("slow_renames")
def test_of_racing_nights_the_best_model_ends_as_champion(location: str, tmp_path: Path) -> None:
    registry = Registry(location, "weather")
    versions = [add(registry, tmp_path, bleu) for bleu in (97.1, 95.0, 98.3, 96.2, 94.0, 97.9)]
    together = Barrier(len(versions))

    def race(version: Version) -> Decision:
        own = Registry(location, "weather")
        together.wait(timeout=60)
        nominate(own, version)
        return promote(own, version, RegisterConfig(), stored)

    with ThreadPoolExecutor(len(versions)) as pool:
        decisions = list(pool.map(race, versions))

    champions = [registry.get(move.version).metrics["test"]["bleu"] for move in registry.history("champion")]
    assert champions[-1] == 98.3
    assert champions == sorted(champions)
    assert sum(decision.is_promoted for decision in decisions) == len(champions)
    nominated = [move.version for move in registry.history("candidate")]
    assert nominated == sorted(nominated)  # no version goes back to an older one
    assert nominated[-1] == 6


def test_promoting_or_nominating_twice_moves_nothing_and_gives_the_same_reasons(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"), "weather")
    promote(registry, add(registry, tmp_path, 96.0), RegisterConfig(), stored)
    version = add(registry, tmp_path, 97.1)

    decisions = []
    for _ in range(2):
        nominate(registry, version)
        decisions.append(promote(registry, version, RegisterConfig(), stored))

    assert decisions[0] == decisions[1]
    assert decisions[0].reason == "BLEU 97.10 against 96.00 of version 1 on the same 1,000 test sentences"
    assert len(registry.history("champion")) == 2
    assert len(registry.history("candidate")) == 1


def test_a_version_promoted_by_hand_stays_so_and_keeps_its_reasons(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"), "weather")
    promote(registry, add(registry, tmp_path, 97.1), RegisterConfig(), stored)
    worse = add(registry, tmp_path, 90.0)
    registry.move_alias("champion", 2, expected=1, why="the editors prefer it", how="by hand")

    decision = promote(registry, worse, RegisterConfig(), stored)

    assert (decision.is_promoted, decision.reason) == (True, "the editors prefer it")
    assert [reason.is_met for reason in decision.reasons] == [False]


# --- back


def test_rolling_back_goes_to_the_champion_before_and_then_to_the_one_before_that(
    location: str, tmp_path: Path
) -> None:
    registry = Registry(location, "weather")
    for bleu in (1.0, 2.0, 3.0):
        promote(registry, add(registry, tmp_path, bleu), RegisterConfig(), stored)

    moves = [roll_back(registry, "it stutters", "ada@host") for _ in range(2)]

    assert [(move.previous, move.version, move.how, move.who) for move in moves] == [
        (3, 2, "rollback", "ada@host"),
        (2, 1, "rollback", "ada@host"),
    ]
    assert registry.alias("champion") == 1
    with pytest.raises(InputError, match="champion = 1: expected a version that had a champion before it"):
        roll_back(registry, "again")
    assert len(registry.history("champion")) == 5


def test_there_is_nothing_to_roll_back_from_without_a_champion(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="champion = not set: expected a champion to roll back from"):
        roll_back(Registry(str(tmp_path), "weather"), "why not")


@pytest.mark.parametrize(
    ("moves", "line"),
    [
        ([(1, "decided"), (2, "decided"), (3, "decided")], [1, 2, 3]),
        ([(1, "decided"), (2, "decided"), (1, "rollback")], [1]),
        ([(1, "decided"), (2, "decided"), (3, "decided"), (2, "rollback"), (4, "decided")], [1, 2, 4]),
        ([(1, "decided"), (2, "decided"), (1, "by hand")], [1, 2, 1]),
        ([(1, "decided"), (2, "by hand"), (3, "decided"), (2, "rollback"), (1, "rollback")], [1]),
    ],
)
def test_the_line_of_champions_forgets_what_was_rolled_back(moves: list[tuple[int, str]], line: list[int]) -> None:
    history = [
        Move(id=str(turn), version=version, previous=None, when="", why="", how=how)
        for turn, (version, how) in enumerate(moves)
    ]

    assert line_of(tuple(history)) == line
