"""Files with a sentence in each line, as `nightshift translate` reads and writes them."""

import io
import lzma
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from pipeline.compressing import compressed
from pipeline.errors import InputError
from pipeline.reading.opening import decompressed
from pipeline.storage import partial_of

MOST_BYTES: Final = 2**24  # of a line, which for a long recording may be frames


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a file, whatever it is compressed with; bytes that are no UTF-8 come as lone surrogates.

    Raises:
        InputError: it cannot be read or does not decompress.
    """
    try:
        with path.open("rb") as raw, io.BufferedReader(decompressed(raw)) as stream:
            yield from lines_in(stream, path)
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise InputError("--input", path, "a file that can be read", cause_of(error)) from error


def lines_in(stream: IO[bytes], name: object) -> Iterator[str]:
    """The lines of a stream; raises `InputError` for one that would fill the memory instead of ending."""
    number = 0
    while line := stream.readline(MOST_BYTES):
        number += 1
        if len(line) == MOST_BYTES and not line.endswith(b"\n"):
            allowed = f"lines of at most {MOST_BYTES:,} bytes"
            raise InputError("--input", name, allowed, f"line {number:,} is longer: no text?")
        yield line.decode(errors="surrogateescape")


def one_line(text: str) -> str:
    r"""A text without what would end its line or its column.

    >>> one_line("rain\tand\nfog\u2028")
    'rain and fog'
    """
    return " ".join(text.replace("\t", " ").splitlines())


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes lines to a file that appears when all are written; one whose name ends with .gz is compressed.

    A symbolic link stays one. What is no file, such as /dev/null, is not replaced by one.

    Raises:
        InputError: it cannot be written; also what is raised by the lines, and then nothing is there.
    """
    try:
        path = path.resolve()
        check_place(path)
        with partial_of(path) as partial:
            with partial.open("wb") as plain, compressed(plain, path.name) as stream:
                for line in lines:
                    stream.write(f"{line}\n".encode())
            partial.replace(path)
    except OSError as error:
        raise InputError("--output", path, "a file that can be written", cause_of(error)) from error


def cause_of(error: Exception) -> str:
    """Why a file cannot be used, without its name, which is told already."""
    return getattr(error, "strerror", None) or str(error)


def check_place(path: Path) -> None:
    """Raises `InputError` where something lies that is no file."""
    if path.exists() and not path.is_file():
        raise InputError("--output", path, "a file", "it would be replaced; without --output it is standard output")
