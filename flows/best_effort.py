"""The one place where an error is told and passed over: what a night says of itself and others to a server."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
from prefect.exceptions import PrefectException

AWAY: Final = (httpx.HTTPError, PrefectException)  # what a server that does not answer, or refuses, raises

log = logging.getLogger("nightshift")


@contextmanager
def best_effort(what: str, *more: type[Exception]) -> Iterator[None]:
    """Goes on where a server that does not answer, or refuses, ends the block: a night is worth more than its picture.

    Args:
        what: the server is not told in that case, for the log.
        more: errors that are passed over as well, of what the block reads.
    """
    passed: tuple[type[Exception], ...] = (*AWAY, *more)
    try:
        yield
    except passed as error:
        log.warning("%-16s passed over: %s: %s", what, type(error).__name__, str(error).partition("\n")[0])
