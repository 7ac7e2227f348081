"""What a training did with its time, and how much work its steps were."""

import math
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model import flops
from model.batches import Batch
from model.config import DeviceConfig, ModelConfig
from model.launch import build_strategy, devices_of
from model.meter import Meter
from model.precision import LossScale
from model.scalars import EventFile
from model.trainer import Step, Trainer
from pipeline.examples import records_of

SOURCES, TARGETS = np.array([3, 5]), np.array([4, 2])


def points(folder: Path) -> list[tuple[int, dict[str, float]]]:
    """The points of an event file."""
    (path,) = folder.iterdir()
    found = [tf.compat.v1.Event.FromString(record) for record in records_of(path)]
    return [(one.step, {each.tag: each.simple_value for each in one.summary.value}) for one in found[2:]]


@pytest.mark.parametrize(("steps", "at_once"), [(20, 1), (21, 7)])
def test_a_point_sums_up_twenty_steps_or_the_calls_that_complete_them(
    clock: Any,
    toy_config: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
    at_once: int,
) -> None:
    config = toy_config()
    trainer = Trainer(config, 40, build_strategy(DeviceConfig()))
    monkeypatch.setattr(flops, "product_rate", lambda precision: 1e9)
    monkeypatch.setattr("model.meter.time", clock)
    batch = Batch(np.array([[5, 6, 3]]), np.array([[7, 3, 0]]))

    def slow() -> Iterator[Batch]:
        for _ in range(steps):
            clock.now += 1
            yield batch

    with EventFile(tmp_path, 1) as file:
        meter = Meter(trainer, file, devices=2)
        batches = meter.watch(slow())
        for first in range(1, steps + 1, at_once):
            numbers = [number for number, _ in enumerate(islice(batches, at_once), start=first)]
            clock.now += 3 * at_once
            losses = [math.nan if number == 4 else 2.0 for number in numbers]
            norms = [number / 2 for number in numbers]
            taken = [
                Step(loss, 2, norm, asked=False, scale=LossScale(0)) for loss, norm in zip(losses, norms, strict=True)
            ]
            meter.add(numbers[-1], taken, 0.125)
            clock.now += 50  # a checkpoint
        meter.measured(steps, 1.5)
        meter.measured(steps + 1, None)
    (step, found), measured = points(tmp_path)
    assert step == steps
    norm = (sum(range(1, steps + 1)) - 4) / 2 / (steps - 1)
    work = steps * flops.of_batch(config.model, 40, batch)
    assert found == pytest.approx(
        {
            "train/loss": 2.0,
            "train/learning_rate": 0.125,
            "train/gradient_norm": norm,
            "train/tokens_per_second": 2 * (steps - 1) / (4 * steps),
            "train/input_wait": 0.25,
            "train/flops_utilisation": work / (4 * steps) / 2e9,
        },
        rel=1e-6,
    )
    assert measured == (steps, {"dev/loss": 1.5})


def test_the_work_of_a_transformer_is_that_of_its_products() -> None:
    config = ModelConfig(
        architecture="transformer", embedding_size=8, heads=2, feedforward_units=16, encoder_layers=1, decoder_layers=1
    )
    read, written, met, squares, own = 8, 6, 3 * 4 + 5 * 2, 9 + 25, 16 + 4
    kernels = 4 * 8 * 8 + 2 * 8 * 16
    encoder = read * kernels + 2 * squares * 8
    decoder = written * (kernels + 2 * 8 * 8) + read * 2 * 8 * 8 + 2 * own * 8 + 2 * met * 8
    assert flops.of_lengths(config, 50, SOURCES, TARGETS) == 6 * (encoder + decoder + written * 8 * 50)


@pytest.mark.parametrize(
    ("attention", "expected"),
    [
        ("none", 8 * 4 * 6 * (5 + 6) * 2 + 6 * 4 * 7 * (5 + 7) + 6 * 7 * 5),
        (
            "multiplicative",
            8 * 4 * 6 * (5 + 6) * 2 + 6 * 4 * 7 * (5 + 7) + 6 * 7 * 12 + 2 * 22 * 12 + 6 * (7 + 12) * 5,
        ),
        (
            "additive",
            8 * 4 * 6 * (5 + 6) * 2 + 6 * 4 * 7 * (5 + 12 + 7) + (8 * 12 + 6 * 7) * 9 + 22 * 12 + 6 * (7 + 12) * 5,
        ),
    ],
)
def test_the_work_of_an_lstm_is_that_of_its_products(attention: Any, expected: int) -> None:
    config = ModelConfig(attention=attention, embedding_size=5, encoder_units=6, decoder_units=7, attention_units=9)
    assert flops.of_lengths(config, 50, SOURCES, TARGETS) == 6 * (expected + 6 * 5 * 50)


def test_padding_is_no_work() -> None:
    config = ModelConfig(embedding_size=8, encoder_units=8, decoder_units=8)
    narrow = Batch(np.array([[5, 3]]), np.array([[7, 3]]))
    wide = Batch(np.array([[5, 3, 0, 0]]), np.array([[7, 3, 0]]))
    assert flops.of_batch(config, 50, wide) == flops.of_batch(config, 50, narrow)


def test_one_core_cannot_be_used_twice() -> None:
    assert devices_of(build_strategy(DeviceConfig())) == 1
