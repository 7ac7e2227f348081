"""Folders with ascending numbers, each taken by one writer for good: `0001`, `0002`, ..."""

import json
import os
import re
import socket
from typing import Final

from model.versions import now
from pipeline.storage import ABSENT, Conflict, Storage

CLAIM: Final = "claim.json"
NUMBER: Final = re.compile(r"\d{4,9}")


def claim(storage: Storage, folder: str, what: str) -> int:
    """Takes the number after all that were ever taken in a folder of numbered ones, for this writer alone."""
    number = max(taken(storage, folder), default=0) + 1
    note = {"fingerprint": what, "host": socket.gethostname(), "process": os.getpid(), "when": now()}
    while True:
        try:
            storage.write(f"{folder}/{number:04d}/{CLAIM}", json.dumps(note).encode(), if_generation=ABSENT)
        except Conflict:
            number += 1  # another writer has it; ends, because each of them takes one number only
        else:
            return number


def taken(storage: Storage, folder: str) -> list[int]:
    """All numbers that were ever taken in a folder of numbered ones, in ascending order."""
    return sorted(int(name) for name in storage.folders(folder) if NUMBER.fullmatch(name))
