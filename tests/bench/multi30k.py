"""What is learned from Multi30k, English to German: BLEU of the exported model on test_2016_flickr, and the CPU time.

    python -m tests.bench.multi30k [SEED ...]       a part of make bench SUITE=quality

It trains with the preset `multi30k`, which was chosen by the dev set alone, on one core and in a process of its own for
each seed, and scores the SavedModel as a night does. NIGHTSHIFT_DATA names the folder in which multi30k/ lies.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.processes import measure
from tests.bench.report import merge, show

DATA = Path(os.environ.get("NIGHTSHIFT_DATA", "../shared/data")) / "multi30k"
FOLDER = Path("build/bench/multi30k")
FILES = {"train": "train", "dev": "val", "test": "test_2016_flickr"}
SEEDS = ("1", "2", "3")
MEANINGS = {
    "quality.multi30k.bleu_20_cpu_min": "sacreBLEU on test_2016_flickr, mean over the seeds; wanted: 37",
    "quality.multi30k.cpu_min": "CPU minutes of the longest training, export included; wanted: 20",
}


def configured(folder: Path, *overrides: str) -> Any:
    """The preset with this machine's files."""
    from flows.settings import load

    places = [
        f"corpus.{split}=[{{source: {DATA / name}.en, target: {DATA / name}.de}}]" for split, name in FILES.items()
    ]
    return load("multi30k", overrides=[f"workspace={folder}", *places, *overrides])


def learn(seed: str) -> dict[str, Any]:
    """A whole night but for the registry, on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from model.stages import evaluate, train
    from pipeline.build_vocabulary import build_vocabulary
    from pipeline.ingest import ingest
    from pipeline.jobs import clean, shard

    config = configured(FOLDER, f"train.seed={seed}")
    corpus = config.run(ingest)
    pairs = config.run(clean, corpus)
    vocabulary = config.run(build_vocabulary, pairs)
    shards = config.run(shard, pairs, vocabulary)
    started = time.process_time()
    model = config.run(train, shards, vocabulary)
    minutes = (time.process_time() - started) / 60
    scores = config.run(evaluate, model, pairs).facts
    return (
        {"cpu_min": minutes}
        | {split: scores[split]["bleu"] for split in ("dev", "test")}
        | {"signature": scores["test"]["bleu_signature"]}
    )


def main(seeds: tuple[str, ...] = SEEDS) -> None:
    """Trains with each seed, and prints a table."""
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there: NIGHTSHIFT_DATA names the folder that holds multi30k/")
    runs = []
    print("| seed | CPU min | BLEU val | BLEU test_2016_flickr | signature |\n|---|---:|---:|---:|---|", flush=True)
    for seed in seeds:
        run = json.loads(measure([sys.executable, "-m", "tests.bench.multi30k", "learn", seed]).output.splitlines()[-1])
        runs.append(run)
        figures = f"{run['cpu_min']:.1f} | {run['dev']:.2f} | {run['test']:.2f}"
        print(f"| {seed} | {figures} | {run['signature']} |", flush=True)
    found = {
        "quality.multi30k.bleu_20_cpu_min": statistics.mean(run["test"] for run in runs),
        "quality.multi30k.cpu_min": max(run["cpu_min"] for run in runs),
    }
    show("quality: what is learned from Multi30k", found, MEANINGS)
    merge(found)


if __name__ == "__main__":
    if sys.argv[1:2] == ["learn"]:
        print(json.dumps(learn(sys.argv[2])))
    else:
        main(tuple(sys.argv[1:]) or SEEDS)
