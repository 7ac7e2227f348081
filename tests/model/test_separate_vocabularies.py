"""A vocabulary of its own for each side: the network, the stage, checkpoints and warm starts."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model import checkpoints
from model.architectures import build_model
from model.averaging import exported
from model.batches import Pairs
from model.config import DeviceConfig, ModelConfig, TrainConfig
from model.export import Exported
from model.fitting import fit
from model.launch import build_strategy
from model.losses import summed_cross_entropy
from model.prepare import make_plan
from model.stages import train
from model.trainer import Trainer
from model.warm_start import warm_start
from pipeline.build_vocabulary import learn
from pipeline.errors import InputError
from pipeline.manifest import Manifest, file_records
from pipeline.pairs import read_pairs
from pipeline.records import SentencePair
from pipeline.vocabularies import Vocabularies
from pipeline.vocabulary import VocabularyConfig

SOURCES = tf.constant([[4, 8, 3], [5, 3, 0]])  # of 9 tokens
TARGETS = tf.constant([[10, 11, 3], [9, 3, 0]])  # of 12: none of these words is a token of the sources
SIZES = {"embedding_size": 6, "encoder_units": 5, "decoder_units": 7, "attention_units": 4}
SIZES |= {"heads": 2, "feedforward_units": 9}
RAIN = [SentencePair("rain dew rain thunder", "RAIN DEW RAIN THUNDER"), SentencePair("sun fog", "SUN FOG")] * 9


@pytest.mark.parametrize(
    ("network", "tables"),
    [
        ({"architecture": "transformer"}, {"source_table": 9, "table": 12}),
        ({"architecture": "gru", "tied": False}, {"source_table": 9, "target_table": 12, "output_table": 12}),
    ],
)
def test_each_side_has_a_row_for_each_of_its_own_tokens(network: dict[str, Any], tables: dict[str, int]) -> None:
    model = build_model(ModelConfig(**(SIZES | network)), vocabulary=12, seed=1, source_vocabulary=9)
    found = {table.path.removeprefix("seq2seq/"): table.shape[0] for table in model.tables.values()}
    assert found == tables
    with tf.GradientTape() as tape:
        features, tokens, _ = model.features(SOURCES, TARGETS, None)
        loss = summed_cross_entropy(features, *model.softmax, tokens)
    given = [model.tables["source"].value, model.tables["target"].value, model.output_bias.value]
    source, target, bias = (tf.convert_to_tensor(slope).numpy() for slope in tape.gradient(loss, given))
    assert np.flatnonzero(source.any(axis=1)).tolist() == [3, 4, 5, 8]
    assert (
        target.any(axis=1).all() if "table" in tables else np.flatnonzero(target.any(axis=1)).tolist() == [2, 9, 10, 11]
    )
    assert bias.shape == (12,)
    assert np.isfinite(loss)


def test_the_stage_learns_and_exports_both(toy_apart: Any, trained_apart: Manifest) -> None:
    files = {file.path for file in trained_apart.files}
    assert {"source.model", "target.model"} <= files
    assert "vocabulary.model" not in files
    pieces = Vocabularies.read(trained_apart)
    assert pieces.models == Vocabularies.read(toy_apart.vocabulary).models
    translator = Exported.load(trained_apart.directory / "export")
    test = list(read_pairs(toy_apart.pairs.path("test.parquet")))
    sources, targets = [pair.source for pair in test], [pair.target for pair in test]
    answers = translator.translate(sources)
    assert sum(answer == target for answer, target in zip(answers, targets, strict=True)) >= 24
    _, tokens = translator.score(sources, targets)
    assert tokens == [len(ids) + 1 for ids in pieces.target.encode(targets)]


def test_vocabularies_that_were_swapped_are_refused(toy_apart: Any, toy_config: Any, tmp_path: Path) -> None:
    folder = tmp_path / "swapped"
    folder.mkdir()
    for name, other in (("source.model", "target.model"), ("target.model", "source.model")):
        shutil.copyfile(toy_apart.vocabulary.path(name), folder / other)
    swapped = toy_apart.vocabulary.model_copy(update={"directory": folder, "files": file_records(folder)})
    with pytest.raises(InputError, match="vocabulary = .*expected the one that .*shards was made with"):
        train(toy_config(), toy_apart.shards, swapped, output_dir=tmp_path / "train", devices=DeviceConfig())


def test_a_checkpoint_of_other_vocabularies_names_the_key(toy_apart: Any, toy_config: Any, tmp_path: Path) -> None:
    config = toy_config(steps=1)
    pairs = Pairs.read(toy_apart.shards.paths("train/*.tfrecord"))

    def run(*sizes: int) -> None:
        trainer = Trainer(config, sizes[0], build_strategy(DeviceConfig()), *sizes[1:])
        fit(trainer, pairs, make_plan(config, pairs), Pairs.read([]), tmp_path)

    run(40, 30)
    run(40, 30)  # which finds it done
    with pytest.raises(InputError, match=r"checkpoint = step 1: .*\(vocabulary.source_size 30 -> 31;"):
        run(40, 31)
    with pytest.raises(
        InputError, match=r"\(vocabulary.separate True -> not set, vocabulary.source_size 30 -> not set;"
    ):
        run(40)


def rows_of(weights: dict[str, Any], name: str, vocabulary: Any) -> dict[str, list[float]]:
    """A weight's rows by their pieces."""
    return {vocabulary.piece(token): row.tolist() for token, row in enumerate(weights[f"seq2seq/{name}"])}


