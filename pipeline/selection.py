"""From judged pairs to the pairs of one shard: order, duplicates, held-out sentences.

Everything is decided by content: a pair's 128-bit hash names its shard and its place there, and of equal pairs the one
from the earliest source stays. So the same pairs give the same shards, however they were spread over files, blocks
and workers. Columns are Arrow's, because a block holds thousands of pairs and a shard hundreds of thousands.

Letters: N pairs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.cleaning import CleanConfig
from pipeline.holdout import HeldOut
from pipeline.keys import loose_key, loose_side_hash, pair_key, side_digest
from pipeline.pairs import CLEAN_SCHEMA, NAMES, REJECT_SCHEMA
from pipeline.records import SentencePair, Verdict

KEY_BYTES = 16
KEY = pa.binary(KEY_BYTES)
JUDGED_SCHEMA = pa.schema(
    [
        ("key", KEY),  # of the exact text: the place in the shard
        ("same", KEY),  # equal for pairs that count as duplicates
        ("source_side", pa.uint64()),  # equal for sources that count as the same sentence
        ("target_side", pa.uint64()),
        ("rank", pa.int16()),  # of the pair's origin: the lowest wins among duplicates
        ("reason", pa.string()),  # to reject the pair, or ""
        ("source", pa.large_string()),
        ("target", pa.large_string()),
    ]
)
Booleans = npt.NDArray[np.bool_]
Ints = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a shard of older generations holds: the `same` keys of its pairs, and each pair's `source_side`."""

    keys: pa.Array
    source_sides: npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Selected:
    """A shard's pairs in their order (`CLEAN_SCHEMA`), those rejected (`REJECT_SCHEMA`), and what `Earlier` needs."""

    kept: pa.Table
    rejected: pa.Table
    keys: npt.NDArray[np.uint8]  # [N, 16]
    source_sides: npt.NDArray[np.uint64]  # [N]


def judged_rows(config: CleanConfig, pairs: Sequence[SentencePair], verdicts: Sequence[Verdict], rank: int) -> pa.Table:
    """The rows of a block. A rejected pair is kept as it was read, so that people see what was wrong with it."""
    shown = [pair if verdict.reason else verdict.pair for pair, verdict in zip(pairs, verdicts, strict=True)]
    keys = [pair_key(pair) for pair in shown]
    is_loose = config.deduplicate == "loose"
    columns = [
        keys,
        [loose_key(pair) for pair in shown] if is_loose else keys,
        side_hashes([pair.source for pair in shown]),
        side_hashes([pair.target for pair in shown]),
        np.full(len(shown), rank, np.int16),
        [verdict.reason or "" for verdict in verdicts],
        [pair.source for pair in shown],
        [pair.target for pair in shown],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, JUDGED_SCHEMA, strict=True)]
    return pa.table(arrays, schema=JUDGED_SCHEMA)


