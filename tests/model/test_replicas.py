"""Two devices take the steps of one, whatever the batches are like and whoever computes them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.batches import FrameForm, Pairs
from model.config import TrainConfig
from model.prepare import make_plan

FIT = """
import json, sys
from pathlib import Path
from model.batches import FrameForm, Pairs
from model.config import DeviceConfig, TrainConfig
from model.fitting import fit
from model.launch import build_strategy
from model.prepare import forms_of, make_plan
from model.trainer import Trainer

for name, given in json.loads(sys.argv[1]).items():
    config, data, size = TrainConfig(**given["config"]), Path(given["data"]), given["frame_size"]
    frames = FrameForm(size, config.model.frame_stride) if size else None
    pairs, dev = (Pairs.read(sorted((data / split).glob("*.tfrecord")), frames) for split in ("train", "dev"))
    for replicas in (2, 1):  # the devices are parted when the first of them is asked for
        devices = DeviceConfig(strategy="mirrored" if replicas > 1 else "one", replicas=replicas)
        plan = make_plan(config, pairs)
        more = given["more"] | {"forms": forms_of(plan, frames)}
        trainer = Trainer(config, 40, build_strategy(devices), frame_size=size, **more)
        folder = Path(given["folder"]) / f"{name}-of-{replicas}"
        history = fit(trainer, pairs, plan, dev, folder)
        print(json.dumps([row["loss"] for row in history] + [row["dev_loss"] for row in history]))
"""
FEW = {"steps": 4, "max_length": 4}
CASES: dict[str, dict[str, Any]] = {
    "as needed": {"steps": 50, "batch_tokens": 16},
    "fixed and compiled": {"shapes": "fixed", **FEW},
    "several a call": {"steps": 20, "batch_tokens": 16, "evaluate_every": 10, "accumulate": 2},
    "fixed and compiled, several a call": {"shapes": "fixed", "evaluate_every": 4, **FEW},
    "frames": {"steps": 20, "batch_tokens": 16},
    "frames, fixed": {"shapes": "fixed", **FEW},
}
TRANSFORMER = {"architecture": "transformer", "feedforward_units": 16, "heads": 2}
Losses = dict[str, tuple[list[float], list[float]]]


@pytest.fixture(scope="module")
def fit_all(
    toy: Any, toy_frames: Path, toy_config: Callable[..., TrainConfig], tmp_path_factory: pytest.TempPathFactory
) -> Losses:
    """The losses of each case on two replicas and on one.

    TensorFlow starts slowly, so the cases of one network share a process; those of networks of different sizes cannot,
    since it tells all-reduces apart by their number alone.
    """
    found: Losses = {}
    for are_frames in (False, True):
        given = {}
        for name, changes in CASES.items():
            if name.startswith("frames") != are_frames:
                continue
            others = TRANSFORMER if are_frames else {}
            network = toy_config().model.model_copy(update={"dropout": 0.0, "frame_stride": 2} | others)
            config = toy_config(**{"evaluate_every": 1, "clip_norm": 0.5, "model": network} | changes)
            given[name] = {
                "config": config.canonical(),
                "data": str(toy_frames if are_frames else toy.shards.directory),
                "folder": str(tmp_path_factory.mktemp("replicas")),
                "frame_size": 6 if are_frames else 0,
                "more": {"compiles": "compiled" in name, "batches_per_call": 3 if "several" in name else 1},
            }
        command = [sys.executable, "-c", FIT, json.dumps(given)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        found |= zip(given, zip(lines[::2], lines[1::2], strict=True), strict=True)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_one_and_two_replicas_have_the_same_losses(fit_all: Losses, case: str) -> None:
    two, one = fit_all[case]
    assert len(one) == 2 * CASES[case]["steps"] // CASES[case].get("evaluate_every", 1)
    assert one[0] != one[1]
    np.testing.assert_allclose(one, two, rtol=1e-5)


def test_a_replica_may_be_left_without_a_row_or_with_fewer(
    toy: Any, toy_frames: Path, toy_config: Callable[..., Any]
) -> None:
    for case, data, frames in (("as needed", toy.shards.directory, None), ("frames", toy_frames, FrameForm(6, 2))):
        pairs = Pairs.read(sorted((data / "train").glob("*.tfrecord")), frames)
        batches = make_plan(toy_config(**CASES[case]), pairs).batches(1, CASES[case]["steps"])
        assert {"as needed": 1, "frames": 5}[case] in [len(rows) for rows in batches], "the cases do not show it"
