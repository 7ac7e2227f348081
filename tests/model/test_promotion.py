"""A model becomes champion only if it is better on the same sentences by the same metric, however many try at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from model.promotion import ATTEMPTS, Decision, RegisterConfig, deciding_set, judge, nominate, promote
from model.registry import Registry
from model.versions import Version
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


def scored(bleu: float, meanwhile: Callable[[], object] = lambda: None) -> Callable[[Version], dict[str, Any]]:
    """Scores every model with that BLEU on the data `d2`, after something else happened."""

    def score_again(_: Version) -> dict[str, Any]:
        meanwhile()
        return {"bleu": bleu, "bleu_signature": SIGNATURE, "data_digest": "d2"}

    return score_again


def never(_: Version) -> dict[str, Any]:
    raise AssertionError("scores of the same sentences and metric need no second measurement")


@pytest.mark.parametrize(
    ("config", "ours", "theirs", "decision"),
    [
        ({}, 0.0, None, Decision(True, "BLEU 0.00 on these, and there was no champion")),
        ({"min_bleu": 20}, 20.0, None, Decision(True, "BLEU 20.00 on these, and there was no champion")),
        (
            {"min_bleu": 20},
            19.99,
            None,
            Decision(False, "BLEU 19.99 on these is below the floor of 20 (promotion.min_bleu)"),
        ),
        (
            {"min_bleu": 20},
            15.0,
            10.0,
            Decision(False, "BLEU 15.00 on these is below the floor of 20 (promotion.min_bleu)"),
        ),
        ({}, 97.1, 96.4, Decision(True, "BLEU 97.10 against 96.40 of version 2 on these")),
        ({}, 96.4, 96.4, Decision(False, "BLEU 96.40 against 96.40 of version 2 on these, which is not better")),
        ({}, 96.3, 96.4, Decision(False, "BLEU 96.30 against 96.40 of version 2 on these, which is not better")),
        ({"min_gain": 0.5}, 96.75, 96.0, Decision(True, "BLEU 96.75 against 96.00 of version 2 on these")),
        (
            {"min_gain": 0.5},
            96.5,
            96.0,
            Decision(
                False,
                "BLEU 96.50 against 96.00 of version 2 on these, "
                "which is not ahead by more than 0.5 (promotion.min_gain)",
            ),
        ),
        (
            {},
            float("nan"),
            None,
            Decision(False, "BLEU nan on these is below the floor of 0 (promotion.min_bleu)"),
        ),
    ],
)
def test_promotion_is_earned(config: dict[str, float], ours: float, theirs: float | None, decision: Decision) -> None:
    signed = {"bleu_signature": SIGNATURE, "data_digest": "d1"}
    champion = None if theirs is None else {"bleu": theirs, **signed}

    assert judge(RegisterConfig(**config), {"bleu": ours, **signed}, champion, 2, "these") == decision


@pytest.mark.parametrize("theirs", [{"bleu_signature": "tok:char"}, {"data_digest": "d2"}])
def test_scores_of_other_data_or_metrics_are_never_compared(theirs: dict[str, str]) -> None:
    ours = {"bleu": 97.1, "bleu_signature": SIGNATURE, "data_digest": "d1"}

    with pytest.raises(ValueError, match="are not compared"):
        judge(RegisterConfig(), ours, {**ours, **theirs}, 2)


def test_the_test_set_decides_and_without_one_the_dev_set() -> None:
    assert deciding_set({"dev": {}, "test": {}}) == "test"
    assert deciding_set({"dev": {}}) == "dev"
    with pytest.raises(InputError, match="evaluation = no scores: expected scores of a test or a dev set"):
        deciding_set({})


@pytest.mark.parametrize("wrong", [{"min_bleu": -1}, {"min_bleu": 101}, {"min_gain": float("nan")}, {"min_blue": 1}])
def test_rules_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RegisterConfig(**wrong)


# --- the race for the alias


def test_a_champion_that_changed_meanwhile_is_compared_with_in_turn(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"), "weather")
    promote(registry, add(registry, tmp_path, 97.1), RegisterConfig(), never)
    late, better = add(registry, tmp_path, 97.5, "d2"), add(registry, tmp_path, 98.0, "d2")

    def promote_the_better() -> None:
        assert promote(registry, better, RegisterConfig(), scored(90.0)).is_promoted

    decision = promote(registry, late, RegisterConfig(), scored(90.0, promote_the_better))

    assert registry.alias("champion") == better.number
    assert decision == Decision(
        False, "BLEU 97.50 against 98.00 of version 3 on the same 1,000 test sentences, which is not better"
    )


def test_a_champion_that_never_stops_changing_is_told(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"), "weather")
    for bleu in (97.1, 97.2):
        promote(registry, add(registry, tmp_path, bleu), RegisterConfig(), never)

    def move_the_alias() -> None:
        champion = registry.alias("champion")
        registry.move_alias("champion", 1 if champion == 2 else 2, expected=champion, why="restless")

    with pytest.raises(Conflict, match=f"champion of weather was moved by others each of the {ATTEMPTS} times"):
        promote(registry, add(registry, tmp_path, 97.5, "d2"), RegisterConfig(), scored(90.0, move_the_alias))

    assert [move.version for move in registry.history("champion")] == [1, 2] + [1, 2] * (ATTEMPTS // 2)


@pytest.mark.usefixtures("slow_renames")
def test_of_racing_nights_the_best_model_ends_as_champion(location: str, tmp_path: Path) -> None:
    registry = Registry(location, "weather")
    versions = [add(registry, tmp_path, bleu) for bleu in (97.1, 95.0, 98.3, 96.2, 94.0, 97.9)]
    together = Barrier(len(versions))

    def race(version: Version) -> Decision:
        own = Registry(location, "weather")
        together.wait(timeout=60)
        nominate(own, version)
        return promote(own, version, RegisterConfig(), never)

    with ThreadPoolExecutor(len(versions)) as pool:
        decisions = list(pool.map(race, versions))

    champions = [registry.get(move.version).metrics["test"]["bleu"] for move in registry.history("champion")]
    assert champions[-1] == 98.3
    assert champions == sorted(champions)
    assert sum(decision.is_promoted for decision in decisions) == len(champions)
    nominated = [move.version for move in registry.history("candidate")]
    assert nominated == sorted(nominated)  # no version goes back to an older one
    assert nominated[-1] == 6


def test_promoting_or_nominating_twice_moves_nothing(tmp_path: Path) -> None:
    registry = Registry(str(tmp_path / "registry"), "weather")
    version = add(registry, tmp_path, 97.1)

    for _ in range(2):
        nominate(registry, version)
        decision = promote(registry, version, RegisterConfig(), never)
        assert decision == Decision(True, "BLEU 97.10 on 1,000 test sentences, and there was no champion")

    assert len(registry.history("champion")) == len(registry.history("candidate")) == 1
