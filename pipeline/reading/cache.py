"""The folder of what can be had again: downloads, and digests of files that have not changed."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline.errors import InputError

FULL: Final = {errno.ENOSPC, errno.EDQUOT}  # what the system says when a disk, or one's share of it, is full


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/nightshift`, or `~/.cache/nightshift`; it need not exist."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "nightshift"


def downloads() -> Path:
    """The folder of downloaded files, each under the SHA-256 of its bytes; raises `InputError` if it cannot be made."""
    folder = cache_folder() / "downloads"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        allowed = "a folder that can be written"
        raise InputError("XDG_CACHE_HOME", folder, allowed, str(error.strerror)) from error
    return folder


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Waits until no other process downloads the same file."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
