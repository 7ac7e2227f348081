"""Training: the step, the loop, and how both go on after a kill.

Letters: B sentences of a batch, S source tokens, T target tokens, N real target tokens, P all weights together.

The strategy is injected and the arithmetic does not depend on it: replica i of R takes the rows i, i + R, ... of a
batch, the sums of losses, tokens and gradients are added up by one all-reduce, and one division follows. Clipping and
Adam see the gradient of the whole batch, so without dropout 1, 2 or 8 replicas take the same step; with dropout each
replica draws masks of its own.
"""

from collections.abc import Iterable
from math import nan
from typing import Any

import numpy as np
import tensorflow as tf

from model.architectures import build_model
from model.batches import Batch
from model.checkpoints import Arrays
from model.config import TrainConfig
from model.dropout import Dropout
from model.losses import summed_cross_entropy
from model.schedules import learning_rate

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's defaults (Kingma & Ba, 2015)
IDS = tf.TensorSpec([None, None], tf.int32)  # dynamic: one trace serves all shapes of batches


class Trainer:
    """A model, its optimizer and the compiled steps, on the devices of one strategy."""

    def __init__(self, config: TrainConfig, vocabulary: int, strategy: tf.distribute.Strategy) -> None:
        self.config = config
        self.strategy = strategy
        with strategy.scope():
            self.model = build_model(config.model, vocabulary, config.seed)
            # Keras' variables wrap TensorFlow's, which the tape and the strategy work with.
            self.weights = {weight.path: weight.value for weight in self.model.trainable_variables}
            self.means, self.squares = (
                {path: tf.Variable(tf.zeros_like(weight), trainable=False) for path, weight in self.weights.items()}
                for _ in range(2)
            )
        parts = {"weight": self.weights, "mean": self.means, "square": self.squares}
        self._changing = {f"{part}/{path}": value for part, values in parts.items() for path, value in values.items()}
        self._compiled_step = tf.function(
            self._step, input_signature=[IDS, IDS, tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)]
        )
        self._compiled_sums = tf.function(self._sums, input_signature=[IDS, IDS])

    def step(self, batch: Batch, step: int) -> tuple[float, int]:
        """Updates the weights; gives the loss per token before the update and the number of target tokens.

        Where the loss or the gradient's norm is not finite, the loss is no number and the weights stay as they are.
        """
        rate = learning_rate(self.config, step)
        loss, tokens = self._compiled_step(
            batch.sources, batch.targets, tf.constant(step), tf.constant(rate, tf.float32)
        )
        return float(loss), int(tokens)

    def loss(self, batches: Iterable[Batch]) -> float | None:
        """Cross-entropy per target token in nats, without dropout or label smoothing; None of no batches."""
        sums = [self._compiled_sums(batch.sources, batch.targets).numpy().astype(np.float64) for batch in batches]
        if not sums:
            return None
        loss, tokens = np.sum(sums, axis=0)
        return float(loss / tokens)

    def model_weights(self) -> Arrays:
        """The model's weights by name."""
        return {path: weight.numpy() for path, weight in self.weights.items()}

    @property
    def parameters(self) -> int:
        """How many numbers the model consists of."""
        return sum(weight.shape.num_elements() for weight in self.weights.values())

    def state(self) -> Arrays:
        """All that an update changes, by name."""
        return {name: value.numpy() for name, value in self._changing.items()}

    def restore(self, state: Arrays) -> None:
        """Puts a state back."""
        for name, value in self._changing.items():
            value.assign(state[name])

    def _step(self, sources: tf.Tensor, targets: tf.Tensor, step: tf.Tensor, rate: tf.Tensor) -> tuple[Any, Any]:
        gradients, loss, tokens = self.strategy.run(self._gradients, args=(sources, targets, step))
        loss, tokens = (self.strategy.experimental_local_results(values)[0] for values in (loss, tokens))
        power = tf.cast(step, tf.float32)
        # Adam's correction of both averages for having started at zero, as one factor of the step size.
        rate *= tf.sqrt(1 - BETA_2**power) / (1 - BETA_1**power)
        rate = tf.where(tf.math.is_nan(loss), 0.0, rate)
        for (path, weight), gradient in zip(self.weights.items(), gradients, strict=True):
            slots = (self.means[path], self.squares[path])
            self.strategy.extended.update(weight, adam, args=(*slots, gradient, rate), group=False)
        return loss, tokens

    def _gradients(self, sources: tf.Tensor, targets: tf.Tensor, step: tf.Tensor) -> tuple[Any, tf.Tensor, tf.Tensor]:
        """On each replica: the clipped gradient of the whole batch's loss per token, that loss, and its tokens.

        Where the loss or the gradient's norm is not finite, the gradient is zero and the loss is no number.
        """
        replica = tf.distribute.get_replica_context()
        seed = tf.random.experimental.stateless_fold_in(
            tf.stack([self.config.seed, step]), replica.replica_id_in_sync_group
        )
        with tf.GradientTape() as tape:
            dropout = Dropout(self.config.model.dropout, seed)
            loss, tokens = self._losses(*self._share(sources, targets), self.config.label_smoothing, dropout)
        weights = list(self.weights.values())
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, weights)]
        flat = tf.concat([*(tf.reshape(gradient, [-1]) for gradient in gradients), [loss, tokens]], axis=0)  # [P + 2]
        flat = replica.all_reduce(tf.distribute.ReduceOp.SUM, flat)
        total, loss, tokens = flat[:-2] / flat[-1], flat[-2] / flat[-1], flat[-1]
        norm = tf.norm(total)
        is_finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
        loss = tf.where(is_finite, loss, nan)
        total = tf.where(is_finite, total * (self.config.clip_norm / tf.maximum(norm, self.config.clip_norm)), 0.0)
        parts = tf.split(total, [weight.shape.num_elements() for weight in weights])
        return [tf.reshape(part, weight.shape) for part, weight in zip(parts, weights, strict=True)], loss, tokens

    def _sums(self, sources: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Sum of the losses and number of target tokens over all replicas, `[2]`."""

        def of_replica(sources: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
            return tf.stack(self._losses(*self._share(sources, targets)))

        sums = self.strategy.run(of_replica, args=(sources, targets))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)

    def _share(self, sources: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """This replica's rows of a batch."""
        first = tf.distribute.get_replica_context().replica_id_in_sync_group
        every = self.strategy.num_replicas_in_sync
        return sources[first::every], targets[first::every]

    def _losses(
        self, sources: tf.Tensor, targets: tf.Tensor, label_smoothing: float = 0.0, dropout: Dropout | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Sum of the cross-entropy over the real tokens, and their number as a float."""
        features, tokens, _ = self.model.features(sources, targets, dropout)
        loss = summed_cross_entropy(features, *self.model.softmax, tokens, label_smoothing)
        return loss, tf.cast(tf.size(tokens), tf.float32)


def adam(weight: tf.Variable, mean: tf.Variable, square: tf.Variable, gradient: tf.Tensor, rate: tf.Tensor) -> None:
    """One update by Adam (Kingma & Ba, 2015) in a single kernel; the corrections are in the rate.

    As everywhere in TensorFlow, epsilon is added to the uncorrected root, the efficient form at the end of the paper's
    section 2.
    """
    tf.raw_ops.ResourceApplyAdam(
        var=weight.handle,
        m=mean.handle,
        v=square.handle,
        beta1_power=0.0,
        beta2_power=0.0,
        lr=rate,
        beta1=BETA_1,
        beta2=BETA_2,
        epsilon=EPSILON,
        grad=gradient,
    )
