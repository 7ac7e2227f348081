"""Parquet files with frames of numbers in one column and text in another."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError
from pipeline.readers import parquet
from pipeline.reading.parts import SHOWN, Block, Blocks, Part
from pipeline.records import SentencePair, Unreadable

ROWS: Final = 64  # at a time: a second of speech may take as much room as a page of text
ALLOWED: Final = {
    "malformed": ("a value in both columns", "it is null"),
    "no_frames": ("at least one frame", "the sequence is empty"),
    "frame_size": ("frames of corpus.frame_size {size} numbers", "they have others"),
    "not_finite": ("numbers", "one is infinite or none at all"),
}
Sequence = npt.NDArray[np.float32] | str  # frames [S, F], or the reason why there are none


def read(part: Part) -> Blocks:
    """The two columns, some rows at a time, the frames as text.

    Raises:
        InputError: no Parquet, it has no such columns, or a value is not usable and that is an error.
    """
    source, target = part.source.source, part.source.target
    with parquet.opened(part) as table:
        kind = parquet.kind_of(part, f"{part.name}.source", table.schema_arrow, source)
        if not is_of_numbers(kind):
            cause = f"{part.location}: it holds {kind}"
            raise InputError(f"{part.name}.source", source, "a column of lists of lists of numbers", cause)
        parquet.check_column(part, f"{part.name}.target", table.schema_arrow, target)
        row = 1
        for batch in table.iter_batches(ROWS, columns=[source, target], use_threads=False):
            sequences = sequences_of(parquet.column_at(batch, source), part.frame_size)
            targets = parquet.values_of(parquet.column_at(batch, target))
            yield pairs_of(part, sequences, targets, row)
            row += len(targets)


def is_of_numbers(kind: Any) -> bool:
    """Whether a column holds lists of numbers, or lists of such lists."""
    import pyarrow as pa

    depth = 0
    while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind, depth = kind.value_type, depth + 1
    return depth in (1, 2) and (pa.types.is_floating(kind) or pa.types.is_integer(kind))


def sequences_of(column: Any, size: int) -> Iterator[Sequence]:
    """The frames of each row; a list of numbers alone is frames one after the other."""
    import pyarrow as pa
    import pyarrow.compute as pc

    flat = pa.large_list(pa.float32())
    if pa.types.is_primitive(column.type.value_type):
        rows = column.cast(flat, safe=False)
        ends = ends_of(rows)
        places, is_frame = np.arange(ends[-1] + 1), np.ones(ends[-1], bool)
    else:
        sequences = column.cast(pa.large_list(flat), safe=False)
        ends, rows = ends_of(sequences), sequences.flatten()
        places = ends_of(rows)
        is_frame = pc.fill_null(rows.value_lengths(), 0).to_numpy(zero_copy_only=False) == size
    numbers = rows.flatten().to_numpy(zero_copy_only=False)  # null among them is NaN
    for is_there, start, end in zip(column.is_valid().to_pylist(), ends[:-1], ends[1:], strict=True):
        values = numbers[places[start] : places[end]]
        if not is_there:
            yield "malformed"
        elif start == end:
            yield "no_frames"
        elif not is_frame[start:end].all() or len(values) % size:
            yield "frame_size"
        else:
            yield values.reshape(-1, size) if np.isfinite(values).all() else "not_finite"


def ends_of(lists: Any) -> npt.NDArray[np.int64]:
    """Where each list begins among the values of all of them, and where the last one ends; null holds none."""
    import pyarrow.compute as pc

    lengths = pc.fill_null(lists.value_lengths(), 0).to_numpy(zero_copy_only=False)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def pairs_of(part: Part, sequences: Iterator[Sequence], targets: parquet.Values, first_row: int) -> Block:
    """Pairs of frames and text, or why there is none."""
    from pipeline.frames import to_text

    block: Block = []
    for row, (sequence, target) in enumerate(zip(sequences, targets, strict=True), start=first_row):
        checked = parquet.pair_of(part, "", target, row)
        if isinstance(checked, Unreadable):
            block.append(checked)
        elif not isinstance(sequence, str):
            block.append(SentencePair(to_text(sequence), checked.target))
        elif part.policy.malformed == "error":
            allowed, what = ALLOWED[sequence]
            raise parquet.unusable(part, row, allowed.format(size=part.frame_size), what, "malformed")
        else:
            block.append(Unreadable(sequence, "", checked.target[:SHOWN]))
    return block
