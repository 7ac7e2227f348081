"""The dev and the test set, and how they are kept out of training."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import Field

from pipeline.config import Frozen
from pipeline.keys import side_key
from pipeline.records import SentencePair


class HoldOutConfig(Frozen):
    """How many pairs to set apart where the corpus brings no such set itself."""

    dev: int = Field(1000, ge=1, le=100_000, description="Pairs for the dev set, unless corpus.dev names one.")
    test: int = Field(1000, ge=1, le=100_000, description="Pairs for the test set, unless corpus.test names one.")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The dev and test sets, and what a training pair must not share with them.

    Args:
        dev: pairs to choose a model by.
        test: pairs to judge it by.
        sources: `side_key` of every source side of both sets.
        targets: `side_key` of every target side of both sets.
    """

    dev: tuple[SentencePair, ...]
    test: tuple[SentencePair, ...]
    sources: frozenset[str] = field(init=False)
    targets: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        pairs = self.dev + self.test
        object.__setattr__(self, "sources", frozenset(side_key(pair.source) for pair in pairs))
        object.__setattr__(self, "targets", frozenset(side_key(pair.target) for pair in pairs))

    def shares_a_side_with(self, pair: SentencePair) -> bool:
        """Whether training on the pair would leak a held-out sentence."""
        return side_key(pair.source) in self.sources or side_key(pair.target) in self.targets


def hold_out(candidates: Iterable[SentencePair], dev: int, test: int, given: Iterable[SentencePair] = ()) -> HeldOut:
    """Takes the test set and then the dev set from candidates in the order of their content hashes.

    A pair that shares a side with one taken before is passed over, so that no sentence is in both sets. As the order is
    one of content, the sets stay nearly the same while a corpus grows, and no pair moves from training to the test set.

    Args:
        candidates: pairs to choose from.
        dev: how many to take for the dev set.
        test: how many to take for the test set.
        given: pairs of a set that the corpus brings, which share no side with those taken either.
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
    return HeldOut(dev=tuple(chosen[test:]), test=tuple(chosen[:test]))
