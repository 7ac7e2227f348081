"""SHA-256 of files, remembered while a file stays the same, so that a night with nothing new does not read terabytes.

    ~/.cache/nightshift/digests/5f/5fd9...e1.json     one small file for each path; losing it costs time, nothing else

A file counts as the same while its path, size, inode and times of change are. One that changed less than `SETTLED`
seconds ago is not remembered: within the clock's granularity it could change again and look the same.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from pipeline.reading.cache import cache_folder

SETTLED: Final = 2.0  # seconds
CHUNK: Final = 2**20  # bytes
SHA256_LENGTH: Final = 64

Progress = Callable[[str, int, int], None]


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def digest_of(path: Path, progress: Progress = silent) -> str:
    """Hexadecimal SHA-256 of a file's bytes, without reading them if they were read before.

    Args:
        path: an absolute path.
        progress: told now and then: the path, bytes read, bytes in all.

    Raises:
        OSError: the file cannot be read.
    """
    before = signature_of(path)
    remembered = cache_folder() / "digests" / name_of(path)
    digest = recall(remembered, before)
    if digest is None:
        digest = read_digest(path, progress)
        if signature_of(path) == before and time.time() - max(before[1], before[2]) / 1e9 > SETTLED:
            remember(remembered, before, digest)
    return digest


def signature_of(path: Path) -> list[int]:
    """What differs when a file was changed or replaced: size, times of change in nanoseconds, inode."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def read_digest(path: Path, progress: Progress) -> str:
    """SHA-256 of the bytes as they are now."""
    digest = hashlib.sha256()
    done, total = 0, path.stat().st_size
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress(str(path), done, total)
    return digest.hexdigest()


def name_of(path: Path) -> str:
    """Where the digest of a path is remembered: `5f/5fd9...e1.json`."""
    key = hashlib.sha256(os.fsencode(path)).hexdigest()
    return f"{key[:2]}/{key}.json"


def forget(path: Path) -> None:
    """Has a file read again the next time: it turned out to be another than what was remembered."""
    with suppress(OSError):
        (cache_folder() / "digests" / name_of(path)).unlink(missing_ok=True)


def recall(remembered: Path, signature: list[int]) -> str | None:
    """The digest that was remembered for exactly this state of a file; None also where the note is damaged."""
    try:
        note = json.loads(remembered.read_bytes())
        digest = note["sha256"] if note["signature"] == signature else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return digest if isinstance(digest, str) and len(digest) == SHA256_LENGTH else None


def remember(remembered: Path, signature: list[int], digest: str) -> None:
    """Writes a digest down, in one step. A cache that cannot be written costs time only, so that is no error."""
    partial = remembered.with_name(f".{uuid4().hex}.partial")
    try:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({"signature": signature, "sha256": digest}))
        partial.replace(remembered)
    except OSError:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
