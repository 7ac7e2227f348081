"""A model becomes champion only if it is better on the same sentences by the same metric, and keeps to all rules."""

import math
from typing import Any

import pytest

from model.bootstrap import Interval, Significance
from model.promotion import RegisterConfig, Rival, check_rules, deciding_set, judge, needed
from pipeline.errors import InputError

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"


def scores(bleu: float, digest: str = "d1", **more: Any) -> dict[str, Any]:
    """Scores of one set."""
    return {"bleu": bleu, "bleu_signature": SIGNATURE, "sentences": 1000, "data_digest": digest, **more}


def chance(p: float) -> Significance:
    """What the bootstrap found."""
    return Significance(p, 1000, Interval(97.1, 0.4), Interval(96.4, 0.5), "nrefs:1|bs:1000")


@pytest.mark.parametrize(
    ("config", "ours", "theirs", "is_promoted", "reason"),
    [
        ({}, 0.0, None, True, "BLEU 0.00 on 1,000 test sentences, and there was no champion"),
        ({"min_bleu": 20}, 20.0, None, True, "BLEU 20.00 on 1,000 test sentences, and there was no champion"),
        (
            {"min_bleu": 20},
            19.99,
            None,
            False,
            "BLEU 19.99 on 1,000 test sentences is below the floor of 20 (promotion.min_bleu)",
        ),
        (
            {"min_bleu": 20},
            15.0,
            10.0,
            False,
            "BLEU 15.00 on 1,000 test sentences is below the floor of 20 (promotion.min_bleu)",
        ),
        ({}, 97.1, 96.4, True, "BLEU 97.10 against 96.40 of version 2 on the same 1,000 test sentences"),
        (
            {},
            96.4,
            96.4,
            False,
            "BLEU 96.40 against 96.40 of version 2 on the same 1,000 test sentences, which is not better",
        ),
        (
            {},
            96.3,
            96.4,
            False,
            "BLEU 96.30 against 96.40 of version 2 on the same 1,000 test sentences, which is not better",
        ),
        (
            {"min_gain": 0.5},
            96.75,
            96.0,
            True,
            "BLEU 96.75 against 96.00 of version 2 on the same 1,000 test sentences",
        ),
        (
            {"min_gain": 0.5},
            96.5,
            96.0,
            False,
            "BLEU 96.50 against 96.00 of version 2 on the same 1,000 test sentences, "
            "which is not ahead by more than 0.5 (promotion.min_gain)",
        ),
        (
            {},
            math.nan,
            None,
            False,
            "BLEU nan on 1,000 test sentences is below the floor of 0 (promotion.min_bleu)",
        ),
    ],
)
def test_promotion_is_earned(
    config: dict[str, float], ours: float, theirs: float | None, is_promoted: bool, reason: str
) -> None:
    rival = None if theirs is None else Rival(2, {"test": scores(theirs)})

    decision = judge(RegisterConfig(**config), {"test": scores(ours)}, rival)

    assert (decision.is_promoted, decision.reason) == (is_promoted, reason)
    assert decision.champion == (None if theirs is None else 2)


@pytest.mark.parametrize(
    ("p", "is_promoted", "ending"),
    [
        (0.05, True, "p 0.050 in 1,000 bootstrap samples"),
        (
            0.051,
            False,
            "p 0.051 in 1,000 bootstrap samples, which is more than 0.05 (promotion.max_p): the gain may be chance",
        ),
    ],
)
def test_a_gain_that_may_be_chance_does_not_count(p: float, is_promoted: bool, ending: str) -> None:
    decision = judge(RegisterConfig(), {"test": scores(97.1)}, Rival(2, {"test": scores(96.4)}, chance(p)))

    assert decision.is_promoted is is_promoted
    before = "BLEU 97.10 against 96.40 of version 2 on the same 1,000 test sentences; " if is_promoted else ""
    assert decision.reason == before + ending
    [gain, significance] = decision.reasons
    assert (gain.rule, gain.ours, gain.theirs, gain.limit, gain.is_met) == ("gain", 97.1, 96.4, 0, True)
    assert gain.signature == SIGNATURE
    assert (significance.rule, significance.ours, significance.samples) == ("significance", p, 1000)


def test_what_is_not_ahead_is_not_asked_for_significance() -> None:
    decision = judge(RegisterConfig(), {"test": scores(96.4)}, Rival(2, {"test": scores(97.1)}, chance(0.001)))

    assert [reason.rule for reason in decision.reasons] == ["gain"]


