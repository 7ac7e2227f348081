"""What preparing text costs: CPU time a pair against a plain loop, speed-up, memory, growth.

    make bench SUITE=data

The corpus is Multi30k over and over, each sentence with a number of its own, so that no two pairs are the same. The
rules are all of the default ones but language id, which is measured apart; the vocabulary is the default one too. All
figures are from this one run; ratios compare, seconds on another machine do not. NIGHTSHIFT_DATA names the folder in
which multi30k/ lies; without it there is nothing to measure.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from tests.bench.processes import Usage, measure
from tests.bench.report import merge, show

DATA = Path(os.environ.get("NIGHTSHIFT_DATA", "../shared/data")) / "multi30k"
FOLDER = Path("build/bench/data")
SIZES = (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000)
COMPARED = 1_000_000
BLOCK = 4096
SEQIO_MICROSECONDS = 1850  # of CPU a pair, SeqIO's Beam job on a machine of this kind
LANGUAGES = ("en", "de")
MEANINGS = {
    "data.cpu_us_per_pair": "CPU microseconds a pair: reading, cleaning, sharding, with all processes and start-up",
    "data.plain_loop_cpu_us_per_pair": "the same in one plain loop: each rule for each pair, a set for duplicates",
    "data.cpu_ratio_to_plain_loop": "the first over the second; wanted: at most 1.3",
    "data.seqio_cpu_over_ours": f"SeqIO's {SEQIO_MICROSECONDS} us a pair over the first; wanted: at least 30",
    "data.langid_cpu_us_per_pair": "language id on both sides, which is extra",
    "data.speedup_2_processes": "wall time of the Beam jobs in one process over that in two; wanted: at least 1.7",
    "data.peak_rss_gb_4m": "resident memory of the largest process with 4,000,000 pairs; wanted: below 3",
    "data.growth_4m_over_250k": "CPU time a pair with 4,000,000 pairs over that with 250,000",
    "data.noop_night_seconds": "the stages again with 1,000,000 pairs and nothing new, imports included",
}


def write_corpus(pairs: int) -> tuple[Path, Path]:
    """Files of numbered sentences; the same for every size, as far as they go."""
    files = FOLDER / f"corpus-{pairs}.en", FOLDER / f"corpus-{pairs}.de"
    for file, language in zip(files, LANGUAGES, strict=True):
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            sentences = (DATA / f"train.{language}").read_text(encoding="utf-8").split("\n")[:-1]
            with file.with_suffix(".partial").open("w", encoding="utf-8") as numbered:
                for number, sentence in enumerate(islice(cycle(sentences), pairs)):
                    numbered.write(f"{sentence} {number}\n")
            file.with_suffix(".partial").rename(file)
    return files


def child(what: str, pairs: int, *given: str) -> dict[str, Any]:
    """Runs a part of the benchmark in a fresh process, and adds what it used to what it reports."""
    usage: Usage = measure([sys.executable, "-m", "tests.bench.data", what, str(pairs), *given])
    reported: dict[str, Any] = json.loads(usage.output.splitlines()[-1])
    return reported | {"wall": usage.wall, "cpu": usage.cpu_seconds, "peak_gb": usage.peak_gb}


def stages(pairs: int, workers: str, workspace: str) -> dict[str, float]:
    """Our stages; reports the wall seconds of each."""
    from pipeline.beam_config import BeamConfig
    from pipeline.ingest import ingest
    from pipeline.jobs import ShardConfig, clean, shard
    from pipeline.sources import CorpusConfig

    seconds: dict[str, float] = {}

    def timed(name: str, run: Callable[..., Any], *given: Any, **more: Any) -> Any:
        started = time.perf_counter()
        made = run(*given, output_dir=Path(workspace) / name, **more)
        seconds[name] = time.perf_counter() - started
        return made

    beam = BeamConfig(workers=int(workers))
    source, target = write_corpus(pairs)
    train = [{"source": str(source), "target": str(target)}]
    corpus = timed("ingest", ingest, CorpusConfig(source_language="en", target_language="de", train=train))
    cleaned = timed("clean", clean, rules(), corpus, beam=beam)
    timed("shard", shard, ShardConfig(), cleaned, vocabulary(), beam=beam)
    return seconds


def plain_loop(pairs: int) -> dict[str, float]:
    """The same work as one would write it down: each rule is asked about each pair, SentencePiece about each block."""
    import pyarrow as pa

    from pipeline.cleaning import Judge
    from pipeline.examples import ShardWriter
    from pipeline.keys import pair_key
    from pipeline.records import SentencePair
    from pipeline.vocabulary import IDS, Vocabulary

    judge = Judge(rules(), LANGUAGES)
    pieces = Vocabulary.load(vocabulary().path("vocabulary.model"))
    seen: set[bytes] = set()
    kept = 0
    source, target = write_corpus(pairs)
    shard = ShardWriter(FOLDER / "plain.tfrecord")
    with source.open(encoding="utf-8") as sources, target.open(encoding="utf-8") as targets, shard as writer:
        while block := list(islice(zip(sources, targets, strict=True), BLOCK)):
            verdicts = [judge.judge(SentencePair(one.rstrip("\n"), other.rstrip("\n"))) for one, other in block]
            clean = [verdict.pair for verdict in verdicts if not verdict.reason]
            keys = [pair_key(pair) for pair in clean]
            new = [pair for pair, key in zip(clean, keys, strict=True) if key not in seen]
            seen.update(keys)
            ids = pieces.encode([pair.source for pair in new]), pieces.encode([pair.target for pair in new])
            writer.write(*(pa.array(side, IDS) for side in ids), [0] * len(new))
            kept += len(new)
    return {"kept": kept}


def language_id(pairs: int) -> dict[str, float]:
    """The rules with and without language id, in one process."""
    from pipeline.cleaning import CleanConfig, Judge
    from pipeline.records import SentencePair

    source, target = write_corpus(pairs)
    lines = (file.read_text(encoding="utf-8").split("\n")[:-1] for file in (source, target))
    block = list(map(SentencePair, *lines))
    seconds = []
    for config in (rules(), CleanConfig()):
        judge = Judge(config, LANGUAGES)
        judge(block[:BLOCK])
        started = time.process_time()
        for start in range(0, len(block), BLOCK):
            judge(block[start : start + BLOCK])
        seconds.append(time.process_time() - started)
    return {"microseconds": 1e6 * (seconds[1] - seconds[0]) / pairs}


def rules() -> Any:
    """The default rules without language id."""
    from pipeline.cleaning import CleanConfig

    return CleanConfig(language_id={"is_on": False})


def vocabulary() -> Any:
    """A vocabulary of 8,000 pieces, learned once from Multi30k itself."""
    from pipeline.beam_config import BeamConfig
    from pipeline.build_vocabulary import build_vocabulary
    from pipeline.ingest import ingest
    from pipeline.jobs import clean
    from pipeline.sources import CorpusConfig
    from pipeline.vocabulary import VocabularyConfig

    train = [{"source": str(DATA / "train.en"), "target": str(DATA / "train.de")}]
    given = CorpusConfig(source_language="en", target_language="de", train=train)
    folder = FOLDER / "vocabulary"
    corpus = ingest(given, output_dir=folder / "ingest")
    pairs = clean(rules(), corpus, output_dir=folder / "clean", beam=BeamConfig(workers=1))
    return build_vocabulary(VocabularyConfig(), pairs, output_dir=folder / "vocabulary")


PARTS = {"stages": stages, "plain_loop": plain_loop, "language_id": language_id}


def main() -> None:
    """Runs the suite."""
    if len(sys.argv) > 1:
        print(json.dumps(PARTS[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])))
        return
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there: NIGHTSHIFT_DATA names the folder that holds multi30k/")
    vocabulary()
    for size in SIZES:
        write_corpus(size)
    fresh = FOLDER / f"run-{time.time_ns()}"
    plain = child("plain_loop", COMPARED)
    runs = {size: child("stages", size, "1", str(fresh / str(size))) for size in SIZES}
    two = child("stages", COMPARED, "2", str(fresh / "two"))
    again = child("stages", COMPARED, "1", str(fresh / str(COMPARED)))
    ours = runs[COMPARED]
    figures = {
        "data.cpu_us_per_pair": 1e6 * ours["cpu"] / COMPARED,
        "data.plain_loop_cpu_us_per_pair": 1e6 * plain["cpu"] / COMPARED,
        "data.cpu_ratio_to_plain_loop": ours["cpu"] / plain["cpu"],
        "data.seqio_cpu_over_ours": SEQIO_MICROSECONDS * COMPARED / 1e6 / ours["cpu"],
        "data.langid_cpu_us_per_pair": child("language_id", 100_000)["microseconds"],
        "data.speedup_2_processes": jobs(ours) / jobs(two),
        "data.peak_rss_gb_4m": runs[SIZES[-1]]["peak_gb"],
        "data.growth_4m_over_250k": (runs[SIZES[-1]]["cpu"] / SIZES[-1]) / (runs[SIZES[0]]["cpu"] / SIZES[0]),
        "data.noop_night_seconds": again["wall"],
    }
    print_growth(runs)
    draw_growth(runs, FOLDER / "growth.png")
    show("data: the cost of preparing text", figures, MEANINGS)
    merge(figures)


def jobs(run: dict[str, Any]) -> float:
    """Wall seconds of the two Beam jobs."""
    return float(run["clean"] + run["shard"])


def print_growth(runs: dict[int, dict[str, Any]]) -> None:
    """The table over sizes, as Markdown."""
    print("| pairs | CPU s | us a pair | wall s | ingest | clean | shard | largest process, GB |")
    print("|---|---|---|---|---|---|---|---|")
    for size, run in runs.items():
        walls = " | ".join(f"{run[name]:.1f}" for name in ("wall", "ingest", "clean", "shard"))
        print(f"| {size:,} | {run['cpu']:.1f} | {1e6 * run['cpu'] / size:.1f} | {walls} | {run['peak_gb']:.2f} |")


def draw_growth(runs: dict[int, dict[str, Any]], path: Path) -> None:
    """The same as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), layout="constrained")
    sizes = [size / 1e6 for size in runs]
    for axes, key, title in zip(
        figure.subplots(1, 2), ("cpu", "peak_gb"), ("CPU seconds", "GB, largest process"), strict=True
    ):
        axes.plot(sizes, [run[key] for run in runs.values()], marker="o")
        axes.set(xlabel="million pairs", ylabel=title, xlim=(0, None), ylim=(0, None))
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
