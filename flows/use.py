"""Using what was registered: translate with a version."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from model.registry import Registry, resolve_name
from pipeline.errors import InputError
from pipeline.frames import from_text, may_be_frames
from pipeline.quiet import tensorflow_quietly

if TYPE_CHECKING:
    from model.export import Exported, Hypothesis

Answer = TypeVar("Answer")
BATCH = 64  # sentences translated at a time
LONGEST = 10_000  # characters; a model that learned sentences has nothing to say about a book


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


def translate(sentences: Iterable[str], chosen: Chosen) -> Iterator[str]:
    """Translates sentences in their order with a registered version.

    Args:
        sentences: what to translate.
        chosen: the version.

    Raises:
        InputError: there is no such model, or its files are not what was registered.
    """

    def ask(exported: Exported, block: Sequence[str], _: Sequence[int]) -> list[str]:
        return exported.translate(block)

    return answers(ask, "", sentences, chosen)


def hypotheses(sentences: Iterable[str], chosen: Chosen, count: int) -> Iterator[list[Hypothesis]]:
    """The best translations of each sentence, `count` at most, in falling order; see `translate`."""

    def ask(exported: Exported, block: Sequence[str], _: Sequence[int]) -> list[list[Hypothesis]]:
        return exported.hypotheses(block, count)

    return answers(ask, [], sentences, chosen)


def sample(
    sentences: Iterable[str],
    chosen: Chosen,
    *,
    temperature: float,
    seed: int,
) -> Iterator[str]:
    """A translation of each sentence drawn at random; the seed, its number and its text decide it; see `translate`."""

    def ask(exported: Exported, block: Sequence[str], numbers: Sequence[int]) -> list[str]:
        return exported.sample(block, [(seed, number) for number in numbers], temperature)

    return answers(ask, "", sentences, chosen)


def answers(
    ask: Callable[[Exported, Sequence[str], Sequence[int]], list[Answer]],
    nothing: Answer,
    sentences: Iterable[str],
    chosen: Chosen,
) -> Iterator[Answer]:
    """What a model says to sentences and their numbers, block by block; to an empty one it has `nothing` to say."""
    remaining = ((number, checked(number, sentence)) for number, sentence in enumerate(sentences, start=1))
    first = list(islice(remaining, 1))
    if not first:
        return
    models = Registry(chosen.registry, resolve_name(chosen.registry, chosen.name))
    version = models.get(int(chosen.model) if chosen.model.isdigit() else chosen.model)
    folder = models.fetch(version, downloads())
    with tensorflow_quietly():
        from model.export import Exported

    exported = Exported.load(folder / "export")
    all_of_them = (check_source(*each, exported.frame_size) for each in chain(first, remaining))
    while block := list(islice(all_of_them, BATCH)):
        asked = [(number, sentence) for number, sentence in block if sentence]
        found = iter(ask(exported, [sentence for _, sentence in asked], [number for number, _ in asked]))
        yield from (next(found) if sentence else nothing for _, sentence in block)


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
        shown = sentence.encode(errors="backslashreplace").decode()
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
