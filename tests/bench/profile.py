"""Where the time of a training step goes, by kind of operation.

    python -m tests.bench.profile NETWORK PRECISION       such as R f32, T best

The steps are those of the suite `train`, which says what the networks and precisions are.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.bench.train import Learning

STEPS = 20
SHOWN = 16


def by_kind(folder: Path) -> Counter[str]:
    """Seconds by kind of operation, from what TensorFlow's profiler left: events named `place in the graph:kind`."""
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    spent = Counter[str]()
    for path in folder.rglob("*.xplane.pb"):
        for plane in XSpace.FromString(path.read_bytes()).planes:
            for event in (event for line in plane.lines for event in line.events):
                place, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                # Not one of TensorFlow's own functions, such as `Class::function` and `function: what it runs`.
                if place and not place.endswith(":") and not kind.startswith(" "):
                    spent[kind] += event.duration_ps / 1e12
    return spent


def main(network: str, precision: str) -> None:
    """Prints a table in Markdown."""
    import tensorflow as tf

    learning = Learning(network, precision)
    learning.take(STEPS)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        seconds = learning.take(STEPS)
        tf.profiler.experimental.stop()
        spent = by_kind(Path(folder))
    rows = [*spent.most_common(SHOWN), ("all other kinds", sum(sorted(spent.values(), reverse=True)[SHOWN:]))]
    print("| operation | ms a step | share |\n|---|---:|---:|")
    for kind, time in [*rows, ("outside of operations", seconds - spent.total())]:
        print(
            f"| {kind.removeprefix('_Mkl').removeprefix('Native')} | {1e3 * time / STEPS:.1f} | {time / seconds:.3f} |"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
