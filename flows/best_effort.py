"""The one place where an error is told and passed over: what a night shows of itself while Prefect's server is away."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.exceptions import PrefectException

log = logging.getLogger("nightshift")


@contextmanager
def best_effort(what: str) -> Iterator[None]:
    """Goes on where a server that does not answer, or refuses, ends the block: a night is worth more than its picture.

    Args:
        what: is not shown in that case, for the log.
    """
    try:
        yield
    except (httpx.HTTPError, PrefectException) as error:
        log.warning("%-16s not shown: %s: %s", what, type(error).__name__, str(error).partition("\n")[0])
