"""What moves through the pipeline."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SentencePair:
    """A sentence and its counterpart. One element is one pair from the first byte read: its sides never part."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record of a source that cannot become a pair, with the reason and as much of its text as is worth showing."""

    reason: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What cleaning made of a pair: its normalised text, and the reason to reject it or None."""

    pair: SentencePair
    reason: str | None
