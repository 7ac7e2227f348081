"""What a training on much data costs: memory and time with 4,000,000 pairs, and padding on Multi30k.

    python -m tests.bench.batches       a part of make bench SUITE=train

The large data set is pairs of Multi30k drawn with replacement, in eight shards as the stage `shard` writes them. One
process learns from some batches of it with the LSTM of the suite, and then goes through the rest of the epoch without
learning. NIGHTSHIFT_DATA names the folder in which multi30k/ lies; without it there is nothing to measure.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.data import DATA, LANGUAGES, vocabulary
from tests.bench.processes import measure
from tests.bench.report import merge, show

FOLDER = Path("build/bench/batches")
PAIRS, SHARDS, BLOCK = 4_000_000, 8, 10_000
BATCH_TOKENS, MAX_LENGTH = 4096, 150
LEARNED = 200  # batches: by then the kernels of most shapes are there
MEANINGS = {
    "train.peak_rss_gb_4m": "resident memory of a training on 4,000,000 pairs; wanted: below 3",
    "train.first_step_seconds_4m": "from opening the shards to the end of the first step; wanted: below 60",
    "train.first_batch_seconds_4m": "of these, until the first batch is there",
    "train.fed_tokens_per_cpu_s": "real tokens fed a CPU second, reading the shards included; wanted: 1,000,000",
    "train.padding_share": "on Multi30k with batches of 4,096 tokens; wanted: below 0.03",
    "train.padding_share_fixed": "the same with fixed shapes; wanted: below 0.12",
    "train.fixed_shapes": "how many shapes these are",
}


def multi30k() -> list[list[list[int]]]:
    """The training sentences as ids, of both sides."""
    from pipeline.vocabulary import Vocabulary

    pieces = Vocabulary.load(vocabulary().path("vocabulary.model"))
    texts = ((DATA / f"train.{language}").read_text(encoding="utf-8").split("\n")[:-1] for language in LANGUAGES)
    return [pieces.encode(lines) for lines in texts]


def write_shards(sides: Sequence[list[list[int]]]) -> None:
    """Writes the large data set."""
    import pyarrow as pa

    from pipeline.examples import ShardWriter
    from pipeline.vocabulary import IDS

    for shard in range(SHARDS):
        path = FOLDER / f"shard-{shard:05d}-of-{SHARDS:05d}.tfrecord"
        if path.exists():
            continue
        chance = np.random.default_rng(shard)
        columns = [pa.array(side, IDS) for side in sides]
        with ShardWriter(path) as writer:
            for _ in range(PAIRS // SHARDS // BLOCK):
                drawn = pa.array(chance.integers(len(sides[0]), size=BLOCK))
                writer.write(*(column.take(drawn) for column in columns), [0] * BLOCK)


def learn_and_feed() -> dict[str, float]:
    """Goes through one epoch; in a process of its own."""
    from pipeline.quiet import tensorflow_quietly

    with tensorflow_quietly():
        import tensorflow as tf
    from model.batches import Pairs, full_batch
    from model.config import DeviceConfig, ModelConfig, TrainConfig
    from model.feeding import feed
    from model.launch import build_strategy
    from model.plan import Plan
    from model.trainer import Trainer
    from pipeline.vocabulary import Vocabulary
    from tests.bench.train import RECURRENT

    tf.zeros([1]).numpy()
    started = time.perf_counter()
    config = TrainConfig(model=ModelConfig(**RECURRENT, attention="multiplicative"), precision="bfloat16")
    pairs = Pairs.read(sorted(FOLDER.glob("*.tfrecord")))
    plan = Plan(pairs.lengths, MAX_LENGTH, BATCH_TOKENS, seed=1, sizes=pairs.sizes)
    batches = feed(plan, pairs, 1, plan.steps_per_epoch)
    held = [next(batches)]
    first_batch = time.perf_counter() - started
    size = Vocabulary.load(vocabulary().path("vocabulary.model")).size
    trainer = Trainer(config, size, build_strategy(DeviceConfig()))
    trainer.rehearse(full_batch(plan.largest))
    trainer.step(held[0], 1)
    first_step = time.perf_counter() - started
    for step in range(2, LEARNED + 1):
        trainer.step(next(batches), step)
    used = time.process_time()
    tokens = sum(int((batch.sources > 0).sum() + (batch.targets > 0).sum()) for batch in batches)
    return {"batch": first_batch, "step": first_step, "rate": tokens / (time.process_time() - used)}


def main() -> None:
    """Runs the suite."""
    if len(sys.argv) > 1:
        print(json.dumps(learn_and_feed()))
        return
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there: NIGHTSHIFT_DATA names the folder that holds multi30k/")
    from model.plan import Plan

    sides = multi30k()
    write_shards(sides)
    usage = measure([sys.executable, "-m", "tests.bench.batches", "feed"])
    fed: dict[str, Any] = json.loads(usage.output.splitlines()[-1])
    lengths = np.array([[len(ids) + 1 for ids in side] for side in sides]).T
    fixed = Plan(lengths, MAX_LENGTH, BATCH_TOKENS, seed=1, shapes="fixed")
    figures = {
        "train.peak_rss_gb_4m": usage.peak_gb,
        "train.first_step_seconds_4m": fed["step"],
        "train.first_batch_seconds_4m": fed["batch"],
        "train.fed_tokens_per_cpu_s": fed["rate"],
        "train.padding_share": Plan(lengths, MAX_LENGTH, BATCH_TOKENS, seed=1).padding_share,
        "train.padding_share_fixed": fixed.padding_share,
        "train.fixed_shapes": len(fixed.fixed_shapes),
    }
    show("batches: the cost of feeding a training", figures, MEANINGS)
    merge(figures)


if __name__ == "__main__":
    main()
