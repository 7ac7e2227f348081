"""How large networks are, against the networks themselves."""

import pytest

from model.architectures import build_model
from model.config import ModelConfig, TrainConfig
from model.size import kept_for, parameters, stored_bytes, training_bytes

SMALL = {"embedding_size": 12, "encoder_units": 5, "decoder_units": 10, "attention_units": 7}


@pytest.mark.parametrize(
    ("network", "sizes"),
    [
        (SMALL | {"attention": "additive"}, (40, None, 0)),
        (SMALL | {"attention": "multiplicative", "architecture": "gru", "encoder_layers": 3}, (40, 30, 0)),
        (SMALL | {"attention": "multiplicative", "multiplicative_form": "dot", "decoder_layers": 2}, (40, None, 0)),
        (SMALL | {"attention": "none", "architecture": "rnn", "bidirectional": False, "tied": False}, (40, 30, 0)),
        (SMALL | {"attention": "additive", "decoder_layers": 3, "frame_stride": 2}, (40, None, 6)),
        ({"architecture": "transformer", "embedding_size": 8, "feedforward_units": 20, "heads": 2}, (40, None, 0)),
        (
            {"architecture": "transformer", "embedding_size": 8, "heads": 2, "encoder_layers": 3, "decoder_layers": 2},
            (40, 30, 0),
        ),
    ],
)
def test_parameters_are_those_of_the_network(network, sizes):
    config = ModelConfig(**network)
    vocabulary, source, frames = sizes
    model = build_model(config, vocabulary, 1, source, frames)
    assert parameters(config, *sizes) == sum(int(weight.shape.num_elements()) for weight in model.trainable_variables)


def test_memory_grows_with_what_a_batch_holds():
    recurrent, wide = ModelConfig(), ModelConfig(architecture="transformer")
    assert kept_for(recurrent, 20, 10, 10) == 2 * kept_for(recurrent, 10, 10, 10)
    assert kept_for(wide, 10, 20, 20) > 2 * kept_for(wide, 10, 10, 10)  # attention grows with the square
    config = TrainConfig(batch_tokens=1000)
    assert training_bytes(config, 1000, 10, 10) - training_bytes(config, 0, 10, 10) == 5 * 4 * 1000
    assert training_bytes(config, 0, 2000, 5) < training_bytes(config, 0, 2000, 2000)  # a single row


def test_what_a_training_leaves():
    assert stored_bytes(TrainConfig(), 1000) == 4 * (2 * 3000 + 1000 + 1000)
    assert stored_bytes(TrainConfig(ema=0.9, keep_optimizer=True), 1000) == 4 * (2 * 4000 + 1000 + 3000)
