"""The sets that models are scored on, and how they are kept out of training."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Self

from pydantic import Field

from pipeline.config import Frozen
from pipeline.keys import side_hash, side_key
from pipeline.records import SentencePair


class HoldOutConfig(Frozen):
    """How many pairs to set apart where the corpus brings no such set itself."""

    dev: int = Field(1000, ge=1, le=100_000, description="Pairs for the dev set, unless corpus.dev names one.")
    test: int = Field(1000, ge=1, le=100_000, description="Pairs for the test set, unless corpus.test names one.")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The held-out sets, and what a training pair must not share with them.

    Args:
        sets: the pairs of each by its name; "dev" is there to choose a model by, "test" and others to judge it by.
        sources: `side_hash` of every source side of all sets, as it stands and as cleaning would write it.
        targets: the same of every target side.
    """

    sets: Mapping[str, tuple[SentencePair, ...]]
    sources: frozenset[int]
    targets: frozenset[int]

    @classmethod
    def of(cls, sets: Mapping[str, Iterable[SentencePair]], normalize: Callable[[str], str]) -> Self:
        """The sets and the hashes of their sides; `normalize` is what cleaning does to a side."""
        held_out = {name: tuple(pairs) for name, pairs in sets.items()}
        pairs = list(chain.from_iterable(held_out.values()))
        sides = [pair.source for pair in pairs], [pair.target for pair in pairs]
        forms = ({form for text in side for form in (text, normalize(text))} for side in sides)
        return cls(held_out, *(frozenset(map(side_hash, side)) for side in forms))


def hold_out(
    candidates: Iterable[SentencePair], dev: int, test: int, given: Iterable[SentencePair] = ()
) -> tuple[list[SentencePair], list[SentencePair]]:
    """Takes the test set and then the dev set from candidates in the order of their content hashes.

    A pair that shares a side with one taken before is passed over, so that no sentence is in both sets. Generations to
    come keep these sets; only where the first generation itself is made anew are there others.

    Args:
        candidates: pairs to choose from.
        dev: how many to take for the dev set.
        test: how many to take for the test set.
        given: pairs of a set that the corpus brings, which share no side with those taken either.

    Returns:
        The dev and the test set.
    """
    given = list(given)
    taken = {side_key(pair.source) for pair in given}, {side_key(pair.target) for pair in given}
    chosen: list[SentencePair] = []
    for pair in candidates:
        keys = side_key(pair.source), side_key(pair.target)
        if keys[0] not in taken[0] and keys[1] not in taken[1]:
            taken[0].add(keys[0])
            taken[1].add(keys[1])
            chosen.append(pair)
        if len(chosen) == dev + test:
            break
    return chosen[test:], chosen[:test]
