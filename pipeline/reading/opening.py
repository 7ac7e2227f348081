"""Opening a source's files: what they are compressed with, and whether they are still what they were.

Compression is told by the first bytes and not by the name. Every byte is hashed as it is read, and at the end a file
whose digest is not the one that its part has is refused: it changed while it was read.
"""

import bz2
import gzip
import hashlib
import io
import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Final

from typing_extensions import override

from pipeline.errors import InputError
from pipeline.reading.digests import forget
from pipeline.reading.parts import StoredFile

BUFFER: Final = 2**18  # bytes
BZIP2: Final = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")  # with less of it, text can begin as well
LARGEST_RATIO: Final = 100  # of a Parquet file to itself compressed once more: it is so already, and hardly shrinks
SUFFIXES: Final = {".gz", ".bz2", ".xz", ".zst"}


class Hashing(io.RawIOBase):
    """A file that hashes what is read from it."""

    def __init__(self, file: io.FileIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        count = self.file.readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:count])
        return count


class Content:
    """The bytes of a file without its compression.

    Raises:
        InputError: what is there does not decompress, or ends early.
    """

    def __init__(self, file: StoredFile, raw: Hashing) -> None:
        self.file = file
        self._raw = io.BufferedReader(raw, BUFFER)
        self._stream = decompressed(self._raw)

    def read(self, size: int) -> bytes:
        """At most as many bytes as asked for, none only at the end."""
        try:
            return bytes(self._stream.read(size))
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            cause = "it ends early: copied or downloaded in part?" if is_truncated(error) else str(error)
            raise InputError(self.file.parameter, self.file.location, "a file that decompresses", cause) from error

    def drain(self) -> None:
        """Reads what is left of the stored bytes, so that all of them are hashed."""
        while self._raw.read(BUFFER):
            pass


def decompressed(raw: Any) -> Any:
    """A stream of the bytes that a file holds, by the file's first bytes."""
    start = raw.peek(10)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if BZIP2.match(start):
        return bz2.BZ2File(raw)
    if start.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(raw)
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow as pa  # unlike the package zstandard, it tells a stream that ends early

        return pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd")
    return raw


def is_truncated(error: Exception) -> bool:
    """Whether decompression failed because the file is not whole."""
    return isinstance(error, EOFError) or "Truncated" in str(error)


@contextmanager
def opened(file: StoredFile) -> Iterator[Content]:
    """The content of a file, from its start to its end.

    Raises:
        InputError: it cannot be read, or it is not the file that was hashed.
    """
    with open_raw(file) as stored:
        hashing = Hashing(stored)
        content = Content(file, hashing)
        yield content
        content.drain()
        check_digest(file, hashing.digest.hexdigest())


@contextmanager
def seekable(file: StoredFile) -> Iterator[BinaryIO]:
    """The content of a file for a reader that jumps about in it; a compressed one is unpacked to a temporary file.

    What is not read in order cannot be hashed on the way, so that an uncompressed file is hashed when all is read.

    Raises:
        InputError: as `opened`; also for a compressed file that would fill the disk.
    """
    with io.BufferedReader(open_raw(file)) as stored:
        is_plain = decompressed(stored) is stored
        stored.seek(0)
        if is_plain:
            yield stored
            stored.seek(0)
            check_digest(file, hashlib.file_digest(stored, "sha256").hexdigest())
            return
    with TemporaryFile() as unpacked:
        with opened(file) as content:
            most = LARGEST_RATIO * max(BUFFER, file.path.stat().st_size)
            while chunk := content.read(BUFFER):
                unpacked.write(chunk)
                if unpacked.tell() > most:
                    allowed = f"a file that unpacks to at most {LARGEST_RATIO} times its size"
                    raise InputError(file.parameter, file.location, allowed, "made to fill the disk?")
        unpacked.seek(0)
        yield unpacked


def open_raw(file: StoredFile) -> io.FileIO:
    """The file's bytes as they are stored; raises `InputError` where it cannot be opened."""
    try:
        return file.path.open("rb", buffering=0)
    except OSError as error:
        raise InputError(file.parameter, file.location, "a file that can be read", str(error.strerror)) from error


def check_digest(file: StoredFile, digest: str) -> None:
    """Raises `InputError` for a file that is no longer what its part says."""
    if digest != file.digest:
        forget(file.path)  # or a file system whose times do not tell would have it refused night after night
        cause = "its content is no longer that with SHA-256 " + file.digest[:12] + "..."
        raise InputError(file.parameter, file.location, "a file that nobody changes while it is read", cause)


def plain_name(location: str) -> Path:
    """A file's name without the suffix of its compression.

    >>> plain_name("data/a.csv.gz").suffix
    '.csv'
    """
    path = Path(location)
    return path.with_suffix("") if path.suffix in SUFFIXES else path
