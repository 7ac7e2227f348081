"""The whole training: from shards and a vocabulary to an exported model, and how it goes on after a kill."""

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from model import checkpoints, export
from model.averaging import Candidates, exported, part_of
from model.batches import Floats, FrameForm, Ints, Pairs, full_batch
from model.broadcast import told
from model.checkpoints import Checkpoint
from model.config import DeviceConfig, TrainConfig
from model.devices import check_devices
from model.embeddings import vectors_of
from model.feeding import feed, in_order
from model.interruption import Interrupted, Request, listening
from model.launch import build_strategy, devices_of, is_chief
from model.loss_curve import draw_losses
from model.meter import Meter
from model.notes import History, Notes
from model.plan import Plan, copies_of
from model.predecessor import Predecessor
from model.progress import TrainingProgress
from model.scalars import EventFile
from model.schedules import learning_rate
from model.trainer import Trainer
from model.warm_start import warm_start
from model.weights import write_weights
from model.worker import Job
from model.workers import run_local_workers
from pipeline.errors import InputError
from pipeline.frames import frame_fact, frame_size
from pipeline.manifest import Manifest, input_record, write_atomically
from pipeline.stage import Outcome, log
from pipeline.vocabularies import Vocabularies

CHECKPOINTS = "checkpoints"
EVENTS = "tensorboard"


def train_and_export(
    config: TrainConfig,
    shards: Manifest,
    vocabulary: Manifest,
    folder: Path,
    devices: DeviceConfig,
    *,
    predecessor: Predecessor | None = None,
) -> Outcome:
    """The body of the stage `train`; see `model.stages`."""
    check_devices(config, devices)
    data = prepare(config, shards, vocabulary)
    source = predecessor.fetch() if predecessor else None
    if config.warm_start and not source:
        log.info("%-16s begins with random weights, as %s stood for no version yet", "train", config.warm_start)
    if devices.workers:
        job = Job(
            config=config,
            devices=devices,
            shards=shards.directory,
            vocabulary=vocabulary.directory,
            folder=folder,
            source=source,
        )
        run_local_workers(job)
    else:
        train_on(build_strategy(devices), config, data, folder, source=source, compiles=devices.compile)
    last = checkpoints.newest(folder / CHECKPOINTS)
    if last is None:
        raise FileNotFoundError(f"{folder / CHECKPOINTS} holds no checkpoint that is whole")
    size, form = frame_size(shards.facts), shards.facts["unicode_form"]
    export.save(exported(last.state), config, data.pieces, form, folder / "export", frame_size=size)
    write_weights(folder, last.state, frame_size=size, with_optimizer=config.keep_optimizer)
    data.pieces.write(folder)
    history, plan = last.notes["history"], data.plan
    write_atomically(folder / "history.json", (json.dumps(history, indent=2) + "\n").encode())
    write_atomically(folder / "loss.png", draw_losses(history))
    return Outcome(
        counts={
            "steps": last.step,
            "steps.skipped": last.notes["skipped"],
            "train.pairs": len(np.unique(plan.rows)),
            "train.left_out.too_long": plan.left_out,
            "parameters": sum(values.size for values in part_of(last.state, "weight").values()),
        },
        facts=history[-1]
        | {
            "epochs": round(plan.epochs(last.step * config.accumulate), 2),
            "padding_share": round(plan.padding_share, 4),
        }
        | frame_fact(size),
    )


class Data(NamedTuple):
    """What is learned from."""

    pieces: Vocabularies
    pairs: Pairs
    dev: Pairs
    plan: Plan


def prepare(config: TrainConfig, shards: Manifest, vocabulary: Manifest) -> Data:
    """Reads the data; raises `InputError` where it does not go together or nothing is left to learn from."""
    if shards.inputs.get("vocabulary") != input_record(vocabulary):
        cause = "its token ids are of another one"
        raise InputError("vocabulary", vocabulary.directory, f"the one that {shards.directory} was made with", cause)
    pieces = Vocabularies.read(vocabulary)
    size = frame_size(shards.facts)
    frames = FrameForm(size, config.model.frame_stride) if size else None
    pairs, dev = (Pairs.read(shards.paths_of_all(f"{split}/*.tfrecord*"), frames) for split in ("train", "dev"))
    copies = copies_of(weights_of(config, pairs, shards), config.seed) if config.weights else None
    return Data(pieces, pairs, dev, make_plan(config, pairs, copies))


