"""The whole training: from shards and a vocabulary to an exported model, and how it goes on after a kill."""

import json
import math
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from model import checkpoints, export
from model.batches import Floats, Ints, Pairs
from model.checkpoints import Checkpoint
from model.config import DeviceConfig, TrainConfig
from model.feeding import feed, in_order
from model.launch import build_strategy
from model.plan import Plan, copies_of
from model.progress import TrainingProgress
from model.schedules import learning_rate
from model.trainer import Trainer
from pipeline.errors import InputError
from pipeline.manifest import Manifest, input_record, write_atomically
from pipeline.stage import Outcome
from pipeline.vocabulary import Vocabulary

VOCABULARY = "vocabulary.model"

History = list[dict[str, Any]]


def train_and_export(
    config: TrainConfig, shards: Manifest, vocabulary: Manifest, folder: Path, devices: DeviceConfig
) -> Outcome:
    """The body of the stage `train`; see `model.stages`."""
    if shards.inputs.get("vocabulary") != input_record(vocabulary):
        cause = "its token ids are of another one"
        raise InputError("vocabulary", vocabulary.directory, f"the one that {shards.directory} was made with", cause)
    pieces = Vocabulary.load(vocabulary.path(VOCABULARY))
    pairs, dev = (Pairs.read(shards.paths_of_all(f"{split}/*.tfrecord*")) for split in ("train", "dev"))
    copies = copies_of(weights_of(config, pairs, shards), config.seed) if config.weights else None
    plan = make_plan(config, pairs, copies)
    trainer = Trainer(config, pieces.size, build_strategy(devices))
    history = fit(trainer, pairs, plan, dev, folder / "checkpoints")
    export.save(trainer.model_weights(), config, pieces, shards.facts["unicode_form"], folder / "export")
    shutil.copyfile(vocabulary.path(VOCABULARY), folder / VOCABULARY)
    write_atomically(folder / "history.json", (json.dumps(history, indent=2) + "\n").encode())
    return Outcome(
        counts={
            "steps": config.steps,
            "train.pairs": len(np.unique(plan.rows)),
            "train.left_out.too_long": plan.left_out,
            "parameters": trainer.parameters,
        },
        facts=history[-1]
        | {
            "epochs": round(plan.epochs(config.steps), 2),
            "padding_share": round(plan.padding_share, 4),
        },
    )


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
    return Plan(pairs.lengths, config.max_length, config.batch_tokens, config.seed, copies, pairs.sizes)


def weights_of(config: TrainConfig, pairs: Pairs, shards: Manifest) -> Floats:
    """The weight of each pair's origin, `[N]`; a generation's records number its own list of origins."""
    chain = shards.chain()
    ends = np.cumsum([made.counts["train.pairs"] for made in chain])
    tables = [np.array([config.weights.get(name, 1.0) for name in made.facts["origins"]]) for made in chain]
    parts = zip(tables, np.split(pairs.origins, ends[:-1]), strict=True)
    return np.concatenate([table[numbers] for table, numbers in parts])


def fit(trainer: Trainer, pairs: Pairs, plan: Plan, dev: Pairs, folder: Path) -> History:
    """Takes all steps that are left, with a checkpoint and a row of the history now and then.

    Raises:
        InputError: the loss is no number any more.
    """
    config = trainer.config
    found = checkpoints.newest(folder)
    if found:
        trainer.restore(found.state)
    notes = Notes(**found.notes) if found else Notes()
    first = found.step + 1 if found else 1
    with TrainingProgress(config.steps, done=first - 1) as progress:
        since = time.monotonic()
        for step, batch in enumerate(feed(plan, pairs, first, config.steps), start=first):
            loss, tokens = trainer.step(batch, step)
            if not math.isfinite(loss):
                cause = f"the loss became {loss} at step {step}; a lower value or a lower train.clip_norm helps"
                raise InputError("train.learning_rate", config.learning_rate, "one that keeps the loss finite", cause)
            notes.add(loss, tokens)
            progress.update(step, loss, tokens)
            measures, saves = (
                step % every == 0 or step == config.steps for every in (config.evaluate_every, config.checkpoint_every)
            )
            if measures:
                dev_loss = trainer.loss(in_order(plan_of(config, dev), dev))
                notes.measure(step, learning_rate(config, step), dev_loss, time.monotonic() - since)
            if saves:
                notes.seconds += time.monotonic() - since
                since = time.monotonic()
                checkpoints.save(folder, Checkpoint(step, trainer.state(), asdict(notes)))
    checkpoints.prune(folder)  # of a run that was killed after its last checkpoint and before it tidied up
    return notes.history


@dataclass
class Notes:
    """What a training writes down as it goes; part of every checkpoint.

    Args:
        history: one row a measurement.
        tokens: target tokens learned from since the beginning.
        seconds: time spent up to the last checkpoint, over all runs.
        recent_loss: sum of the losses since the last row.
        recent_tokens: target tokens since the last row.
    """

    history: History = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0
    recent_loss: float = 0.0
    recent_tokens: int = 0

    def add(self, loss: float, tokens: int) -> None:
        """A step was taken."""
        self.tokens += tokens
        self.recent_loss += loss * tokens
        self.recent_tokens += tokens

    def measure(self, step: int, rate: float, dev_loss: float | None, seconds: float) -> None:
        """Closes a row of the history; `seconds` have passed since the last checkpoint."""
        self.history.append(
            {
                "step": step,
                "tokens": self.tokens,
                "seconds": round(self.seconds + seconds, 1),
                "learning_rate": rate,
                "loss": self.recent_loss / self.recent_tokens,
                "dev_loss": dev_loss,
            }
        )
        self.recent_loss, self.recent_tokens = 0.0, 0
