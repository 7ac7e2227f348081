"""Looking at a place without leaving anything there."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.storage import LOCK


@contextmanager
def without_traces(*folders: Path) -> Iterator[None]:
    """Removes, at the end, the folders on the way to these that were not there before, unless somebody put files in."""
    made = {new for folder in folders for new in (folder.absolute(), *folder.absolute().parents) if not new.exists()}
    try:
        yield
    finally:
        for folder in sorted(made, reverse=True):  # the deepest first
            with suppress(OSError):
                if {path.name for path in folder.iterdir()} <= {LOCK}:
                    (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()
