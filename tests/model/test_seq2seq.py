"""What the recurrent networks have of their own; what holds for all is in test_networks.py."""

import numpy as np
import pytest
import tensorflow as tf

from model import seq2seq
from model.config import ModelConfig
from model.dropout import Dropout, drop
from model.encoder import RecurrentEncoder
from model.seq2seq import Seq2Seq

SOURCES = tf.constant([[5, 6, 7, 3], [8, 3, 0, 0], [9, 4, 3, 0]])


def make(**changes: object) -> Seq2Seq:
    sizes = {"embedding_size": 6, "encoder_units": 5, "decoder_units": 7, "attention_units": 4}
    return Seq2Seq(ModelConfig(**(sizes | changes)), vocabulary=10, seed=1)


def test_sources_targets_and_readout_drop_values_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    model, dropout, readouts = make(), Dropout(0.5, tf.constant([1, 7])), []
    ones = tf.ones_like(model.tables["source"])
    model.tables["source"].assign(ones)
    model.output_bias.assign(tf.zeros(10))
    seen: dict[str, tf.Tensor] = {}
    monkeypatch.setattr(
        model.encoder.cells[0][0], "project", lambda values: seen.setdefault("sources", values)[..., :1] * tf.ones(20)
    )
    monkeypatch.setattr(
        model.cells[0], "project", lambda values: seen.setdefault("targets", values)[..., :1] * tf.ones(28)
    )
    monkeypatch.setattr(seq2seq, "drop", lambda *given, **more: readouts.append(drop(*given, **more)) or readouts[-1])
    model.predict(SOURCES, SOURCES, dropout)
    sources, targets, readout = seen["sources"].numpy(), seen["targets"].numpy(), readouts[-1].numpy()
    assert sources.shape == targets.shape == (4, 3, 6)
    assert not np.array_equal(sources, targets)
    assert readout.shape == (9, 6)
    assert all(0 < (values == 0).mean() < 1 for values in (sources, targets, readout))


@pytest.mark.parametrize(("directions", "width"), [(True, 10), (False, 5)])
def test_an_encoder_is_as_wide_as_its_directions(directions: bool, width: int) -> None:
    config = ModelConfig(bidirectional=directions, encoder_layers=2, encoder_units=5)
    encoder = RecurrentEncoder(config, 6, iter(range(0, 100, 5)))
    values, ends = encoder.read(tf.zeros([4, 3, 6]), tf.constant([4, 2, 1]), None)
    assert values.shape == (4, 3, width)
    assert [end.shape for end in ends] == [(3, 2 * width)] * 2


def test_a_layer_that_adds_nothing_leaves_what_is_below() -> None:
    one, two = (make(encoder_layers=layers, decoder_layers=layers) for layers in (1, 2))
    weights = {weight.path: weight for weight in two.trainable_variables}
    for weight in one.trainable_variables:
        if not weight.path.startswith("bridge"):
            weights[weight.path].assign(weight)
    above = [*two.encoder.cells[1], two.cells[1]]
    for cell in above:  # gates of a cell that has learned nothing show zero
        for weight in (cell.kernel, cell.recurrent, cell.bias):
            weight.assign(tf.zeros_like(weight))
    values = [
        model.encoder.read(model.look_up("source", tf.transpose(SOURCES)), tf.constant([4, 2, 3]), None)[0]
        for model in (one, two)
    ]
    np.testing.assert_array_equal(*values)


def test_without_attention_the_memory_is_not_read() -> None:
    model = make(attention="none")
    memory, state = model.encode(SOURCES, None)
    other = memory._replace(values=memory.values + 1)
    np.testing.assert_array_equal(*(model.decode(known, state, SOURCES, None) for known in (memory, other)))


def test_without_input_feeding_the_state_carries_no_context() -> None:
    assert make(attention="multiplicative").encode(SOURCES, None)[1].context == ()
    assert make(attention="additive").encode(SOURCES, None)[1].context.shape == (3, 10)


def test_variational_dropout_drops_the_same_at_all_steps() -> None:
    model = make(attention="multiplicative", variational=True)
    memory, state = model.encode(SOURCES, None)
    decoded = model.decode(memory, state, SOURCES, Dropout(0.5, tf.constant([1, 7]))).numpy()
    dropped = decoded == 0  # [B, T, X]
    assert (dropped == dropped[:, :1]).all()
    assert 0 < dropped.mean() < 1
    assert not np.array_equal(dropped[0], dropped[1])


def test_the_second_direction_reads_each_sentence_from_its_end() -> None:
    config = ModelConfig(architecture="gru", encoder_units=5)
    encoder = RecurrentEncoder(config, 6, iter(range(0, 100, 5)))
    forward, backward = encoder.cells[0]
    for one, two in zip(forward.trainable_variables, backward.trainable_variables, strict=True):
        two.assign(one)
    vectors = tf.random.stateless_normal([4, 1, 6], [1, 2])
    padded = tf.concat([vectors, tf.zeros([2, 1, 6])], axis=0)
    turned = tf.concat([vectors[::-1], tf.zeros([2, 1, 6])], axis=0)
    values, (end,) = encoder.read(padded, tf.constant([4]), None)
    other, (other_end,) = encoder.read(turned, tf.constant([4]), None)
    np.testing.assert_allclose(values[:4, :, 5:], other[3::-1, :, :5], atol=1e-6)
    np.testing.assert_allclose(end[:, 5:], other_end[:, :5], atol=1e-6)
    np.testing.assert_allclose(end, tf.concat([values[3, :, :5], values[0, :, 5:]], axis=1), atol=1e-6)
