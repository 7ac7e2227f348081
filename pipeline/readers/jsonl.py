"""JSON objects, one a line."""

import json
from itertools import chain, islice
from typing import Any, Final

from pipeline.errors import InputError
from pipeline.reading.lines import Line, lines_of
from pipeline.reading.opening import opened
from pipeline.reading.parts import BLOCK, SHOWN, Blocks, Part
from pipeline.records import SentencePair, Unreadable

SCAN: Final[Any] = vars(json.JSONDecoder())["scan_once"]  # `json.loads` without its search for blanks: half the time


def read(part: Part) -> Blocks:
    """The values of two keys of every object; raises `InputError` where a line has none and that is an error."""
    keys = part.source.source, part.source.target
    paths = keys[0].split("."), keys[1].split(".")
    with opened(part.files[0]) as content:
        lines = chain.from_iterable(lines_of(content, part.policy))
        number = 1
        while block := list(islice(lines, BLOCK)):
            yield [pair_of(part, line, keys, paths, at) for at, line in enumerate(block, start=number)]
            number += len(block)


def pair_of(
    part: Part, line: Line, keys: tuple[str, str], paths: tuple[list[str], list[str]], number: int
) -> SentencePair | Unreadable:
    """The pair of one line, or why there is none."""
    if not isinstance(line, str):
        return Unreadable(line.reason, line.text, "")
    try:
        record = parse(line)
        source, target = value_at(record, keys[0], paths[0]), value_at(record, keys[1], paths[1])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if part.policy.malformed == "error":
            raise malformed(part, keys, number) from error
        return Unreadable("malformed", line[:SHOWN], "")
    if "\\u" in line:  # an escape can spell what the bytes of a line cannot
        text = source + target
        if "\0" in text:
            return Unreadable("nul", source[:SHOWN], target[:SHOWN])
        if not text.isascii() and not is_unicode(text):
            return Unreadable("malformed", line[:SHOWN], "")
    return SentencePair(source, target)


def parse(line: str) -> Any:
    """The value that a line spells; raises `ValueError` if it is no JSON."""
    try:
        value, end = SCAN(line, 0)
    except StopIteration:
        end = None
    # Blanks around a value are rare enough to parse it twice, and then errors are told well.
    return value if end == len(line) else json.loads(line)


def value_at(record: Any, key: str, path: list[str]) -> str:
    """The text at a key, or at the end of a path of keys; raises `KeyError` or `TypeError` if there is no text."""
    if key in record:
        value = record[key]
    else:
        value = record
        for step in path:
            value = value[step]
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value


def is_unicode(text: str) -> bool:
    """Whether the text has no half of a surrogate pair, which no encoding can write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def malformed(part: Part, keys: tuple[str, str], number: int) -> InputError:
    """Says which line is wrong."""
    file = part.files[0]
    allowed = f"a JSON object with text at {keys[0]} and {keys[1]} in every line"
    cause = f"line {number:,} is none; corpus.reading.malformed says what to do"
    return InputError(file.parameter, file.location, allowed, cause)
