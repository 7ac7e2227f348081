"""The SavedModel's signature `attend`: what each piece of a translation was written from."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model.export import Exported
from pipeline.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def vocabulary(toy: Any) -> Vocabulary:
    return Vocabulary.load(toy.vocabulary.path("vocabulary.model"))


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


def test_padding_has_no_piece_and_no_attention(exported: Exported) -> None:
    found = exported.loaded.signatures["attend"](tf.constant(["fog", "rain snow wind fog"]))
    found = {name: value.numpy() for name, value in found.items()}
    sources, targets = found["source_pieces"] != b"", found["target_pieces"] != b""
    assert sources[0].sum() < sources[1].sum() == sources.shape[1]
    assert targets[0].sum() < targets[1].sum() == targets.shape[1]
    assert found["attention"][0][:, ~sources[0]].max() == 0
    assert found["attention"][0][~targets[0]].max() == 0
