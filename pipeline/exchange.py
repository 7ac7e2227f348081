"""How the files of a stage get to the workers of its Beam job, and what they wrote gets back.

On one machine, or on several that share a file system, there is nothing to do: everybody sees the workspace. Elsewhere
the files that a job reads are copied to `beam.exchange`, under the same names as in the workspace, and so are those
that it writes; the stage brings them home and looks at each checksum.

    workspace/weather-en-fr/clean/3f9c2a7be01d/train/part-00000-of-00008.parquet
    gs://bucket/prefix/weather-en-fr/clean/3f9c2a7be01d/train/part-00000-of-00008.parquet

What a stage made is still there when the next one reads it, and is not copied again. All of it may be deleted at any
time at which no job runs.
"""

import base64
import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import google_crc32c

from pipeline.beam_config import BeamConfig
from pipeline.worker_files import PARAMETER

AT_ONCE = 8  # copies
CHUNK = 1 << 20

log = logging.getLogger("nightshift")


class Exchange(Protocol):
    """The files of one job."""

    def location(self, path: Path) -> str:
        """What workers call a file or folder, there already or not."""
        ...

    def give(self, files: Iterable[Path]) -> None:
        """Sees to it that workers can read these files."""
        ...

    def fetch(self, folder: str = "") -> None:
        """Sees to it that what workers wrote into the stage's folder, or into one of its folders, is there."""
        ...

    def clear(self) -> None:
        """Removes the copies of what is in the stage's folder."""
        ...


def open_exchange(beam: BeamConfig, folder: Path, others: Mapping[str, Path] | None = None) -> Exchange:
    """The exchange of a job.

    Args:
        beam: where the job runs.
        folder: the stage's folder, `workspace/weather-en-fr/clean/3f9c2a7be01d`; what was left of it is removed.
        others: further folders that the job reads, outside `workspace/weather-en-fr`, by a name for each.

    Raises:
        InputError: a bucket that cannot be used.
    """
    if not beam.is_elsewhere or not beam.exchange:
        return SharedFolders()
    found = Bucket(beam.exchange, folder, others or {})
    found.clear()
    return found


class SharedFolders(Exchange):
    """Everybody sees the same files."""

    def location(self, path: Path) -> str:
        """The path itself, as it is from every folder: workers have another one than this process."""
        return str(path.absolute())

    def give(self, files: Iterable[Path]) -> None:
        """They are there."""

    def fetch(self, folder: str = "") -> None:
        """It is there."""

    def clear(self) -> None:
        """There are no copies."""


class Bucket(Exchange):
    """Copies of the files lie below gs://bucket/prefix."""

    def __init__(self, exchange: str, folder: Path, others: Mapping[str, Path]) -> None:
        from pipeline.gcs import GcsStorage

        self.folder = folder.absolute()
        self.root = self.folder.parents[1]
        self.others = {name: other.absolute() for name, other in others.items()}
        self.storage = GcsStorage(f"{exchange.rstrip('/')}/{self.root.name}", PARAMETER)
        self.own = self.name(self.folder)

    def name(self, path: Path) -> str:
        """What a file or folder is called below the prefix."""
        path = path.absolute()
        for name, folder in self.others.items():
            if path.is_relative_to(folder):
                return "/".join((self.own, name, *path.relative_to(folder).parts))
        return path.relative_to(self.root).as_posix()

    def location(self, path: Path) -> str:
        """The address of the copy."""
        return f"{self.storage.location.rstrip('/')}/{self.name(path)}"

    def give(self, files: Iterable[Path]) -> None:
        """Copies the files that are not there with the same content."""
        given = {self.name(path): path for path in files}
        there: dict[str, str] = {}
        for folder in sorted({name.rpartition("/")[0] for name in given}):
            there |= self.storage.checksums(folder)
        new = {name: path for name, path in given.items() if there.get(name) != checksum(path)}
        self.told("giving", [path.stat().st_size for path in new.values()])
        in_parallel(lambda name: self.storage.upload(new[name], name), new)

    def fetch(self, folder: str = "") -> None:
        """Copies what was written; raises `OSError` where a copy is not what lies there."""
        written = self.storage.checksums("/".join(filter(None, (self.own, folder))))

        def bring(name: str) -> int:
            target = self.folder / name.removeprefix(f"{self.own}/")
            self.storage.download(name, target)
            if checksum(target) != written[name]:
                raise OSError(f"{self.storage.location}/{name} is not what arrived at {target}; another run at work?")
            return target.stat().st_size

        self.told("fetched", in_parallel(bring, written))

    def clear(self) -> None:
        """Removes the copies."""
        in_parallel(self.storage.delete, self.storage.names(self.own))

    def told(self, what: str, sizes: list[int]) -> None:
        """Says how much travels, as it takes its time."""
        if sizes:
            stage = self.folder.parent.name
            log.info("%-16s %-9s %s files, %.1f MB", stage, what, f"{len(sizes):,}", sum(sizes) / 1e6)


def in_parallel(work: Any, names: Iterable[str]) -> list[Any]:
    """Does something with each name, some at a time; raises the first error."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(work, names))


def checksum(path: Path) -> str:
    """CRC-32C of a file as Cloud Storage writes it."""
    found = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found = google_crc32c.extend(found, chunk)
    return base64.b64encode(found.to_bytes(4, "big")).decode()
