"""The one exception a person is meant to read."""

from pathlib import Path
from typing import Any

from pipeline.redaction import redacted


class InputError(Exception):
    """Something that was given cannot be used; the command line prints it as one line and exits with 2.

    >>> print(InputError("shard.shards", 0, "a whole number from 1 to 4096"))
    shard.shards = 0: expected a whole number from 1 to 4096

    What addresses hold of users and keys is never part of the line.

    Args:
        parameter: dotted name of what was given, as the configuration or the command line spells it.
        value: what was given.
        allowed: what would have been accepted.
        cause: the likely reason, or what to do about it.
    """

    def __init__(self, parameter: str, value: object, allowed: str, cause: str = "") -> None:
        super().__init__(parameter, value, allowed, cause)
        self.parameter = parameter
        self.value = value
        self.allowed = allowed
        self.cause = cause

    def __str__(self) -> str:
        is_plain = isinstance(self.value, Path) or (isinstance(self.value, str) and self.value)
        shown = redacted(str(self.value) if is_plain else repr(self.value))
        line = f"{self.parameter} = {shown}: expected {redacted(self.allowed)}"
        return f"{line} ({redacted(self.cause)})" if self.cause else line

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.parameter, self.value, self.allowed, self.cause)
