"""What the training data looks like: lengths, ratios, distinct sentences, unknown and frequent pieces.

Quantiles, distinct counts and frequent pieces are tfx-bsl sketches: they are merged from any number of workers and stay
small whatever the corpus's size. Tokens and unknown tokens are counted exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field
from tfx_bsl import sketches

from pipeline.config import StageConfig
from pipeline.vocabulary import UNK

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
QUANTILE_ERROR = 0.001  # of the rank
DISTINCT_BUCKETS = 16_384  # relative error of the distinct count: about 1 / sqrt(16384), 0.8 %
FREQUENT_BUCKETS = 10_000


class StatisticsConfig(StageConfig):
    """What is reported about the shards."""

    frequent_pieces: int = Field(20, ge=1, le=1000, description="Most frequent pieces to list for each side.")


def _quantiles() -> Any:
    return sketches.QuantilesSketch(QUANTILE_ERROR, 1 << 32, 1)


@dataclass(slots=True)
class SideSummary:
    """One side of the pairs added so far."""

    tokens: int = 0
    unknown: int = 0
    lengths: Any = field(default_factory=_quantiles)
    distinct: Any = field(default_factory=lambda: sketches.KmvSketch(DISTINCT_BUCKETS))
    frequent: Any = field(default_factory=lambda: sketches.MisraGriesSketch(FREQUENT_BUCKETS))

    def add(self, ids: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]) -> None:
        """Adds sentences: ids [sum of lengths], offsets [sentences + 1]."""
        self.tokens += len(ids)
        self.unknown += int((ids == UNK).sum())
        self.lengths.AddValues(pa.array(np.diff(offsets).astype(np.float64)))
        sentences = [ids[start:end].tobytes() for start, end in pairwise(offsets)]
        self.distinct.AddValues(pa.array(sentences, pa.binary()))
        self.frequent.AddValues(pa.array(ids))

    def merge(self, other: "SideSummary") -> None:
        """Adds what another worker saw."""
        self.tokens += other.tokens
        self.unknown += other.unknown
        self.lengths.Merge(other.lengths)
        self.distinct.Merge(other.distinct)
        self.frequent.Merge(other.frequent)


@dataclass(slots=True)
class Summary:
    """What is known of the pairs added so far; two summaries merge into one."""

    pairs: int = 0
    source: SideSummary = field(default_factory=SideSummary)
    target: SideSummary = field(default_factory=SideSummary)
    ratios: Any = field(default_factory=_quantiles)

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds the pairs of a record batch with list columns `source` and `target`."""
        lengths = []
        for side, name in ((self.source, "source"), (self.target, "target")):
            lists = batch.column(name)
            offsets = np.concatenate([[0], np.cumsum(lists.value_lengths().to_numpy(zero_copy_only=False))])
            side.add(lists.flatten().to_numpy(zero_copy_only=False), offsets.astype(np.int64))
            lengths.append(np.diff(offsets))
        self.pairs += batch.num_rows
        self.ratios.AddValues(pa.array(lengths[1] / np.maximum(lengths[0], 1)))

    def merge(self, other: "Summary") -> None:
        """Adds what another worker saw."""
        self.pairs += other.pairs
        self.source.merge(other.source)
        self.target.merge(other.target)
        self.ratios.Merge(other.ratios)


def report(summary: Summary, config: StatisticsConfig, piece: Callable[[int], str]) -> dict[str, Any]:
    """The summary as JSON values. It ends the summary: sketches cannot be added to once they were asked.

    Args:
        summary: of at least one pair.
        config: how much to list.
        piece: the text of a token id.
    """
    sides = {}
    for name, side in (("source", summary.source), ("target", summary.target)):
        frequent = side.frequent.Estimate().to_pylist()[: config.frequent_pieces]
        sides[name] = {
            "tokens": side.tokens,
            "tokens_per_sentence": round(side.tokens / summary.pairs, 3),
            "unknown_share": round(side.unknown / max(side.tokens, 1), 6),
            "distinct_sentences": side.distinct.Estimate(),
            "lengths": _at_quantiles(side.lengths),
            "frequent_pieces": {piece(int(row["values"])): int(row["counts"]) for row in frequent},
        }
    return {"pairs": summary.pairs, **sides, "target_to_source_ratio": _at_quantiles(summary.ratios)}


def _at_quantiles(sketch: Any) -> dict[str, float]:
    values = sketch.GetQuantiles(len(QUANTILES) - 1).to_pylist()[0]
    return {f"{100 * share:g}%": round(value, 3) for share, value in zip(QUANTILES, values, strict=True)}
