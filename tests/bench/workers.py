"""What a second worker brings, and how long a training waits for its batches.

    python -m tests.bench.workers       a part of make bench SUITE=train

The Transformer of the suite learns from Multi30k under one worker on one core, and under two of a cluster on two cores.
What two cores of this machine can bring at most is measured beside it, with two trainings that have nothing to do with
each other: cores may be two threads of one, and share its arithmetic. All figures are the training's own, from its
TensorBoard files, without the first steps.
"""

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import numpy as np

from tests.bench.multi30k import DATA, configured
from tests.bench.report import merge, show

STEPS, WARM_UP = 120, 40  # of which the first are those in which TensorFlow traces
MEANINGS = {
    "train.input_wait_share": "of the time of a step, spent waiting for its batch; R in bfloat16 on one core",
    "train.speedup_2_workers": "tokens a second of two workers on two cores over one on one; wanted: 1.8",
    "train.speedup_2_trainings": "the same of two trainings that do not talk: what the machine allows",
}


def learn(network: str, workers: str, core: str) -> dict[str, float]:
    """Trains for some steps by way of the stage; gives what its event file says."""
    from model.stages import train
    from tests.bench.train import BATCH_TOKENS, FOLDER, NETWORKS, prepared_manifests

    cores = sorted(os.sched_getaffinity(0))
    if core != "all":
        os.sched_setaffinity(0, {cores[int(core) % len(cores)]})
    devices = {"threads": 1}
    if int(workers) > 1:
        devices |= {"strategy": "multi_worker", "workers": int(workers)}
    given = {
        "train.model": NETWORKS[network],
        "train.batch_tokens": int(workers) * BATCH_TOKENS,  # each worker has as much to do as one alone
        "train.steps": STEPS,
        "train.precision": "bfloat16",
        "train.checkpoint_every": STEPS,
        "train.evaluate_every": STEPS,
        "devices": devices,
    }
    config = configured(FOLDER, *(f"{key}={json.dumps(value)}" for key, value in given.items()))
    folder = FOLDER / f"learn-{network}-{workers}-{core}"
    shutil.rmtree(folder, ignore_errors=True)
    made = train(config.train, *prepared_manifests(), output_dir=folder, devices=config.devices)
    points = curve(made.paths("tensorboard/*")[0])
    return {
        name: float(np.mean([value for step, value in points[f"train/{name}"] if step > WARM_UP]))
        for name in ("tokens_per_second", "input_wait")
    }


def curve(path: Any) -> dict[str, list[tuple[int, float]]]:
    """The points of an event file by name."""
    import tensorflow as tf

    from pipeline.examples import records_of

    found: dict[str, list[tuple[int, float]]] = {}
    for record in records_of(path):
        event = tf.compat.v1.Event.FromString(record)
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def command(*given: str) -> list[str]:
    """A training in a process of its own."""
    return [sys.executable, "-m", "tests.bench.workers", *given]


def at_once(*trainings: tuple[str, str, str]) -> dict[str, float]:
    """Runs trainings at the same time; gives the sums of what they say."""
    processes = [subprocess.Popen(command(*given), stdout=subprocess.PIPE, text=True) for given in trainings]
    outputs = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit(f"one of the trainings {trainings} failed")
    said = [json.loads(output.splitlines()[-1]) for output in outputs]
    return {name: sum(figures[name] for figures in said) for name in said[0]}


def figures() -> dict[str, float]:
    """Runs all trainings, those that are compared by turns: the speed of a machine changes within minutes."""
    one = two = both = 0.0
    for core in ("0", "1"):
        one += at_once(("T", "1", core))["tokens_per_second"]
        two += at_once(("T", "2", "all"))["tokens_per_second"]
        both += at_once(("T", "1", "0"), ("T", "1", "1"))["tokens_per_second"]
    waited = at_once(("R", "1", "0"))["input_wait"]
    return dict(zip(MEANINGS, (waited, two / one, both / one), strict=True))


def main() -> None:
    """Runs the suite."""
    if len(sys.argv) > 1:
        print(json.dumps(learn(*sys.argv[1:])))
        return
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there: NIGHTSHIFT_DATA names the folder that holds multi30k/")
    found = figures()
    show("train: workers and waiting", found, MEANINGS)
    merge(found)


if __name__ == "__main__":
    main()
