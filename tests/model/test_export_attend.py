"""The SavedModel's signature `attend`: what each piece of a translation was written from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model.architectures import build_model
from model.config import ModelConfig, SearchConfig, TrainConfig
from model.export import Exported, save
from pipeline.errors import InputError
from pipeline.manifest import Manifest
from pipeline.pairs import read_pairs
from pipeline.vocabularies import Vocabularies
from pipeline.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def exported(trained: Manifest) -> Exported:
    return Exported.load(trained.directory / "export")


@pytest.fixture(scope="module")
def vocabulary(toy: Any) -> Vocabulary:
    return Vocabulary.load(toy.vocabulary.path("vocabulary.model"))


@pytest.fixture(scope="module")
def sources(toy: Any) -> list[str]:
    return [pair.source for pair in read_pairs(toy.pairs.path("test.parquet"))]


def untrained(folder: Path, vocabulary: Vocabulary, config: TrainConfig) -> Path:
    """An export of first weights."""
    weights = {w.path: w.numpy() for w in build_model(config.model, vocabulary.size, 1).trainable_variables}
    save(weights, config, Vocabularies.shared(vocabulary), "NFC", folder)
    return folder


def pieces_of(vocabulary: Vocabulary, sentence: str) -> tuple[str, ...]:
    return (*(vocabulary.piece(token) for token in vocabulary.encode([sentence])[0]), "</s>")


def test_pieces_are_those_of_the_texts_and_each_row_is_a_distribution(
    exported: Exported, vocabulary: Vocabulary, sources: list[str]
) -> None:
    found = exported.attend(sources)
    assert [one.text for one in found] == exported.translate(sources)
    for source, one in zip(sources, found, strict=True):
        assert one.source == pieces_of(vocabulary, source)
        assert one.target == pieces_of(vocabulary, one.text)
        assert one.attention.shape == (len(one.target), len(one.source))
        np.testing.assert_allclose(one.attention.sum(axis=1), 1, rtol=1e-5)


def test_a_sentence_is_attended_alone_as_in_company(exported: Exported, sources: list[str]) -> None:
    for source, together in zip(sources[:6], exported.attend(sources[:6]), strict=True):
        (alone,) = exported.attend([source])
        assert (alone.source, alone.target) == (together.source, together.target)
        np.testing.assert_allclose(alone.attention, together.attention, atol=1e-5)
    assert exported.attend([]) == []


def test_words_are_written_backwards_from_where_they_are_read(exported: Exported) -> None:
    (one,) = exported.attend(["rain snow wind fog"])
    assert one.text == "fog wind snow rain"
    looked_at = one.attention.argmax(axis=1)
    half = len(one.target) // 2
    assert looked_at[:half].mean() > looked_at[half:-1].mean()


def test_padding_has_no_piece_and_no_attention(trained: Manifest) -> None:
    signatures = tf.saved_model.load(str(trained.directory / "export")).signatures
    found = {
        name: value.numpy() for name, value in signatures["attend"](tf.constant(["fog", "rain snow wind fog"])).items()
    }
    sources, targets = found["source_pieces"] != b"", found["target_pieces"] != b""
    assert sources[0].sum() < sources[1].sum() == sources.shape[1]
    assert targets[0].sum() < targets[1].sum() == targets.shape[1]
    assert found["attention"][0][:, ~sources[0]].max() == 0
    assert found["attention"][0][~targets[0]].max() == 0


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("architecture", ["transformer", "gru"])
def test_every_architecture_and_search_attends(
    architecture: str, beams: int, vocabulary: Vocabulary, toy_config: Any, tmp_path: Path
) -> None:
    network = ModelConfig(
        architecture=architecture, embedding_size=16, encoder_units=8, decoder_units=16, attention="multiplicative"
    )
    config = toy_config(model=network, search=SearchConfig(beams=beams, max_length=7))
    exported = Exported.load(untrained(tmp_path / "export", vocabulary, config))
    for source, one in zip(["rain", "snow fog"], exported.attend(["rain", "snow fog"]), strict=True):
        assert one.source == pieces_of(vocabulary, source)
        assert len(one.target) == 7 or one.target[-1] == "</s>"
        np.testing.assert_allclose(one.attention.sum(axis=1), 1, rtol=1e-5)
    nothing = tf.saved_model.load(str(tmp_path / "export")).signatures["attend"](tf.constant([], tf.string))
    assert nothing["attention"].shape[0] == nothing["source_pieces"].shape[0] == nothing["translations"].shape[0] == 0


def test_a_network_without_attention_has_nothing_to_show(
    vocabulary: Vocabulary, toy_config: Any, tmp_path: Path
) -> None:
    network = ModelConfig(embedding_size=16, encoder_units=8, decoder_units=16, attention="none")
    exported = Exported.load(untrained(tmp_path / "export", vocabulary, toy_config(model=network)))
    assert exported.translate(["rain"]) != []
    with pytest.raises(InputError, match="expected a model with the signature attend"):
        exported.attend(["rain"])