def side_hashes(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
    """`side_hash` of many texts, `[N]`."""
    return np.frombuffer(b"".join(map(side_digest, texts)), ">u8").astype(np.uint64)


def by_shard(config: CleanConfig, rows: pa.Table) -> Iterable[tuple[int, pa.Table]]:
    """The rows of each shard. Where a source may have a few targets only, all of its pairs must meet in one."""
    if config.max_targets_per_source:  # loose duplicates have sources that are the same when read loosely
        meeting = [loose_side_hash(source) for source in rows["source"].to_pylist()]
        shards = np.array(meeting, np.uint64) % np.uint64(config.shards)
    else:
        shards = remainders(rows["same"], config.shards)
    order = np.argsort(shards, kind="stable")
    bounds = np.searchsorted(shards[order], np.arange(config.shards + 1))
    for shard, (start, end) in enumerate(pairwise(bounds)):
        if start < end:
            yield shard, rows.take(order[start:end])


def select(
    config: CleanConfig, rows: pa.Table, held_out: HeldOut, earlier: Earlier, origins: Sequence[str]
) -> Selected:
    """Decides which of a shard's rows stay.

    Args:
        config: which pairs count as duplicates, and how many targets a source may have.
        rows: all judged rows that fell into the shard, in any order.
        held_out: what training pairs must not share a side with.
        earlier: what older generations hold in this shard.
        origins: names of the origins by rank.
    """
    high, low = halves(rows["key"])
    same_high, same_low = halves(rows["same"])
    reasons = rows["reason"].to_numpy(zero_copy_only=False).astype(object)
    ranks = rows["rank"].to_numpy()
    reject(reasons, in_either(rows, held_out), "held_out")
    # All copies of a pair in a row, the one to keep first; of pairs that differ in their spelling the smallest hash.
    order = np.lexsort((low, high, ranks, reasons != "", same_low, same_high))
    is_copy = np.zeros(len(order), bool)
    is_copy[1:] = (np.diff(same_high[order]) == 0) & (np.diff(same_low[order]) == 0)
    reject(reasons, order[is_copy], "duplicate")
    reject(reasons, pc.is_in(rows["same"], value_set=earlier.keys).to_numpy(), "earlier_duplicate")
    sides = rows["source_side"].to_numpy()
    if config.max_targets_per_source:
        places = np.lexsort((low, high, ranks))
        places = places[reasons[places] == ""]
        taken = numbered(sides[places]) + counts_in(earlier.source_sides, sides[places])
        reject(reasons, places[taken >= config.max_targets_per_source], "too_many_targets")
    names = pa.array(list(origins), pa.string())
    shown = rows.select(["source", "target"]).append_column(
        "origin", pa.DictionaryArray.from_arrays(pa.array(ranks, pa.int32()), names)
    )
    place = np.lexsort((low, high))
    place = place[reasons[place] == ""]
    rejects = np.lexsort((ranks, low, high, reasons.astype(str)))
    rejects = rejects[reasons[rejects] != ""]
    why = pa.array(reasons[rejects], pa.string()).cast(NAMES)
    kept = rows.take(place)
    return Selected(
        kept=shown.take(place).cast(CLEAN_SCHEMA),
        rejected=shown.take(rejects).add_column(0, "reason", why).cast(REJECT_SCHEMA),
        keys=bytes_of(kept["same"]),
        source_sides=sides[place],
    )


def smallest(number: int, parts: Sequence[pa.Table]) -> pa.Table:
    """The distinct pairs with the smallest content hashes among rows that were not rejected, in their order."""
    rows = pa.concat_tables(parts)
    rows = rows.filter(pc.equal(rows["reason"], ""))
    high, low = halves(rows["key"])
    order = np.lexsort((rows["rank"].to_numpy(), low, high))
    is_first = np.ones(len(order), bool)
    is_first[1:] = (np.diff(high[order]) != 0) | (np.diff(low[order]) != 0)
    return rows.take(order[is_first][:number])


def below(share: float, rows: pa.Table) -> pa.Table:
    """The rows whose content hashes are in the lowest share of all there can be."""
    high, _ = halves(rows["key"])
    return rows.filter(pa.array(high < share * 2.0**64)) if share < 1 else rows


def packed(rows: pa.Table) -> bytes:
    """Rows as bytes, for the way from one worker to another."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
        stream.write_table(rows.combine_chunks())
    return bytes(sink.getvalue())


def unpacked(data: bytes) -> pa.Table:
    """The rows that `packed` made bytes of."""
    return pa.ipc.open_stream(data).read_all()


def reject(reasons: npt.NDArray[np.object_], rows: Ints | Booleans, reason: str) -> None:
    """Gives the rows a reason, except for those that have one."""
    chosen = np.zeros(len(reasons), bool)
    chosen[rows] = True
    reasons[chosen & (reasons == "")] = reason


def in_either(rows: pa.Table, held_out: HeldOut) -> Booleans:
    """Which rows share a side with a held-out pair."""
    found = np.zeros(len(rows), bool)
    for column, held in (("source_side", held_out.sources), ("target_side", held_out.targets)):
        found |= np.isin(rows[column].to_numpy(), np.fromiter(held, np.uint64, len(held)))
    return found


def numbered(values: Ints) -> Ints:
    """How many equal values come before each.

    >>> numbered(np.array([7, 8, 7, 7, 8])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(values) else order
    lengths = np.diff(np.append(starts, len(values)))
    places = np.empty(len(values), np.int64)
    places[order] = np.arange(len(values)) - np.repeat(starts, lengths)
    return places


def counts_in(held: Ints, values: Ints) -> Ints:
    """How often each value is among those held.

    >>> counts_in(np.array([8, 7, 8]), np.array([7, 8, 9])).tolist()
    [1, 2, 0]
    """
    ordered = np.sort(held)
    return np.searchsorted(ordered, values, side="right") - np.searchsorted(ordered, values, side="left")


def bytes_of(keys: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    """Keys as rows of bytes, `[N, 16]`."""
    array = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
    if not len(array):
        return np.zeros((0, KEY_BYTES), np.uint8)
    held = np.frombuffer(array.buffers()[1], np.uint8)
    return held.reshape(-1, KEY_BYTES)[array.offset : array.offset + len(array)]


def keys_of(rows: npt.NDArray[np.uint8]) -> pa.Array:
    """Rows of bytes as keys."""
    return pa.FixedSizeBinaryArray.from_buffers(KEY, len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows))])


def halves(keys: pa.ChunkedArray) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """The upper and the lower 64 bits of each key, which sort as the keys do."""
    words = bytes_of(keys).view(">u8").astype(np.uint64)
    return words[:, 0], words[:, 1]


def remainders(keys: pa.ChunkedArray, divisor: int) -> Ints:
    """The keys, as whole numbers, modulo a divisor of at most 4096."""
    high, low = halves(keys)
    by = np.uint64(divisor)
    return ((high % by) * np.uint64(2**64 % divisor) + low % by) % by
