"""A message to a webhook: one JSON, a few tries, and not a word of the address in any log."""

import time
from collections.abc import Mapping
from typing import Final

import requests

TRIES: Final = 3
SECONDS_BETWEEN_TRIES: Final = 1.0
TIMEOUT: Final = 5.0  # seconds, of a connection and of an answer


def post(address: str, message: Mapping[str, str]) -> str:
    """Sends a message; gives "" if it was taken, and else what was wrong with the last try.

    A webhook that moved is not followed, as the next address would be told what only the first may know.
    """
    wrong = ""
    for attempt in range(TRIES):
        time.sleep(SECONDS_BETWEEN_TRIES if attempt else 0)
        try:
            answer = requests.post(address, json=dict(message), timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            wrong = type(error).__name__  # its words hold the address
            continue
        if answer.ok and not answer.is_redirect:
            return ""
        wrong = f"status {answer.status_code}"
        if answer.status_code < requests.codes.server_error and answer.status_code != requests.codes.too_many_requests:
            break  # it would say the same again
    return wrong
