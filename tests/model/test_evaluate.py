"""The stage `evaluate` on the export of a model that learned the toy task."""

import json
import math
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.settings import load
from model.comparison import ALWAYS
from model.config import EvaluateConfig
from model.evaluate import perplexity_of, score
from model.export import Exported
from model.metrics import METRICS
from model.samples import choose
from model.stages import evaluate
from pipeline import manifest as manifests
from pipeline.manifest import Manifest, sha256_of_json
from pipeline.pairs import read_pairs, write_pairs
from pipeline.records import SentencePair


@pytest.fixture
def pairs_of(toy: Any, tmp_path: Any) -> Any:
    """A manifest of held-out sets: `pairs_of(test=[("rain snow", "snow rain")])`."""

    def write(**sets: list[tuple[str, str]]) -> Manifest:
        folder = tmp_path / "pairs"
        for name, rows in sets.items():
            write_pairs(folder / f"{name}.parquet", [SentencePair(*row) for row in rows], "held_out")
        changes = {"directory": folder, "files": manifests.file_records(folder)}
        made: Manifest = toy.pairs.model_copy(update=changes)
        manifests.write(made)
        return made

    return write


def test_every_set_is_scored_under_its_name(trained: Manifest, toy: Any, pairs_of: Any, tmp_path: Any) -> None:
    rows = [(pair.source, pair.target) for pair in read_pairs(toy.pairs.path("test.parquet"))]
    pairs = pairs_of(zoo=rows[:3], dev=rows[3:5], test=rows[5:20], coco=rows[20:21], empty=[])
    config = EvaluateConfig(metrics=list(METRICS), robustness=4)
    made = evaluate(config, trained, pairs, output_dir=tmp_path / "evaluate")
    assert made.counts == {"dev": 2, "test": 15, "coco": 1, "zoo": 3}
    assert list(made.facts) == ["dev", "test", "coco", "zoo"]
    assert json.loads(made.path("evaluation.json").read_text()) == made.facts
    for name, facts in made.facts.items():
        table = pq.read_table(made.path(f"hypotheses/{name}.parquet")).to_pydict()
        assert sha256_of_json(list(zip(table["source"], table["reference"], strict=True))) == facts["data_digest"]
        assert facts["perplexity"] == pytest.approx(2.718281828 ** facts["loss"])
        assert {f"{metric}_signature" for metric in ("bleu", "chrf", *METRICS)} <= facts.keys()
        assert sum(bucket["sentences"] for bucket in facts["by_length"]) == facts["sentences"]
        assert ("robustness" in facts) is (name != "dev")
        shown = choose(table["source"], table["hypothesis"], table["reference"])
        assert json.loads(made.path("samples.json").read_text())[name] == shown
    robustness = made.facts["test"]["robustness"]
    assert robustness["sentences"] == 4
    assert robustness["upper_case"]["changed"] == 4
    assert robustness["upper_case"]["fall"] == robustness["bleu"] - robustness["upper_case"]["bleu"] > 0
    assert robustness["no_end_punctuation"] == {"changed": 0, "bleu": robustness["bleu"], "fall": 0}
    pictures = {file.path for file in made.files if file.path.startswith("attention/")}
    shown = json.loads(made.path("samples.json").read_text())
    names = ("test", "coco", "zoo")
    assert pictures == {
        f"attention/{name}/{kind}-{of[0]['row']}.png" for name in names for kind, of in shown[name].items() if of
    }


def test_scores_are_those_of_the_sentences_whatever_the_batches(exported: Exported, sources: list[str]) -> None:
    references = [" ".join(reversed(source.split())) for source in sources]
    found = [score(exported, sources, references, EvaluateConfig(batch_size=size)) for size in (1, 7, 10_000)]
    for scores in found[1:]:
        assert scores.hypotheses == found[0].hypotheses
        exact = {name: value for name, value in scores.values.items() if name not in ("loss", "perplexity")}
        assert exact == {name: found[0].values[name] for name in exact}
        assert scores.values["loss"] == pytest.approx(found[0].values["loss"], rel=1e-6)


@pytest.mark.slow
def test_a_beam_job_decodes_to_the_same_scores(trained: Manifest, toy: Any, tmp_path: Any) -> None:
    here = evaluate(EvaluateConfig(), trained, toy.pairs, output_dir=tmp_path / "here")
    for workers in (1, 2):
        resources = load(overrides=["beam.decode_from=1", f"beam.workers={workers}"]).resources(evaluate)
        there = evaluate(EvaluateConfig(), trained, toy.pairs, output_dir=tmp_path / f"{workers}", **resources)
        assert there.facts == here.facts
        assert [file.sha256 for file in there.files] == [file.sha256 for file in here.files]
        assert there.fingerprint == here.fingerprint


def test_few_sentences_are_not_worth_a_job(tmp_path: Any) -> None:
    assert load().decode(tmp_path, ["a"] * 100, tmp_path) is None


def test_one_sentence_and_empty_texts_have_scores(exported: Exported) -> None:
    config = EvaluateConfig(metrics=list(METRICS))
    measured = score(exported, ["rain"], ["rain"], config).values
    assert {name for name, value in measured.items() if isinstance(value, float)} == {*ALWAYS, *METRICS}
    for sources, references in ((["rain"], [""]), ([""], ["rain"]), (["", "rain snow"], ["", "snow rain"])):
        scores = score(exported, sources, references, config)
        assert len(scores.hypotheses) == scores.values["sentences"] == len(sources)
        assert scores.values["loss"] > 0


def test_a_diverged_model_is_scored_like_any_other() -> None:
    assert (perplexity_of(1e9), perplexity_of(0.0), math.isnan(perplexity_of(math.nan))) == (math.inf, 1.0, True)


def test_a_source_of_a_books_length_is_scored_and_not_drawn(
    trained: Manifest, pairs_of: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    attend = Exported.attend

    def remember(exported: Exported, sentences: list[str]) -> Any:
        asked.extend(sentences)
        return attend(exported, sentences)

    monkeypatch.setattr(Exported, "attend", remember)
    strange = ["\u202erain\u0001", "rain\u200f snow", "é" * 50]
    rows = [("rain snow " * 2_000, "snow"), *((source, "rain") for source in strange)]
    made = evaluate(EvaluateConfig(robustness=4), trained, pairs_of(test=rows), output_dir=tmp_path / "evaluate")
    assert made.counts == {"test": 4}
    assert asked
    assert set(asked) <= set(strange)
    assert pq.read_table(made.path("hypotheses/test.parquet"))["source"].to_pylist() == [source for source, _ in rows]


def test_other_sentences_have_another_digest_so_that_nobody_compares_them(exported: Exported) -> None:
    digests = {
        score(exported, [source], ["rain"], EvaluateConfig()).values["data_digest"] for source in ("rain", "snow", "")
    }
    assert len(digests) == 3
