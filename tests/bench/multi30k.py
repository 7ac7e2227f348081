"""What is learned from Multi30k, English to German: BLEU of the exported model on test_2016_flickr, and the CPU time.

    python -m tests.bench.multi30k [PRESET [SEED ...]]      a part of make bench SUITE=quality

It trains with the presets `multi30k-quick`, three seeds, and `multi30k`, which were chosen by the dev set alone, on one
core and in a process of its own for each seed, and scores the SavedModel as a night does. It takes two hours.
NIGHTSHIFT_DATA names the folder in which multi30k/ lies.
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
SEEDS = {"multi30k-quick": ("1", "2", "3"), "multi30k": ("1",)}
NAMES = {"multi30k-quick": ("bleu_20_cpu_min", "cpu_min"), "multi30k": ("bleu_best", "best_cpu_min")}
MEANINGS = {
    "quality.multi30k.bleu_20_cpu_min": "sacreBLEU on test_2016_flickr, mean over the seeds; wanted: 37",
    "quality.multi30k.cpu_min": "CPU minutes of the longest training, export included; wanted: 20",
    "quality.multi30k.bleu_best": "the same of the best recipe",
    "quality.multi30k.best_cpu_min": "CPU minutes of its training; wanted: at most 120",
}


def configured(folder: Path, *overrides: str, preset: str = "multi30k-quick") -> Any:
    """The preset with this machine's files."""
    from flows.settings import load

    places = [
        f"corpus.{split}=[{{source: {DATA / name}.en, target: {DATA / name}.de}}]" for split, name in FILES.items()
    ]
    return load(preset, overrides=[f"workspace={folder}", *places, *overrides])


def learn(preset: str, seed: str) -> dict[str, Any]:
    """A whole night but for the registry, on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from model.stages import evaluate, train
    from pipeline.build_vocabulary import build_vocabulary
    from pipeline.ingest import ingest
    from pipeline.jobs import clean, shard

    config = configured(FOLDER, f"train.seed={seed}", preset=preset)
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


def measured(preset: str, seeds: tuple[str, ...]) -> dict[str, float]:
    """Trains with each seed, and prints a row for it."""
    runs = []
    for seed in seeds:
        command = [sys.executable, "-m", "tests.bench.multi30k", "learn", preset, seed]
        run = json.loads(measure(command).output.splitlines()[-1])
        runs.append(run)
        figures = f"{run['cpu_min']:.1f} | {run['dev']:.2f} | {run['test']:.2f}"
        print(f"| {preset} | {seed} | {figures} | {run['signature']} |", flush=True)
    bleu, minutes = (f"quality.multi30k.{name}" for name in NAMES[preset])
    return {bleu: statistics.mean(run["test"] for run in runs), minutes: max(run["cpu_min"] for run in runs)}


def main(preset: str | None = None, *seeds: str) -> None:
    """Trains, and prints a table."""
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there: NIGHTSHIFT_DATA names the folder that holds multi30k/")
    print(
        "| preset | seed | CPU min | BLEU val | BLEU test_2016_flickr | signature |\n|---|---|---:|---:|---:|---|",
        flush=True,
    )
    found: dict[str, float] = {}
    for name in [preset] if preset else SEEDS:
        found |= measured(name, seeds or SEEDS[name])
    show("quality: what is learned from Multi30k", found, MEANINGS)
    merge(found)


if __name__ == "__main__":
    if sys.argv[1:2] == ["learn"]:
        print(json.dumps(learn(*sys.argv[2:])))
    else:
        main(*sys.argv[1:])
