"""Lines of text files: fast where all is well, a line at a time where something is not, and never out of step.

Only a line feed ends a line, with or without a carriage return before it, whatever else Unicode calls a break. A line
that cannot be used is not left out: a `Flaw` stands in its place, so that what follows keeps its number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.errors import InputError
from pipeline.reading.opening import Content
from pipeline.reading.parts import SHOWN
from pipeline.reading.source_kinds import ReadingConfig

CHUNK: Final = 2**18  # bytes that are read and decoded at a time
UTF8_MARK: Final = b"\xef\xbb\xbf"
OTHER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")  # of UTF-16 and UTF-32
PAGES: Final = (b"<!doctype html", b"<html")


@dataclass(frozen=True, slots=True)
class Flaw:
    """What stands in the place of a line that cannot be used.

    Args:
        reason: why.
        text: the beginning of the line, for people.
        quotes: how many double quotes the line holds, without which a table would lose its place.
    """

    reason: str
    text: str
    quotes: int = 0


Line = str | Flaw


def lines_of(content: Content, policy: ReadingConfig) -> Iterator[list[Line]]:
    """All lines of a file in order, some thousands at a time.

    Raises:
        InputError: the file is empty, no text at all, or not UTF-8 where that is an error.
    """
    number = 1  # of the first line that is not given yet
    rest = bytearray()  # the beginning of a line whose end is not read yet
    too_long: Flaw | None = None  # that line, once it is known to be too long
    chunk = check_start(content, content.read(CHUNK))
    while chunk:
        if too_long:
            skipped, end, chunk = chunk.partition(b"\n")
            too_long = Flaw(too_long.reason, too_long.text, too_long.quotes + skipped.count(b'"'))
            if not end:
                chunk = content.read(CHUNK)
                continue
            yield [too_long]
            number, too_long = number + 1, None
        whole, end, begun = chunk.rpartition(b"\n")
        if end:
            block = bytes(rest) + whole + end
            lines = decode(content, policy, block, number)
            yield lines
            number += len(lines)
            rest.clear()
        rest += begun
        if len(rest) > policy.longest_line + 1:  # one more for a carriage return
            too_long = flaw_of("line_too_long", bytes(rest), policy)
            rest.clear()
        chunk = content.read(CHUNK)
    if too_long:
        yield [too_long]
    elif rest:
        yield decode(content, policy, bytes(rest) + b"\n", number)


def check_start(content: Content, start: bytes) -> bytes:
    """The first bytes without a byte order mark; raises `InputError` for what is no corpus in UTF-8."""
    file = content.file
    text = start.removeprefix(UTF8_MARK)
    if not text:
        raise InputError(file.parameter, file.location, "a corpus with at least one pair", "the file is empty")
    if text.startswith(OTHER_MARKS):
        raise InputError(
            file.parameter, file.location, "a file in UTF-8", "its byte order mark is that of UTF-16 or UTF-32"
        )
    if text[:SHOWN].lstrip().lower().startswith(PAGES):
        cause = "it begins like an HTML page: an error page saved in the place of the file?"
        raise InputError(file.parameter, file.location, "a corpus", cause)
    return text


def decode(content: Content, policy: ReadingConfig, block: bytes, number: int) -> list[Line]:
    """The lines of some bytes that end with a line feed; the first of them is line `number` of the file."""
    if len(block) <= policy.longest_line and b"\0" not in block:
        try:
            text = block.decode()
        except UnicodeDecodeError:
            pass  # some line is to blame; it is found below
        else:
            lines: list[Line] = list((text.replace("\r\n", "\n") if "\r" in text else text).split("\n"))
            lines.pop()
            return lines
    pieces = block.split(b"\n")
    pieces.pop()
    return [decode_line(content, policy, line.removesuffix(b"\r"), at) for at, line in enumerate(pieces, start=number)]


def decode_line(content: Content, policy: ReadingConfig, line: bytes, number: int) -> Line:
    """One line, or why it cannot be used."""
    if len(line) > policy.longest_line:
        return flaw_of("line_too_long", line, policy)
    if b"\0" in line:
        return flaw_of("nul", line, policy)
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        if policy.undecodable == "replace":
            return line.decode(errors="replace")
        if policy.undecodable == "reject":
            return flaw_of("undecodable", line, policy)
        place = f"byte {error.start + 1} of line {number:,} is 0x{line[error.start]:02x}"
        cause = f"{place}: saved in another encoding? corpus.reading.undecodable says what to do"
        raise InputError(content.file.parameter, content.file.location, "a file in UTF-8", cause) from error


def flaw_of(reason: str, line: bytes, policy: ReadingConfig) -> Flaw:
    """A line that cannot be used, of which the same is shown however much of it was read."""
    return Flaw(reason, line[: min(SHOWN, policy.longest_line)].decode(errors="replace"), line.count(b'"'))
