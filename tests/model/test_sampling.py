"""Sampling from written-down distributions."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from model.hypotheses import Found
from model.walk import greedy, sample
from pipeline.vocabulary import EOS

A, B, C = 4, 5, 6
NEVER = -1e9
SHARES = np.array([0, 0, 0, 0.4, 0.3, 0.2, 0.1])  # of PAD, UNK, BOS, EOS, A, B and C
LOGS = [NEVER, NEVER, NEVER, *np.log(SHARES[3:]).tolist()]


def always(tokens: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A step that has the same distribution for all rows at all times."""
    return tf.tile([LOGS], [tf.size(tokens), 1]), state


def seeds(count: int) -> tf.Tensor:
    return tf.stack([tf.fill([count], 5), tf.range(count)], axis=1)


def drawn(count: int, **how: float) -> Found:
    """Sampled in a graph, as a loop over thousands of seeds is slow outside."""
    how = {"max_length": 1} | how
    graph = tf.function(lambda given: sample(always, tf.zeros([count]), tf.constant(count), seeds=given, **how))
    return graph(seeds(count))


def frequencies(found: Found) -> np.ndarray:
    """The share of each token among the first ones; the end is shown as padding."""
    shares = np.bincount(found.tokens.numpy()[:, 0], minlength=7) / found.tokens.shape[0]
    shares[[0, EOS]] = shares[[EOS, 0]]
    return shares


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, SHARES),
        ({"temperature": 2.0}, SHARES**0.5 / (SHARES**0.5).sum()),
        ({"temperature": 0.5}, SHARES**2 / (SHARES**2).sum()),
        ({"top": 2}, np.array([0, 0, 0, 4, 3, 0, 0]) / 7),
        ({"top": 99}, SHARES),
        ({"top": 3, "temperature": 0.5}, np.array([0, 0, 0, 16, 9, 4, 0]) / 29),
        ({"temperature": 1e9}, np.array([0, 0, 0, 1, 1, 1, 1]) / 4),
        ({"temperature": 1e9, "top": 7}, np.array([0, 0, 0, 1, 1, 1, 1]) / 4),
    ],
)
def test_tokens_are_drawn_as_often_as_the_distribution_says(how: dict[str, float], expected: np.ndarray) -> None:
    found = frequencies(drawn(6_000, **how))
    deviation = np.sqrt(expected * (1 - expected) / 6_000)
    assert (np.abs(found - expected) <= 4 * deviation + 1e-9).all()


def test_a_later_token_does_not_depend_on_the_one_before() -> None:
    first, second = drawn(6_000, max_length=2).tokens.numpy().T
    after = {token: np.bincount(second[first == token], minlength=7) for token in (A, B)}
    for counts in after.values():
        assert counts[[0, A, B, C]] / counts.sum() == pytest.approx(SHARES[[EOS, A, B, C]], abs=0.03)
    assert not second[first == 0].any()


def test_the_score_is_the_log_probability_of_the_unchanged_distribution() -> None:
    found = drawn(50, temperature=3.0, max_length=6, length_penalty=1.0)
    for tokens, score in zip(found.tokens.numpy(), found.scores.numpy(), strict=True):
        written = [token for token in tokens.tolist() if token]
        ended = [EOS] if len(written) < 6 else []
        total = sum(LOGS[token] for token in [*written, *ended])
        assert score == pytest.approx(total / ((5 + len(written) + len(ended)) / 6), rel=1e-5)


def test_another_seed_draws_other_numbers() -> None:
    of_one_seed = drawn(1000).tokens.numpy()[:, 0]
    of_another = sample(
        always, tf.zeros([200]), tf.constant(200), seeds=seeds(200) + tf.constant([1, 0]), max_length=1
    ).tokens.numpy()[:, 0]
    agree = np.mean(of_one_seed[:200] == of_another)
    assert agree == pytest.approx((SHARES**2).sum(), abs=0.12)
    shifted = np.mean(of_one_seed[1:201] == of_another)
    assert shifted == pytest.approx((SHARES**2).sum(), abs=0.12)


def test_a_sentence_and_its_seed_decide_the_answer_alone() -> None:
    both = [sample(always, tf.zeros([9]), tf.constant(9), seeds=seeds(9), max_length=8) for _ in range(2)]
    assert both[0].tokens.numpy().tolist() == both[1].tokens.numpy().tolist()
    for row in range(9):
        alone = sample(always, tf.zeros([1]), tf.constant(1), seeds=tf.constant([[5, row]]), max_length=8)
        written = [token for token in alone.tokens.numpy()[0].tolist() if token]
        assert [token for token in both[0].tokens.numpy()[row].tolist() if token] == written
    assert len({tuple(row) for row in both[0].tokens.numpy().tolist()}) > 3


def changing(seed: int) -> Callable[..., object]:
    """A step whose distribution depends on the token before."""
    table = np.random.default_rng(seed).dirichlet(np.ones(30), size=30)
    logs = tf.constant(np.log(table).astype(np.float32)) + tf.scatter_nd([[0], [1], [2]], [NEVER] * 3, [30])
    return lambda tokens, state: (tf.gather(logs, tokens), state)


@pytest.mark.parametrize(
    "how", [{"temperature": 1e-4}, {"temperature": 1e-30}, {"top": 1}, {"top": 1, "temperature": 9}]
)
def test_without_chance_it_is_greedy_search(how: dict[str, float]) -> None:
    for seed in range(5):
        sure = greedy(changing(seed), tf.zeros([3]), tf.constant(3), max_length=12)
        found = sample(changing(seed), tf.zeros([3]), tf.constant(3), seeds=seeds(3), max_length=12, **how)
        assert found.tokens.numpy().tolist() == sure.tokens.numpy().tolist()
        assert found.scores.numpy().tolist() == sure.scores.numpy().tolist()


def test_in_a_graph_the_temperature_may_be_a_tensor_and_there_may_be_no_sentences() -> None:
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.int32),
            tf.TensorSpec([], tf.float32),
            tf.TensorSpec([], tf.int32),
        ]
    )
    def graph(given: tf.Tensor, temperature: tf.Tensor, top: tf.Tensor) -> Found:
        count = tf.shape(given)[0]
        how = {"temperature": temperature, "top": top, "max_length": 5}
        return sample(always, tf.zeros([count]), count, seeds=given, **how)

    none = graph(seeds(0), tf.constant(1.0), tf.constant(0))
    assert (none.tokens.shape[0], none.scores.shape) == (0, (0,))
    for temperature, top in ((1.0, 0), (0.7, 3)):
        some = graph(seeds(20), tf.constant(temperature), tf.constant(top))
        assert (
            some.tokens.numpy().tolist()
            == drawn(20, temperature=temperature, top=top, max_length=5).tokens.numpy().tolist()
        )


def test_a_sure_answer_has_no_loss() -> None:
    def end(tokens: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.tile([[NEVER, NEVER, NEVER, 0.0]], [tf.size(tokens), 1]), state

    found = sample(end, tf.zeros([4]), tf.constant(4), seeds=seeds(4), max_length=50)
    assert found.tokens.numpy().tolist() == [[0]] * 4
    assert found.scores.numpy().tolist() == [0.0] * 4
