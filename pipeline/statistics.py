"""What the training data looks like, in figures: of a generation and of the chain so far, of each origin and of all."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from pipeline.config import StageConfig
from pipeline.drift import Comparison, StopLimits, WarnLimits
from pipeline.piece_table import PieceTable, PieceTables
from pipeline.summaries import LENGTHS, RATIOS, Counts, SideSummary, Summary, quantile, total
from pipeline.vocabulary import BOS, EOS, PAD, UNK

QUANTILES = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)
CONTROLS = (PAD, UNK, BOS, EOS)


class StatisticsConfig(StageConfig):
    """What is reported about the shards, and how far a generation may lie from those before it."""

    frequent_pieces: int = Field(20, ge=1, le=1000, description="Most frequent pieces to list for each side.")
    min_pairs: int = Field(
        500,
        ge=1,
        le=1_000_000,
        description="Fewest new pairs that are compared with those before; fewer are only counted.",
    )
    warn: WarnLimits = Field(WarnLimits(), description="Distances above which a night warns.")
    stop: StopLimits = Field(StopLimits(), description="Distances above which a night stops.")

    def canonical(self) -> dict[str, Any]:
        """The configuration without the limits that stop: they decide whether there is an output, not what it is."""
        return {name: value for name, value in super().canonical().items() if name != "stop"}


def report(summaries: Mapping[str, Summary], tables: PieceTables, config: StatisticsConfig) -> dict[str, Any]:
    """Figures of all pairs and of each origin's, as JSON values.

    Args:
        summaries: by origin.
        tables: the vocabularies they were made with.
        config: how much to list.
    """
    return {
        "all": figures(total(summaries.values(), tables.sizes), tables, config),
        "origins": {name: figures(summary, tables, config) for name, summary in summaries.items()},
    }


def figures(summary: Summary, tables: PieceTables, config: StatisticsConfig) -> dict[str, Any]:
    """One summary as JSON values.

    Lengths are numbers of ids, exact up to 4,096, ratios of target to source length exact to half a per cent. Counts of
    distinct sentences and pairs are exact up to 16,384, and estimates within about 1 % above.
    """
    return {
        "pairs": summary.pairs,
        "distinct_pairs": distinct(summary.distinct, summary.pairs),
        "vocabulary_coverage": coverage(*tables.by_vocabulary(summary.source.pieces, summary.target.pieces)),
        "source": side_figures(summary.source, summary.pairs, tables.source, config),
        "target": side_figures(summary.target, summary.pairs, tables.target, config),
        "target_to_source_ratio": quantiles(summary.ratios, RATIOS),
    }


def side_figures(side: SideSummary, pairs: int, table: PieceTable, config: StatisticsConfig) -> dict[str, Any]:
    """One side of a summary as JSON values."""
    if side.are_frames:
        return {
            "frames": side.tokens,
            "frames_per_sequence": round(side.tokens / max(pairs, 1), 3),
            "lengths": {share: int(length) for share, length in quantiles(side.lengths, LENGTHS).items()},
            "distinct_sequences": distinct(side.distinct, pairs),
        }
    tokens = max(side.tokens, 1)
    return {
        "tokens": side.tokens,
        "tokens_per_sentence": round(side.tokens / max(pairs, 1), 3),
        "lengths": {share: int(length) for share, length in quantiles(side.lengths, LENGTHS).items()},
        "unknown_share": round(int(side.pieces[UNK]) / tokens, 6),
        "single_character_share": round(int(side.pieces[table.are_single_characters].sum()) / tokens, 6),
        "vocabulary_coverage": coverage(side.pieces),
        "distinct_sentences": distinct(side.distinct, pairs),
        "frequent_pieces": frequent(side.pieces, table.texts, config.frequent_pieces),
    }


def quantiles(histogram: Counts, values: np.ndarray[Any, Any]) -> dict[str, float]:
    """Values by the share of pairs that do not exceed them; empty where there are none."""
    if not histogram.any():
        return {}
    return {f"{100 * share:g}%": round(quantile(histogram, values, share), 3) for share in QUANTILES}


def coverage(*pieces: Counts) -> float:
    """Share of the vocabulary, or of several together, that occurs, control symbols aside.

    >>> coverage(np.array([0, 9, 0, 0, 5, 0, 1, 7]))
    0.75
    """
    asked = np.concatenate([np.delete(counts, CONTROLS) for counts in pieces])
    return round(int(np.count_nonzero(asked)) / max(len(asked), 1), 6)


def distinct(sketch: Any, most: int) -> int:
    """A sketch's estimate, which knows no bound, held below the number of things that were added."""
    return min(int(sketch.Estimate()), most)


def frequent(pieces: Counts, texts: Sequence[str], number: int) -> dict[str, int]:
    """The most frequent pieces and how often they occur, those first that come first in the vocabulary."""
    first = np.argsort(-pieces, kind="stable")[:number]
    return {texts[piece]: int(pieces[piece]) for piece in first if pieces[piece]}


def drift_report(comparisons: Sequence[Comparison], config: StatisticsConfig) -> list[dict[str, Any]]:
    """Comparisons as JSON values; each distance says whether it is over its limit."""
    found = []
    for comparison in comparisons:
        warned = comparison.over(config.warn)
        distances = [
            {
                "measure": distance.measure,
                "side": distance.side,
                "value": round(distance.value, 4),
                "by_chance": round(distance.by_chance, 4),
                "warn_above": getattr(config.warn, distance.measure),
                "is_over": distance in warned,
            }
            for distance in comparison.distances
        ]
        found.append(
            {
                "origin": comparison.origin,
                "pairs": comparison.pairs,
                "pairs_before": comparison.pairs_before,
                "distances": distances,
                "risen_pieces": {side: list(pieces) for side, pieces in comparison.risen.items()},
            }
        )
    return found
