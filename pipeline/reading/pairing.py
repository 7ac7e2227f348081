"""Sides to pairs, many at a time: what every reader does most."""

from collections import deque
from collections.abc import Sequence
from itertools import repeat
from typing import Any, Final

from pipeline.reading.lines import Flaw, Line
from pipeline.reading.parts import Block
from pipeline.records import SentencePair, Unreadable

# What assigns to the slots of a frozen dataclass, without a call of Python code for each pair: half the time.
_SET_SOURCE: Final[Any] = SentencePair.__dict__["source"].__set__
_SET_TARGET: Final[Any] = SentencePair.__dict__["target"].__set__


def pair_up(sources: Sequence[str], targets: Sequence[str]) -> Block:
    """The same as `list(map(SentencePair, sources, targets))`, in half the time.

    >>> pair_up(["one"], ["eins"])
    [SentencePair(source='one', target='eins')]
    """
    pairs: Block = list(map(object.__new__, repeat(SentencePair, min(len(sources), len(targets)))))
    deque(map(_SET_SOURCE, pairs, sources), maxlen=0)
    deque(map(_SET_TARGET, pairs, targets), maxlen=0)
    return pairs


def pair_lines(sources: Sequence[Line], targets: Sequence[Line]) -> Block:
    """Pairs of as many lines of one side as of the other, in which some may be unusable."""
    if has_flaw(sources) or has_flaw(targets):
        return [pair_of(source, target) for source, target in zip(sources, targets, strict=True)]
    return pair_up(sources, targets)  # type: ignore[arg-type] # all of them are text


def has_flaw(lines: Sequence[Line]) -> bool:
    """Whether one of the lines cannot be used."""
    return Flaw in set(map(type, lines))


def pair_of(source: Line, target: Line) -> SentencePair | Unreadable:
    """A pair of two lines, or the reason of the first that cannot be used."""
    shown = [side if isinstance(side, str) else side.text for side in (source, target)]
    for side in (source, target):
        if isinstance(side, Flaw):
            return Unreadable(side.reason, *shown)
    return SentencePair(*shown)
