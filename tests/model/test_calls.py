"""Several batches in one call: the same learning as in a call for each, whatever the batches are like."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model.batches import Batch, FrameForm, Pairs, full_batch
from model.calls import Answer, Given, Packed, as_tensors, in_turn, pack, specs_of
from model.config import DeviceConfig, TrainConfig
from model.feeding import feed
from model.fitting import next_stop
from model.launch import build_strategy
from model.precision import LossScale
from model.prepare import forms_of, make_plan
from model.trainer import Step, Trainer

FRAMES = FrameForm(size=6, stride=2)
TAKEN = 13  # batches, of several shapes each
OPTIONS: dict[str, dict[str, Any]] = {
    "as needed": {"ema": 0.9},
    "accumulated": {"accumulate": 3},
    "bfloat16": {"precision": "bfloat16"},
    "frames, fixed": {"shapes": "fixed", "max_length": 3},
}


@pytest.fixture
def learn(toy: Any, toy_frames: Path, toy_config: Callable[..., TrainConfig]) -> Callable[..., Any]:
    """What becomes of the steps of an option in calls of at most so many batches, and the state after them."""

    def learned(option: str, batches_per_call: int) -> tuple[list[Step], dict[str, Any]]:
        frames = FRAMES if "frames" in option else None
        network = toy_config().model.model_copy(update={"frame_stride": 2, "dropout": 0.3})
        config = toy_config(**OPTIONS[option], model=network)
        data = toy_frames if frames else toy.shards.directory
        pairs = Pairs.read(sorted((data / "train").glob("*.tfrecord")), frames)
        plan = make_plan(config, pairs)
        trainer = Trainer(
            config,
            40,
            build_strategy(DeviceConfig()),
            frame_size=pairs.frame_size,
            batches_per_call=batches_per_call,
            forms=forms_of(plan, frames),
        )
        batches = list(feed(plan, pairs, 1, TAKEN))
        assert len({batch.targets.shape for batch in batches}) > 1
        taken: list[Step] = []
        for first in range(0, TAKEN, batches_per_call):
            taken += trainer.learn(batches[first : first + batches_per_call], first + 1)
        return taken, trainer.state()

    return learned


@pytest.mark.parametrize("option", OPTIONS)
def test_calls_of_any_number_of_batches_learn_the_same(learn: Callable[..., Any], option: str) -> None:
    alone, _ = learn(option, 1)
    (by_two, state), (by_five, other) = (learn(option, number) for number in (2, 5))
    assert by_two == by_five
    for name, values in state.items():
        assert np.array_equal(values, other[name]), name
    assert len(by_two) == TAKEN // OPTIONS[option].get("accumulate", 1) == len(alone)
    assert [one.tokens for one in by_two] == [one.tokens for one in alone]
    tolerance = 1e-3 if option == "bfloat16" else 1e-5
    np.testing.assert_allclose([one.loss for one in by_two], [one.loss for one in alone], rtol=tolerance)


def test_a_gradient_that_overflows_lowers_the_scale_within_the_call(toy_config: Callable[..., TrainConfig]) -> None:
    batch = Batch(np.array([[4, 5, 3]], np.int32), np.array([[5, 4, 3]], np.int32))
    found = []
    for batches_per_call in (1, 6):
        config = toy_config(precision="float16")
        trainer = Trainer(config, 12, build_strategy(DeviceConfig()), batches_per_call=batches_per_call)
        table = trainer.weights["seq2seq/table"]
        table.assign(table * 1e4)
        trainer.scale = LossScale(117)  # with which large weights overflow float32, as 15 may overflow float16
        taken: list[Step] = []
        for first in range(1, 7, batches_per_call):
            taken += trainer.learn([batch] * batches_per_call, first)
        found.append(([one.scale for one in taken], trainer.scale))
        assert {np.isnan(one.loss) for one in taken} == {True, False}
    assert found[0] == found[1]


def test_the_sums_of_a_call_are_not_rounded_to_16_bits(toy_config: Callable[..., TrainConfig]) -> None:
    chance = np.random.default_rng(1)  # bfloat16 has no number between 1,912 and 1,920
    batch = Batch(*(chance.integers(4, 500, (101, columns), np.int32) for columns in (17, 19)))
    losses = []
    for precision in ("float32", "bfloat16"):
        trainer = Trainer(toy_config(precision=precision), 500, build_strategy(DeviceConfig()), batches_per_call=2)
        taken = trainer.learn([batch, batch], 1)
        assert [one.tokens for one in taken] == [1919, 1919]
        losses.append([one.loss for one in taken])
    exact, found = losses
    if found == exact:
        pytest.skip("this machine has no products in bfloat16")
    np.testing.assert_allclose(found, exact, rtol=2e-4)


def test_a_batch_of_another_shape_than_the_fixed_ones_is_refused(toy_config: Callable[..., TrainConfig]) -> None:
    config = toy_config(shapes="fixed")
    trainer = Trainer(config, 12, build_strategy(DeviceConfig()), batches_per_call=2, forms=[(4, 5, 6)])
    with pytest.raises(ValueError, match=r"batches of \[\(4, 5, 7\)\], B, S and T, are none of \[\(4, 5, 6\)\]"):
        trainer.learn([full_batch((4, 5, 6)), full_batch((4, 5, 7))], 1)


def test_what_was_held_is_no_part_of_a_state_that_is_put_back(toy_config: Callable[..., TrainConfig]) -> None:
    trainer = Trainer(toy_config(accumulate=2), 12, build_strategy(DeviceConfig()), batches_per_call=3)
    beginning, batch = trainer.state(), full_batch((2, 3, 5))
    for _ in range(2):
        trainer.restore(beginning)
        assert [one.tokens for one in trainer.learn([batch] * 3, 1)] == [20]


def test_batches_are_what_they_were_when_they_are_learned_from() -> None:
    chance = np.random.default_rng(1)
    batches = [
        Batch(chance.random((rows, sources, 3), np.float32), chance.integers(0, 9, (rows, targets), np.int32))
        for rows, sources, targets in ((2, 3, 4), (1, 5, 2), (3, 1, 1))
    ]
    seen: list[tuple[Any, ...]] = []

    def learn(sources: tf.Tensor, targets: tf.Tensor, given: Given, scale: tf.Tensor) -> Answer:
        def see(*values: tf.Tensor) -> None:
            seen.append(tuple(value.numpy() for value in values))

        tf.py_function(see, [sources, targets, given.draw, scale], [])
        return tf.fill([4], tf.cast(given.draw, tf.float32)), scale * 2

    @tf.function(input_signature=specs_of(frame_size=3))  # type: ignore[untyped-decorator]
    def call(packed: Packed, given: Given) -> Answer:
        return in_turn(learn, packed, given, tf.constant([1, 3]))

    said = Given(draw=[7, 8, 9], step=[1] * 3, rate=[0.1] * 3, decay=[0.0] * 3, asks=[0.0] * 3, is_real=[True] * 3)
    told, scales = call(pack(batches), as_tensors(said))
    assert told.numpy().tolist() == [[7.0] * 4, [8.0] * 4, [9.0] * 4]
    assert scales.numpy().tolist() == [[2, 6], [4, 12], [8, 24]]
    for place, (batch, (sources, targets, draw, scale)) in enumerate(zip(batches, seen, strict=True)):
        assert np.array_equal(sources, batch.sources)
        assert np.array_equal(targets, batch.targets)
        assert draw == 7 + place
        assert scale.tolist() == [2**place, 3 * 2**place]


def test_a_call_ends_where_something_is_due(toy_config: Callable[..., TrainConfig]) -> None:
    config = toy_config(steps=9, checkpoint_every=4, evaluate_every=3)
    assert [next_stop(config, step) for step in range(9)] == [3, 3, 3, 4, 6, 6, 8, 8, 9]
