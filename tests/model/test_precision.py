"""Training in float16: how the loss is scaled, and what a gradient that overflows does; a CPU computes in float32."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model import checkpoints
from model.attention import MASKED
from model.batches import Batch, Pairs
from model.config import DeviceConfig, TrainConfig
from model.fitting import fit
from model.launch import build_strategy
from model.precision import GROWS_AFTER, HIGHEST, LossScale, followed
from model.prepare import make_plan
from model.trainer import Trainer

BATCH = Batch(np.array([[4, 5, 3]], np.int32), np.array([[5, 4, 3]], np.int32))
TRANSFORMER = {"architecture": "transformer", "feedforward_units": 16, "heads": 2}
TOO_HIGH = 117  # exponent with which the gradients of large weights overflow float32, as 15 may overflow float16


def enlarge(trainer: Trainer) -> None:
    """Gives a trainer large weights."""
    table = trainer.weights["seq2seq/table"]
    table.assign(table * 1e4)


@pytest.mark.parametrize(
    ("before", "is_finite", "after"),
    [
        ((15, 7), False, (14, 0)),
        ((14, GROWS_AFTER - 2), True, (14, GROWS_AFTER - 1)),
        ((14, GROWS_AFTER - 1), True, (15, 0)),
        ((0, 0), False, (0, 0)),
        ((HIGHEST, GROWS_AFTER - 1), True, (HIGHEST, 0)),
    ],
)
def test_the_scale_halves_where_gradients_overflow_and_doubles_after_many_that_do_not(
    before: tuple[int, int], is_finite: bool, after: tuple[int, int]
) -> None:
    assert tuple(followed(tf.constant(before), tf.constant(is_finite)).numpy()) == after


def test_a_step_that_overflows_changes_the_scale_alone_and_the_next_ones_are_those_of_float32(
    toy_config: Callable[..., TrainConfig],
) -> None:
    half, single = (
        Trainer(toy_config(precision=precision), 12, build_strategy(DeviceConfig()))
        for precision in ("float16", "float32")
    )
    for trainer in (half, single):
        enlarge(trainer)
    half.scale = LossScale(TOO_HIGH)
    before = half.state()
    skipped = 0
    while np.isnan(half.step(BATCH, 1).loss):
        skipped += 1
        after = half.state()
        assert after.pop("scale").tolist() == [2.0 ** (TOO_HIGH - skipped), 0]
        for name, values in after.items():
            assert np.array_equal(values, before[name]), name
    assert skipped > 0
    assert half.scale == LossScale(TOO_HIGH - skipped, good=1)
    single.step(BATCH, 1)
    half.scale = LossScale(10)  # so that no later step overflows
    for step in range(2, 4):
        assert half.step(BATCH, step).loss == single.step(BATCH, step).loss
    for name, values in single.state().items():
        assert np.array_equal(values, half.state()[name]), name  # a power of two loses nothing


def test_a_training_counts_what_it_skipped_and_goes_on_from_its_scale(
    toy: Any, toy_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    pairs = Pairs.read(toy.shards.paths("train/*.tfrecord"))
    config = toy_config(precision="float16", max_skips=1, checkpoint_every=6)
    trainer = Trainer(config, 40, build_strategy(DeviceConfig()))
    trainer.scale = LossScale(TOO_HIGH)
    fit(trainer, pairs, make_plan(config, pairs), Pairs.read([]), tmp_path, begin=lambda: enlarge(trainer))
    found = checkpoints.newest(tmp_path)
    assert found
    skipped = found.notes["skipped"]
    assert 0 < skipped < 12 == found.step  # though a single one of them would end a training in float32
    assert found.state["scale"][0] == 2.0 ** (TOO_HIGH - skipped)
    other = Trainer(config, 40, build_strategy(DeviceConfig()))
    other.restore(found.state)
    assert other.scale == trainer.scale


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("network", [{"attention": "multiplicative"}, {"attention": "additive"}, TRANSFORMER])
def test_sums_over_a_batch_are_not_rounded_to_16_bits(
    toy_config: Callable[..., TrainConfig], network: dict[str, Any], accumulate: int
) -> None:
    model = toy_config().model.model_copy(update=network | {"dropout": 0.0})
    chance = np.random.default_rng(1)  # bfloat16 has no number between 1,912 and 1,920
    batch = Batch(*(chance.integers(4, 500, (101, columns), np.int32) for columns in (17, 19)))
    taken = []
    for precision in ("float32", "bfloat16"):
        config = toy_config(model=model, precision=precision, accumulate=accumulate)
        trainer = Trainer(config, 500, build_strategy(DeviceConfig()))
        for draw in range(1, accumulate):
            trainer.learn([batch], draw)
        taken.append(trainer.step(batch, 1))
    exact, found = taken
    assert found.tokens == exact.tokens == accumulate * 1919
    if found.norm == exact.norm:
        pytest.skip("this machine has no products in bfloat16")
    assert found.loss == pytest.approx(exact.loss, rel=2e-4)
    assert found.norm == pytest.approx(exact.norm, rel=0.02)


@pytest.mark.parametrize("network", [{"attention": "multiplicative"}, {"attention": "additive"}, TRANSFORMER])
def test_no_gradient_stops_growing_with_the_batch(
    toy_config: Callable[..., TrainConfig], network: dict[str, Any]
) -> None:
    """Added up one by one in bfloat16, 256 ones and more are 256."""
    model = toy_config().model.model_copy(update=network | {"dropout": 0.0})
    chance = np.random.default_rng(1)
    batch = Batch(*(chance.integers(4, 500, (500, columns), np.int32) for columns in (21, 19)))
    gradients = []
    for precision in ("float32", "bfloat16"):
        trainer = Trainer(toy_config(model=model, precision=precision), 500, build_strategy(DeviceConfig()))
        trainer.step(batch, 1)
        gradients.append({name: values for name, values in trainer.state().items() if name.startswith("mean/")})
    exact, found = gradients
    if all(np.array_equal(values, found[name]) for name, values in exact.items()):
        pytest.skip("this machine has no products in bfloat16")
    largest = max(map(np.linalg.norm, exact.values()))
    seen = {name: values for name, values in exact.items() if np.linalg.norm(values) > 1e-3 * largest}
    assert any("bias" in name for name in seen)
    for name, values in seen.items():
        assert np.linalg.norm(found[name] - values) < 0.1 * np.linalg.norm(values), name


def test_what_is_hidden_stays_hidden_in_float16() -> None:
    scores = tf.constant([[1.0, 2.0, MASKED], [MASKED, MASKED, MASKED]], tf.float16)
    weights = tf.nn.softmax(scores + tf.constant([[0.0, 0.0, MASKED]], tf.float16)).numpy()
    assert weights[0, 2] == 0
    assert np.isfinite(weights).all()  # a row may be padding alone
