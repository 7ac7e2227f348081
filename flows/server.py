"""The Prefect server that a run talks to."""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Final

from prefect.context import refresh_global_settings_context
from prefect.settings import PREFECT_API_URL

from flows.temporary_server import TemporaryServer
from pipeline.errors import InputError

STARTS_WITHIN: Final = 180.0  # seconds; the first start on a machine creates Prefect's database
LOOKS_EVERY: Final = 0.05  # seconds


def ensure_server(temporary: TemporaryServer) -> None:
    """Waits for a server that answers: the one PREFECT_API_URL or the profile names, or else the temporary one.

    Raises:
        InputError: the server that is named does not answer.
        RuntimeError: the temporary server does not start; the message holds what it printed.
    """
    if PREFECT_API_URL.value():
        check_server()
        return
    wait_for(temporary)
    use_server(temporary.url)


def wait_for(temporary: TemporaryServer) -> None:
    """Returns when the server answers; raises `RuntimeError` with what it printed where it ended or takes too long."""
    if not comes_up(temporary.url, lambda: temporary.process.poll() is None):
        raise RuntimeError(f"Prefect's temporary server does not answer, {temporary.reason()}")


def comes_up(url: str, is_running: Callable[[], bool]) -> bool:
    """Waits for a server that was started; whether it answers, and has not ended or taken too long."""
    deadline = time.monotonic() + STARTS_WITHIN
    while not (is_up := is_healthy(url)) and is_running() and time.monotonic() < deadline:
        time.sleep(LOOKS_EVERY)
    return is_up


def check_server() -> str:
    """The address of the server that PREFECT_API_URL or the profile names; raises `InputError` where none answers."""
    named: str | None = PREFECT_API_URL.value()
    if not named or not is_healthy(named):
        allowed = "the address of a Prefect server that answers, such as http://127.0.0.1:4200/api"
        raise InputError("PREFECT_API_URL", named or "not given", allowed, "is it running?" if named else "")
    return named


def use_server(url: str) -> None:
    """Has Prefect's client in this process and those it starts talk to the server at an address."""
    os.environ["PREFECT_API_URL"] = url
    refresh_global_settings_context()


def is_healthy(url: str) -> bool:
    """Whether a Prefect server answers at an address; one that wants a key answers too."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10):  # noqa: S310 -- the address is the user's own
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
