"""Sources of float features."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from numpy.random import default_rng

from model import flops
from model.architectures import build_model
from model.batches import PADDING, Batch, FrameForm, full_batch
from model.config import DeviceConfig, ModelConfig, TrainConfig
from model.frames import Frames, frames_of
from model.launch import build_strategy
from model.losses import summed_cross_entropy
from model.trainer import Trainer
from pipeline.frames import to_text
from pipeline.vocabulary import PAD

Spoken = Callable[..., tuple[np.ndarray, np.ndarray]]


@pytest.mark.parametrize("frames", [4, 5, 6])
def test_frames_are_joined_and_padding_at_the_end_is_told(frames: int) -> None:
    layer = Frames(3, 2, 4, seed=1)
    values = tf.random.stateless_normal([2, frames, 3], [1, 2])
    values = tf.concat(
        [values[:1], tf.pad(values[1:, :2], [[0, 0], [0, frames - 2], [0, 0]], constant_values=PADDING)], 0
    )
    vectors, real = layer.read(values)
    positions = -(-frames // 2)
    assert real.numpy().tolist() == [[True] * positions, [True] + [False] * (positions - 1)]
    first = values.numpy()[:, :2].reshape(2, 6) @ layer.kernel.kernel.numpy() / 2
    np.testing.assert_allclose(vectors[:, 0], first, rtol=1e-5, atol=1e-6)


def test_silence_is_no_padding_wherever_it_is() -> None:
    values = tf.constant([[[1.0], [0.0], [0.0], [PADDING]], [[0.0], [PADDING], [PADDING], [PADDING]]])
    assert Frames(1, 1, 4, seed=1).read(values)[1].numpy().tolist() == [[True] * 3 + [False], [True] + [False] * 3]


def test_the_last_position_may_hold_fewer_frames() -> None:
    layer = Frames(2, 3, 4, seed=1)
    values = np.array([[[1, 2], [3, 4], [5, 6], [7, 8]]], np.float32)
    vectors, real = layer.read(tf.constant(values))
    assert real.numpy().tolist() == [[True, True]]
    last = np.array([7, 8, 0, 0, 0, 0]) @ layer.kernel.kernel.numpy() / 2
    np.testing.assert_allclose(vectors[0, 1], last, rtol=1e-5, atol=1e-6)


def test_texts_become_frames_as_they_were() -> None:
    chance = default_rng(1)
    sequences = [chance.normal(size=(frames, 3)).astype(np.float32) for frames in (1, 4, 2)]
    sequences[1][-1] = 0
    found = frames_of(tf.constant([to_text(sequence) for sequence in sequences]), 3).numpy()
    assert found.shape == (3, 4, 3)
    for frames, sequence in zip(found, sequences, strict=True):
        assert np.array_equal(frames[: len(sequence)], sequence)
        assert np.isnan(frames[len(sequence) :]).all()
    assert frames_of(tf.constant([], tf.string), 3).shape == (0, 1, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a frame at least"),
        ("abcdefgh" * 2, "frames are 3 numbers, each 8 letters"),
        ("abcdefgz" * 3, "frames are letters"),
        (to_text(np.array([[1, np.nan, 1]])), "finite numbers"),
    ],
)
def test_other_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        frames_of(tf.constant([text]), 3)


@pytest.mark.parametrize("network", [{"architecture": "gru", "tied": False}, {"architecture": "transformer"}])
def test_more_padding_changes_nothing(spoken: Spoken, network: dict[str, object]) -> None:
    sizes = {"embedding_size": 8, "encoder_units": 5, "decoder_units": 7, "attention_units": 4, "feedforward_units": 9}
    model = build_model(ModelConfig(**(sizes | network), frame_stride=2), vocabulary=12, seed=1, frame_size=6)
    sources, targets = spoken(default_rng(1), 3)
    sources[0, 3] = 0  # silence before the end, or at it
    wider = tf.pad(sources, [[0, 0], [0, 3], [0, 0]], constant_values=PADDING)
    found = []
    for given in (tf.constant(sources), wider):
        with tf.GradientTape() as tape:
            features, tokens, _ = model.features(given, tf.constant(targets), None)
            loss = summed_cross_entropy(features, *model.softmax, tokens)
        found.append((loss, *map(tf.convert_to_tensor, tape.gradient(loss, model.trainable_variables))))
    for value, same in zip(*found, strict=True):
        np.testing.assert_allclose(same, value, rtol=1e-5, atol=1e-5)


def test_a_network_learns_to_write_what_was_spoken(spoken: Spoken, share_learned: Callable[..., float]) -> None:
    sizes = {"embedding_size": 16, "encoder_units": 16, "decoder_units": 32, "frame_stride": 2}
    config = ModelConfig(architecture="gru", attention="multiplicative", **sizes)
    assert share_learned(build_model(config, vocabulary=12, seed=1, frame_size=6), spoken, rate=0.01) >= 0.9


def test_the_work_of_frames_is_that_of_their_positions_and_of_their_kernel(spoken: Spoken) -> None:
    config = ModelConfig(architecture="gru", embedding_size=8, encoder_units=4, decoder_units=4, frame_stride=2)
    sources, targets = spoken(default_rng(1), 5)  # two frames a token
    tokens = (targets != PAD).sum(axis=1).astype(np.int64)
    positions = tokens - 1  # without the closing one
    found = flops.of_batch(config, 12, Batch(sources, targets))
    kernel = 2 * 2 * int(positions.sum()) * 2 * 6 * 8  # the product and its gradient at the kernel
    assert found == flops.of_lengths(config, 12, positions, tokens) + kernel


def test_steps_on_frames_are_the_same_whatever_they_are_padded_to(
    spoken: Spoken, toy_config: Callable[..., TrainConfig]
) -> None:
    network = toy_config().model.model_copy(update={"frame_stride": 2, "dropout": 0.0})
    sources, targets = spoken(default_rng(1), 9)
    shapes = {"as needed": Batch(sources, targets)}
    wider = np.full((9, 10, 6), PADDING, np.float32)
    wider[:, :6] = sources
    shapes["wider"] = Batch(wider, np.pad(targets, [(0, 0), (0, 3)]))
    rows = np.full((12, 6, 6), PADDING, np.float32)
    rows[:9], rows[9:, 0] = sources, 0
    shapes["with rows of nothing"] = Batch(rows, np.pad(targets, [(0, 3), (0, 0)]))
    taken = {}
    trainer = Trainer(toy_config(model=network), 12, build_strategy(DeviceConfig()), frame_size=6)
    trainer.rehearse(full_batch((2, 3, 4), FrameForm(6, 2)))
    fresh = trainer.state()
    for name, batch in shapes.items():
        trainer.restore(fresh)
        taken[name] = [trainer.step(batch, step).loss for step in range(1, 6)], trainer.loss([batch])
    losses, dev_loss = taken.pop("as needed")
    assert losses[-1] < losses[0]
    for others, other_dev_loss in taken.values():
        assert others == pytest.approx(losses, rel=1e-5)
        assert other_dev_loss == pytest.approx(dev_loss, rel=1e-5)