def train_on(
    strategy: tf.distribute.Strategy,
    config: TrainConfig,
    data: Data,
    folder: Path,
    *,
    source: Path | None = None,
    compiles: bool = False,
) -> None:
    """Trains under a strategy, of which every process of a cluster calls this, up to the last checkpoint.

    Args:
        strategy: of this process.
        config: what is trained.
        data: what is learned from.
        folder: of the stage's output.
        source: folder of the model that a new training begins with; None: random weights.
        compiles: whether XLA compiles the step.

    Raises:
        ConnectionError: another worker of the cluster is gone.
    """
    pieces, size = data.pieces, data.pairs.frame_size
    vectors = vectors_of(config, pieces, size)
    trainer = Trainer(
        config, pieces.target.size, strategy, pieces.source_size, size, vectors=vectors, compiles=compiles
    )

    def begin() -> None:
        if source:
            warm_start(trainer, source, data.pieces)

    try:
        fit(trainer, data.pairs, data.plan, data.dev, folder / CHECKPOINTS, begin=begin, events=folder / EVENTS)
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        raise ConnectionError(f"a worker of the cluster is gone: {error.message.splitlines()[0]}") from error


def make_plan(config: TrainConfig, pairs: Pairs, copies: Ints | None = None) -> Plan:
    """The schedule of the training; raises `InputError` where there is nothing to learn from."""
    plan = plan_of(config, pairs, copies)
    if not len(pairs.lengths):
        raise InputError("shards", "no pairs", "at least one training pair")
    if plan.left_out < len(pairs.lengths) and not len(plan.rows):
        raise InputError(
            "corpus.train.weight", config.weights, "weights that leave a pair", "all of them are very small"
        )
    if not len(plan.rows):
        shortest = int(pairs.lengths.max(axis=1).min())
        cause = f"all {plan.left_out:,} training pairs are longer"
        raise InputError("train.max_length", config.max_length, f"at least {shortest} tokens", cause)
    return plan


def plan_of(config: TrainConfig, pairs: Pairs, copies: Ints | None = None) -> Plan:
    """The plan for a set of pairs."""
    return Plan(
        pairs.lengths,
        config.max_length,
        config.batch_tokens,
        config.seed,
        copies,
        pairs.sizes,
        pairs.window_pairs,
        config.shapes,
    )


def weights_of(config: TrainConfig, pairs: Pairs, shards: Manifest) -> Floats:
    """The weight of each pair's origin, `[N]`; a generation's records number its own list of origins."""
    chain = shards.chain()
    ends = np.cumsum([made.counts["train.pairs"] for made in chain])
    tables = [np.array([config.weights.get(name, 1.0) for name in made.facts["origins"]]) for made in chain]
    parts = zip(tables, np.split(pairs.origins, ends[:-1]), strict=True)
    return np.concatenate([table[numbers] for table, numbers in parts])


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

    The first worker alone reads and writes the checkpoints, and tells the others what it found.

    Args:
        trainer: the model, with the configuration.
        pairs: what is learned from.
        plan: in which order.
        dev: what the model is measured on.
        folder: of the checkpoints.
        begin: called where there is no checkpoint to go on from.
        events: of TensorBoard's files; None: there are none.

    Raises:
        InputError: the loss is no number any more, a batch does not fit into memory, or the checkpoint is of another
            training.
        Interrupted: this process was asked to end.
    """
    config = trainer.config
    if not len(dev.lengths) and (config.patience or config.schedule == "plateau"):
        given = ("schedule", "plateau") if config.schedule == "plateau" else ("patience", config.patience)
        raise InputError(f"train.{given[0]}", given[1], "a dev set beside it", "there is no dev loss to watch")
    made_with = {"train": config.canonical(), "vocabulary": sizes_of(trainer)} | frame_fact(trainer.frame_size)
    found = told(trainer.strategy, lambda: checkpoints.newest(folder))
    notes, candidates = Notes(), Candidates(config)
    if found:
        found.check(made_with)
        trainer.restore(found.state)
        candidates.restore(found.state)
        notes = Notes.parse(found.notes)
    else:
        begin()
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
        *held, last = islice(batches, each)
        for place, batch in enumerate(held, start=1):
            trainer.hold(batch, (step - 1) * each + place)
        factor = notes.plateau.factor
        taken = trainer.step(last, step, factor, asks=loop.request.is_made)
        notes.add(taken.loss, taken.tokens, is_expected=trainer.scale.value > 1)
        meter.add(step, taken, learning_rate(config, step, factor))
        if notes.skipped_in_row == config.max_skips:
            cause = f"the loss or its gradient was not finite in {config.max_skips} steps up to step {step}"
            cause += "; a lower value or a lower train.clip_norm helps"
            raise InputError("train.learning_rate", config.learning_rate, "one that keeps the loss finite", cause)
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
            raise Interrupted(step)
        if notes.is_over(config):
            return
