"""What holds for every architecture and attention."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model.architectures import build_model
from model.beam import n_best
from model.config import ModelConfig, SearchConfig
from model.dropout import Dropout
from model.export import Exported
from model.losses import cross_entropy, summed_cross_entropy
from model.network import Network
from pipeline.errors import InputError
from pipeline.vocabulary import BOS, EOS, PAD, Vocabulary

SOURCES = tf.constant([[5, 6, 7, 3], [8, 3, 0, 0], [9, 4, 3, 0]])
TARGETS = tf.constant([[4, 5, 3, 0, 0], [9, 8, 7, 6, 3], [3, 0, 0, 0, 0]])

DEEP = {"encoder_layers": 2, "decoder_layers": 2}
KINDS: dict[str, dict[str, Any]] = {
    f"{cell}-{attention}": {"architecture": cell, "attention": attention}
    for cell in ("lstm", "gru", "rnn")
    for attention in ("additive", "multiplicative", "none")
}
KINDS |= {
    "lstm-dot": {"attention": "multiplicative", "multiplicative_form": "dot", "decoder_units": 10},
    "lstm-additive-deep": DEEP | {"attention": "additive"},
    "gru-multiplicative-deep": DEEP | {"architecture": "gru", "attention": "multiplicative", "bidirectional": False},
    "lstm-none-untied": {"attention": "none", "bidirectional": False, "tied": False},
    "transformer": DEEP | {"architecture": "transformer"},
    "transformer-untied": {"architecture": "transformer", "tied": False},
}
VARIATIONAL = {"lstm-additive-deep-variational": KINDS["lstm-additive-deep"] | {"variational": True}}
VARIATIONAL |= {"gru-multiplicative-variational": KINDS["gru-multiplicative"] | {"variational": True}}


def make(kind: str, seed: int = 1) -> Network:
    sizes = {"embedding_size": 6, "encoder_units": 5, "decoder_units": 7, "attention_units": 4}
    config = ModelConfig(**(sizes | {"heads": 2, "feedforward_units": 9} | (KINDS | VARIATIONAL)[kind]))
    return build_model(config, vocabulary=10, seed=seed)


def loss_and_gradients(
    model: Network, sources: tf.Tensor, targets: tf.Tensor, dropout: Dropout | None, multiple: int = 1
) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        features, tokens, _ = model.features(sources, targets, dropout, multiple)
        assert len(features) == len(tokens)
        assert len(tokens) % multiple == 0
        loss = summed_cross_entropy(features, *model.softmax, tokens)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
    return [tf.convert_to_tensor(part).numpy() for part in (loss, *gradients)]


def assert_equal(model: Network, found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    names = ["loss", *(weight.path for weight in model.trainable_variables)]
    for name, one, two in zip(names, found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_more_padding_changes_neither_loss_nor_gradients(kind: str) -> None:
    model, learning = make(kind), Dropout(0.0, tf.zeros([2], tf.int32))
    wider = tf.pad(SOURCES, [[0, 2], [0, 3]]), tf.pad(TARGETS, [[0, 2], [0, 2]])  # and rows of padding alone
    found = loss_and_gradients(model, *wider, learning, multiple=64)  # and tokens that are none
    assert_equal(model, found, loss_and_gradients(model, SOURCES, TARGETS, learning))


@pytest.mark.parametrize("kind", KINDS)
def test_the_written_out_gradient_is_tensorflows_own_and_reaches_every_weight(kind: str) -> None:
    model = make(kind)
    found = loss_and_gradients(model, SOURCES, TARGETS, Dropout(0.0, tf.zeros([2], tf.int32)))
    assert_equal(model, found, loss_and_gradients(model, SOURCES, TARGETS, None))
    assert all(np.abs(gradient).max() > 0 for gradient in found)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "none" not in kind] + ["lstm-none"])
def test_step_by_step_is_the_full_pass(kind: str) -> None:
    model = make(kind)
    whole = model.read_out(model.decode(*model.encode(SOURCES, None), TARGETS, None), None)
    state = model.begin(SOURCES)
    tokens = tf.fill([3], BOS)
    for place in range(TARGETS.shape[1]):
        logits, state = model.step(tokens, state)
        np.testing.assert_allclose(logits, model.logits(whole[:, place]), rtol=1e-5, atol=1e-5)
        tokens = TARGETS[:, place]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "none" not in kind] + ["lstm-none"])
def test_answers_of_a_beam_have_the_scores_and_the_attention_of_the_full_pass(kind: str) -> None:
    """As hypotheses change places and sentences leave, what belongs to them must go with them."""
    model, sentences, beams = make(kind), 12, 4
    model.tables["output"].assign(8 * model.tables["output"])  # so that probabilities differ
    model.output_bias.assign(2 * tf.one_hot(EOS, 10))  # and answers end
    ids = np.random.default_rng(1).integers(EOS + 1, 10, [sentences, 5])
    ids[::2, 3:] = PAD
    sources = tf.constant(ids, tf.int32)
    observe = None if "none" in kind else model.look
    found = n_best(
        model.step,
        model.begin(sources),
        tf.constant(sentences),
        answers=beams,
        beams=beams,
        max_length=7,
        observe=observe,
    )
    rows, real = found.tokens.numpy().reshape(sentences * beams, -1), tf.repeat(sources, beams, axis=0)
    lengths = (rows != PAD).sum(axis=1)
    targets = np.pad(rows, [(0, 0), (0, 8 - rows.shape[1])])
    targets[np.arange(len(rows)), lengths] = EOS
    logits, written, owners = model.predict(real, tf.constant(targets[:, :7]), None)
    gains = tf.gather(tf.nn.log_softmax(logits), written, batch_dims=1)
    expected = tf.math.unsorted_segment_sum(gains, owners, len(rows))
    np.testing.assert_allclose(found.scores.numpy().ravel(), expected, rtol=1e-4)
    assert len(set(lengths)) > 1
    if observe:
        seen = found.attention.numpy().reshape(*rows.shape, -1)
        tokens, state = tf.fill([len(rows)], BOS), model.begin(real)
        for place in range(rows.shape[1]):
            _, state = model.step(tokens, state)
            are_written = place <= lengths
            np.testing.assert_allclose(seen[are_written, place], model.look(state).numpy()[are_written], atol=1e-5)
            tokens = tf.constant(rows[:, place])


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_looks_at_real_positions(kind: str) -> None:
    model = make(kind)
    _, state = model.step(tf.fill([3], BOS), model.begin(SOURCES))
    if "none" in kind:
        with pytest.raises(InputError, match=r"train.model.attention = none: expected additive or multiplicative"):
            model.look(state)
        return
    weights = model.look(state).numpy()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    assert ((weights > 0) == (SOURCES.numpy() != PAD)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_sentence_alone_is_what_it_is_in_a_batch(kind: str) -> None:
    model = make(kind)
    logits, _, rows = model.predict(SOURCES, TARGETS, None)
    alone, _, _ = model.predict(SOURCES[1:2, :2], TARGETS[1:2], None)
    np.testing.assert_allclose(logits.numpy()[rows.numpy() == 1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_decoder_does_not_see_what_it_is_to_write(kind: str) -> None:
    model = make(kind)
    memory, state = model.encode(SOURCES, None)
    decoded = model.decode(memory, state, TARGETS, None)
    changed = model.decode(memory, state, tf.tensor_scatter_nd_update(TARGETS, [[1, 2]], [4]), None)
    same = np.isclose(decoded, changed, atol=1e-7).all(axis=2)
    assert same[1].tolist() == [True, True, True, False, False]
    assert same[[0, 2]].all()


@pytest.mark.parametrize("kind", KINDS)
def test_saved_weights_are_the_model(kind: str, tmp_path: Path) -> None:
    first, other = make(kind), make(kind, seed=2)
    np.savez(tmp_path / "weights.npz", **{weight.path: weight.numpy() for weight in first.trainable_variables})
    expected, before = (model.predict(SOURCES, TARGETS, None)[0].numpy() for model in (first, other))
    assert not np.allclose(expected, before)
    saved = np.load(tmp_path / "weights.npz")
    for weight in other.trainable_variables:
        weight.assign(saved[weight.path])
    assert np.array_equal(other.predict(SOURCES, TARGETS, None)[0].numpy(), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_gives_one_model_and_every_weight_a_name_and_values_of_its_own(kind: str) -> None:
    first, same = make(kind), make(kind)
    weights = [weight.numpy() for weight in first.trainable_variables]
    assert len({weight.path for weight in first.trainable_variables}) == len(weights)
    for one, two in zip(weights, same.trainable_variables, strict=True):
        assert np.array_equal(one, two.numpy())
    drawn = [weight.ravel()[:4].tobytes() for weight in weights if weight.ndim == 2]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("kind", [*KINDS, *VARIATIONAL])
def test_dropout_repeats_with_its_seed(kind: str) -> None:
    model = make(kind)
    first, again, other = (
        loss_and_gradients(model, SOURCES, TARGETS, Dropout(0.3, tf.constant([1, seed]))) for seed in (1, 1, 2)
    )
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert first[0] != other[0]


def test_losses_come_with_the_sentences_they_belong_to() -> None:
    _, tokens, rows = make("lstm-multiplicative").predict(SOURCES, TARGETS, None)
    for row, expected in enumerate([[4, 5, 3], [9, 8, 7, 6, 3], [3]]):
        assert tokens.numpy()[rows.numpy() == row].tolist() == expected


@pytest.mark.parametrize(("kind", "tables"), [("transformer", 1), ("transformer-untied", 3), ("lstm-none-untied", 3)])
def test_tied_sides_share_one_table(kind: str, tables: int) -> None:
    model = make(kind)
    assert len({id(table) for table in model.tables.values()}) == tables
    assert sum(weight.shape == (10, 6) for weight in model.trainable_variables) == tables


@pytest.mark.parametrize("kind", ["lstm-multiplicative", "lstm-none-untied"])
def test_frozen_vectors_get_no_gradient(kind: str) -> None:
    model = make(kind)
    model.freeze("source", np.array([5, 6]))
    model.freeze("output", np.array([5, 6]))
    _, *gradients = loss_and_gradients(model, SOURCES, TARGETS, None)
    by_id = {id(w): g for w, g in zip(model.trainable_variables, gradients, strict=True)}
    for side, others in (("source", [7, 8]), ("output", [7, 8])):
        gradient = by_id[id(model.tables[side])]
        assert not gradient[[5, 6]].any()
        assert gradient[others].any(axis=1).all()


@pytest.mark.parametrize(
    ("kind", "beams"), [("transformer-untied", 3), ("gru-multiplicative-deep", 1), ("lstm-none", 2)]
)
def test_what_is_exported_is_the_model(
    kind: str, beams: int, toy: Any, toy_config: Any, untrained: Callable[..., Exported]
) -> None:
    vocabulary = Vocabulary.load(toy.vocabulary.path("vocabulary.model"))
    config = toy_config(model=make(kind).config, search=SearchConfig(beams=beams, max_length=7))
    model, exported = build_model(config.model, vocabulary.size, config.seed), untrained(config)
    texts = ["rain snow fog", "hail"]
    cut = vocabulary.encode(texts)
    ids = tf.ragged.constant([[*row, EOS] for row in cut]).to_tensor()
    logits, tokens, rows = model.predict(ids, ids, None)
    expected = tf.math.segment_sum(-cross_entropy(logits, tokens), rows)
    assert exported.score(texts, texts)[0] == pytest.approx(expected.numpy().tolist(), rel=1e-5)
    assert len(exported.translate(texts)) == 2
    if not config.model.has_attention:
        with pytest.raises(InputError, match="expected a model with the signature attend"):
            exported.attend(texts)
        return
    for row, one in zip(cut, exported.attend(texts), strict=True):
        assert one.source == (*(vocabulary.piece(token) for token in row), "</s>")
        assert len(one.target) == 7 or one.target[-1] == "</s>"
        np.testing.assert_allclose(one.attention.sum(axis=1), 1, rtol=1e-5)
    nothing = exported.loaded.signatures["attend"](tf.constant([], tf.string))
    assert nothing["attention"].shape[0] == nothing["source_pieces"].shape[0] == nothing["translations"].shape[0] == 0
