"""A training that was killed and goes on has the bits of one that never was, with every option that has a memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import checkpoints
from model.batches import Batch, FrameForm, Pairs
from model.checkpoints import Checkpoint
from model.config import DeviceConfig, TrainConfig
from model.embeddings import Vectors
from model.fitting import fit
from model.launch import build_strategy
from model.plan import copies_of
from model.prepare import make_plan
from model.trainer import Step, Trainer

FRAMES = FrameForm(size=6, stride=2)
WATCHING = {"evaluate_every": 3, "patience": 50, "schedule": "plateau", "plateau_patience": 1}
OPTIONS: dict[str, dict[str, Any]] = {
    "frames, moving average, accumulated": {"ema": 0.9, "accumulate": 2, **WATCHING},
    "fixed shapes, mean of checkpoints, frozen vectors": {
        "shapes": "fixed",
        "max_length": 6,
        "average_checkpoints": 3,
        "vectors": {"source": {"path": "given", "frozen": True}},
        **WATCHING,
    },
    "float16, weights of origins, variational": {"precision": "float16", "max_skips": 1},
}


@pytest.fixture
def run(toy: Any, toy_frames: Path, toy_config: Callable[..., TrainConfig]) -> Callable[..., Checkpoint | None]:
    """Trains with some options in a folder, to the end or up to a step at which it is killed."""

    def trained(option: str, folder: Path, killed_at: int = 0) -> Checkpoint | None:
        changes = OPTIONS[option]
        is_variational = "variational" in option
        network = toy_config().model.model_copy(update={"frame_stride": 2, "variational": is_variational})
        config = toy_config(checkpoint_every=4, **changes, model=network)
        frames = FRAMES if "frames" in option else None
        data = toy_frames if frames else toy.shards.directory
        pairs, dev = (Pairs.read(sorted((data / split).glob("*.tfrecord")), frames) for split in ("train", "dev"))
        weights = np.linspace(0.01, 3, len(pairs.lengths)) if "weights" in option else None
        given = Vectors(np.array([10, 11]), np.full((2, 16), 0.1, np.float32))
        vectors = {"source": given} if "vectors" in changes else None
        size = frames.size if frames else 0
        trainer = Trainer(config, 40, build_strategy(DeviceConfig()), frame_size=size, vectors=vectors)
        learn = trainer.learn

        def fatal(batches: list[Batch], first: int, *factor: float, **more: bool) -> list[Step]:
            if more.get("is_real", True) and killed_at * config.accumulate in range(first, first + len(batches)):
                raise KeyboardInterrupt
            return learn(batches, first, *factor, **more)

        trainer.learn = fatal  # type: ignore[method-assign, assignment]
        plan = make_plan(config, pairs, None if weights is None else copies_of(weights, config.seed))
        if killed_at:
            with pytest.raises(KeyboardInterrupt):
                fit(trainer, pairs, plan, dev, folder)
        else:
            fit(trainer, pairs, plan, dev, folder)
        return checkpoints.newest(folder)

    return trained


@pytest.mark.parametrize("option", OPTIONS)
def test_killed_between_two_checkpoints_it_ends_with_the_same_bits(
    run: Callable[..., Checkpoint | None], tmp_path: Path, option: str
) -> None:
    interrupted = run(option, tmp_path / "killed", killed_at=11)
    assert interrupted
    assert interrupted.step == 8
    resumed, never = run(option, tmp_path / "killed"), run(option, tmp_path / "never")
    assert resumed
    assert never
    assert resumed.step == never.step == 12
    assert resumed.state.keys() == never.state.keys()
    for name, values in resumed.state.items():
        assert np.array_equal(values, never.state[name]), name
    assert interrupted.state["weight/seq2seq/table"].tobytes() != never.state["weight/seq2seq/table"].tobytes()
    for found in (resumed, never):
        found.notes["seconds"] = 0
        for row in found.notes["history"]:
            row["seconds"] = 0
    assert resumed.notes == never.notes
