"""Batches of fixed shapes, and steps that XLA compiles."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.batches import Batch, Pairs
from model.config import DeviceConfig, TrainConfig
from model.devices import check_devices
from model.feeding import feed, in_order
from model.fitting import fit
from model.launch import build_strategy
from model.prepare import make_plan, plan_of
from model.trainer import Trainer
from pipeline.errors import InputError

NETWORKS = {
    "recurrent": {"attention": "additive", "encoder_units": 8, "decoder_units": 12, "attention_units": 6},
    "transformer": {"architecture": "transformer", "feedforward_units": 16, "heads": 2},
}


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_a_compiled_step_is_the_same_step_and_compiled_once_for_each_shape(
    toy: Any, toy_config: Callable[..., TrainConfig], network: str
) -> None:
    model = type(toy_config().model)(embedding_size=16, dropout=0.2, **NETWORKS[network])
    config = toy_config(model=model, shapes="fixed", max_length=9)
    pairs = Pairs.read(toy.shards.paths("train/*.tfrecord"))
    by_shape: dict[Any, list[Batch]] = {}
    for batch in feed(make_plan(config, pairs), pairs, 1, 60):
        by_shape.setdefault((batch.sources.shape, batch.targets.shape), []).append(batch)
    first, second = list(by_shape.values())[:2]
    losses = []
    for compiles in (False, True):
        trainer = Trainer(config, 40, build_strategy(DeviceConfig()), compiles=compiles)
        batches = [*first[:3], *second[:3]]
        losses.append([trainer.step(batch, step).loss for step, batch in enumerate(batches, start=1)])
        assert trainer._compiled_step.experimental_get_tracing_count() == 2
    assert trainer._differentiate.experimental_get_tracing_count() == 2
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_fixed_and_dynamic_shapes_have_the_same_losses(toy: Any, toy_config: Callable[..., TrainConfig]) -> None:
    dev = Pairs.read(toy.shards.paths("dev/*.tfrecord"))
    losses = []
    for shapes in ("fixed", "dynamic"):
        config = toy_config(shapes=shapes, label_smoothing=0.0)
        trainer = Trainer(config, 40, build_strategy(DeviceConfig()))
        losses.append(trainer.loss(in_order(plan_of(config, dev), dev)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize(
    ("devices", "changes", "message"),
    [
        ({"compile": True}, {}, r"devices.compile = true: expected train.shapes=fixed beside it"),
        ({"strategy": "tpu"}, {}, r"devices.strategy = tpu: expected train.shapes=fixed beside it"),
        (
            {"compile": True},
            {"shapes": "fixed", "precision": "bfloat16"},
            r"devices.compile = true: expected train.precision=float32 beside it",
        ),
    ],
)
def test_what_cannot_be_compiled_is_refused(devices: dict[str, Any], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_devices(TrainConfig(**changes), DeviceConfig(**devices))


def test_a_training_with_fixed_shapes_measures_and_saves_as_any_other(
    toy: Any, toy_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    config = toy_config(steps=2, shapes="fixed", max_length=6)
    pairs, dev = (Pairs.read(toy.shards.paths(f"{split}/*.tfrecord")) for split in ("train", "dev"))
    trainer = Trainer(config, 40, build_strategy(DeviceConfig()))
    (row,) = fit(trainer, pairs, make_plan(config, pairs), dev, tmp_path)
    assert row["loss"] == pytest.approx(np.log(40), rel=0.2)
    assert row["dev_loss"] == pytest.approx(np.log(40), rel=0.2)
