"""Outputs for people to read: the best, the median and the worst of a set, and two models' outputs side by side."""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

SAMPLES: Final = 3  # of each kind
SHOWN: Final = 300  # characters of a text


def sentence_scores(hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
    """The chrF of each output, 0 to 100."""
    from sacrebleu.metrics.chrf import CHRF  # which a night with nothing new need not wait for

    metric = CHRF()
    pairs = zip(hypotheses, references, strict=True)
    return [metric.sentence_score(hypothesis, [reference]).score for hypothesis, reference in pairs]


def choose(sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, list[Any]]:
    """Some outputs by chrF, each at most once: `{"best": [...], "median": [...], "worst": [...]}`.

    Equal scores are told apart by the place in the set, and long texts are cut.
    """
    scores = sentence_scores(hypotheses, references)
    order = sorted(range(len(scores)), key=lambda row: (-scores[row], row))
    best, rest = order[:SAMPLES], order[SAMPLES:]
    worst, rest = rest[-SAMPLES:], rest[:-SAMPLES]
    middle = max(0, len(rest) - SAMPLES) // 2
    return {
        kind: [
            {
                "row": row,
                "chrf": scores[row],
                "source": sources[row][:SHOWN],
                "reference": references[row][:SHOWN],
                "hypothesis": hypotheses[row][:SHOWN],
            }
            for row in rows
        ]
        for kind, rows in (("best", best), ("median", rest[middle : middle + SAMPLES]), ("worst", worst))
    }


def side_by_side(candidate: pa.Table, champion: pa.Table) -> pa.Table:
    """The outputs of two models for one set, from their tables of source, reference and hypothesis.

    Returns:
        A table of source, reference, candidate, candidate_chrf, champion and champion_chrf, in the order of the set.

    Raises:
        ValueError: the tables are of other sentences, which cannot be put side by side.
    """
    given = ["source", "reference"]
    if [candidate[name].to_pylist() for name in given] != [champion[name].to_pylist() for name in given]:
        raise ValueError(f"{len(candidate)} and {len(champion)} outputs are not of the same sentences")
    columns = {name: candidate[name] for name in given}
    for name, table in (("candidate", candidate), ("champion", champion)):
        hypotheses = table["hypothesis"].to_pylist()
        columns |= {name: hypotheses, f"{name}_chrf": sentence_scores(hypotheses, table["reference"].to_pylist())}
    return pa.table(columns)
