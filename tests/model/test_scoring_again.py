"""Evaluating and registering real SavedModels: a champion of other sentences is scored again on today's."""

from pathlib import Path

import pytest

from model.card import CardConfig
from model.config import EvaluateConfig
from model.promotion import RegisterConfig
from model.register import register
from model.registry import Registry
from model.stages import evaluate
from pipeline.config import StageConfig
from pipeline.manifest import Manifest
from pipeline.pairs import write_pairs
from pipeline.records import SentencePair
from pipeline.stage import Outcome, stage


class HeldOut(StageConfig):
    """The first sentences of a corpus without an end."""

    sentences: int


class Dictionary(StageConfig):
    """A model that replaces words: what it knows decides its BLEU."""

    words: dict[str, str]


@stage("ingest", section="corpus", version=1, takes=(), makes="corpus")
def ingest(config: HeldOut, *, folder: Path) -> Outcome:
    """Reads nothing."""
    return Outcome(facts={"languages": ["en", "fr"], "parts": []})


@stage("clean", section="clean", version=1, takes=("corpus",), makes="pairs")
def clean(config: HeldOut, _: Manifest, *, folder: Path) -> Outcome:
    """Writes the held-out pairs."""
    hours = range(config.sentences)
    pairs = [SentencePair(f"rain and fog until {hour} hours", f"pluie et fog until {hour} hours") for hour in hours]
    return Outcome(counts={"test": write_pairs(folder / "test.parquet", pairs)})


@stage("inspect", section="statistics", version=1, takes=("pairs",), makes="statistics")
def inspect(config: HeldOut, _: Manifest, *, folder: Path) -> Outcome:
    """Says nothing."""
    return Outcome()


@stage("train", section="train", version=1, takes=("pairs",), makes="model")
def train(config: Dictionary, _: Manifest, *, folder: Path) -> Outcome:
    """Exports a model with the signatures of a real one."""
    import tensorflow as tf

    strings = tf.TensorSpec([None], tf.string)
    module = tf.Module()

    @tf.function
    def translate(sentences: tf.Tensor) -> dict[str, tf.Tensor]:
        for word, translation in config.words.items():
            sentences = tf.strings.regex_replace(sentences, word, translation)
        return {"translations": sentences, "scores": tf.zeros([tf.size(sentences)])}

    @tf.function
    def score(sources: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        ones = tf.ones([tf.size(targets)])
        return {"log_probabilities": -ones, "tokens": tf.cast(ones, tf.int32)}

    signatures = {
        "translate": translate.get_concrete_function(sentences=strings),
        "score": score.get_concrete_function(sources=strings, targets=strings),
    }
    tf.saved_model.save(module, str(folder / "export"), signatures=signatures)
    return Outcome()


def night(workspace: Path, sentences: int, words: dict[str, str], registry: str) -> Manifest:
    """Runs the stages from held-out pairs to the registered version."""
    corpus = ingest(HeldOut(sentences=sentences), output_dir=workspace / "ingest")
    pairs = clean(HeldOut(sentences=sentences), corpus, output_dir=workspace / "clean")
    model = train(Dictionary(words=words), pairs, output_dir=workspace / "train")
    evaluation = evaluate(EvaluateConfig(), model, pairs, output_dir=workspace / "evaluate")
    return register(
        RegisterConfig(samples=100),
        corpus,
        pairs,
        inspect(HeldOut(sentences=sentences), pairs, output_dir=workspace / "inspect"),
        model,
        evaluation,
        output_dir=workspace / "register",
        registry=registry,
        name="weather",
        licences={},
        card=CardConfig(),
        who="",
    )


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_champion_of_other_sentences_is_scored_again_on_todays(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    location = str(tmp_path / "registry") if kind == "folder" else str(request.getfixturevalue("bucket"))
    half, whole = {"rain": "pluie"}, {"rain": "pluie", " and ": " et "}

    first = night(tmp_path, 5, half, location)
    better = night(tmp_path, 7, whole, location)
    worse = night(tmp_path, 9, {}, location)

    scores = {version.number: version.metrics["test"] for version in Registry(location, "weather").versions()}
    assert [scores[number]["sentences"] for number in (1, 2, 3)] == [5, 7, 9]
    assert scores[3]["bleu"] < scores[1]["bleu"] < scores[2]["bleu"] == pytest.approx(100)
    assert [made.facts["promoted"] for made in (first, better, worse)] == [True, True, False]
    assert worse.facts["champion"] == 2
    assert worse.facts["reason"] == (
        f"BLEU {scores[3]['bleu']:.2f} against 100.00 of version 2 on the same 9 test sentences (it was scored again), "
        "which is not better"
    )