@pytest.fixture
def begin(toy_config: Callable[..., TrainConfig]) -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    """Weights as they are drawn for some vocabularies, and after a warm start from a model."""

    def made(model: Manifest, pieces: Vocabularies) -> tuple[dict[str, Any], dict[str, Any]]:
        trainer = Trainer(toy_config(), pieces.target.size, build_strategy(DeviceConfig()), pieces.source_size)
        drawn = trainer.model_weights()
        warm_start(trainer, model.directory, pieces)
        return drawn, trainer.model_weights()

    return made


def newest(model: Manifest) -> dict[str, Any]:
    """The weights that a model exports."""
    last = checkpoints.newest(model.directory / "checkpoints")
    assert last
    return exported(last.state)


def test_a_warm_start_moves_the_rows_of_each_side(trained_apart: Manifest, begin: Any) -> None:
    old, before = Vocabularies.read(trained_apart), newest(trained_apart)
    new = learn(VocabularyConfig(size=24, source_size=22, separate=True, character_coverage=1), RAIN)
    drawn, found = begin(trained_apart, new)
    for name, one, two in (
        ("source_table", old.source, new.source),
        ("table", old.target, new.target),
        ("output_bias", old.target, new.target),
    ):
        known = rows_of(before, name, one)
        expected = rows_of(drawn, name, two) | {
            piece: row for piece, row in known.items() if piece in rows_of(drawn, name, two)
        }
        assert rows_of(found, name, two) == expected
        assert 4 < len(known.keys() & expected.keys()) < two.size


def test_a_warm_start_gives_each_side_the_rows_that_both_shared(trained: Manifest, begin: Any) -> None:
    old, before = Vocabularies.read(trained), newest(trained)
    new = learn(VocabularyConfig(size=24, source_size=22, separate=True, character_coverage=1), RAIN)
    _, found = begin(trained, new)
    known = rows_of(before, "table", old.target)
    for name, vocabulary in (("source_table", new.source), ("table", new.target)):
        rows = rows_of(found, name, vocabulary)
        moved = [piece for piece in rows if piece in known]
        assert len(moved) > 4
        assert all(rows[piece] == known[piece] for piece in moved)


def test_a_warm_start_joins_the_rows_of_both_sides(trained_apart: Manifest, begin: Any) -> None:
    old, before = Vocabularies.read(trained_apart), newest(trained_apart)
    new = learn(VocabularyConfig(size=40, character_coverage=1), RAIN)
    drawn, found = begin(trained_apart, new)
    sources = rows_of(before, "source_table", old.source)
    targets = rows_of(before, "table", old.target)
    known = sources | targets  # the targets' where both have the piece
    fresh = rows_of(drawn, "table", new.target)
    expected = {piece: known.get(piece, row) for piece, row in fresh.items()}
    assert rows_of(found, "table", new.target) == expected
    assert (fresh.keys() & sources.keys()) - targets.keys()
    assert (fresh.keys() & targets.keys()) - sources.keys()
