"""What the default rules reject of pairs that people labelled, what judging costs, and what is learned from Multi30k.

    make bench SUITE=quality
    python -m tests.bench.quality FOLDER

The first reads the folder paracrawl-labelled below NIGHTSHIFT_DATA, the second any other: files such as en-de.tsv with
the columns label, src and tgt. For each it prints a table in Markdown: the share of each label rejected, by reason.
The last part, which the first does alone, trains for two hours (`tests/bench/multi30k.py`).
Times are CPU microseconds a pair, both sides together, on the training set of Multi30k beside it.
"""

import csv
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pipeline.cleaning import CleanConfig, Judge
from pipeline.keys import pair_key, side_hash
from pipeline.records import SentencePair
from tests.bench import multi30k
from tests.bench.report import merge, show

DATA = Path(os.environ.get("NIGHTSHIFT_DATA", "../shared/data"))
LABELS = {  # of ParaCrawl's human evaluation, in the order of the table
    "V": "valid",
    "F": "free translation",
    "E": "translation error",
    "MT": "machine-translated",
    "T": "bad segmentation",
    "A": "misaligned",
    "L": "wrong language",
}
BLOCK = 4000
TIMED_PAIRS = 20_000
MEANINGS = {
    "quality.normalize_us": "normalisation",
    "quality.rules_us": "all rules but language id",
    "quality.language_id_us": "language id, the words of the corpus seen before",
    "quality.language_id_first_us": "the same for the first pairs of a night",
    "quality.pair_key_us": "content hash",
    "quality.side_hash_us": "hashes of both sides for the look-up of held-out sentences",
}


def read_labelled(path: Path) -> list[tuple[str, SentencePair]]:
    """Labels and pairs of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(row["label"], SentencePair(row["src"], row["tgt"])) for row in rows]


def count_rejected(path: Path) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """How many pairs of a file have each label, and how many of them each reason rejects."""
    source, target = path.stem.split("-", 1)
    labels, pairs = zip(*read_labelled(path), strict=True)
    verdicts = Judge(CleanConfig(), (source, target))(pairs)
    judged = zip(labels, verdicts, strict=True)
    return Counter(labels), Counter((label, verdict.reason) for label, verdict in judged if verdict.reason)


def markdown(total: Counter[str], rejected: Counter[tuple[str, str]]) -> str:
    """Percent of each label by reason, the most frequent reason first."""
    labels = [label for label in LABELS if label in total]
    by_reason = Counter[str]()
    for (_, reason), number in rejected.items():
        by_reason[reason] += number
    rows = [
        ["", *(f"{label} {LABELS[label]}" for label in labels)],
        ["---", *("---:" for _ in labels)],
        ["pairs", *(f"{total[label]:,}" for label in labels)],
        ["**rejected, %**", *(f"**{100 * share(total, rejected, label):.1f}**" for label in labels)],
    ]
    for reason, _ in by_reason.most_common():
        rows.append([f"`{reason}`", *(f"{100 * rejected[label, reason] / total[label]:.1f}" for label in labels)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def share(total: Counter[str], rejected: Counter[tuple[str, str]], label: str) -> float:
    """Share of a label's pairs that is rejected for any reason."""
    return sum(number for (each, _), number in rejected.items() if each == label) / total[label]


def microseconds(run: Callable[[list[SentencePair]], object], pairs: list[SentencePair], repeats: int = 5) -> float:
    """CPU time of a pair in blocks, the shortest of some runs, as other work on the machine only adds to it."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        for first in range(0, len(pairs), BLOCK):
            run(pairs[first : first + BLOCK])
        times.append(time.process_time() - start)
    return 1e6 * min(times) / len(pairs)


def measure_times(folder: Path) -> dict[str, float]:
    """What each part of judging costs a pair."""
    sides = [(folder / f"train.{language}").read_text(encoding="utf-8").split("\n") for language in ("en", "de")]
    pairs = [SentencePair(source, target) for source, target in zip(*sides, strict=True)][:TIMED_PAIRS]
    judge = Judge(CleanConfig(), ("en", "de"))
    identify = judge.identify
    assert identify is not None
    identify(pairs[:1])  # loads the model
    first = microseconds(identify, pairs, repeats=1)
    normalize = microseconds(lambda block: [judge.normalized(pair) for pair in block], pairs)
    return {
        "quality.normalize_us": normalize,
        "quality.rules_us": microseconds(lambda block: [judge.judge(pair) for pair in block], pairs) - normalize,
        "quality.language_id_us": microseconds(identify, pairs),
        "quality.language_id_first_us": first,
        "quality.pair_key_us": microseconds(lambda block: [pair_key(pair) for pair in block], pairs),
        "quality.side_hash_us": microseconds(
            lambda block: [(side_hash(pair.source), side_hash(pair.target)) for pair in block], pairs
        ),
    }


def main(folder: Path) -> None:
    """Runs the suite."""
    figures: dict[str, float] = {}
    for path in sorted(folder.glob("*-*.tsv")):
        total, rejected = count_rejected(path)
        print(f"\n{path.stem}, {sum(total.values()):,} pairs\n\n{markdown(total, rejected)}")
        for label, part in (("V", "lost"), ("A", "rejected"), ("L", "rejected")):
            figures[f"quality.{path.stem}.{label}_{part}"] = share(total, rejected, label)
    if not figures:
        sys.exit(f"{folder} has no files such as en-de.tsv; NIGHTSHIFT_DATA names the folder above paracrawl-labelled")
    merge(figures)
    if (DATA / "multi30k").is_dir():
        times = measure_times(DATA / "multi30k")
        print()
        show("quality: CPU microseconds a pair", times, MEANINGS)
        merge(times)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "paracrawl-labelled")
    if len(sys.argv) == 1:
        multi30k.main()
