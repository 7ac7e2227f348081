"""What a service costs: time until one sentence is answered, and sentences a second of many users at once.

    make bench SUITE=serve                                 the champion in workspace/registry, of `make demo`
    python -m tests.bench.serve REGISTRY [MODEL]           another one

The sentences are those of the version's test set, which lies beside it; users ask one after the other, each over a
connection that it keeps. The SavedModel is asked in this process, the service is a process of its own.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import requests

from model.registry import Registry, resolve_name
from tests.bench.report import merge, show

NIGHTSHIFT = str(Path(sys.executable).with_name("nightshift"))
SENTENCES, WARM_UP = 300, 30
USERS = 16
MEANINGS = {
    "serve.latency_ms.p50": "one sentence through nightshift serve, one user",
    "serve.latency_ms.p99": "the slowest of a hundred",
    "serve.model.latency_ms.p50": "the same sentence through the SavedModel",
    "serve.model.latency_ms.p99": "the slowest of a hundred",
    "serve.sentences_per_s": f"{USERS} users at once",
}


@contextmanager
def service(registry: str, model: str) -> Iterator[str]:
    """The address of a service that runs for as long as the block."""
    command = [NIGHTSHIFT, "serve", "--registry", registry, "--model", model, "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if name != "NIGHTSHIFT_TOKEN"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        line = process.stderr.readline() if process.stderr else ""
        if " on http://" not in line:
            raise SystemExit(line.strip())
        yield line.split()[-1]
        process.send_signal(signal.SIGTERM)


def milliseconds(ask: Callable[[str], object], sentences: list[str]) -> np.ndarray:
    """The time of each question; those before the first that counts trace and fill caches."""
    taken = []
    for sentence in sentences:
        started = time.perf_counter()
        ask(sentence)
        taken.append(1000 * (time.perf_counter() - started))
    return np.array(taken[WARM_UP:])


def main(registry: str = "workspace/registry", model: str = "champion") -> None:
    """Measures and prints."""
    from model.export import Exported

    models = Registry(registry, resolve_name(registry, None))
    folder = models.fetch(models.get(model), Path("build/bench/serve"))
    there = pq.read_table(folder / "hypotheses/test.parquet", columns=["source"])["source"].to_pylist()
    sentences = list(islice(cycle(there), WARM_UP + SENTENCES))
    exported = Exported.load(folder / "export")
    direct = milliseconds(lambda sentence: exported.best([sentence]), sentences)
    with service(registry, model) as home:

        def ask(session: requests.Session, sentence: str) -> None:
            session.post(f"{home}/translate", json={"sentences": [sentence]}, timeout=60).raise_for_status()

        with requests.Session() as session:
            served = milliseconds(lambda sentence: ask(session, sentence), sentences)

        def use(share: list[str]) -> None:
            with requests.Session() as session:
                for sentence in share:
                    ask(session, sentence)

        started = time.perf_counter()
        with ThreadPoolExecutor(USERS) as users:
            list(users.map(use, (sentences[user::USERS] for user in range(USERS))))
        rate = len(sentences) / (time.perf_counter() - started)
    figures = {
        "serve.latency_ms.p50": float(np.percentile(served, 50)),
        "serve.latency_ms.p99": float(np.percentile(served, 99)),
        "serve.model.latency_ms.p50": float(np.percentile(direct, 50)),
        "serve.model.latency_ms.p99": float(np.percentile(direct, 99)),
        "serve.sentences_per_s": rate,
    }
    show(f"serve, {SENTENCES} sentences", figures, MEANINGS)
    merge(figures)


if __name__ == "__main__":
    main(*sys.argv[1:])
