"""The step: from a batch to new weights, on whatever devices the strategy has.

Letters: B sentences of a batch, S source tokens, T target tokens, N real target tokens, P all weights together.

The strategy is injected and the arithmetic does not depend on it: replica i of R takes the rows i, i + R, ... of a
batch, the sums of losses, tokens and gradients are added up by one all-reduce, and one division follows. Clipping and
Adam see the gradient of the whole batch, so without dropout 1, 2 or 8 replicas take the same step; with dropout each
replica draws masks of its own. Batches that are accumulated are added up before the all-reduce, and are as good as one
larger batch for the same reason.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import nan
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from model.architectures import build_model
from model.batches import Batch, Form
from model.calls import GIVEN, Answer, Given, Packed, as_tensors, form_of, in_turn, pack, specs_of
from model.checkpoints import Arrays
from model.config import ReadSide, TrainConfig
from model.dropout import Dropout, folded
from model.embeddings import Vectors, fill
from model.launch import is_alone
from model.losses import summed_cross_entropy
from model.optimizer import adam, corrected, decay_at, follow
from model.precision import LossScale, check_precision, computing_in, factor_of, followed, in_32_bits
from model.schedules import learning_rate
from pipeline.errors import InputError
from pipeline.vocabulary import PAD

FILLED_TO = 64  # of whose multiples the tokens before a softmax are one: a kernel is compiled for each number of them
IDS = tf.TensorSpec([None, None], tf.int32)  # dynamic: one trace serves all shapes of batches
SCALE = tf.TensorSpec([2], tf.int32)


class Step(NamedTuple):
    """What became of a step."""

    loss: float  # per token, before the update; no number where the step was skipped
    tokens: int  # real target tokens
    norm: float  # of the gradient of the loss per token, before clipping
    asked: bool  # whether any worker was asked to end
    scale: LossScale  # of the next one's loss


class Trainer:
    """A model, its optimizer and the compiled steps, on the devices of one strategy.

    Args:
        config: what is trained.
        vocabulary: number of tokens of the targets' vocabulary.
        strategy: of the devices.
        source_vocabulary: the same of the sources' own one, None where they share the targets'.
        frame_size: numbers of a frame, where sources are frames and no tokens; otherwise 0.
        vectors: of tokens, by side, that the new model has in place of its own.
        compiles: whether XLA makes one program of what a replica does; needs batches of fixed shapes.
        batches_per_call: how many `learn` may be given at once. A call for several is another graph, and its rounding
            another one; all numbers above 1 have the same bits.
        forms: those that batches can be of where their shapes are fixed; needed for more than one batch a call.
    """

    def __init__(
        self,
        config: TrainConfig,
        vocabulary: int,
        strategy: tf.distribute.Strategy,
        source_vocabulary: int | None = None,
        frame_size: int = 0,
        *,
        vectors: Mapping[ReadSide, Vectors] | None = None,
        compiles: bool = False,
        batches_per_call: int = 1,
        forms: Sequence[Form] = (),
    ) -> None:
        check_precision(config)
        self.config = config
        self.vocabulary = vocabulary
        self.source_vocabulary = source_vocabulary
        self.frame_size = frame_size
        self.strategy = strategy
        self.batches_per_call = batches_per_call
        self.forms = forms
        self.scale = LossScale(15 if config.precision == "float16" else 0)
        with strategy.scope():
            self.model = build_model(config.model, vocabulary, config.seed, source_vocabulary, frame_size)
            for side, found in (vectors or {}).items():
                fill(self.model, found, side, is_frozen=config.vectors.given[side].frozen)
            # Keras' variables wrap TensorFlow's, which the tape and the strategy work with.
            self.weights = {weight.path: weight.value for weight in self.model.trainable_variables}
            self.means, self.squares = (
                {path: tf.Variable(tf.zeros_like(weight), trainable=False) for path, weight in self.weights.items()}
                for _ in range(2)
            )
            averaged = self.weights if config.ema else {}
            self.averages = {path: tf.Variable(weight, trainable=False) for path, weight in averaged.items()}
            if config.accumulate > 1:
                self.held = tf.Variable(
                    tf.zeros([self.parameters + 3]),
                    trainable=False,
                    synchronization=tf.VariableSynchronization.ON_READ,  # each replica has its own
                    aggregation=tf.VariableAggregation.SUM,
                )
        parts = {"weight": self.weights, "mean": self.means, "square": self.squares, "average": self.averages}
        self._changing = {f"{part}/{path}": value for part, values in parts.items() for path, value in values.items()}
        read = tf.TensorSpec([None, None, frame_size]) if frame_size else IDS
        batch = None if config.shapes == "fixed" else [read, IDS]
        # AutoGraph rewrites the source of all that is called, seconds at every start; nothing here needs it.
        graph = partial(tf.function, autograph=False)
        self._compiled_step = graph(self._step, input_signature=batch and [*batch, GIVEN, SCALE])
        self._compiled_hold = graph(self._hold, input_signature=batch and [*batch, GIVEN, SCALE])
        self._compiled_turns = graph(self._in_turn, input_signature=[*specs_of(frame_size), SCALE])
        self._compiled_sums = graph(self._sums, input_signature=batch)
        self._differentiate = graph(self._differentiated, jit_compile=True) if compiles else self._differentiated

    def learn(
        self, batches: Sequence[Batch], first: int, factor: float = 1.0, *, asks: bool = False, is_real: bool = True
    ) -> list[Step]:
        """Learns from batches, one after the other; what is left over of a step is held until the next ones come.

        Where a step's loss or its gradient's norm is not finite, the loss is no number and the step changes nothing.

        Args:
            batches: at least one, and at most `batches_per_call`.
            first: number of the first one since the beginning of the training, from 1 on; `accumulate` of them make a
                step.
            factor: of the step size.
            asks: whether this worker was asked to end; all workers are told.
            is_real: whether the weights are to change.

        Returns:
            What became of each step that was completed; workers of a cluster leave after the one by which they all
            know that somebody was asked to end.
        """
        if self.batches_per_call > 1 and self.config.shapes == "fixed":
            unknown = {form_of(batch) for batch in batches} - set(self.forms)
            if unknown:
                raise ValueError(f"batches of {sorted(unknown)}, B, S and T, are none of {self.forms}")
        given = [self._given(draw, factor, asks, is_real) for draw, _ in enumerate(batches, start=first)]
        scale = tf.constant(self.scale)
        with computing_in(self.config.precision):
            if self.batches_per_call > 1:
                answers = self._compiled_turns(pack(batches), as_tensors(Given(*zip(*given, strict=True))), scale)
                answers = zip(*(values.numpy() for values in answers), strict=True)
            else:
                (batch,), (said,) = batches, given
                call = self._compiled_step if self._completes(said.draw) else self._compiled_hold
                answers = [call(batch.sources, batch.targets, as_tensors(said), scale)]
        taken = []
        for (told, scale), said in zip(answers, given, strict=True):
            if self._completes(said.draw):  # of others nothing is looked at: a device need not have come that far
                loss, tokens, norm, asked = np.asarray(told).tolist()
                self.scale = LossScale(*np.asarray(scale).tolist())
                taken.append(Step(loss, int(tokens), norm, asked > 0, self.scale))
                if asked:
                    break
        return taken

    def step(self, batch: Batch, step: int, factor: float = 1.0, *, asks: bool = False, is_real: bool = True) -> Step:
        """Takes a step, counted from 1 on, with its last batch; see `learn`."""
        return self.learn([batch], step * self.config.accumulate, factor, asks=asks, is_real=is_real)[0]

    def rehearse(self, batch: Batch) -> None:
        """Takes a step that changes nothing, to see whether it fits into memory.

        Raises:
            InputError: it does not.
        """
        try:
            self.step(batch, 1, is_real=False)
        except tf.errors.ResourceExhaustedError as error:
            rows, columns = batch.targets.shape
            cause = f"{rows:,} pairs of up to {columns:,} tokens need more; train.accumulate makes up for small batches"
            raise InputError("train.batch_tokens", self.config.batch_tokens, "what memory can hold", cause) from error

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

    def moving_average(self) -> Arrays:
        """The moving average of the weights by name; empty where there is none."""
        return {path: weight.numpy() for path, weight in self.averages.items()}

    @contextmanager
    def with_weights(self, weights: Arrays) -> Iterator[None]:
        """Has the model work with other weights within the block, and with its own again after it."""
        own = self.model_weights()
        try:
            for path, value in weights.items():
                self.weights[path].assign(value)
            yield
        finally:
            for path, value in own.items():
                self.weights[path].assign(value)

    @property
    def parameters(self) -> int:
        """How many numbers the model consists of."""
        return sum(weight.shape.num_elements() for weight in self.weights.values())

    def state(self) -> Arrays:
        """All that a step changes, by name; what is held for the next one is no part of it."""
        scale = {"scale": self.scale.state()} if self.config.precision == "float16" else {}
        return {name: value.numpy() for name, value in self._changing.items()} | scale

    def restore(self, state: Arrays) -> None:
        """Puts a state back; nothing is held after it."""
        for name, value in self._changing.items():
            value.assign(state[name])
        if self.config.accumulate > 1:
            self.held.assign(tf.zeros_like(self.held))
        if "scale" in state:
            self.scale = LossScale.parse(state["scale"])

    def _completes(self, draw: Any) -> Any:
        """Whether the batch of a number is the last one of a step."""
        return draw % self.config.accumulate == 0

    def _given(self, draw: int, factor: float, asks: bool, is_real: bool) -> Given:
        """What is said of the batch of a number."""
        step = -(-draw // self.config.accumulate)
        rate, decay = learning_rate(self.config, step, factor), decay_at(step, self.config.ema)
        return Given(draw, step, rate, decay, float(asks), is_real)

    def _in_turn(self, packed: Packed, given: Given, scale: tf.Tensor) -> Answer:
        return in_turn(self._learn, packed, given, scale, listens=not is_alone(self.strategy), forms=self.forms)

    def _learn(self, sources: tf.Tensor, targets: tf.Tensor, given: Given, scale: tf.Tensor) -> Answer:
        """Takes a step where a batch completes it, and holds the batch otherwise."""
        step, hold = (partial(call, sources, targets, given, scale) for call in (self._step, self._hold))
        return step() if self.config.accumulate == 1 else tf.cond(self._completes(given.draw), step, hold)

    def _step(self, sources: tf.Tensor, targets: tf.Tensor, given: Given, scale: tf.Tensor) -> Answer:
        """Updates the weights from a batch and those that are held."""
        gradients, *told = self.strategy.run(self._gradients, args=(sources, targets, given, scale))
        loss, tokens, norm, asked = (self.strategy.experimental_local_results(values)[0] for values in told)
        is_finite = tf.math.is_finite(loss)
        rate, is_taken = corrected(given.rate, given.step), is_finite & given.is_real
        update = self.strategy.extended.update
        for (path, weight), gradient in zip(self.weights.items(), gradients, strict=True):
            slots = (self.means[path], self.squares[path])
            update(weight, adam, args=(slots, gradient, rate, is_taken), group=False)
            if self.averages:
                update(weight, follow, args=(self.averages[path], given.decay, is_taken), group=False)
        if self.config.precision == "float16":
            scale = tf.where(given.is_real, followed(scale, is_finite), scale)
        return tf.stack([loss, tokens, norm, asked]), scale

    def _hold(self, sources: tf.Tensor, targets: tf.Tensor, given: Given, scale: tf.Tensor) -> Answer:
        """Adds a batch to those that the next step learns from."""

        def add(sources: tf.Tensor, targets: tf.Tensor, given: Given, scale: tf.Tensor) -> None:
            self.held.assign_add(self._summed_gradients(sources, targets, given, scale))

        self.strategy.run(add, args=(sources, targets, given, scale))
        return tf.zeros(4), scale

    def _gradients(self, sources: tf.Tensor, targets: tf.Tensor, given: Given, scale: tf.Tensor) -> tuple[Any, ...]:
        """On each replica: the clipped gradient of the whole batch's loss per token, that loss, its tokens, the norm.

        Where the loss or the gradient's norm is not finite, the gradient is zero and the loss is no number.
        """
        flat = self._summed_gradients(sources, targets, given, scale)
        if self.config.accumulate > 1:
            flat += self.held
            self.held.assign(tf.zeros_like(self.held))
        flat = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, flat)
        tokens, asked = flat[-2], flat[-1]
        total, loss = flat[:-3] / tokens, flat[-3] / tokens
        norm = tf.norm(total)
        is_finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
        loss = tf.where(is_finite, loss, nan)
        total = tf.where(is_finite, total * (self.config.clip_norm / tf.maximum(norm, self.config.clip_norm)), 0.0)
        weights = list(self.weights.values())
        parts = tf.split(total, [weight.shape.num_elements() for weight in weights])
        parts = [tf.reshape(part, weight.shape) for part, weight in zip(parts, weights, strict=True)]
        return parts, loss, tokens, norm, asked

    def _summed_gradients(self, sources: tf.Tensor, targets: tf.Tensor, given: Given, scale: tf.Tensor) -> tf.Tensor:
        """This replica's sums over its tokens, `[P + 3]`: gradients, loss, tokens, requests to end."""
        replica = tf.distribute.get_replica_context()
        seed = folded(tf.stack([self.config.seed, given.draw]), replica.replica_id_in_sync_group)
        found = self._differentiate(*self._share(sources, targets), seed, factor_of(scale))
        # A worker has as many replicas as it has devices, and what they all say comes to more than 0 all the same.
        return tf.concat([found, [given.asks]], axis=0)

    def _differentiated(self, sources: tf.Tensor, targets: tf.Tensor, seed: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
        """Gradients of the loss, the loss, the number of tokens, `[P + 2]`."""
        with tf.GradientTape() as tape:
            dropout = Dropout(self.config.model.dropout, seed)
            loss, tokens = self._losses(sources, targets, self.config.label_smoothing, dropout)
            scaled = loss * scale
        slopes = [tf.convert_to_tensor(slope) for slope in tape.gradient(scaled, list(self.weights.values()))]
        gradients = [in_32_bits(slope) / scale for slope in slopes]
        return tf.concat([*(tf.reshape(slope, [-1]) for slope in gradients), [loss, tokens]], axis=0)

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
        if self.config.shapes == "fixed":
            return share_of(sources, first, every), share_of(targets, first, every)
        return sources[first::every], targets[first::every]

    def _losses(
        self, sources: tf.Tensor, targets: tf.Tensor, label_smoothing: float = 0.0, dropout: Dropout | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Sum of the cross-entropy over the real tokens, and their number as a float."""
        if self.config.shapes == "fixed":
            features, tokens = self.model.features_everywhere(sources, targets, dropout)
        else:
            features, tokens, _ = self.model.features(sources, targets, dropout, FILLED_TO)
        loss = summed_cross_entropy(features, *self.model.softmax, tokens, label_smoothing)
        return loss, tf.math.count_nonzero(tf.not_equal(tokens, PAD), dtype=tf.float32)


def share_of(values: tf.Tensor, first: tf.Tensor | int, every: int) -> tf.Tensor:
    """The rows first, first + every, ... of `[B, ...]`, and rows of zeros so that all replicas have equally many.

    >>> share_of(tf.constant([[1], [2], [3]]), 1, 2).numpy().tolist()
    [[2], [0]]
    """
    rows, *sizes = values.shape
    filled = tf.pad(values, [[0, -rows % every], *([0, 0] for _ in sizes)])
    return tf.reshape(filled, [-(-rows // every), every, *sizes])[:, first]
