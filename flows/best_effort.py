"""The one place where an error is told and passed over: what a night shows of itself while a server is away."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.exceptions import PrefectException

log = logging.getLogger("nightshift")


@contextmanager
def best_effort(what: str, *more: type[Exception]) -> Iterator[None]:
    """Goes on where a server that does not answer, or refuses, ends the block: a night is worth more than its picture.

    Args:
        what: is not shown in that case, for the log.
        more: errors that are passed over as well, of what the block reads.
    """
    try:
        yield
    except (httpx.HTTPError, PrefectException, *more) as error:
        log.warning("%-16s not shown: %s: %s", what, type(error).__name__, str(error).partition("\n")[0])
