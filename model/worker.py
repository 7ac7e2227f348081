"""One of several worker processes on this machine: `python -m model.worker`, with its job as a line of JSON on stdin.

On stdout it says that it has joined, and what bad input it met; the rest its exit code tells. It ends when whoever
started it is gone.
"""

import json
import logging
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from model.config import DeviceConfig, TrainConfig
from model.interruption import EXIT_CODE, Interrupted
from pipeline import manifest as manifests
from pipeline.config import Frozen
from pipeline.errors import InputError
from pipeline.quiet import tensorflow_quietly

JOINED = "joined"  # all workers are there
REFUSED = "refused "  # and then the error's arguments as JSON


class Job(Frozen):
    """What a worker is to do.

    Args:
        config: what is trained.
        devices: with `strategy: multi_worker`.
        shards: folder of the manifest.
        vocabulary: folder of the manifest.
        folder: of the stage's output.
        source: folder of the model that it begins with.
    """

    config: TrainConfig
    devices: DeviceConfig
    shards: Path
    vocabulary: Path
    folder: Path
    source: Path | None = None


def main() -> int:
    """Joins and trains; gives the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells it to all; whoever started this one ends it
    job = Job.model_validate_json(sys.stdin.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("nightshift").setLevel(logging.INFO)
    try:
        with tensorflow_quietly():
            from model.launch import build_strategy
            from model.prepare import prepare
            from model.training import train_on
        strategy = build_strategy(job.devices)
        print(JOINED, flush=True)
        data = prepare(job.config, *map(manifests.read, (job.shards, job.vocabulary)))
        train_on(strategy, job.config, data, job.folder, job.devices, source=job.source)
    except InputError as error:
        said = [error.parameter, str(error.value), error.allowed, error.cause]
        print(REFUSED + json.dumps(said), flush=True)
        return 2
    except Interrupted:
        return EXIT_CODE
    return 0


def end_with_parent() -> None:
    """Ends this process when its standard input does, which is when its parent has ended, however it did."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    code = 1
    try:
        code = main()
    except Exception:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)  # TensorFlow's own farewell waits for the other workers, which may be gone
