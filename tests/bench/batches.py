"""What feeding a training costs: memory and time with 4,000,000 pairs, and padding on Multi30k.

    python -m tests.bench.batches

The large data set is pairs of Multi30k drawn with replacement, in eight shards as the stage `shard` writes them. A
process that has imported TensorFlow feeds one epoch of it and does nothing with the batches. NIGHTSHIFT_DATA names the
folder in which multi30k/ lies; without it there is nothing to measure.
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
MEANINGS = {
    "train.peak_rss_gb_4m": "resident memory with 4,000,000 pairs, TensorFlow imported; wanted: below 3",
    "train.first_batch_seconds_4m": "from opening the shards to the first batch; wanted: below 60",
    "train.plan_seconds_4m": "of these, counting the steps of the epoch",
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


def feed_all() -> dict[str, float]:
    """Feeds one epoch; in a process of its own."""
    from pipeline.quiet import tensorflow_quietly

    with tensorflow_quietly():
        import tensorflow as tf
    from model.batches import Pairs
    from model.feeding import feed
    from model.plan import Plan

    tf.zeros([1]).numpy()
    started, used = time.perf_counter(), time.process_time()
    pairs = Pairs.read(sorted(FOLDER.glob("*.tfrecord")))
    plan = Plan(pairs.lengths, MAX_LENGTH, BATCH_TOKENS, seed=1, sizes=pairs.sizes)
    steps = plan.steps_per_epoch
    planned = time.perf_counter() - started
    batches = feed(plan, pairs, 1, steps)
    next(batches)
    first = time.perf_counter() - started
    for _ in batches:
        pass
    tokens = int(pairs.lengths[plan.rows].sum())
    return {"plan": planned, "first": first, "rate": tokens / (time.process_time() - used)}


def main() -> None:
    """Runs the suite."""
    if len(sys.argv) > 1:
        print(json.dumps(feed_all()))
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
        "train.first_batch_seconds_4m": fed["first"],
        "train.plan_seconds_4m": fed["plan"],
        "train.fed_tokens_per_cpu_s": fed["rate"],
        "train.padding_share": Plan(lengths, MAX_LENGTH, BATCH_TOKENS, seed=1).padding_share,
        "train.padding_share_fixed": fixed.padding_share,
        "train.fixed_shapes": len(fixed.fixed_shapes),
    }
    show("batches: the cost of feeding a training", figures, MEANINGS)
    merge(figures)


if __name__ == "__main__":
    main()
