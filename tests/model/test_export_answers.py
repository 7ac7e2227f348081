"""The SavedModel's other signatures: the best hypotheses, and samples."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model.config import SearchConfig, TrainConfig
from model.export import Exported
from pipeline.errors import InputError
from pipeline.manifest import Manifest


@pytest.fixture(scope="module")
def folder(trained: Manifest) -> Path:
    return trained.directory / "export"


def total(exported: Exported, source: str, target: str, penalty: float) -> float:
    """The log-probability of a translation by its length, as a search compares it."""
    (log_probability,), (tokens,) = exported.score([source], [target])
    return log_probability / ((5 + tokens) / 6) ** penalty


def test_hypotheses_fall_and_their_scores_are_the_models(
    exported: Exported, trained: Manifest, sources: list[str]
) -> None:
    penalty = TrainConfig(**trained.config).search.length_penalty
    found = exported.hypotheses(sources[:6], 4)
    assert [len(row) for row in found] == [4] * 6
    for source, row in zip(sources, found, strict=False):
        scores = [hypothesis.score for hypothesis in row]
        assert scores == sorted(scores, reverse=True)
        assert row[0].score == pytest.approx(total(exported, source, row[0].text, penalty), rel=1e-3, abs=1e-4)


def test_the_best_hypothesis_is_the_translation(exported: Exported, sources: list[str]) -> None:
    """Both are greedy where one is asked for; among more, the best is as probable at least."""
    only = exported.hypotheses(sources, 1)
    assert [row[0].text for row in only] == exported.translate(sources)
    more = exported.hypotheses(sources, 3)
    assert all(row[0].score >= one[0].score - 1e-5 for row, one in zip(more, only, strict=True))


def test_hypotheses_do_not_depend_on_their_company(exported: Exported, sources: list[str]) -> None:
    together = exported.hypotheses(["", *sources[:5]], 3)
    for source, row in zip(["", *sources[:5]], together, strict=True):
        (alone,) = exported.hypotheses([source], 3)
        assert [hypothesis.text for hypothesis in alone] == [hypothesis.text for hypothesis in row]
    assert exported.hypotheses([], 3) == []


def test_samples_repeat_and_do_not_depend_on_their_company(exported: Exported, sources: list[str]) -> None:
    seeds = [(7, number) for number in range(len(sources))]
    first = exported.sample(sources, seeds, 2.0)
    assert exported.sample(sources, seeds, 2.0) == first
    assert [exported.sample([source], [seed], 2.0)[0] for source, seed in zip(sources, seeds, strict=True)][
        :5
    ] == first[:5]
    assert exported.sample(sources, [(8, number) for _, number in seeds], 2.0) != first
    assert exported.sample([], [], 1.0) == []


@pytest.mark.parametrize(("temperature", "top"), [(1e-6, 0), (5.0, 1)])
def test_samples_without_chance_are_the_greedy_translations(
    exported: Exported, sources: list[str], temperature: float, top: int
) -> None:
    seeds = [(1, number) for number in range(len(sources))]
    assert exported.sample(sources, seeds, temperature, top) == exported.translate(sources)


def test_a_higher_temperature_gives_more_different_answers(exported: Exported, sources: list[str]) -> None:
    def kinds(temperature: float) -> int:
        return len(set(exported.sample([sources[0]] * 60, [(1, number) for number in range(60)], temperature)))

    assert 1 == kinds(0.01) <= kinds(1.0) < kinds(3.0)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("hypotheses", {"count": 0, "beams": 0}, "at least one hypothesis"),
        ("hypotheses", {"count": 1, "beams": -1}, "beams must be 0 or"),
        ("sample", {"seeds": [[1, 2]], "temperature": 0.0, "top": 0}, "temperature must be above 0"),
        ("sample", {"seeds": [[1, 2]], "temperature": 1.0, "top": -1}, "top must be 0 or"),
        ("sample", {"seeds": [[1, 2], [1, 3]], "temperature": 1.0, "top": 0}, "two seeds for each sentence"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    exported: Exported, name: str, values: dict[str, Any], message: str
) -> None:
    given = {key: tf.constant(value) for key, value in values.items()}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        exported.loaded.signatures[name](sentences=tf.constant(["rain"]), **given)


def test_no_sentences_have_no_answers_of_any_kind(exported: Exported) -> None:
    signatures = exported.loaded.signatures
    nothing = tf.constant([], tf.string)
    found = signatures["hypotheses"](sentences=nothing, count=tf.constant(3), beams=tf.constant(0))
    assert {key: values.shape.as_list() for key, values in found.items()} == {
        "hypotheses": [0, 3],
        "hypothesis_scores": [0, 3],
    }
    seeds = tf.zeros([0, 2], tf.int32)
    drawn = signatures["sample"](sentences=nothing, seeds=seeds, temperature=tf.constant(1.0), top=tf.constant(0))
    assert {key: values.shape.as_list() for key, values in drawn.items()} == {"translations": [0], "scores": [0]}


@pytest.fixture(scope="module")
def wide(untrained: Callable[..., Exported], toy_config: Any) -> Exported:
    """A model that is configured to search with a beam of 4."""
    return untrained(toy_config(search=SearchConfig(beams=4, max_length=12)))


def test_hypotheses_of_a_beam_begin_with_the_translation(wide: Exported) -> None:
    sources = ["rain snow", "fog", "sun heat frost"]
    translations = wide.translate(sources)
    for count in (1, 3, 6):
        found = wide.hypotheses(sources, count)
        assert [len(row) for row in found] == [count] * 3
        if count <= 4:  # a wider beam may find better ones
            assert [row[0].text for row in found] == translations
    assert np.isfinite([hypothesis.score for row in found for hypothesis in row]).all()


def test_a_beam_may_be_another_one_than_configured(
    wide: Exported, untrained: Callable[..., Exported], toy_config: Any
) -> None:
    """What is configured says what `translate` does; one export searches with any width."""
    sources = ["rain snow", "fog", "sun heat frost", "hail wind"]
    narrow = untrained(toy_config(search=SearchConfig(beams=1, max_length=12)))
    asked = {beams: [row[0].text for row in wide.hypotheses(sources, 1, beams)] for beams in (0, 1, 4)}
    assert asked == {0: wide.translate(sources), 1: narrow.translate(sources), 4: wide.translate(sources)}
    assert [row[0].text for row in narrow.hypotheses(sources, 1, 4)] == wide.translate(sources)


def test_a_model_without_the_signature_is_named(folder: Path, tmp_path: Path) -> None:
    loaded = tf.saved_model.load(str(folder))
    old = tmp_path / "old"
    tf.saved_model.save(loaded, str(old), signatures={key: loaded.signatures[key] for key in ("translate", "score")})
    exported = Exported.load(old)
    for ask in (
        lambda: exported.hypotheses(["rain"], 2),
        lambda: exported.sample(["rain"], [(1, 1)], 1.0),
        lambda: exported.attend(["rain"]),
    ):
        with pytest.raises(InputError, match="model = one with score, translate: expected a model with the signature"):
            ask()
    shutil.rmtree(old)
