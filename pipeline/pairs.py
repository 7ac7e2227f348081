"""Sentence pairs in Parquet files, one row a pair, readable with DuckDB or pandas.

Columns are `source` and `target`, after cleaning also `origin`, and for rejected pairs `reason`. A row group holds a
block of pairs, which is what one Beam element reads.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.records import SentencePair
from pipeline.storage import partial_of

BLOCK = 4096  # pairs in a row group
BLOCK_BYTES = 1 << 26  # of a row group, from which on fewer pairs are in one; only frames take as much
# 64-bit offsets, as a shard may hold more than 2 GiB of text.
SCHEMA = pa.schema([("source", pa.large_string()), ("target", pa.large_string())])
NAMES = pa.dictionary(pa.int32(), pa.string())
CLEAN_SCHEMA = pa.schema([*SCHEMA, ("origin", NAMES)])
REJECT_SCHEMA = pa.schema([("reason", NAMES), *CLEAN_SCHEMA])
UNREADABLE_SCHEMA = pa.schema([("reason", NAMES), *SCHEMA])


@contextmanager
def open_writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A Parquet file that appears when the `with` block ends well, or not at all."""
    with partial_of(path) as partial:
        # Sentences hardly repeat, so a dictionary of them would cost time and save nothing.
        repeated = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        with pq.ParquetWriter(partial, schema, compression="zstd", use_dictionary=repeated) as writer:
            yield writer
        partial.replace(path)


class TableWriter:
    """Writes rows to a Parquet file as they come, a row group a block.

    >>> with TableWriter(Path("pairs.parquet"), SCHEMA) as writer:  # doctest: +SKIP
    ...     writer.add(["Light rain."], ["Pluie faible."])
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema = schema
        self.rows = 0
        self._open = open_writer(path, schema)
        self._columns: list[list[str]] = [[] for _ in schema]
        self._characters = 0

    def __enter__(self) -> Self:
        self._writer = self._open.__enter__()
        return self

    def add(self, *columns: list[str]) -> None:
        """Adds rows, given as the schema's columns."""
        for column, more in zip(self._columns, columns, strict=True):
            column.extend(more)
            self._characters += sum(map(len, more))
        if self._characters >= BLOCK_BYTES:
            self._write(self._columns)
            self._columns = [[] for _ in self.schema]
        while len(self._columns[0]) >= BLOCK:
            self._write([column[:BLOCK] for column in self._columns])
            self._columns = [column[BLOCK:] for column in self._columns]

    def _write(self, columns: list[list[str]]) -> None:
        arrays = [
            pa.array(column, pa.string()).cast(field.type) for column, field in zip(columns, self.schema, strict=True)
        ]
        table = pa.table(arrays, schema=self.schema)
        self._writer.write_table(table, row_group_size=block_of(table))
        self._characters = 0
        self.rows += table.num_rows

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._columns[0]:
            self._write(self._columns)
        self._open.__exit__(kind, error, trace)


def write_pairs(path: Path, pairs: Iterable[SentencePair], origin: str = "") -> int:
    """Writes pairs in their order, all of one origin or of none, and returns how many there were."""
    remaining = iter(pairs)
    with TableWriter(path, CLEAN_SCHEMA if origin else SCHEMA) as writer:
        while block := list(islice(remaining, BLOCK)):
            origins = [[origin] * len(block)] if origin else []
            writer.add([pair.source for pair in block], [pair.target for pair in block], *origins)
    return writer.rows


def write_table(path: Path, table: pa.Table) -> None:
    """Writes a whole table, a row group a block."""
    with open_writer(path, table.schema) as writer:
        writer.write_table(table, row_group_size=block_of(table))


def block_of(table: pa.Table) -> int:
    """How many of a table's rows go into a row group."""
    return max(1, min(BLOCK, BLOCK_BYTES * len(table) // max(1, int(table.nbytes))))


def read_pairs(path: Path) -> Iterator[SentencePair]:
    """The pairs of a file, block by block, in order."""
    for block in range(count_blocks(path)):
        yield from read_block(path, block)


def read_block(path: Path, block: int) -> list[SentencePair]:
    """The pairs of one block of a file."""
    found = path.stat()
    return pairs_in(opened(path, found.st_size, found.st_mtime_ns), block)


def pairs_in(file: pq.ParquetFile, block: int) -> list[SentencePair]:
    """The same of a file that is open."""
    table = file.read_row_group(block, columns=SCHEMA.names)
    return list(map(SentencePair, *(table[side].to_pylist() for side in SCHEMA.names)))


def read_tables(path: Path, blocks: int) -> Iterator[pa.Table]:
    """The rows of a file in order, so many blocks at a time."""
    with pq.ParquetFile(path) as file:
        for start in range(0, file.num_row_groups, blocks):
            yield file.read_row_groups(range(start, min(start + blocks, file.num_row_groups)))


@lru_cache(maxsize=8)
def opened(path: Path, size: int, changed: int) -> pq.ParquetFile:
    """A file to read blocks of: its footer, which grows with their number, is read once and not for each of them."""
    return pq.ParquetFile(path)


def count_blocks(path: Path) -> int:
    """How many blocks a file has, from its footer."""
    return int(pq.read_metadata(path).num_row_groups)


def count_pairs(path: Path) -> int:
    """How many pairs a file holds, from its footer."""
    return int(pq.read_metadata(path).num_rows)


def count_values(path: Path, column: str) -> dict[str, int]:
    """How many rows of a file have each value in a column."""
    counts = pq.read_table(path, columns=[column])[column].value_counts().to_pylist()
    return {entry["values"]: entry["counts"] for entry in counts}
