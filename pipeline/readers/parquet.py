"""Parquet files: two columns of text, which may lie inside others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import InputError
from pipeline.reading.opening import seekable
from pipeline.reading.pairing import pair_up
from pipeline.reading.parts import BLOCK, SHOWN, Block, Blocks, Part
from pipeline.records import SentencePair, Unreadable

Values = list[Any]  # text, bytes that are not UTF-8, or None


def read(part: Part) -> Blocks:
    """The two columns, a block of rows at a time.

    Raises:
        InputError: no Parquet, it has no such columns of text, or a value is not usable and that is an error.
    """
    columns = [part.source.source, part.source.target]
    with opened(part) as table:
        for side, column in zip(("source", "target"), columns, strict=True):
            check_column(part, f"{part.name}.{side}", table.schema_arrow, column)
        row = 1
        for batch in table.iter_batches(BLOCK, columns=columns, use_threads=False):
            sides = [values_of(column_at(batch, column)) for column in columns]
            yield pairs_of(part, sides[0], sides[1], row)
            row += len(sides[0])


@contextmanager
def opened(part: Part) -> Iterator[Any]:
    """The part's file as a `ParquetFile`; raises `InputError` where it is none or is damaged."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    file = part.files[0]
    with seekable(file) as stored:
        try:
            yield ParquetFile(stored)
        except (pa.ArrowException, OSError) as error:
            cause = str(error).partition("\n")[0]
            raise InputError(file.parameter, file.location, "a Parquet file", cause) from error


def check_column(part: Part, parameter: str, schema: Any, column: str) -> None:
    """Raises `InputError` where there is no such column, or it does not hold text."""
    import pyarrow as pa

    kind = kind_of(part, parameter, schema, column)
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    if not any(is_kind(kind) for is_kind in texts):
        raise InputError(parameter, column, "a column of text", f"{part.location}: it holds {kind}")


def kind_of(part: Part, parameter: str, schema: Any, column: str) -> Any:
    """The type of a column; raises `InputError` where there is no such column."""
    kind = schema.field(column).type if column in schema.names else kind_at(schema, column.split("."))
    if kind is None:
        allowed = f"one of the columns {', '.join(schema.names)[:SHOWN]}"
        raise InputError(parameter, column, allowed, f"{part.location}: it has no such column")
    return kind


def kind_at(schema: Any, path: list[str]) -> Any:
    """The type at the end of a path of columns, None if there is no such path."""
    import pyarrow as pa

    fields = {field.name: field.type for field in schema}
    kind = None
    for step in path:
        kind = fields.get(step)
        if kind is None:
            return None
        fields = {field.name: field.type for field in kind} if pa.types.is_struct(kind) else {}
    return kind


def column_at(batch: Any, column: str) -> Any:
    """The column of that name, or at the end of that path."""
    import pyarrow.compute as pc

    if column in batch.schema.names:
        return batch.column(column)
    outermost, *path = column.split(".")
    return pc.struct_field(batch.column(outermost), path)


def values_of(array: Any) -> Values:
    """The values as text; all of them as bytes where one is not UTF-8."""
    import pyarrow as pa

    try:
        values: Values = array.cast(pa.large_string()).to_pylist()
    except (UnicodeDecodeError, pa.ArrowInvalid):
        values = array.cast(pa.large_binary()).to_pylist()
    return values


def pairs_of(part: Part, sources: Values, targets: Values, first_row: int) -> Block:
    """Pairs of the values of two columns."""
    if {str} == set(map(type, sources)) == set(map(type, targets)):
        longest = max(*map(len, sources), *map(len, targets))
        # A character takes at most four bytes.
        if longest <= part.policy.longest_line // 4 and "\0" not in "".join(sources) and "\0" not in "".join(targets):
            return pair_up(sources, targets)
    rows = enumerate(zip(sources, targets, strict=True), start=first_row)
    return [pair_of(part, source, target, row) for row, (source, target) in rows]


def pair_of(part: Part, source: str | bytes | None, target: str | bytes | None, row: int) -> SentencePair | Unreadable:
    """The pair of two values, or why there is none."""
    shown = text_of(source)[:SHOWN], text_of(target)[:SHOWN]
    if source is None or target is None:
        if part.policy.malformed == "error":
            raise unusable(part, row, "a value in both columns", "it is null", "malformed")
        return Unreadable("malformed", *shown)
    values = [value if isinstance(value, bytes) else value.encode() for value in (source, target)]
    if max(map(len, values)) > part.policy.longest_line:
        return Unreadable("line_too_long", *shown)
    if any(b"\0" in value for value in values):
        return Unreadable("nul", *shown)
    try:
        return SentencePair(values[0].decode(), values[1].decode())
    except UnicodeDecodeError as error:
        if part.policy.undecodable == "reject":
            return Unreadable("undecodable", *shown)
        if part.policy.undecodable == "error":
            place = f"byte {error.start + 1} is 0x{error.object[error.start]:02x}"
            raise unusable(part, row, "text in UTF-8", place, "undecodable") from error
    return SentencePair(text_of(source), text_of(target))


def text_of(value: str | bytes | None) -> str:
    """A value as text whatever it is."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def unusable(part: Part, row: int, allowed: str, what: str, policy: str) -> InputError:
    """Says which row is wrong."""
    file = part.files[0]
    cause = f"row {row:,}: {what}; corpus.reading.{policy} says what to do"
    return InputError(file.parameter, file.location, allowed, cause)
