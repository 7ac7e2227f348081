"""A transformer in CTranslate2's form says what its SavedModel says."""

import json
from collections.abc import Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from sacrebleu.metrics.bleu import BLEU

from model.architectures import build_model
from model.config import DeviceConfig, ModelConfig, SearchConfig
from model.export import Exported, Translator
from model.stages import train
from model.to_ctranslate2 import PLACES, convert, weights_of
from pipeline.errors import InputError
from pipeline.vocabularies import Vocabularies
from pipeline.vocabulary import BOS, PAD, UNK, Vocabulary, VocabularyConfig, train_vocabulary

ctranslate2 = pytest.importorskip("ctranslate2")

WORDS = ("rain", "snow", "wind", "fog", "hail", "sun")
SENTENCES = [" ".join(words) for words in islice(product(WORDS, WORDS, reversed(WORDS)), 200)]
NETWORK = {"architecture": "transformer", "embedding_size": 32, "feedforward_units": 48, "heads": 4, "dropout": 0.0}


@pytest.fixture(scope="module")
def pieces(toy: Any) -> Vocabularies:
    return Vocabularies.read(toy.vocabulary)


@pytest.fixture(scope="module")
def learned(toy: Any, toy_config: Any) -> Any:
    """A transformer that has learned to write backwards."""
    network = ModelConfig(**NETWORK, encoder_layers=2, decoder_layers=2)
    search = SearchConfig(length_penalty=0.0, max_length=30)
    config = toy_config(model=network, search=search, steps=300, batch_tokens=256, warmup_steps=30, evaluate_every=300)
    return train(config, toy.shards, toy.vocabulary, output_dir=toy.folder / "transformer", devices=DeviceConfig())


@pytest.fixture(scope="module")
def converted(learned: Any, pieces: Vocabularies, toy_config: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That model in both of CTranslate2's forms."""
    folder = tmp_path_factory.mktemp("converted")
    config = toy_config().model_validate(learned.config)
    for kind in ("float32", "int8"):
        weights = weights_of(learned.directory / "export", config, pieces)
        (folder / kind).mkdir()
        convert(weights, config, pieces, "NFC", folder / kind, quantization=kind)
    return folder


class Framed(tf.Module):
    """What tells an export whose sources are frames."""

    def __init__(self) -> None:
        super().__init__()
        self.frame_size = tf.Variable(6, trainable=False)


def cut(folder: Path, sentences: Sequence[str]) -> list[list[str]]:
    """Sentences in pieces, by the SentencePiece model that lies in the folder."""
    vocabulary = Vocabulary.load(folder / "vocabulary.model")
    return [[vocabulary.piece(token) for token in ids] for ids in vocabulary.encode(list(sentences))]


def translated(folder: Path, sentences: Sequence[str], beams: int) -> list[str]:
    vocabulary = Vocabulary.load(folder / "vocabulary.model")
    ids = {vocabulary.piece(token): token for token in range(vocabulary.size)}
    translator = ctranslate2.Translator(str(folder), inter_threads=1, intra_threads=1)
    found = translator.translate_batch(cut(folder, sentences), beam_size=beams, length_penalty=0)
    return vocabulary.decode([[ids[piece] for piece in one.hypotheses[0]] for one in found])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("are_shared", [True, False])
def test_every_weight_finds_its_place(
    tied: bool, are_shared: bool, pieces: Vocabularies, toy_config: Any, tmp_path: Path
) -> None:
    """Weights, scales, offsets and biases are all drawn at random, so that one in a wrong place changes the scores."""
    if not are_shared:
        smaller = train_vocabulary(VocabularyConfig(size=30, character_coverage=1), SENTENCES)
        pieces = Vocabularies(Vocabulary(smaller), pieces.target)
    config = toy_config(model=ModelConfig(**NETWORK, tied=tied, encoder_layers=3, decoder_layers=2))
    network = build_model(config.model, pieces.target.size, 1, pieces.source_size)
    chance = np.random.default_rng(7)
    weights = {
        weight.path: weight.numpy() + chance.normal(scale=0.3, size=weight.shape).astype(np.float32)
        for weight in network.trainable_variables
    }
    weights["seq2seq/output_bias"][[PAD, UNK, BOS]] = -1e9  # CTranslate2's softmax is over what can be written
    convert(weights, config, pieces, "NFC", tmp_path, quantization="float32")
    names = {path.name for path in tmp_path.glob("*.model")}
    assert names == ({"vocabulary.model"} if are_shared else {"source.model", "target.model"})
    sources, targets = ["rain snow", "fog", "sun wind hail"], ["snow rain", "heat heat heat", "fog"]
    ours = Translator(weights, config, pieces, "NFC").score(tf.constant(sources), tf.constant(targets))
    cut_up = [
        [[one.piece(token) for token in ids] for ids in one.encode(texts)]
        for one, texts in ((pieces.source, sources), (pieces.target, targets))
    ]
    theirs = ctranslate2.Translator(str(tmp_path)).score_batch(*cut_up)
    assert [len(one.log_probs) for one in theirs] == ours["tokens"].numpy().tolist()
    np.testing.assert_allclose(
        [sum(one.log_probs) for one in theirs], ours["log_probabilities"].numpy(), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("beams", [1, 4])
def test_both_translate_200_sentences_alike(beams: int, learned: Any, converted: Path) -> None:
    exported = Exported.load(learned.directory / "export")
    ours = [found[0].text for found in exported.hypotheses(SENTENCES, 1, beams)]
    assert len(ours) == 200
    assert translated(converted / "float32", SENTENCES, beams) == ours
    right = [text == " ".join(reversed(source.split())) for text, source in zip(ours, SENTENCES, strict=True)]
    assert np.mean(right) > 0.9  # it is a model that has learned something


def test_eight_bits_cost_little(converted: Path) -> None:
    references = [" ".join(reversed(sentence.split())) for sentence in SENTENCES]
    full, short = (
        BLEU().corpus_score(translated(converted / kind, SENTENCES, 1), [references]).score
        for kind in ("float32", "int8")
    )
    print(f"BLEU of 200 sentences: float32 {full:.2f}, int8 {short:.2f}, difference {short - full:+.2f}")
    assert abs(short - full) < 2
    sizes = [(converted / kind / "model.bin").stat().st_size for kind in ("int8", "float32")]
    assert sizes[0] < sizes[1]


def test_a_folder_says_how_its_model_is_used(converted: Path, pieces: Vocabularies) -> None:
    known = json.loads((converted / "int8/nightshift.json").read_text())
    search = {"beams": 1, "length_penalty": 0.0, "max_length": 30}
    assert known == {"unicode_form": "NFC", "search": search, "longest": PLACES}
    assert (converted / "int8/vocabulary.model").read_bytes() == pieces.target.proto


def test_what_cannot_be_converted_is_named(pieces: Vocabularies, toy_config: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--format = ctranslate2: expected savedmodel .*architecture lstm"):
        convert({}, toy_config(), pieces, "NFC", tmp_path, quantization="int8")
    tf.saved_model.save(Framed(), str(tmp_path))
    with pytest.raises(InputError, match=r"--format = ctranslate2: expected savedmodel .*sources are frames"):
        weights_of(tmp_path, toy_config(model=ModelConfig(**NETWORK)), pieces)
