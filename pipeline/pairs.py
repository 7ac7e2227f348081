"""Sentence pairs in Parquet files: columns `source` and `target`, one row a pair, readable with DuckDB or pandas."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.records import SentencePair

BLOCK = 4096  # pairs in a row group, which is what one Beam element reads
SCHEMA = pa.schema([("source", pa.string()), ("target", pa.string())])
REJECT_SCHEMA = pa.schema([("reason", pa.string()), *SCHEMA])


def write_pairs(path: Path, pairs: Iterable[SentencePair]) -> int:
    """Writes pairs in their order, a row group a block, and returns how many there were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remaining = iter(pairs)
    written = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        while block := list(islice(remaining, BLOCK)):
            columns = [[pair.source for pair in block], [pair.target for pair in block]]
            writer.write_table(pa.table(columns, schema=SCHEMA))
            written += len(block)
    return written


def write_rejects(path: Path, rejects: Iterable[tuple[str, SentencePair]]) -> None:
    """Writes rejected pairs, each with the reason."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"reason": reason, "source": pair.source, "target": pair.target} for reason, pair in rejects]
    pq.write_table(pa.Table.from_pylist(rows, schema=REJECT_SCHEMA), path, compression="zstd")


def read_pairs(path: Path) -> Iterator[SentencePair]:
    """The pairs of a file, block by block, in order."""
    for block in range(count_blocks(path)):
        yield from read_block(path, block)


def read_block(path: Path, block: int) -> list[SentencePair]:
    """The pairs of one block of a file."""
    with pq.ParquetFile(path) as file:
        columns = file.read_row_group(block, columns=SCHEMA.names).to_pydict()
    return list(map(SentencePair, columns["source"], columns["target"]))


def count_blocks(path: Path) -> int:
    """How many blocks a file has, from its footer."""
    return int(pq.read_metadata(path).num_row_groups)


def count_pairs(path: Path) -> int:
    """How many pairs a file holds, from its footer."""
    return int(pq.read_metadata(path).num_rows)


def count_reasons(path: Path) -> dict[str, int]:
    """How many rejected pairs a file holds for each reason."""
    counts = pq.read_table(path, columns=["reason"])["reason"].value_counts().to_pylist()
    return {entry["values"]: entry["counts"] for entry in counts}
