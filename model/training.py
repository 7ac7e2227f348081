"""The whole training: from shards and a vocabulary to an exported model."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from model import checkpoints, export
from model.averaging import exported, part_of
from model.broadcast import check_agreed, meet
from model.config import DeviceConfig, TrainConfig
from model.devices import check_devices
from model.embeddings import vectors_of
from model.fitting import fit
from model.launch import build_strategy, is_alone
from model.loss_curve import draw_losses
from model.notes import Notes
from model.predecessor import Predecessor
from model.prepare import Data, forms_of, prepare
from model.trainer import Trainer
from model.warm_start import warm_start
from model.weights import write_weights
from model.worker import Job
from model.workers import run_local_workers
from pipeline.frames import frame_fact, frame_size
from pipeline.manifest import Manifest, write_atomically
from pipeline.stage import Outcome, log

# What TensorFlow says of a worker that has ended, was started anew, or does not answer.
GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
)
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
    elif not is_trained(config, folder):
        train_on(build_strategy(devices), config, data, folder, devices, source=source)
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


def is_trained(config: TrainConfig, folder: Path) -> bool:
    """Whether all steps are taken, and what a run left undone that was killed after them is to export the weights.

    The other workers of a cluster have gone by then, and nobody would join.
    """
    last = checkpoints.newest(folder / CHECKPOINTS)
    return last is not None and (last.step >= config.steps or Notes.parse(last.notes).is_over(config))


def train_on(
    strategy: tf.distribute.Strategy,
    config: TrainConfig,
    data: Data,
    folder: Path,
    devices: DeviceConfig,
    *,
    source: Path | None = None,
) -> None:
    """Trains under a strategy, of which every process of a cluster calls this, up to the last checkpoint.

    Args:
        strategy: of this process.
        config: what is trained.
        data: what is learned from.
        folder: of the stage's output.
        devices: how they are to be used.
        source: folder of the model that a new training begins with, of which the first worker's counts; None:
            random weights.

    Raises:
        InputError: another worker of the cluster trains something else, or as `fit` raises it.
        ConnectionError: another worker of the cluster is gone.
    """
    pieces, size = data.pieces, data.pairs.frame_size

    def begin() -> None:
        if source:
            warm_start(trainer, source, data.pieces)

    try:
        said = [config.canonical(), data.digest, devices.batches_per_call]
        check_agreed(strategy, json.dumps(said, sort_keys=True).encode())
        trainer = Trainer(
            config,
            pieces.target.size,
            strategy,
            pieces.source_size,
            size,
            vectors=vectors_of(config, pieces, size),
            compiles=devices.compile,
            batches_per_call=devices.batches_per_call,
            forms=forms_of(data.plan, data.pairs.frames),
        )
        fit(trainer, data.pairs, data.plan, data.dev, folder / CHECKPOINTS, begin=begin, events=folder / EVENTS)
        meet(strategy)
    except GONE as error:
        if is_alone(strategy):
            raise
        raise ConnectionError(f"a worker of the cluster is gone: {error.message.splitlines()[0]}") from error