def test_every_floor_and_every_fall_is_a_reason_of_its_own() -> None:
    config = RegisterConfig(
        max_p=1,
        floors={"test": {"chrf": 60}, "dev": {"ter": 30, "loss": 2}},
        falls={"dev": {"bleu": 0.5}, "news": {"bleu": 1, "ter": 2}},
    )
    ours = {
        "test": scores(97.1, chrf=59.9),
        "dev": scores(95.0, "d2", ter=30.0, loss=2.5),
        "news": scores(20.0, "d3", ter=52.0),
    }
    theirs = {"test": scores(96.4), "dev": scores(95.6, "d2"), "news": scores(21.0, "d3", ter=50.0)}

    decision = judge(config, ours, Rival(2, theirs))

    found = [(one.rule, one.set, one.metric, one.ours, one.theirs, one.limit, one.is_met) for one in decision.reasons]
    assert found == [
        ("floor", "test", "chrf", 59.9, None, 60, False),
        ("floor", "dev", "ter", 30.0, None, 30, True),
        ("floor", "dev", "loss", 2.5, None, 2, False),
        ("gain", "test", "bleu", 97.1, 96.4, 0, True),
        ("fall", "dev", "bleu", 95.0, 95.6, 0.5, False),
        ("fall", "news", "bleu", 20.0, 21.0, 1, True),
        ("fall", "news", "ter", 52.0, 50.0, 2, True),
    ]
    assert decision.reason == (
        "chrF 59.90 on 1,000 test sentences is below the floor of 60 (promotion.floors.test.chrf); "
        "loss 2.50 on 1,000 dev sentences is above the ceiling of 2 (promotion.floors.dev.loss); "
        "BLEU 95.00 against 95.60 of version 2 on 1,000 dev sentences, a fall beyond the 0.5 allowed "
        "(promotion.falls.dev.bleu)"
    )
    assert not decision.is_promoted


def test_without_a_champion_only_floors_count() -> None:
    config = RegisterConfig(floors={"test": {"chrf": 60}}, falls={"test": {"chrf": 0}})

    decision = judge(config, {"test": scores(1.0, chrf=60.0)}, None)

    assert decision.is_promoted
    assert [reason.words for reason in decision.reasons] == [
        "chrF 60.00 on 1,000 test sentences reaches the floor of 60 (promotion.floors.test.chrf)"
    ]


@pytest.mark.parametrize("theirs", [{"bleu_signature": "tok:char"}, {"data_digest": "d2"}])
@pytest.mark.parametrize("rule", ["gain", "fall"])
def test_scores_of_other_data_or_metrics_are_never_compared(theirs: dict[str, str], rule: str) -> None:
    ours = {"test": scores(97.1), "dev": scores(97.1)}
    champion = ours | {("test" if rule == "gain" else "dev"): scores(96.0) | theirs}

    with pytest.raises(ValueError, match="are not compared"):
        judge(RegisterConfig(falls={"dev": {"bleu": 1}}), ours, Rival(2, champion))


def test_the_test_set_decides_and_without_one_the_dev_set() -> None:
    assert deciding_set({"dev": {}, "test": {}}) == "test"
    assert deciding_set({"dev": {}}) == "dev"
    with pytest.raises(InputError, match="evaluation = no scores: expected scores of a test or a dev set"):
        deciding_set({})


def test_what_is_needed_of_a_champion_follows_from_the_rules() -> None:
    ours = {"test": scores(1.0), "dev": scores(1.0)}

    assert needed(RegisterConfig(), ours) == {"test": {"bleu"}}
    assert needed(RegisterConfig(falls={"dev": {"chrf": 1}, "test": {"ter": 1}}), ours) == {
        "dev": {"chrf"},
        "test": {"ter", "bleu"},
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_bleu": -1},
        {"min_bleu": 101},
        {"min_gain": math.nan},
        {"min_blue": 1},
        {"max_p": 0},
        {"max_p": 1.1},
        {"samples": 0},
        {"floors": {"test": {"bleu": math.nan}}},
        {"falls": {"test": {"bleu": -1}}},
    ],
)
def test_rules_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RegisterConfig(**wrong)


def test_rules_that_can_never_be_met_or_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="their number is the most that p can show"):
        RegisterConfig(max_p=0.01, samples=98)
    assert RegisterConfig(max_p=0.01, samples=99).samples == 99
    with pytest.raises(ValueError, match="which depend on each model's vocabulary"):
        RegisterConfig(falls={"test": {"loss": 0.1}})


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"floors": {"news": {"bleu": 1}}}, "promotion.floors = news: expected one of the sets test, dev"),
        ({"falls": {"dev": {"chrf": 1}}}, "promotion.falls.dev = chrf: expected one of the metrics bleu"),
        ({"floors": {"dev": {"sentences": 1}}}, "promotion.floors.dev = sentences: expected one of the metrics bleu"),
    ],
)
def test_rules_about_what_was_not_measured_are_named(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_rules(RegisterConfig(**rules), {"test": scores(1.0), "dev": scores(1.0)})

    assert str(caught.value).startswith(message)
