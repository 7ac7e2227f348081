import numpy as np
import pytest
import tensorflow as tf

from model import seq2seq
from model.config import ModelConfig
from model.losses import cross_entropy
from model.seq2seq import Dropout, Seq2Seq, drop
from pipeline.vocabulary import BOS, PAD, UNK

SOURCES = tf.constant([[5, 6, 7, 3], [8, 3, 0, 0], [9, 4, 3, 0]])
TARGETS = tf.constant([[4, 5, 3, 0, 0], [9, 8, 7, 6, 3], [3, 0, 0, 0, 0]])
KINDS = [("lstm", "additive"), ("gru", "additive"), ("rnn", "multiplicative"), ("lstm", "multiplicative")]


def make(cell: str = "lstm", attention: str = "additive", seed: int = 1) -> Seq2Seq:
    config = ModelConfig(
        cell=cell, attention=attention, embedding_size=6, encoder_units=5, decoder_units=7, attention_units=4
    )
    return Seq2Seq(config, vocabulary=10, seed=seed)


def losses(model: Seq2Seq, sources: tf.Tensor, targets: tf.Tensor) -> list[float]:
    logits, tokens, _ = model.predict(sources, targets, None)
    return cross_entropy(logits, tokens).numpy().tolist()


@pytest.mark.parametrize(("cell", "attention"), KINDS)
def test_step_by_step_is_the_full_pass(cell: str, attention: str) -> None:
    model = make(cell, attention)
    memory, state = model.encode(SOURCES, None)
    features = model.decode(memory, state, TARGETS, None)
    tokens = tf.fill([3], BOS)
    for place in range(TARGETS.shape[1]):
        gains, state = model.step(memory, state, tokens)
        whole = tf.nn.log_softmax(model.logits(model.readout(features[place]))).numpy()
        np.testing.assert_allclose(
            np.delete(gains, [PAD, UNK, BOS], 1), np.delete(whole, [PAD, UNK, BOS], 1), rtol=1e-4, atol=1e-5
        )
        assert gains.numpy()[:, [PAD, UNK, BOS]].max() < -1e8
        tokens = TARGETS[:, place]


@pytest.mark.parametrize(("cell", "attention"), KINDS)
def test_the_written_out_gradient_is_tensorflows_own(cell: str, attention: str) -> None:
    model = make(cell, attention)
    weights = [weight.value for weight in model.trainable_variables]

    @tf.function
    def gradients(dropout: Dropout | None) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            logits, tokens, _ = model.predict(SOURCES, TARGETS, dropout)
            value = tf.reduce_sum(cross_entropy(logits, tokens))
        return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(value, weights)]

    names = [weight.path for weight in model.trainable_variables]
    learning = Dropout(0.0, tf.zeros([2], tf.int32))
    for name, ours, theirs in zip(names, gradients(learning), gradients(None), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5, err_msg=name)


def test_more_padding_changes_nothing() -> None:
    model = make()
    wider = tf.pad(SOURCES, [[0, 0], [0, 3]]), tf.pad(TARGETS, [[0, 0], [0, 2]])
    np.testing.assert_allclose(losses(model, *wider), losses(model, SOURCES, TARGETS), rtol=1e-5)


def test_a_sentence_alone_is_what_it_is_in_a_batch() -> None:
    model = make()
    logits, _, rows = model.predict(SOURCES, TARGETS, None)
    alone, _, _ = model.predict(SOURCES[1:2, :2], TARGETS[1:2], None)
    np.testing.assert_allclose(logits.numpy()[rows.numpy() == 1], alone, rtol=1e-4, atol=1e-5)


def test_the_decoder_does_not_see_what_it_is_to_write() -> None:
    model = make()
    memory, state = model.encode(SOURCES, None)
    features = model.decode(memory, state, TARGETS, None)
    changed = model.decode(memory, state, tf.tensor_scatter_nd_update(TARGETS, [[1, 2]], [4]), None)
    same = np.isclose(features, changed, atol=1e-7).all(axis=2)
    assert same[:, 1].tolist() == [True, True, True, False, False]
    assert same[:, [0, 2]].all()


def test_losses_come_with_the_sentences_they_belong_to() -> None:
    _, tokens, rows = make().predict(SOURCES, TARGETS, None)
    for row, expected in enumerate([[4, 5, 3], [9, 8, 7, 6, 3], [3]]):
        assert tokens.numpy()[rows.numpy() == row].tolist() == expected


def test_one_seed_gives_one_model_and_every_weight_a_name_of_its_own() -> None:
    first, same, other = make(), make(), make(seed=2)
    names = [weight.path for weight in first.trainable_variables]
    assert len(set(names)) == len(names)
    for one, two in zip(first.trainable_variables, same.trainable_variables, strict=True):
        assert np.array_equal(one.numpy(), two.numpy())
    assert not np.array_equal(first.table.numpy(), other.table.numpy())


def test_dropout_depends_on_its_seed_and_place_alone() -> None:
    ones = tf.ones([200, 50])
    dropout = Dropout(0.25, tf.constant([1, 7]))
    first, again, elsewhere = (drop(ones, dropout, place).numpy() for place in (0, 0, 1))
    later = drop(ones, Dropout(0.25, tf.constant([1, 8])), 0).numpy()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, elsewhere)
    assert not np.array_equal(first, later)
    assert (first == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert first.mean() == pytest.approx(1, abs=0.03)
    assert drop(ones, None, 0) is ones


def test_sources_targets_and_readout_drop_values_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    model, dropout, dropped = make(), Dropout(0.5, tf.constant([1, 7])), {}

    def watched(values: tf.Tensor, given: Dropout | None, place: int) -> tf.Tensor:
        assert given is dropout
        assert place not in dropped
        dropped[place] = drop(values, given, place)
        return dropped[place]

    monkeypatch.setattr(seq2seq, "drop", watched)
    ones = tf.ones_like(model.table)
    model.table.assign(ones)  # the vectors of sources and targets have the same values, so only the masks can differ
    model.predict(SOURCES, SOURCES, dropout)
    sources, targets, readout = (dropped[place].numpy() for place in sorted(dropped))
    assert sources.shape == targets.shape == (4, 3, 6)
    assert not np.array_equal(sources, targets)
    assert readout.shape == (9, 6)
    assert all(0 < (values == 0).mean() < 1 for values in (sources, targets, readout))
