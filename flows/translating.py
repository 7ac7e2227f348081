"""The command `nightshift translate`: what goes together, where sentences come from, where translations go."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows import use
from flows.text_files import lines_in, lines_of, one_line, write_lines
from pipeline.errors import InputError
from pipeline.manifest import write_atomically
from pipeline.progress import JobProgress

if TYPE_CHECKING:
    from model.export import Attended, Hypothesis


@dataclass(frozen=True)
class Options:
    """What the command was given; None where it was not."""

    source: str | None
    target: str | None
    beam: int | None
    n_best: int | None
    scores: bool
    attention: Path | None
    temperature: float | None
    seed: int

    def check(self, text: Sequence[str]) -> None:
        """Raises `InputError` for what does not go together."""
        kinds = {"--n-best": self.n_best, "--temperature": self.temperature, "--attention": self.attention}
        given = [name for name, value in kinds.items() if value is not None]
        if len(given) > 1:
            raise InputError(given[0], kinds[given[0]], "to stand alone", f"{given[1]} asks for something else")
        if self.beam is not None and self.n_best is None and given:
            raise InputError("--beam", self.beam, f"no {given[0]} beside it", "which searches in its own way")
        for name, place in (("--input", self.source), ("--output", self.target)):
            if place and place.startswith("gs://"):
                raise InputError(name, place, "a file on this machine, or --runner beside it")
        if self.source and text:
            raise InputError("--input", self.source, "no sentences beside it", f"{len(text)} are given as arguments")
        if self.attention and (len(text) != 1 or not text[0].strip()):
            raise InputError("--attention", self.attention, "one sentence, as an argument", "each has its own picture")

    @property
    def wanted(self) -> use.Wanted:
        """What is asked of the model."""
        return use.Wanted(self.n_best or 1, self.beam or 0, self.temperature or 0.0, self.seed)


def translate(text: Sequence[str], chosen: use.Chosen, options: Options) -> None:
    """Translates arguments, standard input or a file to standard output or a file."""
    options.check(text)
    lines = (
        attended(text[0], chosen, options, options.attention)
        if options.attention
        else translated(text, chosen, options)
    )
    if options.target:
        write_lines(Path(options.target), lines)
    else:
        for line in lines:
            click.echo(line)


def translated(text: Sequence[str], chosen: use.Chosen, options: Options) -> Iterator[str]:
    """The lines to write; a bar shows how far a file is."""
    if options.source:
        source = Path(options.source)
        total = sum(1 for _ in lines_of(source)) if source.is_file() else None  # a pipe can be read only once
        with JobProgress("translate", total, "sentences") as progress:
            for number, found in enumerate(use.translate(lines_of(source), chosen, options.wanted), start=1):
                yield from shown(number, found, options)
                progress.advance(1)
        return
    sentences: Iterable[str] = text or lines_in(sys.stdin.buffer, "standard input")
    # Who types sentences waits for an answer to each.
    read_ahead = 1 if not text and sys.stdin.isatty() else use.READ_AHEAD
    for number, found in enumerate(use.translate(sentences, chosen, options.wanted, read_ahead=read_ahead), start=1):
        yield from shown(number, found, options)


def shown(number: int, found: Sequence[Hypothesis | Attended], options: Options) -> Iterator[str]:
    """The lines of one sentence, of which an answer is always one, whatever the model says."""
    answers = [(one.score, one_line(one.text)) for one in found]
    if options.n_best is not None:
        return (f"{number}\t{score:.4f}\t{text}" for score, text in answers)
    score, text = answers[0] if answers else (None, "")
    if options.scores:
        return iter(["\t" if score is None else f"{score:.4f}\t{text}"])
    return iter([text])


def attended(sentence: str, chosen: use.Chosen, options: Options, picture: Path) -> Iterator[str]:
    """Draws what each piece was written from, and gives the line to write."""
    found = use.attend(sentence, chosen)
    from model.attention_pictures import draw_attention

    write_atomically(picture, draw_attention(found.source, found.target, found.attention))
    yield from shown(1, [found], options)
