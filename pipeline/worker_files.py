"""Files as the functions of a Beam job name them: a path where all machines share a file system, or gs://bucket/name.

A worker that must fetch a file reads a copy of it, and one that must give a file writes it here first: there it then
is as a whole or not at all, as on a disk.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.gcs import GcsStorage

CLOUD = "gs://"
PARAMETER = "beam.exchange"


@contextmanager
def reading(location: str) -> Iterator[Path]:
    """A file where it lies, or a copy that is gone afterwards."""
    if not location.startswith(CLOUD):
        yield Path(location)
        return
    storage, name = placed(location)
    with TemporaryDirectory(prefix="nightshift-") as folder:
        storage.download(name, Path(folder) / name)
        yield Path(folder) / name


@contextmanager
def reading_folder(location: str) -> Iterator[Path]:
    """A folder where it lies, or a copy that is gone afterwards."""
    if not location.startswith(CLOUD):
        yield Path(location)
        return
    storage = storage_of(location)
    with TemporaryDirectory(prefix="nightshift-") as folder:
        for name in storage.names():
            storage.download(name, Path(folder) / name)
        yield Path(folder)


@contextmanager
def writing(location: str) -> Iterator[Path]:
    """Where to write a file and, if it has any, the files that belong beside it; they are in place when all are."""
    if not location.startswith(CLOUD):
        yield Path(location)
        return
    storage, name = placed(location)
    with TemporaryDirectory(prefix="nightshift-") as folder:
        yield Path(folder) / name
        for made in sorted(Path(folder).iterdir()):
            storage.upload(made, made.name)


def in_parts(location: str) -> Any:
    """What a reader of Parquet opens, to take some parts of a large file and leave the others."""
    if not location.startswith(CLOUD):
        return Path(location)
    storage, name = placed(location)
    return storage.open(name)


def placed(location: str) -> tuple["GcsStorage", str]:
    """The folder of an object, and its name there."""
    folder, _, name = location.rpartition("/")
    return storage_of(folder), name


@lru_cache(maxsize=64)
def storage_of(folder: str) -> "GcsStorage":
    """A folder in the cloud; a worker has some hundred files of the same few folders."""
    # google.cloud takes a third of a second to import, and nobody with a shared file system needs it
    from pipeline.gcs import GcsStorage

    return GcsStorage(folder, PARAMETER)
