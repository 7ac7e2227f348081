"""The stage: what it stores, what it decides, and what it refuses before anything is stored."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.code_version import code_version
from model.promotion import RegisterConfig
from model.registry import Registry
from model.verdicts import latest
from pipeline.errors import InputError
from pipeline.manifest import Manifest, input_record

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
MakeNight = Callable[..., Any]


def registry_of(one: Any) -> Registry:
    """Where a night registers."""
    return Registry(one.registry, "weather")


def test_the_first_model_becomes_version_1_candidate_and_champion(
    night: MakeNight, never: Callable[..., Any], tmp_path: Path
) -> None:
    first = night(97.1)

    result = first.register(score=never)

    registry = Registry(first.registry, "weather")
    version = registry.get("champion")
    assert result.facts == {
        "version": 1,
        "registered": version.fingerprint,
        "promoted": True,
        "reason": "BLEU 97.10 on 1,000 test sentences, and there was no champion",
        "reasons": [],
        "verdict": 1,
        "champion": 1,
    }
    assert registry.aliases() == {"candidate": 1, "champion": 1}
    assert [file.path for file in version.files] == [
        "evaluation.json",
        "export/saved_model.pb",
        "export/variables/variables.index",
        "history.json",
        "hypotheses/test.parquet",
        "model_card.md",
        "stages/evaluation.json",
        "stages/model.json",
        "stages/pairs.json",
        "vocabulary.model",
    ]
    assert list(version.metrics) == ["test"]
    all_made = (first.corpus, first.pairs, first.model, first.evaluation)
    assert version.lineage == {made.kind: input_record(made) for made in all_made}
    assert version.configs["train"] == {"seed": 1}
    assert registry.fetch(version, tmp_path / "cache").joinpath("export/saved_model.pb").read_bytes() == b"graph 1"


def test_a_version_says_what_it_was_made_from(night: MakeNight, tmp_path: Path) -> None:
    first = night(97.1)
    first.register()
    night(97.5, seed=2).register()

    registry = registry_of(first)
    old, version = registry.get(1), registry.get(2)
    [source] = version.sources
    assert source.model_dump() == {
        "split": "train",
        "origin": "web",
        "location": "https://example.org/a.tsv",
        "digest": "a" * 64,
        "pairs": 1000,
        "licence": "CC0-1.0",
    }
    assert (old.parent, version.parent) == (None, 1)
    assert version.code == code_version() == old.code
    assert "secret" not in "".join(
        path.read_text(errors="replace") for path in Path(first.registry).rglob("*") if path.is_file()
    )
    card = registry.fetch(version, tmp_path) / "model_card.md"
    signature = SIGNATURE.replace("|", "\\|")
    for line in (
        "# weather",
        "| train | https://example.org/a.tsv | 1,000 | CC0-1.0 | aaaaaaaaaaaa |",
        f"| test | BLEU | 97.50 | {signature} |",
        f"| model | {version.lineage['model'].digest} |",
    ):
        assert f"\n{line}\n" in f"\n{card.read_text()}"


def test_a_gain_has_to_be_more_than_chance(night: MakeNight) -> None:
    night(97.1).register(RegisterConfig())
    second = night(97.5, seed=2)

    result = second.register(RegisterConfig())

    [gain, significance] = result.facts["reasons"]
    assert (gain["rule"], gain["is_met"]) == ("gain", True)
    assert (significance["rule"], significance["is_met"], significance["samples"]) == ("significance", False, 1000)
    p = significance["ours"]
    assert 0.05 < p <= 1
    assert result.facts["promoted"] is False
    assert result.facts["reason"] == (
        f"p {p:.3f} in 1,000 bootstrap samples, which is more than 0.05 (promotion.max_p): the gain may be chance"
    )
    registry = registry_of(second)
    verdict = latest(registry, registry.get(2))
    assert verdict is not None
    assert verdict.decision.model_dump(mode="json")["reasons"] == result.facts["reasons"]
    assert (verdict.who, verdict.decision.champion, verdict.version) == ("ada@host", 1, registry.get(2).digest)
    assert [move.who for move in registry.history("champion") + registry.history("candidate")] == ["ada@host"] * 3


def test_a_rule_about_a_set_that_was_not_scored_is_refused_before_anything_is_stored(
    night: MakeNight, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"promotion.falls = news: expected one of the sets test"):
        night(97.1).register(RegisterConfig(falls={"news": {"bleu": 1}}))

    assert not (tmp_path / "registry").exists()


@pytest.mark.parametrize(
    ("bleu", "champion", "reason"),
    [
        (97.5, 2, "BLEU 97.50 against 97.10 of version 1 on the same 1,000 test sentences"),
        (97.1, 1, "BLEU 97.10 against 97.10 of version 1 on the same 1,000 test sentences, which is not better"),
    ],
)
def test_a_second_model_has_to_be_better(
    night: MakeNight, never: Callable[..., Any], tmp_path: Path, bleu: float, champion: int, reason: str
) -> None:
    night(97.1).register()

    result = night(bleu, seed=2).register(score=never)

    told = [result.facts[name] for name in ("version", "promoted", "reason", "champion")]
    assert told == [2, champion == 2, reason, champion]
    assert Registry(str(tmp_path / "registry"), "weather").aliases() == {"candidate": 2, "champion": champion}


def test_without_a_test_set_the_dev_set_decides(night: MakeNight, never: Callable[..., Any]) -> None:
    night(97.1, held_out="dev").register()

    result = night(97.5, seed=2, held_out="dev").register(score=never)

    assert result.facts["reason"] == "BLEU 97.50 against 97.10 of version 1 on the same 1,000 dev sentences"


@pytest.mark.parametrize(
    ("other", "named"),
    [("model", "evaluation"), ("pairs", "evaluation"), ("corpus", "pairs"), ("evaluation", "evaluation")],
)
def test_manifests_that_do_not_belong_together_are_refused(
    night: MakeNight, made: Callable[..., Manifest], tmp_path: Path, other: str, named: str
) -> None:
    first, second = night(97.1), night(97.5, seed=2, digest="d2")
    foreign = made(tmp_path / "foreign", "ingest", "corpus", {}, facts={"parts": []}, config={"other": 1})
    mixed = replace(first, **{other: foreign if other == "corpus" else getattr(second, other)})

    with pytest.raises(InputError, match=f"register inputs = {getattr(mixed, named).directory}"):
        mixed.register()

    assert not Path(first.registry).exists()


@pytest.mark.parametrize("missing", ["export", "scores"])
def test_a_model_without_export_or_scores_is_not_stored(
    night: MakeNight, made: Callable[..., Manifest], missing: str
) -> None:
    first = night(97.1)
    model, facts = first.model, first.evaluation.facts
    if missing == "export":
        shutil.rmtree(model.directory / "export")
        model = made(model.directory, "train", "model", {}, inputs=[first.pairs])
    else:
        facts = {}
    config = first.evaluation.config
    evaluation = made(
        first.evaluation.directory,
        "evaluate",
        "evaluation",
        {},
        inputs=[model, first.pairs],
        facts=facts,
        config=config,
    )

    with pytest.raises(InputError, match=missing.removesuffix("s")):
        replace(first, model=model, evaluation=evaluation).register()

    assert not Path(first.registry).exists()
