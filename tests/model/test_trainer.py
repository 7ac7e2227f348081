"""One step of the trainer, against the same arithmetic written out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from model.batches import Batch
from model.checkpoints import Arrays
from model.config import DeviceConfig, TrainConfig
from model.launch import build_strategy
from model.trainer import Trainer
from pipeline.errors import InputError

BATCH = Batch(
    np.array([[4, 5, 6, 3], [7, 3, 0, 0], [9, 8, 3, 0]], np.int32),
    np.array([[5, 4, 3, 0, 0], [10, 9, 8, 7, 3], [6, 3, 0, 0, 0]], np.int32),
)


@pytest.fixture
def make(toy_config: Callable[..., TrainConfig]) -> Callable[..., Trainer]:
    """A trainer of small weights; keywords change its configuration."""

    def trainer(dropout: float = 0.0, **changes: Any) -> Trainer:
        model = toy_config().model.model_copy(update={"dropout": dropout})
        usual = {"learning_rate": 0.01, "warmup_steps": 0, "schedule": "constant"}
        return Trainer(toy_config(model=model, **(usual | changes)), 12, build_strategy(DeviceConfig()))

    return trainer


@pytest.mark.parametrize(("smoothing", "clip_norm"), [(0.1, 0.1), (0.0, 1e6)])
def test_a_step_is_the_update_of_its_papers(make: Callable[..., Trainer], smoothing: float, clip_norm: float) -> None:
    trainer = make(label_smoothing=smoothing, clip_norm=clip_norm)
    weights = {name: weight.astype(np.float64) for name, weight in trainer.model_weights().items()}
    means, squares = ({name: np.zeros_like(weight) for name, weight in weights.items()} for _ in range(2))
    for step in range(1, 6):
        with tf.GradientTape() as tape:
            logits, tokens, _ = trainer.model.predict(BATCH.sources, BATCH.targets, None)
            truth = tf.one_hot(tokens, 12) * (1 - smoothing) + smoothing / 12
            expected = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=truth, logits=logits))
        slopes = [
            tf.convert_to_tensor(slope).numpy().astype(np.float64)
            for slope in tape.gradient(expected, list(trainer.weights.values()))
        ]
        norm = np.sqrt(sum((slope**2).sum() for slope in slopes))
        assert clip_norm > 100 or norm > 1.5 * clip_norm
        assert trainer.step(BATCH, step)[:2] == (pytest.approx(float(expected), rel=1e-5), 10)
        for name, slope in zip(weights, slopes, strict=True):
            clipped = slope * min(1, clip_norm / norm)
            means[name] = 0.9 * means[name] + 0.1 * clipped
            squares[name] = 0.999 * squares[name] + 0.001 * clipped**2
            rate = 0.01 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            weights[name] -= rate * means[name] / (np.sqrt(squares[name]) + 1e-8)
    found = trainer.state()
    for name, weight in weights.items():
        np.testing.assert_allclose(found[f"mean/{name}"], means[name], rtol=1e-3, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(found[f"square/{name}"], squares[name], rtol=1e-3, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(found[f"weight/{name}"], weight, atol=2e-4, err_msg=name)


def test_each_step_drops_values_of_its_own_and_the_same_ones_again(make: Callable[..., Trainer]) -> None:
    trainer = make(dropout=0.5)
    beginning = trainer.state()
    losses = []
    for step in (1, 2, 1):
        trainer.restore(beginning)
        losses.append(trainer.step(BATCH, step).loss)
    assert losses[0] == losses[2] != losses[1]


def test_a_gradient_that_is_not_finite_changes_nothing(make: Callable[..., Trainer]) -> None:
    trainer = make(ema=0.9)
    trainer.step(BATCH, 1)  # so that Adam's averages alone would move the weights
    table = trainer.weights["seq2seq/table"]
    table.assign(table * 1e25)
    assert np.isfinite(trainer.loss([BATCH]))
    before = trainer.state()
    assert np.isnan(trainer.step(BATCH, 2).loss)
    assert_same(trainer.state(), before)
    assert all(np.isfinite(values).all() for values in before.values())


def test_a_rehearsal_changes_nothing_and_none_of_the_steps_after_it(make: Callable[..., Trainer]) -> None:
    trainer, other = (make(dropout=0.5, ema=0.9, accumulate=2) for _ in range(2))
    before = trainer.state()
    trainer.rehearse(BATCH)
    assert_same(trainer.state(), before)
    for one in (trainer, other):
        one.learn([BATCH], 1)
        one.step(BATCH, 1)
    assert_same(trainer.state(), other.state())


def test_a_batch_that_memory_cannot_hold_names_what_to_change(
    make: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs_out(*_: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    trainer = make()
    monkeypatch.setattr(trainer, "_compiled_step", runs_out)  # no test can fill this machine's memory
    with pytest.raises(InputError, match=r"train.batch_tokens = 128: .*\(3 pairs of up to 5 tokens need more"):
        trainer.rehearse(BATCH)


def test_accumulated_batches_are_one_larger_batch(make: Callable[..., Trainer]) -> None:
    whole, parts = make(clip_norm=0.1), make(clip_norm=0.1, accumulate=3)
    for step in range(1, 6):
        for place in range(2):
            half = Batch(BATCH.sources[place : place + 1], BATCH.targets[place : place + 1])
            assert parts.learn([half], 3 * step - 2 + place) == []
        of_parts = parts.step(Batch(BATCH.sources[2:], BATCH.targets[2:]), step)
        of_whole = whole.step(BATCH, step)
        assert of_parts.tokens == of_whole.tokens == 10
        assert of_parts.loss == pytest.approx(of_whole.loss, rel=1e-5)
        assert of_parts.norm == pytest.approx(of_whole.norm, rel=1e-4)


def test_accumulated_batches_drop_values_of_their_own(make: Callable[..., Trainer]) -> None:
    alone, held = make(dropout=0.5), make(dropout=0.5, accumulate=2)
    beginning = alone.state()
    losses = []
    for draw in (1, 2):
        alone.restore(beginning)
        losses.append(alone.step(BATCH, draw).loss)
    held.learn([BATCH], 1)
    assert losses[0] != losses[1]
    assert held.step(BATCH, 1).loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_moving_average_is_the_one_written_out(make: Callable[..., Trainer]) -> None:
    trainer = make(ema=0.3)
    expected = trainer.model_weights()
    for step, decay in ((1, 2 / 11), (2, 3 / 12), (3, 0.3), (4, 0.3)):
        trainer.step(BATCH, step)
        for name, weight in trainer.model_weights().items():
            expected[name] = decay * expected[name] + (1 - decay) * weight
    found = trainer.state()
    for name, average in expected.items():
        np.testing.assert_allclose(found[f"average/{name}"], average, atol=1e-6, err_msg=name)


def test_weights_are_lent_and_given_back(make: Callable[..., Trainer]) -> None:
    trainer = make()
    own, loss = trainer.state(), trainer.loss([BATCH])
    zeros = {name: np.zeros_like(weight) for name, weight in trainer.model_weights().items()}
    with trainer.with_weights(zeros):
        assert trainer.loss([BATCH]) == pytest.approx(np.log(12))
    assert trainer.loss([BATCH]) == loss
    assert_same(trainer.state(), own)


def assert_same(found: Arrays, expected: Arrays) -> None:
    """Asserts that two states are equal bit for bit."""
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert np.array_equal(values, expected[name]), name


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 0])
def test_a_norm_that_nothing_can_be_clipped_to_is_refused(value: float) -> None:
    with pytest.raises(ValidationError, match="clip_norm"):
        TrainConfig(clip_norm=value)
