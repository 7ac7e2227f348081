"""Using what was registered: translate with a version."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from model.registry import EXPORT, EXPORTED, Registry, resolve_name
from pipeline.batching import LONGEST, batches
from pipeline.errors import InputError
from pipeline.frames import from_text, may_be_frames
from pipeline.quiet import tensorflow_quietly

if TYPE_CHECKING:
    from model.export import Attended, Exported, Hypothesis

BATCH = 64  # sentences translated at a time
READ_AHEAD = 2048  # sentences read before they are put in order by length


@dataclass(frozen=True)
class Chosen:
    """Which registered version is used.

    Args:
        registry: folder or `gs://bucket/prefix`.
        name: the model's name, None for the only one there is.
        model: a version's number or an alias.
    """

    registry: str
    name: str | None
    model: str


@dataclass(frozen=True)
class Wanted:
    """What is asked of a version.

    Args:
        count: translations of each sentence, from the best on.
        beams: width of the search; 0: as configured.
        temperature: draw a translation at random, by probability at 1, nearer to the best below; 0: search.
        seed: of what is drawn.
    """

    count: int = 1
    beams: int = 0
    temperature: float = 0.0
    seed: int = 1

    def ask(self, exported: Exported, block: Sequence[str], numbers: Sequence[int]) -> list[list[Hypothesis]]:
        """The translations of some sentences; of what is drawn, their numbers and texts decide."""
        if self.temperature:
            seeds = [(self.seed, number) for number in numbers]
            return [[drawn] for drawn in exported.draw(block, seeds, self.temperature)]
        if self.count == 1 and not self.beams:
            return [[best] for best in exported.best(block)]
        return exported.hypotheses(block, self.count, self.beams)


def translate(
    sentences: Iterable[str], chosen: Chosen, wanted: Wanted, *, read_ahead: int = READ_AHEAD
) -> Iterator[list[Hypothesis]]:
    """Translates sentences in their order with a registered version.

    Args:
        sentences: what to translate; an empty one has no translations.
        chosen: the version.
        wanted: how many translations of each, and how they are found.
        read_ahead: most sentences that are read before the first of them is answered; those of like length are
            translated together.

    Raises:
        InputError: there is no such model, its files are not what was registered, or a sentence is none.
    """
    numbered = ((number, checked(number, sentence)) for number, sentence in enumerate(sentences, start=1))
    first = list(islice(numbered, 1))
    if not first:
        return
    exported = load(chosen)
    remaining = (check_source(*each, exported.frame_size) for each in chain(first, numbered))
    size = min(BATCH, read_ahead)
    while block := list(islice(remaining, size)):
        yield from answers(exported, block, wanted)
        size = min(2 * size, read_ahead)  # the first answers come soon, those to a long text quicker


def answers(exported: Exported, block: Sequence[tuple[int, str]], wanted: Wanted) -> list[list[Hypothesis]]:
    """The translations of numbered sentences, in their order."""
    found: list[list[Hypothesis]] = [[] for _ in block]
    asked = [row for row, (_, sentence) in enumerate(block) if sentence]
    for places in batches(BATCH, [block[row][1] for row in asked], frame_size=exported.frame_size):
        rows = [asked[place] for place in places]
        numbers, texts = zip(*(block[row] for row in rows), strict=True)
        for row, hypotheses in zip(rows, wanted.ask(exported, texts, numbers), strict=True):
            found[row] = hypotheses
    return found


def attend(sentence: str, chosen: Chosen) -> Attended:
    """Translates a sentence and tells what each piece was written from; raises `InputError` as `translate` does."""
    given = checked(1, sentence)
    exported = load(chosen)
    return exported.attend([check_source(1, given, exported.frame_size)[1]])[0]


def load(chosen: Chosen) -> Exported:
    """The chosen version's model, each of its files verified."""
    models = Registry(chosen.registry, resolve_name(chosen.registry, chosen.name))
    folder = models.fetch(models.get(chosen.model), downloads(), only=EXPORTED)
    with tensorflow_quietly():
        from model.export import Exported

    return Exported.load(folder / EXPORT)


def checked(number: int, sentence: str) -> str:
    """The sentence without white space around it; raises `InputError` where it cannot be translated.

    Bytes that are no UTF-8 arrive as lone surrogates, which is how Python shows them in arguments and lines. What may
    be frames may be as long as it likes until it is known whether the model takes them.
    """
    if len(sentence) > LONGEST and not may_be_frames(sentence):
        raise too_long(number, sentence)
    try:
        return sentence.encode().decode().strip()
    except UnicodeEncodeError as error:
        shown = sentence.strip().encode(errors="backslashreplace").decode()
        raise InputError(f"sentence {number}", shown[:60], "UTF-8", "saved in another encoding?") from error


def check_source(number: int, sentence: str, frame_size: int) -> tuple[int, str]:
    """The same sentence; raises `InputError` where it is no frames for a model that takes them, or too long as text."""
    if frame_size and sentence:
        try:
            from_text(sentence, frame_size)
        except ValueError as error:
            allowed = f"frames of {frame_size} numbers as letters, which pipeline.frames.to_text makes"
            raise InputError(f"sentence {number}", sentence[:60], allowed, str(error)) from error
    elif len(sentence) > LONGEST:
        raise too_long(number, sentence)
    return number, sentence


def too_long(number: int, sentence: str) -> InputError:
    """Says that a sentence is no sentence."""
    return InputError(f"sentence {number}", f"{len(sentence):,} characters", f"at most {LONGEST:,}")


def downloads() -> Path:
    """Where versions of a registry in the cloud are kept on this machine."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "nightshift"
