"""What comes of comparing a candidate with the champion: a decision, and one reason for each rule it was put to."""

from typing import Literal

from pipeline.config import Frozen


class Reason(Frozen):
    """What one rule said.

    Args:
        rule: `floor`, a score that any champion needs; `gain`, how far ahead of the champion a candidate must be;
            `significance`, how likely chance alone makes such a gain; `fall`, how far behind it may be elsewhere.
        set: what was scored, such as `test`.
        metric: `bleu`, `chrf`, ...; of `significance` the one whose difference is tested.
        ours: the candidate's score, of `significance` the p.
        theirs: the champion's score, None where there is none to compare with.
        limit: the rule's own figure.
        is_met: whether the candidate passed.
        words: all of it in a phrase for people.
        signature: how the metric was computed.
        samples: resamples of the bootstrap behind a `significance`.
    """

    rule: Literal["floor", "gain", "significance", "fall"]
    set: str
    metric: str
    ours: float
    theirs: float | None
    limit: float
    is_met: bool
    words: str
    signature: str = ""
    samples: int = 0


class Decision(Frozen):
    """Whether a candidate becomes champion, and why.

    Args:
        is_promoted: whether it does.
        reason: why, in words for the summary and the alias's history.
        champion: the version it was compared with, None if there was none.
        reasons: what each rule said.
        was_scored_again: whether the champion's stored scores were of other data or of another metric.
    """

    is_promoted: bool
    reason: str
    champion: int | None = None
    reasons: tuple[Reason, ...] = ()
    was_scored_again: bool = False
