"""Files in a local folder or below gs://bucket/prefix, behind one small face.

    storage = open_storage("gs://models/nightshift")     # or open_storage("registry")
    stored = storage.read("weather-en-fr/aliases/champion.json")
    storage.write("weather-en-fr/aliases/champion.json", b"...", if_generation=stored.generation)

A conditional write is a compare-and-swap: it happens only if the file is still the one that was read. Of any number of
racing writers exactly one wins; the others get `Conflict` and have to read and decide again.
"""

import fcntl
import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from typing_extensions import override

from pipeline.errors import InputError

ABSENT: Final = "0"  # as Cloud Storage says it: generation 0 is that of a file that does not exist
LOCK: Final = ".lock"
PART: Final = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")
LONGEST_NAME: Final = 900  # bytes; Cloud Storage takes 1,024 with the prefix


class Conflict(Exception):  # noqa: N818 - not a fault: in a race it is what all but one are told
    """Another writer was first: nothing was written. Read again, decide again."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a file held when it was read, and the generation that a conditional write names to replace exactly that."""

    data: bytes
    generation: str


class Storage(Protocol):
    """Files by name. Names are relative, with forward slashes: `weather-en-fr/versions/0003/manifest.json`.

    Every method raises `InputError` for a name that could leave the location, and for a location that cannot be used.
    """

    location: str

    def read(self, name: str) -> Stored | None:
        """A file's bytes and generation; None where there is no such file."""
        ...

    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:
        """Writes a small file in one step and returns its generation.

        With `if_generation` it writes only if the file is still of that generation; `ABSENT`: only if there is none.

        Raises:
            Conflict: the file is of another generation.
        """
        ...

    def upload(self, source: Path, name: str) -> None:
        """Stores a copy of a local file of any size."""
        ...

    def download(self, name: str, target: Path) -> None:
        """Puts a copy of a stored file at a local path, whole or not at all."""
        ...

    def names(self, prefix: str = "") -> list[str]:
        """Names of all files at any depth below a folder, sorted."""
        ...

    def folders(self, prefix: str = "") -> list[str]:
        """The last parts of the names of the folders directly in a folder, sorted."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        ...

    def delete(self, name: str) -> None:
        """Removes a file; it is no error if there is none."""
        ...

    def local(self, name: str) -> Path | None:
        """Where a file or folder lies on this machine's disk; None where it must be downloaded first."""
        ...

    def check_writable(self) -> None:
        """Proves that files can be written here by writing one and removing it; raises `InputError` otherwise."""
        ...


def open_storage(location: str, parameter: str = "registry") -> Storage:
    """The storage at a folder's path or at `gs://bucket/prefix`.

    Args:
        location: either of them.
        parameter: what messages call it.

    Raises:
        InputError: neither of both, or a bucket that does not exist or cannot be listed.
    """
    if location.startswith("gs://"):
        # google.cloud takes a third of a second to import, and nobody with a local folder needs it
        from pipeline.gcs import GcsStorage

        return GcsStorage(location, parameter)
    if not location or "://" in location:
        raise InputError(parameter, location, "a folder or gs://bucket/prefix")
    return LocalStorage(location, parameter)


def check_name(name: str) -> str:
    """Returns the name if it stays below the location.

    >>> check_name("weather-en-fr/versions/0003/manifest.json")
    'weather-en-fr/versions/0003/manifest.json'
    >>> check_name("../champion.json")
    Traceback (most recent call last):
    pipeline.errors.InputError: name = ../champion.json: expected a relative path whose parts do not start with a dot
    """
    if not all(PART.fullmatch(part) for part in name.split("/")):
        raise InputError("name", name, "a relative path whose parts do not start with a dot")
    if len(name.encode()) > LONGEST_NAME:
        raise InputError("name", name, f"at most {LONGEST_NAME} bytes")
    return name


class LocalStorage(Storage):
    """Files in a folder of this machine, or of one it shares with others.

    A file's generation is the SHA-256 of its bytes, so a conditional write succeeds exactly if the file holds what was
    read. All changes take one lock for the whole folder, which the operating system takes back from a process that
    dies; they are put in place by renaming, so readers need no lock.
    """

    def __init__(self, location: str, parameter: str = "registry") -> None:
        self.location = location
        self.parameter = parameter
        self.root = Path(location).expanduser().absolute()

    @override
    def read(self, name: str) -> Stored | None:
        path = self._path(name)
        with self._clear_errors():
            try:
                data = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
        return Stored(data, hashlib.sha256(data).hexdigest())

    @override
    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:
        self._place(name, lambda partial: partial.write_bytes(data), if_generation)
        return hashlib.sha256(data).hexdigest()

    @override
    def upload(self, source: Path, name: str) -> None:
        self._place(name, lambda partial: shutil.copyfile(source, partial))

    @override
    def download(self, name: str, target: Path) -> None:
        path = self._path(name)
        with self._clear_errors(), partial_of(target) as partial:
            shutil.copyfile(path, partial)
            partial.replace(target)

    @override
    def names(self, prefix: str = "") -> list[str]:
        with self._clear_errors():
            found = [path.relative_to(self.root) for path in self._folder(prefix).rglob("*") if path.is_file()]
        return sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))

    @override
    def folders(self, prefix: str = "") -> list[str]:
        top = self._folder(prefix)
        with self._clear_errors():
            found = [path.name for path in top.iterdir() if path.is_dir()] if top.is_dir() else []
        return sorted(name for name in found if not name.startswith("."))

    @override
    def exists(self, name: str) -> bool:
        return self._path(name).is_file()

    @override
    def delete(self, name: str) -> None:
        path = self._path(name)
        if path.is_file():
            with self._clear_errors(), self._lock():
                path.unlink(missing_ok=True)

    @override
    def local(self, name: str) -> Path | None:
        return self._path(name)

    @override
    def check_writable(self) -> None:
        probe = probe_name()
        self.write(probe, b"", if_generation=ABSENT)
        self.delete(probe)

    def _folder(self, prefix: str) -> Path:
        return self._path(prefix) if prefix else self.root

    def _path(self, name: str) -> Path:
        path = self.root / check_name(name)
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise InputError("name", name, f"a path that stays in {self.location}", "a symbolic link leads out of it")
        return path

    def _place(self, name: str, fill: Callable[[Path], object], if_generation: str | None = None) -> None:
        path = self._path(name)
        with self._clear_errors(), partial_of(path) as partial:
            fill(partial)
            with self._lock():
                if if_generation is not None and if_generation != self._generation(name):
                    raise Conflict(f"{self.location}/{name} was changed by another writer")
                partial.replace(path)

    def _generation(self, name: str) -> str:
        stored = self.read(name)
        return stored.generation if stored else ABSENT

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.root / LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            cause = f"{error.strerror}: {error.filename}" if error.filename else str(error)
            raise InputError(self.parameter, self.location, "a folder that can be read and written", cause) from error


def probe_name() -> str:
    """A name nobody else uses, for the file that proves that a location can be written."""
    return f"probe-{uuid4().hex}"


@contextmanager
def partial_of(path: Path) -> Iterator[Path]:
    """A path beside another one to fill and then rename to it, so that others see the whole file or none.

    It starts with a dot, which hides what a killed writer left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{uuid4().hex}.partial")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)
