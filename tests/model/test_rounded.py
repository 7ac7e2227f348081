"""Exported models whose kernels are kept in 16 bits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model.architectures import build_model
from model.config import ModelConfig, SearchConfig, TrainConfig
from model.export import Exported, save
from model.linear import Linear
from model.rounded import Kernels, product, using
from model.to_ctranslate2 import weights_of
from pipeline.manifest import Manifest
from pipeline.vocabularies import Vocabularies

NETWORKS = {
    "transformer": {"architecture": "transformer", "embedding_size": 32, "heads": 2, "feedforward_units": 48},
    "lstm": {"architecture": "lstm", "embedding_size": 16, "encoder_units": 16, "decoder_units": 24},
    "gru": {"architecture": "gru", "attention": "multiplicative", "embedding_size": 16, "tied": False},
}


def test_a_product_with_a_rounded_kernel_is_float32_and_nearly_the_same() -> None:
    values, kernel = (tf.random.stateless_normal([40, 40], [1, seed]) for seed in range(2))
    for is_transposed in (False, True):
        exact = product(values, kernel, is_transposed=is_transposed)
        np.testing.assert_array_equal(exact, tf.matmul(values, kernel, transpose_b=is_transposed))
        found = product(values, tf.cast(kernel, tf.bfloat16), is_transposed=is_transposed)
        assert found.dtype == tf.float32
        assert 0 < tf.norm(found - exact) < 0.01 * tf.norm(exact)


def test_a_kernel_is_rounded_once_and_only_where_it_is_meant() -> None:
    layer, values = Linear(3, 2, seed=1, name="layer"), tf.ones([1, 3])
    exact = layer.apply(values)
    kernels = Kernels("bfloat16")
    with using(kernels):
        found = [tf.function(layer.apply, autograph=False)(values) for _ in range(2)]
    assert [one.dtype for one in kernels.made.values()] == [tf.bfloat16]
    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(found[0], exact, rtol=0.02)
    np.testing.assert_array_equal(layer.apply(values), exact)
    with using(Kernels("float32")):
        np.testing.assert_array_equal(layer.apply(values), exact)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_model_with_rounded_kernels_is_smaller_and_finds_the_same_texts_as_probable(
    untrained: Callable[..., Any], sources: list[str], network: str
) -> None:
    whole, rounded = (
        untrained(
            TrainConfig(
                model=ModelConfig(**NETWORKS[network]), search=SearchConfig(beams=2, max_length=8, precision=precision)
            )
        )
        for precision in ("float32", "bfloat16")
    )
    kinds = [variable.dtype for variable in rounded.loaded.weights]
    assert tf.bfloat16 in kinds
    assert [tuple(one.shape) for one in rounded.loaded.weights] == [tuple(one.shape) for one in whole.loaded.weights]
    assert all(len(one.shape) == 2 for one in rounded.loaded.weights if one.dtype == tf.bfloat16)
    answers = whole.translate(sources)
    assert len(rounded.translate(sources)) == len(answers)
    assert len(rounded.hypotheses(sources, 2)) == len(answers)
    np.testing.assert_allclose(rounded.score(sources, answers)[0], whole.score(sources, answers)[0], rtol=0.02)


def test_a_model_that_has_learned_loses_next_to_nothing(
    trained: Manifest, exported: Exported, toy: Any, sources: list[str], toy_config: Any, tmp_path: Path
) -> None:
    config, pieces = toy_config().model_validate(trained.config), Vocabularies.read(toy.vocabulary)
    search = config.search.model_copy(update={"precision": "bfloat16"})
    config = config.model_copy(update={"search": search})
    weights = weights_of(trained.directory / "export", config, pieces)
    save(weights, config, pieces, "NFC", tmp_path / "export")
    found = Exported.load(tmp_path / "export").translate(sources)
    assert np.mean([one == other for one, other in zip(found, exported.translate(sources), strict=True)]) >= 0.9
    again = weights_of(tmp_path / "export", config, pieces)
    network = build_model(config.model, pieces.target.size, config.seed)
    assert list(again) == [weight.path for weight in network.trainable_variables]
    for name, weight in again.items():
        assert weight.dtype == np.float32
        np.testing.assert_allclose(weight, weights[name], rtol=2**-8)
