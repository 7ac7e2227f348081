import numpy as np
import pytest
import tensorflow as tf

from model import losses
from model.config import TrainConfig
from model.losses import cross_entropy
from model.precision import computing_in
from model.schedules import learning_rate
from pipeline.vocabulary import PAD


def test_cross_entropy_is_minus_the_log_probability() -> None:
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32)
    found = cross_entropy(tf.math.log(probabilities), tf.constant([0, 2]))
    np.testing.assert_allclose(found, -np.log([0.5, 0.8]), rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize(("tokens", "rows"), [(0, 3), (1, 3), (7, 3), (9, 3), (7, 100)])
def test_the_sum_is_that_of_the_definition_in_chunks_of_any_size(
    monkeypatch: pytest.MonkeyPatch, tokens: int, rows: int, smoothing: float
) -> None:
    monkeypatch.setattr(losses, "CHUNK_BYTES", rows * 4 * 5)
    shapes = [[tokens, 4], [5, 4], [5]]
    given = [tf.random.stateless_normal(shape, [seed, 1]) for seed, shape in enumerate(shapes)]
    targets = tf.constant(np.array([1, 4, 2, 2, PAD, 3, 1, 4, PAD][:tokens], np.int32))

    def defined(features: tf.Tensor, table: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        truth = tf.one_hot(targets, 5) * (1 - smoothing) + smoothing / 5
        truth = tf.where(targets[:, tf.newaxis] == PAD, 0.0, truth)
        return -tf.reduce_sum(truth * tf.nn.log_softmax(tf.matmul(features, table, transpose_b=True) + bias))

    def summed(features: tf.Tensor, table: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        return losses.summed_cross_entropy(features, table, bias, targets, smoothing)

    found = []
    unknown = [tf.TensorSpec([None, 4]), *map(tf.TensorSpec, shapes[1:])]
    for function in (defined, tf.function(summed), tf.function(summed, input_signature=unknown)):
        with tf.GradientTape() as tape:
            tape.watch(given)
            loss = 3.0 * function(*given)
        found.append([loss, *tape.gradient(loss, given)])
    for expected, *values in zip(*found, strict=True):
        for value in values:
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)


def test_a_true_token_of_no_probability_has_a_loss_and_a_gradient() -> None:
    features, table = tf.constant([[1000.0]]), tf.constant([[0.0], [0.0], [1.0]])
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = losses.summed_cross_entropy(features, table, tf.zeros([3]), tf.constant([1]))
    assert 87 < loss < 88
    assert tape.gradient(loss, features).numpy().tolist() == [[1.0]]


def test_a_token_that_is_nearly_certain_still_has_its_gradient_in_16_bits() -> None:
    """Each is its own target with a share of 0.999, of which bfloat16 could say 1 or 0.996."""
    tokens = tf.range(1, 65)
    table = tf.one_hot(tokens - 1, 64) * tf.math.log(0.999 / 0.001 * 63)
    features, bias = tf.eye(64), tf.zeros([64])

    @tf.function
    def gradient(features: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(features)
            loss = losses.summed_cross_entropy(features, table, bias, tokens - 1)
        return tape.gradient(loss, features)

    exact = gradient(features)
    with computing_in("bfloat16"):
        found = gradient(features)
    if np.array_equal(found, exact):
        pytest.skip("this machine has no products in bfloat16")
    assert tf.norm(found - exact) < 0.02 * tf.norm(exact)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cosine", [0.05, 0.1, 0.05, 0.05 * (1 + np.cos(0.95 * np.pi))]),
        ("inverse_sqrt", [0.05, 0.1, 0.1 * 0.5**0.5, 0.1 * (10 / 29) ** 0.5]),
        ("constant", [0.05, 0.1, 0.1, 0.1]),
    ],
)
def test_the_step_size_rises_and_then_follows_its_schedule(schedule: str, expected: list[float]) -> None:
    config = TrainConfig(steps=29, warmup_steps=10, learning_rate=0.1, schedule=schedule)
    assert [learning_rate(config, step) for step in (5, 10, 20, 29)] == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["cosine", "inverse_sqrt", "constant"])
def test_without_a_warm_up_the_first_step_is_a_whole_one(schedule: str) -> None:
    for steps in (1, 100):
        assert learning_rate(TrainConfig(steps=steps, warmup_steps=0, schedule=schedule, learning_rate=0.1), 1) == 0.1


@pytest.mark.parametrize("schedule", ["cosine", "inverse_sqrt", "constant"])
@pytest.mark.parametrize("warmup", [0, 1, 4, 5, 6, 200])
def test_no_step_is_taken_in_vain(schedule: str, warmup: int) -> None:
    config = TrainConfig(steps=5, warmup_steps=warmup, schedule=schedule)
    assert all(0 < learning_rate(config, step) <= config.learning_rate for step in range(1, 6))
