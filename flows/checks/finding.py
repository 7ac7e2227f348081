"""What a check found out about one thing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline.errors import InputError
from pipeline.redaction import redacted

State = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the list.

    Args:
        state: wrong is what a night would fail at, a warning what somebody should know before.
        subject: dotted name of what was looked at, as the configuration spells it, or what people call it.
        said: what is so, what was expected, the likely cause.
    """

    state: State
    subject: str
    said: str

    def __str__(self) -> str:
        return redacted(f"{self.state:<8} {self.subject:<24} {self.said}".rstrip())


def ok(subject: str, said: str) -> Finding:
    """All is as it should be."""
    return Finding("ok", subject, said)


def warning(subject: str, said: str) -> Finding:
    """It may be meant, and a night would not fail at it."""
    return Finding("warning", subject, said)


def wrong(subject: str, said: str) -> Finding:
    """A night would fail at it, or make something that nobody wants."""
    return Finding("wrong", subject, said)


def wrong_input(error: InputError) -> Finding:
    """What an exception says, without its parameter, which is the subject."""
    return wrong(error.parameter, str(error).removeprefix(f"{error.parameter} "))


def looked(subject: str, look: Callable[[], None], words: str = "") -> Iterator[Finding]:
    """What comes of a look that raises where something is wrong; nothing, if all is well and there are no words."""
    try:
        look()
    except InputError as error:
        yield wrong_input(error)
    except ConnectionError as error:
        yield wrong(subject, str(error))
    else:
        if words:
            yield ok(subject, words)
