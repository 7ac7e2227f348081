"""What a training remembers beside weights: averages, the best so far, dev losses; and how it is asked to end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import checkpoints
from model.averaging import exported
from model.batches import Batch, Pairs
from model.checkpoints import Arrays, Checkpoint
from model.config import DeviceConfig, TrainConfig
from model.early_stopping import Plateau, Watch
from model.feeding import feed
from model.fitting import fit
from model.launch import build_strategy
from model.notes import Notes
from model.prepare import make_plan
from model.trainer import Trainer
from pipeline.errors import InputError

FIT = """
import json, sys
from pathlib import Path
from model.batches import Batch, Pairs
from model.config import DeviceConfig, TrainConfig
from model.interruption import EXIT_CODE, Interrupted
from model.launch import build_strategy
from model.trainer import Trainer
from model.fitting import fit
from model.prepare import make_plan

given = json.loads(sys.argv[1])
config, data = TrainConfig(**given["config"]), Path(given["data"])
pairs, dev = (Pairs.read(sorted((data / split).glob("*.tfrecord"))) for split in ("train", "dev"))
trainer = Trainer(config, 40, build_strategy(DeviceConfig()), batches_per_call=given["batches_per_call"])
try:
    fit(trainer, pairs, make_plan(config, pairs), dev, Path(given["folder"]))
except Interrupted as error:
    print(error)
    sys.exit(EXIT_CODE)
