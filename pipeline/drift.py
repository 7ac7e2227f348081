"""How far a new generation of pairs lies from those before it.

Every distance is a number from 0 to 1 (`swapped_sides` from -1), and comes with what a random sample of the same size
would show by chance. Only what goes beyond chance is held against the limits, so that a small generation raises no
alarm by being small.

    pieces                  Jensen-Shannon divergence of the pieces' shares, in bits (Lin, 1991): 0 the same, 1 no piece
                            in common
    lengths, ratio          largest difference between the two cumulated shares of pairs (Kolmogorov-Smirnov): 0.2 means
                            that a fifth of the pairs moved across some length
    unknown_share,          difference of the shares of tokens
    single_character_share
    swapped_sides           how much closer, in divergence, the sides are to each other's past than to their own; above
                            0 only where they were swapped. The divergence of pieces, or of their characters where each
                            side has a vocabulary of its own: then the sides have few pieces in common either way
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.config import Frozen
from pipeline.piece_table import PieceTables
from pipeline.summaries import Counts, SideSummary, Summary, total
from pipeline.vocabulary import UNK, Side

RISEN_PIECES = 10
# Exceeded by chance once in a thousand times: quantiles of the Kolmogorov and of the normal distribution.
KOLMOGOROV = 1.95
NORMAL = 3.29

MEANINGS = {
    "pieces": "Divergence of the pieces' shares, in bits.",
    "lengths": "Share of the pairs that moved across some length.",
    "ratio": "Share of the pairs that moved across some ratio of target to source length.",
    "unknown_share": "Difference of the shares of unknown tokens.",
    "single_character_share": "Difference of the shares of tokens of one character.",
    "swapped_sides": "How much closer, in bits, the sides are to the other side's past than to their own.",
}


class WarnLimits(Frozen):
    """Distances from the pairs before, beyond chance, above which a night is told so; 1: never."""

    pieces: float = Field(0.2, ge=0, le=1, description=MEANINGS["pieces"])
    lengths: float = Field(0.2, ge=0, le=1, description=MEANINGS["lengths"])
    ratio: float = Field(0.15, ge=0, le=1, description=MEANINGS["ratio"])
    unknown_share: float = Field(0.01, ge=0, le=1, description=MEANINGS["unknown_share"])
    single_character_share: float = Field(0.05, ge=0, le=1, description=MEANINGS["single_character_share"])
    swapped_sides: float = Field(0.02, ge=0, le=1, description=MEANINGS["swapped_sides"])


class StopLimits(Frozen):
    """Distances from the pairs before, beyond chance, above which a night stops; 1: never."""

    pieces: float = Field(0.65, ge=0, le=1, description=MEANINGS["pieces"])
    lengths: float = Field(1.0, ge=0, le=1, description=MEANINGS["lengths"])
    ratio: float = Field(1.0, ge=0, le=1, description=MEANINGS["ratio"])
    unknown_share: float = Field(0.1, ge=0, le=1, description=MEANINGS["unknown_share"])
    single_character_share: float = Field(1.0, ge=0, le=1, description=MEANINGS["single_character_share"])
    swapped_sides: float = Field(0.05, ge=0, le=1, description=MEANINGS["swapped_sides"])


@dataclass(frozen=True, slots=True)
class Distance:
    """One distance.

    Args:
        measure: its name, which is that of its limits.
        side: "source" or "target", "" for what concerns both.
        value: as measured.
        by_chance: what a random sample of the same size would show.
    """

    measure: str
    side: Literal["", Side]
    value: float
    by_chance: float

    @property
    def beyond_chance(self) -> float:
        """What is held against the limits; below 0 where a random sample would be further away."""
        return self.value - self.by_chance


@dataclass(frozen=True, slots=True)
class Comparison:
    """New pairs against pairs before.

    Args:
        origin: whose pairs they are, "" for all of the generation.
        pairs: number of new pairs.
        pairs_before: number of pairs they are compared with.
        distances: none where either are too few to say anything.
        risen: by side, the pieces that make most of the divergence and are now more frequent.
    """

    origin: str
    pairs: int
    pairs_before: int
    distances: tuple[Distance, ...]
    risen: Mapping[str, tuple[str, ...]]

    def over(self, limits: WarnLimits | StopLimits) -> list[Distance]:
        """The distances above their limits."""
        return [found for found in self.distances if found.beyond_chance > getattr(limits, found.measure)]


def compare(
    new: Mapping[str, Summary], before: Mapping[str, Summary], tables: PieceTables, min_pairs: int
) -> list[Comparison]:
    """Compares a generation with the chain before it, and each of its origins with its own past.

    An origin without a past is compared with all there is. A comparison that would only say the same again is left out.

    Args:
        new: summaries of the generation by origin.
        before: summaries of the chain by origin; nothing is compared where it holds none.
        tables: the vocabularies that both were made with.
        min_pairs: fewest new pairs, and pairs before, that are worth comparing.
    """
    if not before:
        return []
    all_before = total(before.values(), tables.sizes)
    found = [_comparison("", total(new.values(), tables.sizes), all_before, tables, min_pairs)]
    for name, summary in new.items():
        if len(new) > 1 or (name in before and len(before) > 1):
            found.append(_comparison(name, summary, before.get(name, all_before), tables, min_pairs))
    return found


def _comparison(origin: str, new: Summary, before: Summary, tables: PieceTables, min_pairs: int) -> Comparison:
    are_enough = min(new.pairs, before.pairs) >= max(min_pairs, 1)
    distances = tuple(distances_between(new, before, tables)) if are_enough else ()
    risen: dict[str, tuple[str, ...]] = {
        name: risen_pieces(new.sides[name], before.sides[name], table.texts) for name, table in tables.sides.items()
    }
    return Comparison(origin, new.pairs, before.pairs, distances, risen if are_enough else {})


def distances_between(new: Summary, before: Summary, tables: PieceTables) -> Iterator[Distance]:
    """All distances; both summaries hold at least one pair."""
    # As if each sentence were a single draw: its tokens go together.
    sampled = float(np.sqrt(1 / new.pairs + 1 / before.pairs))
    for name, table in tables.sides.items():
        side, past = new.sides[name], before.sides[name]
        lengths = largest_difference(side.lengths, past.lengths)
        if side.are_frames:
            yield Distance("lengths", name, lengths, KOLMOGOROV * sampled)
            continue
        by_chance = divergence_by_chance(side.pieces, past.pieces)
        yield Distance("pieces", name, divergence(side.pieces, past.pieces), by_chance)
        yield Distance("lengths", name, lengths, KOLMOGOROV * sampled)
        are_unknown = np.arange(len(side.pieces)) == UNK
        for measure, chosen in (
            ("unknown_share", are_unknown),
            ("single_character_share", table.are_single_characters),
        ):
            value, by_chance = share_difference(side, past, chosen)
            yield Distance(measure, name, value, NORMAL * by_chance * sampled)
    yield Distance("ratio", "", largest_difference(new.ratios, before.ratios), KOLMOGOROV * sampled)
    if new.source.are_frames:  # nobody takes them for text
        return
    # Chance adds about as much to both terms of the difference, so that none is left in it.
    yield Distance("swapped_sides", "", swapped_sides(new, before, tables), 0.0)


def swapped_sides(new: Summary, before: Summary, tables: PieceTables) -> float:
    """How much closer the sides are to each other's past than to their own."""
    source, target = tables.comparable(new.source.pieces, new.target.pieces)
    past_source, past_target = tables.comparable(before.source.pieces, before.target.pieces)
    own = divergence(source, past_source) + divergence(target, past_target)
    crossed = divergence(source, past_target) + divergence(target, past_source)
    return (own - crossed) / 2


