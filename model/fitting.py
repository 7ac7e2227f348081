"""The loop of steps, with a checkpoint and a row of the history now and then, and how it goes on after a kill."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from model import checkpoints
from model.averaging import Candidates
from model.batches import Pairs, full_batch
from model.broadcast import meet, told
from model.checkpoints import Checkpoint
from model.config import TrainConfig
from model.divergence import check_learning
from model.feeding import feed, in_order
from model.interruption import Interrupted, listening
from model.launch import devices_of, is_alone, is_chief
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
    if not is_alone(trainer.strategy):
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
    step, each = loop.first - 1, config.accumulate
    done, last = step * each, config.steps * each
    batches = meter.watch(feed(plan, pairs, done + 1, last))
    since = time.monotonic()
    while done < last:
        factor, asks = notes.plateau.factor, loop.request.is_made
        # Who trains alone need not go on until all have heard of it.
        most = 1 if asks and is_alone(trainer.strategy) else trainer.batches_per_call
        call = list(islice(batches, min(most, next_stop(config, step) * each - done)))
        taken = trainer.learn(call, done + 1, factor, asks=asks)
        done += len(call)
        if not taken:
            continue
        first, step = step + 1, step + len(taken)
        meter.add(step, taken, learning_rate(config, step, factor))
        for number, one in enumerate(taken, start=first):
            notes.add(one.loss, one.tokens, is_expected=one.scale.exponent > 0)
            check_learning(config, notes, number, trainer.vocabulary)
        asked = any(one.asked for one in taken)
        loop.progress.update(step, taken)
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
        if saves or asked or notes.is_over(config):
            notes.seconds += time.monotonic() - since
            since = time.monotonic()
            loop.save(step)
        if asked:
            meet(trainer.strategy)  # the first worker has saved by then
            raise Interrupted(step)
        if notes.is_over(config):
            return


def next_stop(config: TrainConfig, step: int) -> int:
    """The next step after which there is more to do than the step after it.

    >>> [next_stop(TrainConfig(steps=9, checkpoint_every=4, evaluate_every=3), step) for step in (0, 3, 4, 8)]
    [3, 4, 6, 9]
    """
    return min(
        config.steps, *(step + every - step % every for every in (config.checkpoint_every, config.evaluate_every))
    )
