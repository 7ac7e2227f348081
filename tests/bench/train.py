"""What learning costs: real target tokens for each CPU second of one core, beside the core's own matrix products.

    make bench SUITE=train

Two networks learn from Multi30k, English to German, with one vocabulary of 8,000 pieces and batches of at most 4,096
tokens a side: R, a bidirectional LSTM 256+256 with an LSTM decoder of 512, and T, a Transformer of 3+3 layers. Each is
measured in a process of its own on one core, over steps taken from all lengths, after the steps in which TensorFlow
traces; between the steps the same process multiplies large float32 matrices. `python -m tests.bench.profile` says where
the time goes. NIGHTSHIFT_DATA names the folder in which multi30k/ lies.
"""

import json
import os
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

from tests.bench import batches, workers
from tests.bench.multi30k import DATA, configured
from tests.bench.processes import measure
from tests.bench.report import merge, show

FOLDER = Path("build/bench/train")
BATCH_TOKENS = 4096
WARM_UP = 3  # steps
MEASURED = 40
STRETCH = 2  # steps between two products
MATRIX = 1536
STEPS = 10  # of one call
REPEATED = 5
OVERHEADS = {
    "steps_per_call_gain": "speed that ten steps in one call from the host gain over ten calls, 1,024 tokens a side",
    "steps_per_call_gain_small": "the same with 32 tokens a side",
    "strategy_overhead": "time that a step takes longer under mirrored with one device than under one",
}
RECURRENT = {"architecture": "lstm", "embedding_size": 256, "encoder_units": 256, "decoder_units": 512, "dropout": 0.2}
NETWORKS = {
    "R": RECURRENT | {"attention": "multiplicative"},
    "R_additive": RECURRENT | {"attention": "additive", "attention_units": 256},
    "T": {
        "architecture": "transformer",
        "embedding_size": 256,
        "feedforward_units": 1024,
        "encoder_layers": 3,
        "decoder_layers": 3,
        "heads": 4,
        "dropout": 0.1,
    },
}
PRECISIONS = {"f32": "float32", "best": "bfloat16"}
WANTED = {"R": 2900, "R_additive": 1900, "T": 2400}


def prepared_manifests() -> tuple[Any, Any]:
    """The shards and the vocabulary, made once."""
    from pipeline.build_vocabulary import build_vocabulary
    from pipeline.ingest import ingest
    from pipeline.jobs import clean, shard

    config = configured(FOLDER, "vocabulary.size=8000")
    corpus = config.run(ingest)
    pairs = config.run(clean, corpus)
    vocabulary = config.run(build_vocabulary, pairs)
    shards = config.run(shard, pairs, vocabulary)
    return shards, vocabulary


class Learning:
    """A training in this process, on the core it is bound to, and the steps it takes."""

    def __init__(self, network: str, precision: str) -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        from model.batches import Pairs
        from model.config import DeviceConfig, ModelConfig, TrainConfig
        from model.feeding import feed
        from model.launch import build_strategy
        from model.plan import Plan
        from model.trainer import Trainer
        from pipeline.vocabulary import Vocabulary

        shards, vocabulary = prepared_manifests()
        self.config = TrainConfig(
            model=ModelConfig(**NETWORKS[network]), batch_tokens=BATCH_TOKENS, precision=PRECISIONS[precision]
        )
        self.size = Vocabulary.load(vocabulary.path("vocabulary.model")).size
        self.trainer = Trainer(self.config, self.size, build_strategy(DeviceConfig(threads=1)))
        pairs = Pairs.read(shards.paths_of_all("train/*.tfrecord"))
        self.plan = Plan(pairs.lengths, self.config.max_length, BATCH_TOKENS, self.config.seed, sizes=pairs.sizes)
        self.batches = feed(self.plan, pairs, 1, WARM_UP + MEASURED)
        self.steps, self.tokens, self.operations = 0, 0, 0.0
        self.take(WARM_UP)
        self.tokens, self.operations = 0, 0.0

    def take(self, steps: int) -> float:
        """Takes some steps, and gives the CPU seconds they take; tokens and floating-point operations add up."""
        from model import flops

        seconds = 0.0
        for batch in islice(self.batches, steps):
            self.steps += 1
            started = time.process_time()
            self.tokens += self.trainer.step(batch, self.steps)[1]
            seconds += time.process_time() - started
            self.operations += flops.of_batch(self.config.model, self.size, batch)
        return seconds


