"""Tables: TSV, CSV or any other sign between the columns."""

from collections.abc import Iterator
from itertools import chain, islice

from pipeline.errors import InputError
from pipeline.readers.quoted import quoted_rows
from pipeline.reading.lines import Flaw, Line, lines_of
from pipeline.reading.opening import Content, opened, plain_name
from pipeline.reading.pairing import has_flaw, pair_up
from pipeline.reading.parts import BLOCK, SHOWN, Block, Blocks, Part
from pipeline.reading.source_kinds import TableSource
from pipeline.records import SentencePair, Unreadable

Row = list[str] | Unreadable


def read(part: Part) -> Blocks:
    """The two columns of every row.

    Raises:
        InputError: the header does not name the columns, or a row that is too short is an error.
    """
    source: TableSource = part.source
    file = part.files[0]
    delimiter, is_quoted = form_of(source, file.location)
    with opened(file) as content:
        blocks = lines_of(content, part.policy)
        if is_quoted:
            rows = quoted_rows(content, chain.from_iterable(blocks), delimiter, part.policy)
        else:
            rows = chain.from_iterable(plain_rows(lines, delimiter) for lines in blocks)
        columns = columns_of(content, source, rows)
        first_row = 1 if isinstance(source.source, int) else 2
        while block := list(islice(rows, BLOCK)):
            yield pairs_of(part, block, columns, first_row)
            first_row += len(block)


def form_of(source: TableSource, location: str) -> tuple[str, bool]:
    """The sign between the columns, and whether cells may be quoted."""
    delimiter = source.delimiter or ("," if plain_name(location).suffix.lower() == ".csv" else "\t")
    return delimiter, delimiter != "\t" if source.quoted is None else source.quoted


def plain_rows(lines: list[Line], delimiter: str) -> list[Row]:
    """The cells of every line; a quote is a sign like any other."""
    if has_flaw(lines):
        return [line.split(delimiter) if isinstance(line, str) else unusable(line) for line in lines]
    return [line.split(delimiter) for line in lines]  # type: ignore[union-attr] # all of them are text


def unusable(line: Flaw) -> Unreadable:
    """A record of which only a line is known, which has both sides in it."""
    return Unreadable(line.reason, line.text, "")


def columns_of(content: Content, source: TableSource, rows: Iterator[Row]) -> tuple[int, int]:
    """Places of the two columns, from 0; reads the header where they are named."""
    if isinstance(source.source, int) and isinstance(source.target, int):
        return source.source - 1, source.target - 1
    header = next(rows, [])
    if isinstance(header, Unreadable):
        raise InputError(content.file.parameter, content.file.location, "a header that can be read", header.reason)
    places = []
    for side in ("source", "target"):
        column = str(getattr(source, side))
        if header.count(column) != 1:
            names = ", ".join(header)
            cause = "it stands there twice" if column in header else "columns without a header are numbered from 1"
            parameter = f"{content.file.parameter.rpartition('.')[0]}.{side}"
            raise InputError(
                parameter, column, f"one of the columns {names[:SHOWN]}", f"{content.file.location}: {cause}"
            )
        places.append(header.index(column))
    return places[0], places[1]


def pairs_of(part: Part, rows: list[Row], columns: tuple[int, int], first_row: int) -> Block:
    """Pairs of the cells in two columns."""
    first, second = columns
    try:
        return pair_up([row[first] for row in rows], [row[second] for row in rows])  # type: ignore[index] # see below
    except (IndexError, TypeError):  # a row is too short, or none at all
        return [pair_of(part, row, columns, number) for number, row in enumerate(rows, start=first_row)]


def pair_of(part: Part, row: Row, columns: tuple[int, int], number: int) -> SentencePair | Unreadable:
    """The pair of one row, or why there is none."""
    if isinstance(row, Unreadable):
        if row.reason == "malformed" and part.policy.malformed == "error":
            raise malformed(part, number, row.target or "it does not parse")
        return Unreadable(row.reason, row.source, "")
    if max(columns) < len(row):
        return SentencePair(row[columns[0]], row[columns[1]])
    if part.policy.malformed == "error":
        raise malformed(part, number, f"it has {len(row)}")
    return Unreadable("malformed", "\t".join(row)[:SHOWN], "")


def malformed(part: Part, number: int, cause: str) -> InputError:
    """Says which row is wrong."""
    file = part.files[0]
    source, target = part.source.source, part.source.target
    allowed = f"columns {source} and {target} in every row"
    cause = f"row {number:,}: {cause}; corpus.reading.malformed says what to do"
    return InputError(file.parameter, file.location, allowed, cause)
