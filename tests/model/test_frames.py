"""Sources of float features."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.random import Generator, default_rng

from model.architectures import build_model
from model.config import ModelConfig
from model.frames import Frames
from model.losses import summed_cross_entropy
from model.search import greedy
from pipeline.vocabulary import EOS, PAD

SOUNDS = default_rng(7).normal(size=(12, 2, 6)).astype(np.float32)  # of each token, two frames of six numbers


def spoken(chance: Generator, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy frames of one to three tokens, and those tokens."""
    sources, targets = np.zeros((pairs, 6, 6), np.float32), np.zeros((pairs, 4), np.int32)
    for row, length in enumerate(chance.integers(1, 4, pairs)):
        tokens = chance.integers(EOS + 1, 12, length)
        frames = SOUNDS[tokens].reshape(-1, 6)
        sources[row, : 2 * length] = frames + chance.normal(scale=0.1, size=frames.shape)
        targets[row, : length + 1] = [*tokens, EOS]
    return sources, targets


@pytest.mark.parametrize("frames", [4, 5, 6])
def test_frames_are_joined_and_padding_at_the_end_is_told(frames: int) -> None:
    layer = Frames(3, 2, 4, seed=1)
    values = tf.random.stateless_normal([2, frames, 3], [1, 2]) * tf.reshape(
        [[1.0] * frames, [1, 0, 0, 0, 0, 0][:frames]], [2, frames, 1]
    )
    vectors, real = layer.read(values)
    positions = -(-frames // 2)
    assert real.numpy().tolist() == [[True] * positions, [True] + [False] * (positions - 1)]
    first = values.numpy()[:, :2].reshape(2, 6) @ layer.kernel.kernel.numpy() / 2
    np.testing.assert_allclose(vectors[:, 0], first, rtol=1e-5, atol=1e-6)


def test_a_silent_frame_between_others_is_no_padding() -> None:
    values = tf.constant([[[1.0], [0.0], [1.0], [0.0]]])
    assert Frames(1, 1, 4, seed=1).read(values)[1].numpy().tolist() == [[True, True, True, False]]


@pytest.mark.parametrize("network", [{"architecture": "gru", "tied": False}, {"architecture": "transformer"}])
def test_more_padding_changes_nothing(network: dict[str, object]) -> None:
    sizes = {"embedding_size": 8, "encoder_units": 5, "decoder_units": 7, "attention_units": 4, "feedforward_units": 9}
    model = build_model(ModelConfig(**(sizes | network), frame_size=6, frame_stride=2), vocabulary=12, seed=1)
    sources, targets = spoken(default_rng(1), 3)
    logits, _, _ = model.predict(tf.constant(sources), tf.constant(targets), None)
    wider, _, _ = model.predict(tf.pad(sources, [[0, 0], [0, 3], [0, 0]]), tf.constant(targets), None)
    np.testing.assert_allclose(wider, logits, rtol=1e-5, atol=1e-5)


def test_a_network_learns_to_write_what_was_spoken() -> None:
    sizes = {"embedding_size": 16, "encoder_units": 16, "decoder_units": 32, "frame_size": 6, "frame_stride": 2}
    config = ModelConfig(architecture="gru", attention="multiplicative", **sizes)
    model, optimizer, chance = build_model(config, vocabulary=12, seed=1), keras.optimizers.Adam(0.01), default_rng(1)

    @tf.function(input_signature=[tf.TensorSpec([None, None, 6]), tf.TensorSpec([None, None], tf.int32)])
    def learn(sources: tf.Tensor, targets: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            features, tokens, _ = model.features(sources, targets, None)
            loss = summed_cross_entropy(features, *model.softmax, tokens) / tf.cast(tf.size(tokens), tf.float32)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    optimizer.build(model.trainable_variables)
    for _ in range(200):
        learn(*spoken(chance, 64))
    sources, targets = spoken(chance, 100)
    memory, state = model.encode(tf.constant(sources), None)
    found = greedy(lambda tokens, state: model.step(memory, state, tokens), state, tf.constant(100), max_length=4)
    written = np.pad(found.tokens.numpy(), [(0, 0), (0, 4 - found.tokens.shape[1])])
    assert (written == np.where(targets == EOS, PAD, targets)).all(axis=1).mean() >= 0.9
