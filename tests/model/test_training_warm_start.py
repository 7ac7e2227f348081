"""A training that begins with an earlier model's weights, of the same vocabulary and of another one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import checkpoints
from model.averaging import exported
from model.batches import Pairs
from model.config import DeviceConfig, TrainConfig
from model.feeding import in_order
from model.launch import build_strategy
from model.prepare import plan_of
from model.stages import train
from model.trainer import Trainer
from model.warm_start import warm_start
from pipeline.errors import InputError
from pipeline.manifest import Manifest, input_record
from pipeline.vocabularies import Vocabularies
from pipeline.vocabulary import Vocabulary, VocabularyConfig, train_vocabulary


@pytest.fixture
def begin(trained: Manifest, toy_config: Callable[..., TrainConfig]) -> Callable[..., Trainer]:
    """A trainer that begins with the trained model's weights; keywords change its configuration."""

    def made(pieces: Vocabulary, **changes: Any) -> Trainer:
        trainer = Trainer(toy_config(**changes), pieces.size, build_strategy(DeviceConfig()))
        warm_start(trainer, trained.directory, Vocabularies.shared(pieces))
        return trainer

    return made


@pytest.fixture
def pieces(toy: Any) -> Vocabulary:
    """The vocabulary of the trained model."""
    return Vocabulary.load(toy.vocabulary.path("vocabulary.model"))


@pytest.fixture
def other_pieces() -> Vocabulary:
    """Another vocabulary of the same size, with some of the same pieces."""
    return Vocabulary(train_vocabulary(VocabularyConfig(size=40), ["sun rain snow dew thunder lightning frost"] * 9))


def test_with_the_same_vocabulary_it_begins_where_the_other_ended(
    toy: Any, trained: Manifest, begin: Callable[..., Trainer], pieces: Vocabulary
) -> None:
    trainer = begin(pieces, ema=0.9)
    dev = Pairs.read(toy.shards.paths("dev/*.tfrecord"))
    assert trainer.loss(in_order(plan_of(trainer.config, dev), dev)) == pytest.approx(
        trained.facts["dev_loss"], rel=1e-5
    )
    state = trainer.state()
    for path, weight in trainer.model_weights().items():
        assert np.array_equal(state[f"average/{path}"], weight), path
        assert not state[f"mean/{path}"].any(), path


def test_the_optimizer_is_taken_over_where_that_is_asked_for(
    trained: Manifest, begin: Callable[..., Trainer], pieces: Vocabulary
) -> None:
    last = checkpoints.newest(trained.directory / "checkpoints")
    assert last
    state = begin(pieces, keep_optimizer=True).state()
    assert state.keys() == last.state.keys()
    for name, values in state.items():
        assert np.array_equal(values, last.state[name]), name


def test_with_another_vocabulary_the_rows_of_shared_pieces_are_moved(
    trained: Manifest, begin: Callable[..., Trainer], pieces: Vocabulary, other_pieces: Vocabulary
) -> None:
    last = checkpoints.newest(trained.directory / "checkpoints")
    assert last
    old = exported(last.state)
    drawn = begin(other_pieces, seed=1).config  # the seed of what is fresh
    fresh = Trainer(drawn, other_pieces.size, build_strategy(DeviceConfig())).model_weights()
    found = begin(other_pieces).model_weights()
    places = {pieces.piece(token): token for token in range(pieces.size)}
    shared = [other_pieces.piece(token) in places for token in range(other_pieces.size)]
    assert 5 < sum(shared) < 35
    tables = {"seq2seq/table", "seq2seq/output_bias"}
    assert tables < found.keys()
    for path, values in found.items():
        if path not in tables:
            assert np.array_equal(values, old[path]), path
            continue
        for token, row in enumerate(values):
            piece = other_pieces.piece(token)
            assert np.array_equal(row, old[path][places[piece]] if shared[token] else fresh[path][token]), piece


def test_another_network_is_refused(
    begin: Callable[..., Trainer], toy_config: Callable[..., TrainConfig], pieces: Vocabulary
) -> None:
    network = toy_config().model.model_copy(update={"decoder_units": 20})
    with pytest.raises(InputError, match=r"train.warm_start = .*expected a model of the same train.model \(its .* is"):
        begin(pieces, model=network)


def test_the_stage_records_what_it_began_with(
    toy: Any, trained: Manifest, toy_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    given = (toy.shards, toy.vocabulary)
    config = toy_config(steps=2, warm_start=str(trained.directory))
    made = train(config, *given, output_dir=tmp_path, devices=DeviceConfig())
    assert made.inputs["warm_start"] == input_record(trained)
    assert made.facts["loss"] < 1.5 < np.log(40)
    elsewhere = tmp_path / "moved"
    elsewhere.symlink_to(trained.directory)
    moved = toy_config(steps=2, warm_start=str(elsewhere))
    assert train.find(moved, *given, output_dir=tmp_path, devices=DeviceConfig()) == made
    assert train.find(toy_config(steps=2), *given, output_dir=tmp_path, devices=DeviceConfig()) is None


def test_a_folder_that_holds_no_model_is_refused(
    toy: Any, toy_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    for folder in (tmp_path, toy.pairs.directory):
        config = toy_config(warm_start=str(folder))
        with pytest.raises(InputError, match=f"train.warm_start = {folder}: expected folder of a finished output"):
            train(config, toy.shards, toy.vocabulary, output_dir=tmp_path / "out", devices=DeviceConfig())
