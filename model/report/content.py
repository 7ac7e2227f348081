"""What the report of a version shows, as plain values: whatever is not there is empty, and its part of the page too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model.bootstrap import Interval
from model.decision import Decision
from model.versions import Version


@dataclass(frozen=True, slots=True)
class Line:
    """One metric of one set.

    Args:
        ours: the version's score.
        theirs: the champion's on the same sentences by the same metric; None where there is none.
        signature: how the metric was computed.
        our_interval: 95 % of the scores of resampled sentences lie in it; None where it was not computed.
        their_interval: the same of the champion.
        p: of the difference, by paired bootstrap resampling.
    """

    set: str
    sentences: int
    metric: str
    ours: float
    theirs: float | None = None
    signature: str = ""
    our_interval: Interval | None = None
    their_interval: Interval | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """BLEU of the sentences of some length."""

    words: str
    sentences: int
    ours: float
    theirs: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One sentence and what was made of it; `theirs` is the champion's, scores are chrF."""

    kind: str
    source: str
    reference: str
    ours: str
    our_score: float
    theirs: str | None = None
    their_score: float | None = None


@dataclass(frozen=True, slots=True)
class Disturbance:
    """BLEU where sources are disturbed in one way, of so many that it changed, and how far that is below the usual."""

    name: str
    changed: int
    bleu: float
    fall: float


@dataclass(frozen=True, slots=True)
class Robustness:
    """What disturbed sources do to a set's BLEU."""

    set: str
    sentences: int
    bleu: float
    disturbances: Sequence[Disturbance]


@dataclass(frozen=True, slots=True)
class Funnel:
    """What became of the pairs that were read, of all generations.

    Args:
        rejected: numbers by reason, the largest first.
        held_out: left out because they share a sentence with a held-out set.
        samples: of the newest generation by reason: source, target, origin.
    """

    read: int
    rejected: Mapping[str, int]
    held_out: int
    kept: int
    sets: Mapping[str, int]
    samples: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Generation:
    """What one night brought; `origins` are the numbers of pairs that were kept."""

    number: int
    made: str
    read: int
    kept: int
    origins: Mapping[str, int]
    digest: str


@dataclass(frozen=True, slots=True)
class Distance:
    """How far the newest pairs are from those before, in one respect; see `pipeline.drift`."""

    origin: str
    measure: str
    side: str
    value: float
    by_chance: float
    limit: float
    is_over: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG and what it shows."""

    caption: str
    png: bytes


@dataclass(frozen=True, slots=True)
class Data:
    """What the model was made from.

    Args:
        figures: what `inspect` says of all generations, {} where it said nothing.
        lengths: picture of lengths and ratios.
    """

    languages: tuple[str, str]
    funnel: Funnel
    generations: Sequence[Generation]
    drift: Sequence[Distance] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    lengths: Picture | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """How the model was made: facts by name, and rows with `step`, `loss`, `dev_loss`, of which losses may be None."""

    facts: Mapping[str, str]
    history: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Content:
    """All that the page shows.

    Args:
        decision: what was decided, with its reasons.
        rules: the configuration it was decided by.
        deciding: name of the set whose BLEU decides.
    """

    version: Version
    decision: Decision
    rules: Mapping[str, Any]
    deciding: str
    lines: Sequence[Line]
    buckets: Sequence[Bucket]
    samples: Sequence[Sample]
    robustness: Sequence[Robustness]
    data: Data
    training: Training
    attention: Sequence[Picture] = ()
