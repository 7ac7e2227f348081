"""Whether a candidate becomes champion: a pure decision over two sets of scores, and the race for the alias."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field

from model.registry import Registry
from model.versions import Version
from pipeline.config import StageConfig
from pipeline.errors import InputError
from pipeline.storage import Conflict

log = logging.getLogger("nightshift")

CHAMPION: Final = "champion"
CANDIDATE: Final = "candidate"
ATTEMPTS: Final = 8  # nobody moves an alias that often while one decision is taken, unless something runs wild
DECIDING_SETS: Final = ("test", "dev")

Scores = Mapping[str, Any]


class RegisterConfig(StageConfig):
    """When a candidate becomes champion."""

    min_bleu: float = Field(
        0.0, ge=0, le=100, allow_inf_nan=False, description="BLEU points that any champion needs, the first one too."
    )
    min_gain: float = Field(
        0.0,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="BLEU points a candidate must be ahead of the champion by more than; 0: any better score will do.",
    )


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a candidate becomes champion, and why, in words for the summary and the alias's history."""

    is_promoted: bool
    reason: str


def judge(
    config: RegisterConfig, ours: Scores, theirs: Scores | None, champion: int | None, sentences: str = ""
) -> Decision:
    """Compares a candidate's scores with the champion's.

    Args:
        config: the rules.
        ours: the candidate's scores, `{"bleu": 97.1, "bleu_signature": "...", "data_digest": "..."}`.
        theirs: the champion's on the same data with the same signature; None if there is no champion.
        champion: the champion's version.
        sentences: what they were scored on, for the reason.

    Raises:
        ValueError: the scores are of different data or signatures, which no decision may rest on.

    >>> signed = {"bleu_signature": "nrefs:1", "data_digest": "d1"}
    >>> judge(RegisterConfig(), {"bleu": 97.1, **signed}, {"bleu": 96.4, **signed}, 2, "the same 1,000 sentences")
    Decision(is_promoted=True, reason='BLEU 97.10 against 96.40 of version 2 on the same 1,000 sentences')
    """
    bleu = ours["bleu"]
    on = f" on {sentences}" if sentences else ""
    if not bleu >= config.min_bleu:
        return Decision(False, f"BLEU {bleu:.2f}{on} is below the floor of {config.min_bleu:g} (promotion.min_bleu)")
    if theirs is None:
        return Decision(True, f"BLEU {bleu:.2f}{on}, and there was no champion")
    if not are_comparable(ours, theirs):
        raise ValueError(f"scores of different data or metrics are not compared: {ours} and {theirs}")
    scores = f"BLEU {bleu:.2f} against {theirs['bleu']:.2f} of version {champion}{on}"
    if bleu - theirs["bleu"] > config.min_gain:
        return Decision(True, scores)
    wanted = f"ahead by more than {config.min_gain:g} (promotion.min_gain)" if config.min_gain else "better"
    return Decision(False, f"{scores}, which is not {wanted}")


def are_comparable(ours: Scores, theirs: Scores) -> bool:
    """Whether two scores are of the same sentences, measured by the same metric."""
    return all(ours[key] == theirs.get(key) for key in ("data_digest", "bleu_signature"))


def deciding_set(metrics: Mapping[str, Scores]) -> str:
    """The set whose BLEU decides: the test set, or the dev set if there is no test set."""
    for name in DECIDING_SETS:
        if name in metrics:
            return name
    raise InputError(
        "evaluation", ", ".join(metrics) or "no scores", "scores of a test or a dev set", "nothing held out?"
    )


def promote(
    registry: Registry, version: Version, config: RegisterConfig, score_again: Callable[[Version], Scores]
) -> Decision:
    """Makes a version champion if it has earned it; whoever moves the alias meanwhile is compared with in turn.

    Args:
        registry: where the version and the alias are.
        version: the candidate.
        config: the rules.
        score_again: scores a champion on the candidate's data, for where its stored scores are of other data or of
            another metric.

    Raises:
        Conflict: the champion changed again each time a decision was taken.
    """
    name = deciding_set(version.metrics)
    ours = version.metrics[name]
    for _ in range(ATTEMPTS):
        history = registry.history(CHAMPION)
        champion = history[-1].version if history else None
        if champion == version.number:  # by a run that was killed before it could say so
            return Decision(True, history[-1].why)
        theirs: Scores | None = None
        sentences = f"{ours['sentences']:,} {name} sentences"
        if champion:
            present = registry.get(champion)
            theirs, sentences = present.metrics.get(name, {}), f"the same {sentences}"
            if not are_comparable(ours, theirs):
                theirs, sentences = score_again(present), f"{sentences} (it was scored again)"
        decision = judge(config, ours, theirs, champion, sentences)
        if not decision.is_promoted:
            return decision
        try:
            registry.move_alias(CHAMPION, version.number, expected=champion, why=decision.reason)
        except Conflict as error:
            log.info("%-16s %s; compared again", "register", error)
        else:
            return decision
    raise Conflict(
        f"{CHAMPION} of {registry.name} was moved by others each of the {ATTEMPTS} times it was compared with"
    )


def nominate(registry: Registry, version: Version) -> None:
    """Makes a version the candidate, unless a newer one is.

    Raises:
        Conflict: others moved the alias each time.
    """
    for _ in range(ATTEMPTS):
        present = registry.alias(CANDIDATE)
        if present is not None and present >= version.number:
            return
        try:
            registry.move_alias(CANDIDATE, version.number, expected=present, why="the newest version")
        except Conflict as error:
            log.info("%-16s %s; moved again", "register", error)
        else:
            return
    raise Conflict(f"{CANDIDATE} of {registry.name} was moved by others {ATTEMPTS} times in a row")
