"""Files with a sentence in each line, as `nightshift translate` reads and writes them."""

import gzip
import io
import lzma
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from pipeline.errors import InputError
from pipeline.reading.opening import decompressed
from pipeline.storage import partial_of


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a file, whatever it is compressed with; bytes that are no UTF-8 come as lone surrogates.

    Raises:
        InputError: it cannot be read or does not decompress.
    """
    try:
        with path.open("rb") as raw, io.BufferedReader(decompressed(raw)) as stream:
            for line in stream:
                yield line.decode(errors="surrogateescape")
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise InputError("--input", path, "a file that can be read", str(error)) from error


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes lines to a file that appears when all are written; one whose name ends with .gz is compressed.

    Raises:
        InputError: it cannot be written; also what is raised by the lines, and then nothing is there.
    """
    try:
        with partial_of(path) as partial:
            with partial.open("wb") as plain, compressed(plain, path) as stream:
                for line in lines:
                    stream.write(f"{line}\n".encode())
            partial.replace(path)
    except OSError as error:
        raise InputError("--output", path, "a file that can be written", str(error)) from error


def compressed(plain: IO[bytes], path: Path) -> IO[bytes] | gzip.GzipFile:
    """The stream to write to; what is written has the same bytes at any time and under any name."""
    return gzip.GzipFile("", "wb", fileobj=plain, mtime=0) if path.suffix == ".gz" else plain
