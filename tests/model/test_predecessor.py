"""Which model a training begins with, looked up in a real registry."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.settings import load
from model.config import DeviceConfig, TrainConfig
from model.predecessor import in_folder
from model.register import files_of
from model.registry import Registry
from model.stages import look, train
from model.versions import Version
from model.weights import read_weights
from pipeline.errors import InputError
from pipeline.manifest import InputRecord, Manifest, input_record

NAME = "toy"
DIFFERENT = ("steps", "batch_tokens", "learning_rate", "checkpoint_every", "evaluate_every", "keep_optimizer")


@pytest.fixture
def add(trained: Manifest) -> Callable[..., Version]:
    """Registers the trained model as if it had begun with another, and makes it champion."""

    def made(location: str, before: InputRecord | None = None, **changes: Any) -> Version:
        registry = Registry(location, NAME)
        model = trained.model_copy(update=changes)
        evaluation = model.model_copy(update={"files": ()})
        version = registry.add(
            files_of(model, evaluation),
            fingerprint="of-this",
            metrics={},
            lineage={"model": input_record(model)} | model.inputs | ({"warm_start": before} if before else {}),
            configs={"train": model.config},
            versions={},
        )
        registry.move_alias("champion", version.number, expected=registry.alias("champion"), why="a test")
        return version

    return made


@pytest.fixture
def began(toy: Any, toy_config: Callable[..., TrainConfig]) -> Callable[..., InputRecord | None]:
    """What a training of these data begins with; keywords change its configuration."""

    def looked(given: str, **changes: Any) -> InputRecord | None:
        config = toy_config(**changes, warm_start=given)
        return look(config, toy.folder, toy.shards, toy.vocabulary).records.get("warm_start")

    return looked


def test_a_champion_is_followed_but_not_to_what_these_data_made(
    trained: Manifest, location: str, add: Callable[..., Version], began: Callable[..., InputRecord | None]
) -> None:
    champion, own = f"{location}/{NAME}@champion", {key: trained.config[key] for key in DIFFERENT}
    assert began(champion, **own) is None  # the first night: nothing is there
    add(location)
    assert began(champion, **own) is None  # its own model is champion now, and nothing is new
    assert began(champion, seed=5) == input_record(trained)  # which another training begins with
    assert began(f"{location}/{NAME}@1", **own) == input_record(trained)  # and this one, where it is told to
    other = InputRecord(kind="model", fingerprint="of another", digest="0")
    add(location, before=other, config=trained.config | {"seed": 5})
    assert began(champion, **(own | {"seed": 5})) == other
    assert began(champion, **own) is None  # whoever is champion: these data were learned


def test_a_version_and_the_folder_it_was_made_from_are_the_same_beginning(
    trained: Manifest, location: str, add: Callable[..., Version], began: Callable[..., InputRecord | None]
) -> None:
    add(location)
    assert began(f"{location}/{NAME}@1") == began(str(trained.directory)) == input_record(trained)


def test_a_training_begins_with_the_weights_of_a_registered_version(
    toy: Any,
    toy_config: Callable[..., TrainConfig],
    trained: Manifest,
    bucket: str,
    add: Callable[..., Version],
    tmp_path: Path,
) -> None:
    add(bucket)
    config = toy_config(warm_start=f"{bucket}/{NAME}@champion", steps=1, learning_rate=1e-7, keep_optimizer=True)
    made = train(config, toy.shards, toy.vocabulary, output_dir=tmp_path, devices=DeviceConfig())
    assert made.inputs["warm_start"] == input_record(trained)
    before, after = read_weights(trained.directory), read_weights(made.directory)
    assert before.keys() == after.keys()
    for name, values in before.items():
        if name.startswith("weight/"):
            np.testing.assert_allclose(after[name], values, atol=1e-5, err_msg=name)


def test_what_is_not_there_is_named(
    location: str, add: Callable[..., Version], began: Callable[..., InputRecord | None]
) -> None:
    add(location)
    for wanted in ("7", "candidate"):
        shown = f"{location}/{NAME}@{wanted}"
        with pytest.raises(InputError, match=f"train.warm_start = {shown}: expected one of 1, champion"):
            began(shown)
    with pytest.raises(InputError, match="train.warm_start = champion: expected REGISTRY/NAME@champion, or a folder"):
        began("champion")


def test_a_version_without_weights_is_refused(toy: Any, trained: Manifest, tmp_path: Path) -> None:
    location = str(tmp_path / "registry")
    Registry(location, NAME).add(
        {"vocabulary.model": trained.path("vocabulary.model")},
        fingerprint="of-this",
        metrics={},
        lineage={"model": input_record(trained)},
        configs={},
        versions={},
    )
    found = look(TrainConfig(warm_start=f"{location}/{NAME}@1"), tmp_path, toy.shards, toy.vocabulary)
    with pytest.raises(InputError, match=r"train.warm_start = .*/toy@1: expected a version with weights.npz"):
        found.given["predecessor"].fetch()


def test_damaged_weights_are_refused(trained: Manifest, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in ("manifest.json", "vocabulary.model"):
        (folder / file).write_bytes((trained.directory / file).read_bytes())
    (folder / "weights.npz").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"weights.npz: expected the .* bytes with SHA-256"):
        in_folder(folder).fetch()


def test_a_night_names_a_version_of_its_own_registry() -> None:
    for given in ("champion", "3"):
        config = load("weather", overrides=[f"train.warm_start={given}", "registry=models"])
        assert config.section(train).warm_start == f"models/weather-en-fr@{given}"
    folder = load("weather", overrides=["train.warm_start=some/folder"])
    assert folder.section(train).warm_start == "some/folder"