def speed(network: str, precision: str) -> dict[str, float]:
    """Takes some steps, and multiplies between them, so that both see the machine in its quicker and slower moments."""
    learning = Learning(network, precision)
    seconds, products = 0.0, 0.0
    for _ in range(MEASURED // STRETCH):
        seconds += learning.take(STRETCH)
        products += multiply()
    rate = MEASURED // STRETCH * 2 * MATRIX**3 / products
    return {
        "tokens_per_cpu_s": learning.tokens / seconds,
        "share_of_matmul_rate": learning.operations / seconds / rate,
        "padding_share": learning.plan.padding_share,
    }


def multiply() -> float:
    """CPU seconds of a large float32 product, the better of two, the first of which has to find its memory."""
    import tensorflow as tf

    left, right = (tf.random.stateless_normal([MATRIX, MATRIX], [seed, 0]) for seed in range(2))
    least = float("inf")
    for _ in range(2):
        started = time.process_time()
        tf.matmul(left, right).numpy()
        least = min(least, time.process_time() - started)
    return least


def overheads() -> dict[str, float]:
    """What calls from the host cost, and what a strategy does, in the small network of the preset multi30k-quick."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import tensorflow as tf

    from model.batches import Batch, full_batch
    from model.config import DeviceConfig, ModelConfig, TrainConfig
    from model.launch import build_strategy
    from model.trainer import Trainer

    network = ModelConfig(attention="multiplicative", embedding_size=256, encoder_units=128, decoder_units=256)
    config = TrainConfig(model=network)
    one, mirrored = build_strategy(DeviceConfig(threads=1)), tf.distribute.MirroredStrategy(["/cpu:0"])
    trainers = {
        "one": Trainer(config, 4000, one),
        "mirrored": Trainer(config, 4000, mirrored),
        "at_once": Trainer(config, 4000, one, batches_per_call=STEPS),
    }

    def least_seconds(batch: Batch) -> dict[str, float]:
        least = dict.fromkeys(trainers, float("inf"))
        for _ in range(1 + REPEATED):  # the first time is the slowest, since TensorFlow traces
            for name, trainer in trainers.items():
                started = time.process_time()
                for first in range(1, STEPS + 1, trainer.batches_per_call):
                    trainer.learn([batch] * trainer.batches_per_call, first)
                least[name] = min(least[name], time.process_time() - started)
        return least

    usual, small = (least_seconds(full_batch(shape)) for shape in ((64, 16, 16), (4, 8, 8)))
    return {
        "steps_per_call_gain": usual["one"] / usual["at_once"] - 1,
        "steps_per_call_gain_small": small["one"] / small["at_once"] - 1,
        "strategy_overhead": usual["mirrored"] / usual["one"] - 1,
    }


PARTS = {"speed": speed, "overheads": overheads}


def child(what: str, *given: str) -> dict[str, float]:
    """Runs a part of the benchmark in a process of its own."""
    output = measure([sys.executable, "-m", "tests.bench.train", what, *given]).output
    reported: dict[str, float] = json.loads(output.splitlines()[-1])
    return reported


def main() -> None:
    """Runs the suite."""
    if len(sys.argv) > 1:
        print(json.dumps(PARTS[sys.argv[1]](*sys.argv[2:])))
        return
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there: NIGHTSHIFT_DATA names the folder that holds multi30k/")
    prepared_manifests()
    figures: dict[str, float] = {}
    meanings: dict[str, str] = {}
    for network, wanted in WANTED.items():
        for precision, name in PRECISIONS.items():
            found = child("speed", network, precision)
            key = f"train.{network}.{precision}.tokens_per_cpu_s"
            figures[key] = found["tokens_per_cpu_s"]
            meanings[key] = f"real target tokens for each CPU second, {name}; wanted of the faster: {wanted:,}"
            if precision == "f32":
                key = f"train.{network}.f32.share_of_matmul_rate"
                figures[key] = found["share_of_matmul_rate"]
                meanings[key] = "of the core's own rate of float32 products; wanted: 0.6"
            figures["train.padding_share"] = found["padding_share"]
    for name, meaning in OVERHEADS.items():
        meanings[f"train.{name}"] = meaning
    figures |= {f"train.{name}": value for name, value in child("overheads").items()}
    meanings["train.padding_share"] = "of the ids in a batch; wanted: below 0.03"
    show("train: the speed of learning", figures, meanings)
    merge(figures)
    batches.main()
    workers.main()


if __name__ == "__main__":
    main()