"""


@pytest.fixture
def run(toy: Any, tmp_path: Path) -> Callable[..., Checkpoint]:
    """Trains in this process, with a folder of its own for each name, and gives the last checkpoint."""

    def fitted(config: TrainConfig, name: str = "here", batches_per_call: int = 1) -> Checkpoint:
        data = toy.shards.directory
        pairs, dev = (Pairs.read(sorted((data / split).glob("*.tfrecord"))) for split in ("train", "dev"))
        trainer = Trainer(config, 40, build_strategy(DeviceConfig()), batches_per_call=batches_per_call)
        fit(trainer, pairs, make_plan(config, pairs), dev, tmp_path / name)
        found = checkpoints.newest(tmp_path / name)
        assert found
        return found

    return fitted


def start(config: TrainConfig, data: Path, folder: Path, batches_per_call: int) -> subprocess.Popen[str]:
    """Trains in a process of its own."""
    places = {"data": str(data), "folder": str(folder)}
    given = {"config": config.canonical(), "batches_per_call": batches_per_call} | places
    command = [sys.executable, "-c", FIT, json.dumps(given)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def assert_same(found: Checkpoint, expected: Checkpoint) -> None:
    """Asserts that two trainings are at the same place with the same bits and the same history."""
    assert found.step == expected.step
    assert found.state.keys() == expected.state.keys()
    for name, values in found.state.items():
        assert np.array_equal(values, expected.state[name]), name
    plain: list[Any] = []
    for one in (found, expected):
        rows = [{**row, "seconds": 0} for row in one.notes["history"]]
        plain.append(one.notes | {"history": rows, "seconds": 0})
    assert plain[0] == plain[1]


WATCHING = {"patience": 50, "schedule": "plateau", "plateau_patience": 1, "evaluate_every": 3}


@pytest.mark.slow
@pytest.mark.parametrize("batches_per_call", [(1, 1), (5, 3)])  # of the processes, and of the one that goes on
def test_asked_to_end_and_killed_it_goes_on_with_the_same_bits(
    toy: Any,
    toy_config: Callable[..., Any],
    run: Callable[..., Checkpoint],
    tmp_path: Path,
    batches_per_call: tuple[int, int],
) -> None:
    """What else has a memory is in test_resume.py, where no process is needed."""
    config = toy_config(steps=60, checkpoint_every=7, ema=0.9, accumulate=2, **WATCHING)
    folder, data = tmp_path / "ended", toy.shards.directory
    for number, code in ((signal.SIGTERM, os.EX_TEMPFAIL), (signal.SIGKILL, -signal.SIGKILL)):
        before = checkpoints.steps_of(folder)
        process = start(config, data, folder, batches_per_call[0])
        while checkpoints.steps_of(folder) == before:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.002)
        os.kill(process.pid, number)
        out, errors = process.communicate(timeout=120)
        assert process.returncode == code, errors
        if number == signal.SIGTERM:
            last = checkpoints.newest(folder)
            assert last
            assert out.startswith(f"stopped after step {last.step} as asked, with a checkpoint")
    interrupted = checkpoints.newest(folder)
    assert interrupted
    assert 7 <= interrupted.step < 60
    assert_same(*(run(config, name, batches_per_call[1]) for name in ("ended", "never")))


def test_twice_half_a_batch_is_as_good_as_the_whole_over_fifty_steps(toy: Any, toy_config: Callable[..., Any]) -> None:
    network = toy_config().model.model_copy(update={"dropout": 0.0})
    given = {"model": network, "steps": 50, "clip_norm": 0.5}
    pairs = Pairs.read(toy.shards.paths("train/*.tfrecord"))
    whole, halves = (
        Trainer(toy_config(**given, accumulate=each), 40, build_strategy(DeviceConfig())) for each in (1, 2)
    )
    plan = make_plan(whole.config, pairs)
    losses = []
    for step, batch in enumerate(feed(plan, pairs, 1, 50), start=1):
        even, odd = (Batch(batch.sources[half::2], batch.targets[half::2]) for half in range(2))
        halves.learn([even], 2 * step - 1)
        losses.append((halves.step(odd, step).loss, whole.step(batch, step).loss))
    one, two = zip(*losses, strict=True)
    np.testing.assert_allclose(one, two, rtol=1e-5)


def test_the_mean_of_the_last_checkpoints_is_what_is_exported(
    toy_config: Callable[..., Any], run: Callable[..., Checkpoint]
) -> None:
    weights = [run(toy_config(steps=steps, schedule="constant"), f"{steps}").state for steps in (5, 10, 12)]
    found = run(toy_config(schedule="constant", average_checkpoints=3), "all")
    for path, values in exported(found.state).items():
        mean = np.mean([state[f"weight/{path}"] for state in weights], axis=0, dtype=np.float64)
        np.testing.assert_array_equal(values, mean.astype(np.float32), err_msg=path)


def test_training_ends_where_the_dev_loss_no_longer_falls_and_keeps_the_best(
    toy: Any, toy_config: Callable[..., Any], run: Callable[..., Checkpoint]
) -> None:
    config = toy_config(steps=100, learning_rate=1.0, schedule="constant", patience=2, evaluate_every=2, warmup_steps=9)
    found = run(config)
    losses = [row["dev_loss"] for row in found.notes["history"]]
    best = min(losses)
    assert found.step == 2 * len(losses) < 100
    assert losses.index(best) == len(losses) - 3
    trainer = Trainer(config, 40, build_strategy(DeviceConfig()))
    dev = Pairs.read(toy.shards.paths("dev/*.tfrecord"))
    everything = np.argsort(dev.lengths[:, 1])
    with trainer.with_weights(exported(found.state)):
        assert trainer.loss([dev.whole.batch(everything)]) == pytest.approx(best, rel=1e-5)
    assert run(config).step == found.step  # and when it is run again nothing more is done


def test_the_step_size_halves_where_the_dev_loss_stands_still(
    toy_config: Callable[..., Any], run: Callable[..., Checkpoint]
) -> None:
    config = toy_config(
        steps=6, learning_rate=1e-12, schedule="plateau", plateau_patience=2, evaluate_every=1, warmup_steps=0
    )
    rates = [row["learning_rate"] for row in run(config).notes["history"]]
    assert rates == [1e-12, 1e-12, 1e-12, 5e-13, 5e-13, 2.5e-13]


def test_notes_of_a_checkpoint_are_the_notes_again() -> None:
    notes = Notes([{"step": 1}], 5, 1.5, 2.5, 3, 2, 1, Watch(1.0, 2), Plateau(0.5, Watch(2.0, 1)), 7.5, 4)
    assert Notes.parse(json.loads(json.dumps(notes.as_json()))) == notes


def test_a_dev_loss_that_is_no_number_is_not_the_best() -> None:
    watch = Watch()
    assert [watch.sees(loss) for loss in (float("nan"), 3.0, float("inf"), 2.0)] == [False, True, False, True]
    assert watch == Watch(best=2.0, waited=0)


def test_a_step_that_was_skipped_is_counted_and_forgiven_after_one_that_was_not() -> None:
    notes = Notes()
    for loss in (float("nan"), float("nan"), 2.0, float("inf")):
        notes.add(loss, 10)
    assert (notes.skipped, notes.skipped_in_row, notes.recent_loss, notes.tokens) == (3, 1, 20.0, 10)


def test_a_checkpoint_of_another_configuration_names_the_key(
    toy_config: Callable[..., Any], run: Callable[..., Checkpoint]
) -> None:
    run(toy_config(steps=1))
    with pytest.raises(
        InputError, match=r"checkpoint = step 1: .*\(train.label_smoothing 0.1 -> 0.2, train.steps 1 -> 2"
    ):
        run(toy_config(steps=2, label_smoothing=0.2))


def test_a_checkpoint_of_another_vocabulary_says_so(
    toy: Any, toy_config: Callable[..., Any], run: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    config = toy_config(steps=1)
    run(config)
    pairs = Pairs.read(toy.shards.paths("train/*.tfrecord"))
    trainer = Trainer(config, 41, build_strategy(DeviceConfig()))
    with pytest.raises(InputError, match=r"checkpoint = step 1: .*\(vocabulary.size 40 -> 41;"):
        fit(trainer, pairs, make_plan(config, pairs), Pairs.read([]), tmp_path / "here")


@pytest.mark.parametrize("watching", [{"patience": 2}, {"schedule": "plateau"}])
@pytest.mark.parametrize("max_length", [64, 1])  # without a dev set; with one of which every pair is too long
def test_what_watches_the_dev_loss_needs_one(
    toy: Any, toy_config: Callable[..., Any], tmp_path: Path, watching: dict[str, Any], max_length: int
) -> None:
    config = toy_config(**watching, max_length=max_length)
    pairs = Pairs.read(toy.shards.paths("train/*.tfrecord"))
    dev = Pairs.read(toy.shards.paths("dev/*.tfrecord") if max_length == 1 else [])
    trainer = Trainer(config, 40, build_strategy(DeviceConfig()))
    (key,) = watching
    cause = "none of its 30 pairs is within train.max_length=1" if max_length == 1 else "there is no dev loss to watch"
    said = rf"^train.{key} = {watching[key]}: expected a dev set beside it \({cause}\)$"
    with pytest.raises(InputError, match=said):
        fit(trainer, pairs, make_plan(toy_config(), pairs), dev, tmp_path)


def test_names_of_parts_are_not_mixed_up() -> None:
    state: Arrays = {name: np.float32([place]) for place, name in enumerate(("weight/a", "average/a", "best/a"))}
    assert exported(state)["a"] == 2
    del state["best/a"]
    assert exported(state)["a"] == 1
    del state["average/a"]
    assert exported(state | {"recent/0/a": np.float32([4]), "recent/1/a": np.float32([8])})["a"] == 6
    assert exported(state)["a"] == 0
