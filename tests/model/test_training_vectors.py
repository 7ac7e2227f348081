"""A training that begins with token vectors from a file, by way of the stage."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import checkpoints
from model.averaging import exported
from model.config import DeviceConfig, ModelConfig, TrainConfig
from model.embeddings import vectors_of
from model.stages import train
from pipeline.errors import InputError
from pipeline.manifest import Manifest
from pipeline.vocabularies import Vocabularies
from pipeline.vocabulary import Vocabulary

TABLE = "seq2seq/table"
TOKENS = [10, 11]


@pytest.fixture
def file(toy: Any, tmp_path: Path) -> Path:
    """Vectors of two pieces, each of equal numbers."""
    pieces = Vocabulary.load(toy.vocabulary.path("vocabulary.model"))
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"{pieces.piece(token)}{f' 0.{token}' * 16}\n" for token in TOKENS))
    return path


@pytest.fixture
def learn(toy: Any, toy_config: Callable[..., TrainConfig], tmp_path: Path) -> Callable[..., Manifest]:
    """Runs the stage; keywords change its configuration."""

    def run(**changes: Any) -> Manifest:
        config = toy_config(**changes)
        made: Manifest = train(
            config, toy.shards, toy.vocabulary, output_dir=tmp_path / "train", devices=DeviceConfig()
        )
        return made

    return run


@pytest.fixture
def found(toy: Any, toy_config: Callable[..., TrainConfig], tmp_path: Path) -> Callable[..., Manifest | None]:
    """The stage's finished output, None where it would run again."""
    given = {"output_dir": tmp_path / "train", "devices": DeviceConfig()}
    return lambda **changes: train.find(toy_config(**changes), toy.shards, toy.vocabulary, **given)


def rows_of(made: Manifest, part: str) -> np.ndarray:
    """The rows of the file's pieces in an array of the last checkpoint."""
    last = checkpoints.newest(made.directory / "checkpoints")
    assert last
    return (last.state | {"exported": exported(last.state)[TABLE]})[part][TOKENS]


EXPECTED = np.repeat(np.float32([[0.10], [0.11]]), 16, axis=1)


def test_frozen_vectors_stay_as_the_file_has_them(learn: Callable[..., Manifest], file: Path) -> None:
    vectors = {"source": {"path": str(file), "frozen": True}}
    made = learn(vectors=vectors, ema=0.9, patience=50)
    for part in (f"weight/{TABLE}", f"average/{TABLE}", f"best/{TABLE}", "exported"):
        np.testing.assert_array_equal(rows_of(made, part), EXPECTED, err_msg=part)
    assert not rows_of(made, f"square/{TABLE}").any()

    never_killed = checkpoints.newest(made.directory / "checkpoints")
    (made.directory / "manifest.json").unlink()
    (made.directory / "checkpoints/step-00000012.npz").unlink()
    resumed = checkpoints.newest(learn(vectors=vectors, ema=0.9, patience=50).directory / "checkpoints")
    assert never_killed
    assert resumed
    for name, values in never_killed.state.items():
        assert np.array_equal(resumed.state[name], values), name


def test_a_warm_start_replaces_vectors_but_no_frozen_ones(
    trained: Manifest, learn: Callable[..., Manifest], file: Path
) -> None:
    began = {"warm_start": str(trained.directory), "steps": 1, "learning_rate": 1e-6}
    free = learn(**began, vectors={"source": {"path": str(file)}})
    np.testing.assert_allclose(rows_of(free, "exported"), rows_of(trained, "exported"), atol=1e-5)
    held = learn(**began, vectors={"source": {"path": str(file), "frozen": True}})
    np.testing.assert_array_equal(rows_of(held, "exported"), EXPECTED)


def test_vectors_that_are_not_frozen_are_where_learning_begins_and_their_content_counts(
    learn: Callable[..., Manifest], found: Callable[..., Manifest | None], file: Path
) -> None:
    def of(path: Path) -> dict[str, Any]:
        return {"vectors": {"target": {"path": str(path)}}, "steps": 1, "learning_rate": 1e-6}

    made = learn(**of(file))
    rows = rows_of(made, f"weight/{TABLE}")
    np.testing.assert_allclose(rows, EXPECTED, atol=1e-5)
    assert not np.array_equal(rows, EXPECTED)
    os.link(file, file.with_name("elsewhere.txt"))
    assert found(**of(file.with_name("elsewhere.txt"))) == made
    file.write_text(file.read_text().replace("0.10", "0.30"))
    assert found(**of(file)) is None


def test_a_file_that_is_not_there_is_named_before_anything_is_written(
    learn: Callable[..., Manifest], tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match=r"train.vectors.source.path = none.txt: expected a text file .*\(No such file"
    ):
        learn(vectors={"source": {"path": "none.txt"}})
    assert not list(tmp_path.iterdir())


def test_one_table_takes_the_vectors_of_one_file(toy: Any, file: Path) -> None:
    both = {side: {"path": str(file)} for side in ("source", "target")}
    network = ModelConfig(embedding_size=16)
    first, second = (Vocabulary.load(toy.vocabulary.path("vocabulary.model")) for _ in range(2))
    with pytest.raises(InputError, match=r"train.vectors.source.path = .*: expected a file of one side, or .*share a"):
        vectors_of(TrainConfig(model=network, vectors=both), Vocabularies.shared(first))
    apart = network.model_copy(update={"tied": False})
    assert len(vectors_of(TrainConfig(model=apart, vectors=both), Vocabularies.shared(first))) == 2
    assert len(vectors_of(TrainConfig(model=network, vectors=both), Vocabularies(first, second))) == 2
    with pytest.raises(InputError, match=r"train.vectors.source.path = .*: expected no file \(the sources are frames"):
        vectors_of(TrainConfig(model=apart, vectors=both), Vocabularies.shared(first), 3)