def divergence(new: Counts, before: Counts) -> float:
    """Jensen-Shannon divergence of two distributions given by counts, in bits: 0 to 1.

    >>> divergence(np.array([1, 1, 0]), np.array([2, 2, 0])), divergence(np.array([1, 0]), np.array([0, 5]))
    (0.0, 1.0)
    """
    return float(_parts_of_divergence(new, before).sum())


def divergence_by_chance(new: Counts, before: Counts) -> float:
    """The divergence of two random samples of these sizes from the one distribution that both make together.

    Most pieces are rare, and a small sample misses them: 200 captions of
    Multi30k are 0.15 bits from all of them.
    """
    together = (new + before) / (new.sum() + before.sum())
    draw = np.random.default_rng(0)
    return divergence(draw.multinomial(new.sum(), together), draw.multinomial(before.sum(), together))


def largest_difference(new: Counts, before: Counts) -> float:
    """Kolmogorov-Smirnov statistic of two histograms over the same bins: 0 to 1.

    >>> largest_difference(np.array([1, 1, 0]), np.array([0, 1, 1]))
    0.5
    """
    return float(np.abs(np.cumsum(new) / new.sum() - np.cumsum(before) / before.sum()).max())


def share_difference(new: SideSummary, before: SideSummary, chosen: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The difference of the shares of tokens that are among the chosen pieces, and one token's standard deviation."""
    counts = [int(side.pieces[chosen].sum()) for side in (new, before)]
    shares = [count / max(side.tokens, 1) for count, side in zip(counts, (new, before), strict=True)]
    together = sum(counts) / max(new.tokens + before.tokens, 1)
    return abs(shares[0] - shares[1]), float(np.sqrt(together * (1 - together)))


def risen_pieces(new: SideSummary, before: SideSummary, texts: Sequence[str]) -> tuple[str, ...]:
    """The pieces that are more frequent than before, those first that make most of the divergence."""
    has_risen = new.pieces / max(new.tokens, 1) > before.pieces / max(before.tokens, 1)
    parts = np.where(has_risen, _parts_of_divergence(new.pieces, before.pieces), 0)
    first = np.argsort(-parts, kind="stable")[:RISEN_PIECES]
    return tuple(texts[piece] for piece in first if parts[piece] > 0)


def _parts_of_divergence(new: Counts, before: Counts) -> npt.NDArray[np.float64]:
    """What each piece adds to the divergence, [V]."""
    shares = [counts / max(counts.sum(), 1) for counts in (new, before)]
    middle = (shares[0] + shares[1]) / 2
    parts = np.zeros(len(new))
    for share in shares:
        there = share > 0
        parts[there] += share[there] * np.log2(share[there] / middle[there]) / 2
    return parts
