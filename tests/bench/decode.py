"""What translating costs: output tokens for each CPU second of one core, and the time until one sentence is answered.

    make bench SUITE=decode

The reference networks R and T of the training bench learn from Multi30k until they end their sentences, once, and their
weights are then exported with the code as it is. 1,000 sentences of test_2016_flickr go through the SavedModel, raw
text to raw text, 32 at a time and those of a length together; the closing token counts.
Kernels are float32, and once more bfloat16. All on one thread; of some rounds the quickest counts. NIGHTSHIFT_DATA
names the folder in which multi30k/ lies.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.multi30k import DATA, configured
from tests.bench.processes import measure
from tests.bench.report import merge, read, show
from tests.bench.train import NETWORKS

FOLDER = Path("build/bench/decode")
RECIPE = (
    "vocabulary.size=8000",
    "train.steps=2500",
    "train.batch_tokens=1024",
    "train.learning_rate=0.001",
)
BATCH = 32
ROUNDS = 3
ALONE = 200  # sentences that are translated one by one
SEARCHES = {"greedy": 1, "beam5": 5}
PRECISIONS = {"float32": ".f32", "bfloat16": ""}  # how the figures of each are named
WANTED = {"R": {"greedy": 2100, "beam5": 940}, "T": {"greedy": 3100, "beam5": 950}}
# What is wanted of T as a share of what CTranslate2 wrote in float32 on the machine that the bars are from.
SHARES = {"greedy": round(3100 / 4477, 2), "beam5": round(950 / 1087, 2)}


def exported(network: str, beams: int, precision: str = "float32") -> tuple[Any, Any]:
    """The SavedModel of a trained reference network with a search, and the vocabularies of both sides."""
    import yaml

    from model import averaging, checkpoints, export
    from model.stages import train
    from pipeline.build_vocabulary import build_vocabulary
    from pipeline.ingest import ingest
    from pipeline.jobs import clean, shard
    from pipeline.vocabularies import Vocabularies

    model = yaml.safe_dump(NETWORKS[network], default_flow_style=True, width=10_000).strip()
    config = configured(FOLDER, *RECIPE, f"train.model={model}")
    corpus = config.run(ingest)
    pairs = config.run(clean, corpus)
    vocabulary = config.run(build_vocabulary, pairs)
    shards = config.run(shard, pairs, vocabulary)
    learned = checkpoints.newest(config.run(train, shards, vocabulary).directory / "checkpoints")
    if learned is None:
        raise SystemExit(f"{FOLDER} holds no checkpoint of {network}; remove the folder")
    pieces = Vocabularies.read(vocabulary)
    searching = config.train.search.model_copy(update={"beams": beams, "precision": precision})
    folder = FOLDER / "exported" / f"{network}-{beams}-{precision}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    export.save(
        averaging.exported(learned.state),
        config.train.model_copy(update={"search": searching}),
        pieces,
        shards.facts["unicode_form"],
        folder,
    )
    return export.Exported.load(folder), pieces


def speed(network: str, search: str, precision: str) -> dict[str, float]:
    """Translates in this process, on the core it is bound to."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import numpy as np
    import tensorflow as tf
    from sacrebleu import corpus_bleu

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model, pieces = exported(network, SEARCHES[search], precision)
    lines = (DATA / "test_2016_flickr.en").read_text(encoding="utf-8").splitlines()
    by_length = [lines[row] for row in np.argsort([len(ids) for ids in pieces.source.encode(lines)], kind="stable")]
    batches = [by_length[first : first + BATCH] for first in range(0, len(lines), BATCH)]
    model.translate(batches[-1])
    seconds, answers = [], []
    for _ in range(ROUNDS):
        started = time.process_time()
        answers = [answer for batch in batches for answer in model.translate(batch)]
        seconds.append(time.process_time() - started)
    waits = []
    for line in lines[:ALONE]:
        started = time.perf_counter()
        model.translate([line])
        waits.append(1000 * (time.perf_counter() - started))
    tokens = sum(len(ids) + 1 for ids in pieces.target.encode(answers))
    references = (DATA / "test_2016_flickr.de").read_text(encoding="utf-8").splitlines()
    given = dict(zip(by_length, answers, strict=True))
    return {
        "tokens": tokens / min(seconds),
        "bleu": corpus_bleu([given[line] for line in lines], [references]).score,
        "p50": float(np.median(waits)),
        "p99": float(np.percentile(waits, 99)),
    }


def main() -> None:
    """Runs the suite."""
    if len(sys.argv) > 1:
        print(json.dumps(speed(*sys.argv[1:])))
        return
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there: NIGHTSHIFT_DATA names the folder that holds multi30k/")
    figures: dict[str, float] = {}
    meanings: dict[str, str] = {}

    def note(key: str, figure: float, meaning: str) -> None:
        figures[f"decode.{key}"], meanings[f"decode.{key}"] = figure, meaning

    for network, wanted in WANTED.items():
        for search, least in wanted.items():
            for precision, key in PRECISIONS.items():
                command = [sys.executable, "-m", "tests.bench.decode", network, search, precision]
                found = json.loads(measure(command).output.splitlines()[-1])
                name = f"{network}.{search}{key}"
                note(f"{name}.tokens_per_cpu_s", found["tokens"], f"output tokens a CPU second, {precision}; {least:,}")
                note(f"{name}.bleu", found["bleu"], "sacreBLEU of what it wrote")
                if (network, search, key) == ("T", "beam5", ""):
                    for part in ("p50", "p99"):
                        note(f"latency_ms.{part}", found[part], f"one sentence alone, T, beam 5, {precision}")
    # Noisy machines are a third slower at some times than at others, another program on the same core is not.
    measure([sys.executable, "-m", "tests.bench.to_ctranslate2"])
    for search, least in SHARES.items():
        ours, theirs = (f"decode.{name}.{search}.tokens_per_cpu_s" for name in ("T", "T.ctranslate2_f32"))
        share = figures[ours] / read()[theirs]
        note(f"T.{search}.share_of_ctranslate2_f32", share, f"of what CTranslate2 writes in float32; wanted: {least}")
    show("decode: the speed of translating", figures, meanings)
    merge(figures)


if __name__ == "__main__":
    main()
