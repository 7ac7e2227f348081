"""Waiting for what other processes do."""

import time
from typing import Any


def fetch(address: str) -> str:
    """What a server on this machine says."""
    import urllib.request

    with urllib.request.urlopen(address, timeout=20) as answer:
        return answer.read().decode()


def until(look: Any, seconds: float = 60) -> Any:
    """What a function gives as soon as it gives something true."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := look():
                return found
        except (OSError, IndexError, ValueError):
            pass
        assert time.monotonic() < deadline, look
        time.sleep(0.05)
