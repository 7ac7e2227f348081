"""From what a configuration calls a file to files: a path, a glob, gs://bucket/name, https://... ."""

import glob
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.errors import InputError
from pipeline.reading.digests import Progress, digest_of
from pipeline.reading.globs import is_glob
from pipeline.reading.parts import Beginning, StoredFile

READABLE = "a regular file that can be read"


class Location(Protocol):
    """One file, wherever it lies."""

    @property
    def parameter(self) -> str:
        """What messages call it."""
        ...

    @property
    def shown(self) -> str:
        """What people call it, without secrets."""
        ...

    @property
    def size(self) -> int | None:
        """Its bytes, None where that is not known before it is fetched."""
        ...

    @property
    def is_here(self) -> bool:
        """Whether `bring` would find it on this machine's disk."""
        ...

    def check(self) -> None:
        """Raises `InputError` if it cannot be read. Cheap: nothing is hashed or downloaded."""
        ...

    def bring(self, progress: Progress) -> StoredFile:
        """The file on this machine with its digest; downloads it where that has not been done."""
        ...

    def begin(self, most: int) -> Beginning:
        """Its first bytes, at most so many; nothing is kept, and a small file that is pinned is checked.

        Raises:
            InputError: it cannot be read, or is another file.
            ConnectionError: the server does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine, or of one it shares with others."""

    parameter: str
    shown: str
    path: Path

    @property
    def size(self) -> int | None:
        """Its bytes, None where there is no such file."""
        return self.path.stat().st_size if self.path.is_file() else None

    @property
    def is_here(self) -> bool:
        """It is."""
        return True

    def check(self) -> None:
        """Raises `InputError` if it is no regular file or cannot be opened."""
        if self.path.exists() and not self.path.is_file():
            raise InputError(self.parameter, self.shown, READABLE, "it is a folder, a pipe or a device")
        try:
            self.path.open("rb").close()
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else error
            raise InputError(self.parameter, self.shown, READABLE, str(cause)) from error

    def bring(self, progress: Progress) -> StoredFile:
        """The file where it is."""
        self.check()
        try:
            digest = digest_of(self.path, progress)
        except OSError as error:
            raise InputError(self.parameter, self.shown, READABLE, str(error.strerror)) from error
        return StoredFile(self.parameter, self.path, digest, self.shown)

    def begin(self, most: int) -> Beginning:
        """The first bytes."""
        self.check()
        with self.path.open("rb") as file:
            return Beginning(file.read(most), os.fstat(file.fileno()).st_size, self.path)


def locate(parameter: str, location: str, sha256: str = "") -> Sequence[Location]:
    """The files that a location stands for, those of a glob sorted by their names.

    Args:
        parameter: what messages call it.
        location: a path, a glob, gs://bucket/name, https://... .
        sha256: needed for https, refused for a glob.

    Raises:
        InputError: none of these, or nothing is there.
    """
    if "://" not in location:
        found: Sequence[Location] = local_files(parameter, location)
    elif location.startswith("gs://"):
        # google.cloud takes a third of a second to import, and most sources need it not
        from pipeline.reading.cloud_files import cloud_files

        found = cloud_files(parameter, location)
    else:
        from pipeline.reading.fetch import WebFile

        return [WebFile.of(parameter, location, sha256)]
    if sha256:
        if is_glob(location) and len(found) != 1:
            raise InputError(parameter, location, "one file, because its SHA-256 is given", f"{len(found):,} match")
        return [Pinned(found[0], sha256)]
    return found


def local_files(parameter: str, location: str) -> list[LocalFile]:
    """The files of a path or a glob, of which at least one must match."""
    if not location:
        raise InputError(parameter, location, READABLE)
    try:
        path = Path(location).expanduser()
    except RuntimeError as error:
        raise InputError(parameter, location, READABLE, str(error)) from error
    if path.exists() or not is_glob(location):
        return [LocalFile(parameter, location, path.absolute())]
    found = sorted(name for name in glob.glob(str(path), recursive=True) if Path(name).is_file())  # noqa: PTH207 - as typed
    if not found:
        raise InputError(parameter, location, "a pattern that at least one file matches", "no file does")
    return [LocalFile(parameter, name, Path(name).absolute()) for name in found]


@dataclass(frozen=True, slots=True)
class Pinned:
    """A file that must have the SHA-256 that the configuration gives for it."""

    file: Location
    sha256: str

    @property
    def parameter(self) -> str:
        """What messages call the file."""
        return self.file.parameter

    @property
    def shown(self) -> str:
        """What people call the file."""
        return self.file.shown

    @property
    def size(self) -> int | None:
        """Its bytes, where they are known."""
        return self.file.size

    @property
    def is_here(self) -> bool:
        """Whether it need not be fetched."""
        return self.file.is_here

    def check(self) -> None:
        """Raises `InputError` if the file cannot be read."""
        self.file.check()

    def bring(self, progress: Progress) -> StoredFile:
        """The file; raises `InputError` if it is another one."""
        stored = self.file.bring(progress)
        if stored.digest != self.sha256:
            allowed = f"the file with SHA-256 {self.sha256}"
            raise InputError(stored.parameter, self.shown, allowed, f"its SHA-256 is {stored.digest}")
        return stored

    def begin(self, most: int) -> Beginning:
        """The first bytes; raises `InputError` if they are all and of another file."""
        found = self.file.begin(most)
        check_whole(self.file.parameter, self.shown, found, self.sha256)
        return found


def check_whole(parameter: str, shown: str, found: Beginning, sha256: str) -> None:
    """Raises `InputError` if the bytes are a whole file and not the one with that SHA-256."""
    digest = hashlib.sha256(found.data).hexdigest()
    if found.is_whole and digest != sha256:
        raise InputError(parameter, shown, f"the file with SHA-256 {sha256}", f"its SHA-256 is {digest}")
