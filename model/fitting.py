"""The loop of steps, with a checkpoint and a row of the history now and then, and how it goes on after a kill."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from model import checkpoints
from model.averaging import Candidates
from model.batches import Pairs, full_batch
from model.broadcast import meet, told
from model.checkpoints import Checkpoint
from model.divergence import check_learning
from model.feeding import feed, in_order
from model.interruption import Interrupted, listening
from model.launch import devices_of, is_chief
from model.meter import Meter
from model.notes import History, Notes
from model.plan import Plan
from model.prepare import plan_of
from model.progress import TrainingProgress
from model.scalars import EventFile
from model.schedules import learning_rate
from model.trainer import Trainer
from pipeline.errors import InputError
from pipeline.frames import frame_fact
from pipeline.stage import log
from pipeline.stopping import Request


def sizes_of(trainer: Trainer) -> dict[str, Any]:
    """What a checkpoint says of the vocabulary, by the keys of its configuration."""
    own = trainer.source_vocabulary
    return {"size": trainer.vocabulary} | ({"separate": True, "source_size": own} if own is not None else {})


def as_drawn() -> None:
    """Begins with the trainer's weights as they are."""


def fit(
    trainer: Trainer,
    pairs: Pairs,
    plan: Plan,
    dev: Pairs,
    folder: Path,
    *,
    begin: Callable[[], None] = as_drawn,
    events: Path | None = None,
) -> History:
    """Takes all steps that are left, with a checkpoint and a row of the history now and then.

    The first worker alone reads and writes the checkpoints, and tells the others what it found. All of them come
    through the same places in the same order, where they wait for each other: `told`, each of the trainer's steps and
    losses, `meet` where they were asked to end. What only one of them does must call none of these.

    Args:
        trainer: the model, with the configuration.
        pairs: what is learned from.
        plan: in which order.
        dev: what the model is measured on.
        folder: of the checkpoints.
        begin: called by the first worker where there is no checkpoint to go on from.
        events: of TensorBoard's files; None: there are none.

    Raises:
        InputError: the loss is no number any more or hopelessly high, a batch does not fit into memory, or the
            checkpoint is of another training.
        Interrupted: this process was asked to end.
    """
    config = trainer.config
    if not len(plan_of(config, dev).rows) and (config.patience or config.schedule == "plateau"):
        given = ("schedule", "plateau") if config.schedule == "plateau" else ("patience", config.patience)
        left_out = f"none of its {len(dev.lengths):,} pairs is within train.max_length={config.max_length}"
        cause = left_out if len(dev.lengths) else "there is no dev loss to watch"
        raise InputError(f"train.{given[0]}", given[1], "a dev set beside it", cause)
    made_with = {"train": config.canonical(), "vocabulary": sizes_of(trainer)} | frame_fact(trainer.frame_size)
    found = told(trainer.strategy, lambda: checkpoints.newest(folder))
    notes, candidates = Notes(), Candidates(config)
    if found:
        found.check(made_with)
        trainer.restore(found.state)
        candidates.restore(found.state)
        notes = Notes.parse(found.notes)
        if is_chief(trainer.strategy):
            log.info("%-16s goes on   after %s of %s steps", "train", f"{found.step:,}", f"{config.steps:,}")
    else:
        if is_chief(trainer.strategy):
            begin()
        begin_alike(trainer)
    first = found.step + 1 if found else 1

    def save(step: int) -> None:
        if is_chief(trainer.strategy):
            state = trainer.state() | candidates.state()
            checkpoints.save(folder, Checkpoint(step, state, notes.as_json(), made_with))

    if first <= config.steps and not notes.is_over(config):
        opened = EventFile(events, first) if events and is_chief(trainer.strategy) else nullcontext()
        with listening() as request, TrainingProgress(config.steps, done=first - 1) as progress, opened as file:
            trainer.rehearse(full_batch(plan.largest, pairs.frames))
            meter = Meter(trainer, file, devices_of(trainer.strategy))
            take_steps(trainer, pairs, plan, dev, Loop(first, notes, candidates, progress, meter, request, save))
    if is_chief(trainer.strategy):
        checkpoints.prune(folder)  # of a run that was killed after its last checkpoint and before it tidied up
    return notes.history


def begin_alike(trainer: Trainer) -> None:
    """Gives all workers of a cluster the first one's weights, who alone knows which model stood for an alias."""
    if isinstance(trainer.strategy, tf.distribute.MultiWorkerMirroredStrategy):
        begun = told(trainer.strategy, lambda: Checkpoint(0, trainer.state(), {}))
        if begun:
            trainer.restore(begun.state)


class Loop(NamedTuple):
    """What the steps need beside data and model."""

    first: int
    notes: Notes
    candidates: Candidates
    progress: TrainingProgress
    meter: Meter
    request: Request
    save: Callable[[int], None]


def take_steps(trainer: Trainer, pairs: Pairs, plan: Plan, dev: Pairs, loop: Loop) -> None:
    """Takes the steps from the first to the last, or to the one where it is over."""
    config, notes, meter = trainer.config, loop.notes, loop.meter
    each = config.accumulate
    batches = meter.watch(feed(plan, pairs, (loop.first - 1) * each + 1, config.steps * each))
    since = time.monotonic()
    for step in range(loop.first, config.steps + 1):
        *others, last = islice(batches, each)
        for place, batch in enumerate(others, start=1):
            trainer.hold(batch, (step - 1) * each + place)
        factor = notes.plateau.factor
        taken = trainer.step(last, step, factor, asks=loop.request.is_made)
        notes.add(taken.loss, taken.tokens, is_expected=trainer.scale.value > 1)
        meter.add(step, taken, learning_rate(config, step, factor))
        check_learning(config, notes, step, trainer.vocabulary)
        loop.progress.update(step, taken.loss, taken.tokens)
        measures, saves = (
            step % every == 0 or step == config.steps for every in (config.evaluate_every, config.checkpoint_every)
        )
        if saves:
            loop.candidates.add(trainer)
        if measures:
            weights = loop.candidates.current(trainer)
            with trainer.with_weights(weights):
                dev_loss = trainer.loss(in_order(plan_of(config, dev), dev))
            notes.measure(step, learning_rate(config, step, factor), dev_loss, time.monotonic() - since)
            meter.measured(step, dev_loss)
            if notes.conclude(config, dev_loss):
                loop.candidates.best = weights
        if saves or taken.asked or notes.is_over(config):
            notes.seconds += time.monotonic() - since
            since = time.monotonic()
            loop.save(step)
        if taken.asked:
            meet(trainer.strategy)  # the first worker has saved by then
            raise Interrupted(step)
        if notes.is_over(config):
            return
