"""The model that is in service, and how another one takes its place while it answers."""

import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flows.use import Chosen, downloads
from model.registry import EXPORT, EXPORTED, Registry, resolve_name
from model.versions import Version
from pipeline.errors import InputError
from pipeline.frames import to_text
from pipeline.quiet import tensorflow_quietly

with tensorflow_quietly():
    from model.export import Attended, Exported, Hypothesis

LONGEST_PAUSE = 300.0  # seconds between two attempts to load a version that could not be loaded

log = logging.getLogger("nightshift")


class How(NamedTuple):
    """What is asked about a sentence."""

    answers: int = 1
    beams: int = 0
    attention: bool = False


class Served(NamedTuple):
    """A version, and its model ready to answer."""

    version: Version
    exported: Exported


class Translated(NamedTuple):
    """What a version says to a sentence."""

    version: int
    hypotheses: Sequence[Hypothesis]
    attended: Attended | None


class InService:
    """The version that answers: a number for good, or an alias's, which is followed when it moves.

    A version that cannot be loaded or verified does not take the place of the one that can: that one goes on, `problem`
    says so, and the new one is tried again, after longer and longer pauses.

    Args:
        chosen: the version or alias.

    Raises:
        InputError: there is no such version, or it is damaged.
    """

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        self.registry = Registry(chosen.registry, resolve_name(chosen.registry, chosen.name))
        self.served = self.load(self.registry.get(chosen.model))
        self.problem = ""
        self.refused: int | None = None
        self.pause, self.next_attempt = 0.0, 0.0

    @property
    def follows(self) -> str | None:
        """The alias, None for a version that was named by its number."""
        return None if self.chosen.model.isdecimal() else self.chosen.model

    def translate(self, how: How, sentences: list[str]) -> list[Translated]:
        """Answers some sentences, all of them by one version."""
        version, exported = self.served
        number = version.number
        if how.attention:
            attended = exported.attend(sentences)
            return [Translated(number, [Hypothesis(one.text, one.score)], one) for one in attended]
        if how == How():
            return [Translated(number, [best], None) for best in exported.best(sentences)]
        return [Translated(number, found, None) for found in exported.hypotheses(sentences, how.answers, how.beams)]

    def look(self) -> None:
        """Loads the version that the alias stands for by now, if it is another one; raises nothing."""
        problem = "the registry could not be read"
        try:
            number = self.registry.alias(self.follows) if self.follows else None
            if number is None and self.follows:
                raise InputError("alias", self.follows, "a registered version", "it is gone from the registry")
            if number in (None, self.served.version.number):
                self.refused, self.problem = None, ""
                return
            if number == self.refused and time.monotonic() < self.next_attempt:
                return
            problem = f"version {number} could not be loaded"
            self.served = self.load(self.registry.get(str(number)))
        except Exception as error:  # whatever is wrong with what is new: what serves goes on, and `problem` tells
            number = number if problem.startswith("version") else None
            self.pause = min(LONGEST_PAUSE, 2 * self.pause) if number == self.refused and self.pause else 1.0
            self.refused, self.next_attempt = number, time.monotonic() + self.pause
            if problem != self.problem:
                log.warning("serve            %s; version %d serves: %s", problem, self.served.version.number, error)
            self.problem = problem
            return
        self.refused, self.problem, self.pause = None, "", 0.0
        log.info("serve            version %d serves now", self.served.version.number)

    def load(self, version: Version) -> Served:
        """Fetches, verifies and loads a version, and has it answer once, which takes longer than any time after."""
        exported = Exported.load(self.registry.fetch(version, downloads(), only=EXPORTED) / EXPORT)
        silence = np.zeros((1, exported.frame_size))
        exported.best([to_text(silence) if exported.frame_size else "."])
        return Served(version, exported)
