"""The transformer against the paper's formulas in NumPy, and at work."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from numpy.random import Generator

from model.architectures import build_model
from model.attention import MASKED
from model.config import ModelConfig
from model.heads import Heads
from model.linear import Linear
from model.transformer import Transformer, sinusoids
from pipeline.vocabulary import EOS

SOURCES = tf.constant([[5, 6, 7, 3]])
TARGETS = tf.constant([[4, 9, 3]])


def make() -> Transformer:
    config = ModelConfig(
        architecture="transformer", embedding_size=6, heads=2, feedforward_units=9, encoder_layers=2, decoder_layers=2
    )
    model = build_model(config, vocabulary=10, seed=1)
    for number, weight in enumerate(model.trainable_variables):  # scales and offsets too
        weight.assign(weight + 0.2 * tf.random.stateless_normal(weight.shape, [4, number]))
    return model


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def norm(layer: object, x: np.ndarray) -> np.ndarray:
    scale, offset = (weight.numpy() for weight in (layer.scale, layer.offset))
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-6) * scale + offset


def affine(layer: Linear, x: np.ndarray) -> np.ndarray:
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def attend(layer: Heads, asking: np.ndarray, seen: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Head by head: softmax(Q K^T / sqrt(d)) V."""
    query = affine(layer.query, asking)
    key, value = np.split(affine(layer.key_value, seen), 2, axis=1)
    d = layer.width // layer.heads
    found = []
    for head in range(layer.heads):
        q, k, v = (part[:, head * d : (head + 1) * d] for part in (query, key, value))
        found.append(softmax(q @ k.T / np.sqrt(d) + hidden) @ v)
    return affine(layer.output_layer, np.concatenate(found, axis=1))


def feed(layer: object, x: np.ndarray) -> np.ndarray:
    return x + affine(layer.narrow, np.maximum(0, affine(layer.wide, norm(layer.forward_norm, x))))


def textbook(model: Transformer, sources: list[int], inputs: list[int]) -> np.ndarray:
    """What the softmax sees for one sentence."""
    table = model.tables["source"].numpy()
    x = table[sources] * np.sqrt(6) + sinusoids(tf.range(len(sources)), 6).numpy()
    for layer in model.encoder:
        normed = norm(layer.itself_norm, x)
        x = feed(layer, x + attend(layer.itself, normed, normed, np.zeros(len(x))))
    memory = norm(model.encoder_norm, x)
    y = table[inputs] * np.sqrt(6) + sinusoids(tf.range(len(inputs)), 6).numpy()
    later = np.triu(np.full((len(y), len(y)), -np.inf), 1)
    for layer in model.decoder:
        normed = norm(layer.itself_norm, y)
        y = y + attend(layer.itself, normed, normed, later)
        y = feed(layer, y + attend(layer.sources, norm(layer.sources_norm, y), memory, np.zeros(len(memory))))
    return norm(model.decoder_norm, y)


def test_it_is_the_formulas_of_the_paper() -> None:
    model = make()
    features, tokens, _ = model.features(SOURCES, TARGETS, None)
    assert tokens.numpy().tolist() == [4, 9, 3]
    np.testing.assert_allclose(features, textbook(model, [5, 6, 7, 3], [2, 4, 9]), rtol=1e-4, atol=1e-5)


def test_positions_are_sinusoids() -> None:
    found = sinusoids(tf.constant([0, 7]), 5).numpy()
    waves = [7, 7 / 10000 ** (2 / 5), 7 / 10000 ** (4 / 5)]
    expected = [
        [0, 1, 0, 1, 0],
        [np.sin(waves[0]), np.cos(waves[0]), np.sin(waves[1]), np.cos(waves[1]), np.sin(waves[2])],
    ]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_heads_see_what_is_not_hidden() -> None:
    heads = Heads(6, 2, seed=1, name="heads")
    values = tf.random.stateless_normal([1, 4, 6], [1, 2])
    hidden = tf.constant([0.0, 0.0, MASKED, 0.0])
    weights = heads.weights(values, heads.read(values), hidden).numpy()
    assert weights.shape == (1, 2, 4, 4)
    assert not weights[..., 2].any()
    np.testing.assert_allclose(weights.sum(axis=3), 1, rtol=1e-5)


def test_a_step_reads_no_position_again() -> None:
    model = make()
    memory, state = model.encode(SOURCES, None)
    for place, token in enumerate([2, 4, 9]):
        before = state
        _, state = model.advance(memory, state, tf.constant([token]))
        for old, new in zip(before.layers.parts, state.layers.parts, strict=True):
            assert new.keys.shape == (1, 2, place + 1, 3)
            np.testing.assert_array_equal(new.keys[:, :, :place], old.keys)
            np.testing.assert_array_equal(new.values[:, :, :place], old.values)


@pytest.mark.parametrize("rows", [0, 3])
def test_no_positions_have_the_shape_of_a_search(rows: int) -> None:
    none = Heads(6, 2, seed=1, name="heads").none(tf.constant(rows))
    assert none.keys.shape == none.values.shape == (rows, 2, 0, 3)


def test_it_learns_to_write_backwards(share_learned: Callable[..., float]) -> None:
    config = ModelConfig(architecture="transformer", embedding_size=32, heads=2, feedforward_units=64)
    assert share_learned(build_model(config, vocabulary=12, seed=1), backwards, rate=0.004) >= 0.8


def backwards(chance: Generator, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of one to four tokens and the same ones in the other order, as batches have them."""
    sides = np.zeros((2, pairs, 5), np.int32)
    for row, length in enumerate(chance.integers(1, 5, pairs)):
        tokens = chance.integers(EOS + 1, 12, length)
        sides[:, row, : length + 1] = [*tokens, EOS], [*tokens[::-1], EOS]
    return sides[0], sides[1]
