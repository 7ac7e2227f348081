"""The scores of a version beside the champion's, as the report shows them: with intervals, by length, disturbed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Final

import pyarrow as pa

from model.bootstrap import interval_of, paired_bootstrap
from model.comparison import DECIDES, Scores
from model.report.champion import Champion
from model.report.content import Bucket, Disturbance, Line, Robustness, Sample
from model.samples import SHOWN, choose, side_by_side

WITH_INTERVALS: Final = ("bleu", "chrf")
ORDER: Final = ("bleu", "chrf", "ter", "loss", "perplexity", "length_ratio", "empty", "repeating", "unknown_rate")
MOVED: Final = 3  # samples of those that gained most, and of those that lost most
OTHERS: Final = 2  # samples of each other kind where there is a champion

Columns = Mapping[str, list[str]]


def lines(
    metrics: Mapping[str, Scores],
    champion: Champion,
    tables: Mapping[str, Columns],
    *,
    tokenizer: str,
    samples: int,
) -> Iterator[Line]:
    """A line for each metric of each set.

    Args:
        metrics: the version's scores by set.
        champion: the champion.
        tables: the version's translations by set: source, reference, hypothesis.
        tokenizer: what BLEU cuts words with.
        samples: how often the bootstrap draws.
    """
    for name, scores in sorted(metrics.items()):
        for metric in sorted(scores, key=place_of):
            ours = scores[metric]
            if not isinstance(ours, float):
                continue
            theirs = champion.score(metrics, name, metric)
            line = Line(name, scores["sentences"], metric, ours, theirs, scores.get(f"{metric}_signature", ""))
            if name in tables and metric in WITH_INTERVALS:
                outputs = champion.hypotheses[name] if theirs is not None else None
                line = with_intervals(line, tables[name], outputs, tokenizer=tokenizer, samples=samples)
            yield line


def place_of(metric: str) -> tuple[int, str]:
    """Where a metric stands among the others: a version that was read again holds them in the order of their names."""
    return (ORDER.index(metric) if metric in ORDER else len(ORDER), metric)


def with_intervals(line: Line, columns: Columns, theirs: Sequence[str] | None, *, tokenizer: str, samples: int) -> Line:
    """A line with what resampling the sentences says; `theirs` are the champion's translations."""
    ours, references = columns["hypothesis"], columns["reference"]
    line = replace(line, our_interval=interval_of(line.metric, ours, references, tokenizer=tokenizer, samples=samples))
    if theirs is None:
        return line
    line = replace(
        line, their_interval=interval_of(line.metric, theirs, references, tokenizer=tokenizer, samples=samples)
    )
    if line.metric != DECIDES:
        return line
    return replace(line, p=paired_bootstrap(ours, theirs, references, tokenizer=tokenizer, samples=samples).p)


def buckets(ours: Scores, theirs: Scores) -> list[Bucket]:
    """BLEU by length of the source."""
    by_length = {bucket["words"]: bucket["bleu"] for bucket in theirs.get("by_length", [])}
    return [
        Bucket(bucket["words"], bucket["sentences"], bucket["bleu"], by_length.get(bucket["words"]))
        for bucket in ours.get("by_length", [])
    ]


def robustness(metrics: Mapping[str, Scores]) -> Iterator[Robustness]:
    """What disturbed sources do to each set that was disturbed."""
    for name, scores in sorted(metrics.items()):
        found = scores.get("robustness")
        if found:
            rows = {kind: of for kind, of in found.items() if isinstance(of, Mapping)}
            disturbances = [
                Disturbance(kind.replace("_", " "), of["changed"], of["bleu"], of["fall"])
                for kind, of in sorted(rows.items())
            ]
            yield Robustness(name, found["sentences"], found["bleu"], disturbances)


def alone(columns: Columns) -> list[Sample]:
    """The best, the median and the worst translations of a set."""
    found = choose(columns["source"], columns["hypothesis"], columns["reference"])
    return [
        Sample(kind, one["source"], one["reference"], one["hypothesis"], one["chrf"])
        for kind, of in found.items()
        for one in of
    ]


def compared(columns: Columns, theirs: Sequence[str]) -> list[Sample]:
    """Where a version gained and lost most against the champion, then its worst and its median translations.

    A sentence is shown once. Those that gained nothing are not shown among those that gained, nor likewise for losses.
    """
    both = side_by_side(pa.table(dict(columns)), pa.table({**columns, "hypothesis": list(theirs)})).to_pylist()
    gains = [row["candidate_chrf"] - row["champion_chrf"] for row in both]
    rows = range(len(both))
    gained = sorted((row for row in rows if gains[row] > 0), key=lambda row: (-gains[row], row))[:MOVED]
    lost = sorted((row for row in rows if gains[row] < 0), key=lambda row: (gains[row], row))[:MOVED]
    rest = sorted(set(rows) - {*gained, *lost}, key=lambda row: (both[row]["candidate_chrf"], row))
    worst, rest = rest[:OTHERS], rest[OTHERS:]
    middle = max(0, len(rest) - OTHERS) // 2
    kinds = {"gained most": gained, "lost most": lost, "worst": worst, "median": rest[middle : middle + OTHERS]}
    chosen = chain.from_iterable(((kind, both[row]) for row in of) for kind, of in kinds.items())
    return [sample_of(kind, row) for kind, row in chosen]


def sample_of(kind: str, row: Mapping[str, Any]) -> Sample:
    """A row of two models' outputs as a sample."""
    texts = {name: row[name][:SHOWN] for name in ("source", "reference", "candidate", "champion")}
    return Sample(
        kind,
        texts["source"],
        texts["reference"],
        texts["candidate"],
        row["candidate_chrf"],
        texts["champion"],
        row["champion_chrf"],
    )
