"""What the machinery costs: a night with nothing new, and the flow against its stages called one by one.

    make bench SUITE=flow

Everything is measured in this one run and on fresh processes; the training itself is only run where its output is not
there yet.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from flows.settings import load
from pipeline.manifest import complete_outputs
from tests.bench.report import merge, show

OPTIONS = ["--preset", "weather", "--set", "workspace=build/bench/flow", "--set", "registry=build/bench/flow/registry"]
REPEATS = 3
NIGHTSHIFT = [str(Path(sys.executable).with_name("nightshift"))]

IMPORTS = "import flows.cli, flows.retrain, flows.settings, flows.summary"
STAGES_ALONE = f"""
from flows import console
console.quiet_libraries()
from flows.dag import STAGES, inputs_of
from flows.settings import load
config = load("weather", overrides={OPTIONS[3::2]})
for stage in STAGES:
    config.run(stage, *inputs_of(stage, config))
"""
MEANINGS = {
    "flow.noop_wall_seconds": "a night with nothing new, from the command to its end",
    "flow.import_seconds": "of that, importing what it uses",
    "flow.noop_seconds": "the rest: a night with nothing new beyond the imports",
    "flow.stages_alone_seconds": "the same night by calling the stages without Prefect, imports included",
    "flow.demo_seconds": "what the stages took when they did run",
    "flow.overhead_share": "what Prefect adds, imports included, as a share of the night that did run",
}


def seconds(command: list[str]) -> float:
    """Median wall time of a command in fresh processes."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Runs the suite."""
    retrain = [*NIGHTSHIFT, "retrain", *OPTIONS]
    subprocess.run(retrain, check=True)
    noop = seconds(retrain)
    imports = seconds([sys.executable, "-c", IMPORTS])
    alone = seconds([sys.executable, "-c", STAGES_ALONE])
    config = load("weather", overrides=OPTIONS[3::2])
    folders = [path for path in (config.workspace / config.name).iterdir() if path.is_dir()]
    worked = sum(list(complete_outputs(folder))[-1].seconds for folder in folders)
    figures = {
        "flow.noop_wall_seconds": noop,
        "flow.import_seconds": imports,
        "flow.noop_seconds": noop - imports,
        "flow.stages_alone_seconds": alone,
        "flow.demo_seconds": worked + noop,
        "flow.overhead_share": (noop - alone) / (worked + noop),
    }
    show("flow: the cost of the machinery", figures, MEANINGS)
    merge(figures)


if __name__ == "__main__":
    main()
