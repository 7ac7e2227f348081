"""The trainer on the toy task: what a run leaves to the next one, and what may not be given."""

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model import checkpoints, export
from model.batches import Pairs
from model.checkpoints import Checkpoint
from model.config import DeviceConfig, TrainConfig
from model.fitting import fit
from model.launch import build_strategy
from model.prepare import make_plan
from model.stages import train
from model.trainer import Trainer
from pipeline.errors import InputError


def fit_here(config: TrainConfig, data: Path, folder: Path) -> Trainer:
    """Trains in this process."""
    pairs, dev = (Pairs.read(sorted((data / split).glob("*.tfrecord"))) for split in ("train", "dev"))
    trainer = Trainer(config, 40, build_strategy(DeviceConfig()))
    fit(trainer, pairs, make_plan(config, pairs), dev, folder)
    return trainer


def test_a_run_killed_between_training_and_export_only_exports(
    toy: Any, toy_config: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (toy_config(steps=6), toy.shards, toy.vocabulary)
    with monkeypatch.context() as patch:
        patch.setattr(export, "save", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(*given, output_dir=tmp_path, devices=DeviceConfig())
    monkeypatch.setattr(Trainer, "step", lambda *_: pytest.fail("trained again"))
    made = train(*given, output_dir=tmp_path, devices=DeviceConfig())
    assert made.counts["steps"] == 6
    history = json.loads(made.path("history.json").read_text())
    assert [row["step"] for row in history] == [4, 6]
    assert made.facts["dev_loss"] == history[-1]["dev_loss"]


def test_training_without_a_dev_set_says_nothing_about_it(
    toy: Any, toy_config: Callable[..., Any], tmp_path: Path
) -> None:
    config = toy_config(steps=1)
    pairs = Pairs.read(toy.shards.paths("train/*.tfrecord"))
    trainer = Trainer(config, 40, build_strategy(DeviceConfig()))
    history = fit(trainer, pairs, make_plan(config, pairs), Pairs.read([]), tmp_path)
    assert [row["dev_loss"] for row in history] == [None]


def test_a_loss_that_is_no_number_names_what_to_change(
    toy: Any, toy_config: Callable[..., Any], tmp_path: Path
) -> None:
    config = toy_config(learning_rate=1.0, warmup_steps=0, clip_norm=1e30, schedule="constant", max_skips=3)
    trainer = Trainer(config, 40, build_strategy(DeviceConfig()))
    for weight in trainer.weights.values():
        weight.assign(np.full(weight.shape, np.nan, np.float32))
    pairs = Pairs.read(toy.shards.paths("train/*.tfrecord"))
    with pytest.raises(InputError, match=r"train.learning_rate = 1.0: .*not finite in 3 steps up to step 3;"):
        fit(trainer, pairs, make_plan(config, pairs), Pairs.read([]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_step_size_that_diverges_is_told_after_a_hundred_steps(
    toy: Any, toy_config: Callable[..., Any], tmp_path: Path
) -> None:
    given = {"learning_rate": 1.0, "warmup_steps": 0, "checkpoint_every": 50}
    config = toy_config(schedule="constant", steps=100_000, **given)
    for _ in range(2):  # and when it is run again, from its checkpoint
        with pytest.raises(
            InputError, match=r"train.learning_rate = 1.0: expected one that lowers the loss \(it was "
        ) as told:
            fit_here(config, toy.shards.directory, tmp_path)
        assert "over the last 100 steps up to step 100, and guessing has 3.7; a lower value helps" in str(told.value)
        found = checkpoints.newest(tmp_path)
        assert found
        assert found.step == 50


def test_pairs_that_are_all_too_long_name_the_limit(toy: Any, toy_config: Callable[..., Any]) -> None:
    pairs = Pairs.read(toy.shards.paths("train/*.tfrecord"))
    with pytest.raises(InputError, match="train.max_length = 1: expected at least 2"):
        make_plan(toy_config(max_length=1), pairs)
    with pytest.raises(InputError, match="shards = no pairs: expected at least one"):
        make_plan(toy_config(), Pairs.read([]))


def test_shards_of_another_vocabulary_are_refused(toy: Any, toy_config: Callable[..., Any], tmp_path: Path) -> None:
    other = toy.vocabulary.model_copy(update={"fingerprint": "another"})
    with pytest.raises(InputError, match="vocabulary = .*expected the one that .*shards was made with"):
        train(toy_config(), toy.shards, other, output_dir=tmp_path, devices=DeviceConfig())


def test_more_replicas_than_devices_are_refused() -> None:
    tf.zeros([1]).numpy()  # a process that has computed something keeps the devices it has
    with pytest.raises(InputError, match="devices.replicas = 64: expected at most"):
        build_strategy(DeviceConfig(strategy="mirrored", replicas=64))


def flip(data: bytes) -> bytes:
    """One bit in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-9], flip, lambda data: b"damaged"])
def test_a_damaged_checkpoint_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    for step in (1, 2, 3):
        checkpoints.save(tmp_path, Checkpoint(step, {"weight/a": np.float32([step])}, {"tokens": step}))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-00000002.npz", "step-00000003.npz"]
    newest = tmp_path / "step-00000003.npz"
    newest.write_bytes(damage(newest.read_bytes()))
    with caplog.at_level(logging.WARNING, "nightshift"):
        found = checkpoints.newest(tmp_path)
    assert found
    assert (found.step, found.state["weight/a"].tolist(), found.notes) == (2, [2.0], {"tokens": 2})
    assert "step-00000003.npz is damaged" in caplog.text


def test_a_damaged_checkpoint_takes_no_place_of_one_that_is_whole(tmp_path: Path) -> None:
    for step in (3, 5, 9):
        checkpoints.save(tmp_path, Checkpoint(step, {}, {}))
    (tmp_path / "step-00000009.npz").write_bytes(b"damaged")
    for step in (6, 7):  # of the run that goes on from step 5
        checkpoints.save(tmp_path, Checkpoint(step, {}, {}))
    (tmp_path / "step-00000007.npz").write_bytes(b"damaged too")
    found = checkpoints.newest(tmp_path)
    assert found
    assert found.step == 6


def test_checkpoints_that_a_killed_run_did_not_remove_are_removed(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoints.save(tmp_path, Checkpoint(step, {}, {}))
    shutil.copyfile(tmp_path / "step-00000003.npz", tmp_path / "step-00000001.npz")
    checkpoints.prune(tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-00000002.npz", "step-00000003.npz"]


def test_a_stage_is_known_without_what_its_work_needs() -> None:
    unwanted = ("apache_beam", "prefect", "tensorflow", "keras", "sacrebleu")
    code = f"import sys, model.stages, model.config; print([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_tensorflow_is_imported_without_its_chatter() -> None:
    code = (
        "import sys; from pipeline.quiet import tensorflow_quietly\n"
        "with tensorflow_quietly():\n import tensorflow\n print('kept', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr == "kept\n"
