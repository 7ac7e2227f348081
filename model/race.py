"""The race for the alias: a version becomes champion if it has earned it, whoever else moves the alias meanwhile."""

import logging
from collections.abc import Callable
from typing import Final

from model.decision import Decision
from model.promotion import RegisterConfig, Rival, judge
from model.registry import CANDIDATE, CHAMPION, Registry
from model.versions import Move, Version
from pipeline.errors import InputError
from pipeline.storage import Conflict

log = logging.getLogger("nightshift")

ATTEMPTS: Final = 8  # nobody moves an alias that often while one decision is taken, unless something runs wild


def promote(
    registry: Registry, version: Version, config: RegisterConfig, meet: Callable[[Version], Rival], who: str = ""
) -> Decision:
    """Makes a version champion if it has earned it; whoever moves the alias meanwhile is compared with in turn.

    Args:
        registry: where the version and the alias are.
        version: the candidate.
        config: the rules.
        meet: a champion as this candidate meets it: its scores on the same data by the same metrics.
        who: kept in the alias's history.

    Raises:
        Conflict: the champion changed again each time a decision was taken.
    """
    for _ in range(ATTEMPTS):
        history = registry.history(CHAMPION)
        champion = history[-1].version if history else None
        if champion == version.number:  # by a run that was killed before it could say so, or by hand
            return decided_before(registry, version, config, meet, history[-1])
        try:
            rival = meet(registry.get(champion)) if champion else None
        except InputError:
            if registry.alias(CHAMPION) == champion:
                raise
            continue  # it was replaced and deleted while it was looked at: there is another one to be compared with
        decision = judge(config, version.metrics, rival)
        if not decision.is_promoted:
            return decision
        try:
            registry.move_alias(CHAMPION, version.number, expected=champion, why=decision.reason, who=who)
        except Conflict as error:
            log.info("%-16s %s; compared again", "register", error)
        else:
            return decision
    raise Conflict(
        f"{CHAMPION} of {registry.name} was moved by others each of the {ATTEMPTS} times it was compared with"
    )


def decided_before(
    registry: Registry, version: Version, config: RegisterConfig, meet: Callable[[Version], Rival], move: Move
) -> Decision:
    """The decision that made a version champion, with its reasons, which the alias's history does not hold."""
    before = registry.peek(move.previous) if move.previous else None
    decision = judge(config, version.metrics, meet(before) if before else None)
    return decision.model_copy(update={"is_promoted": True, "reason": move.why})


def nominate(registry: Registry, version: Version, who: str = "") -> None:
    """Makes a version the candidate, unless a newer one is.

    Raises:
        Conflict: others moved the alias each time.
    """
    for _ in range(ATTEMPTS):
        present = registry.alias(CANDIDATE)
        if present is not None and present >= version.number:
            return
        try:
            registry.move_alias(CANDIDATE, version.number, expected=present, why="the newest version", who=who)
        except Conflict as error:
            log.info("%-16s %s; moved again", "register", error)
        else:
            return
    raise Conflict(f"{CANDIDATE} of {registry.name} was moved by others {ATTEMPTS} times in a row")


def roll_back(registry: Registry, why: str, who: str = "") -> Move:
    """Makes the version champion that was it before the present one; once more, the one before that.

    Raises:
        Conflict: another one moved the alias meanwhile.
        InputError: there is none before, or it was deleted.
    """
    history = registry.history(CHAMPION)
    if not history:
        raise InputError("champion", "not set", "a champion to roll back from")
    earlier = next((number for number in reversed(line_of(history)[:-1]) if registry.peek(number)), None)
    present = history[-1].version
    if earlier is None:
        raise InputError("champion", present, "a version that had a champion before it", "it was deleted, or none was")
    return registry.move_alias(CHAMPION, earlier, expected=present, why=why, who=who, how="rollback")


def line_of(history: tuple[Move, ...]) -> list[int]:
    """The champions that led to the present one, without those that were rolled back.

    Of moves to 1, 2, 3, back to 2, and to 4 the line is 1, 2, 4.
    """
    line: list[int] = []
    for move in history:
        if move.how == "rollback" and move.version in line:
            line = line[: line.index(move.version)]
        line.append(move.version)
    return line
