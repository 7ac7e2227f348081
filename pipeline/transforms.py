"""Beam twins of the pure functions: they wire blocks of pairs through them and decide nothing themselves.

One Beam element is a block of some thousands of pairs. Inside a block plain functions look at a pair at a time, which
costs a fifth of what Beam's own bookkeeping would cost for each pair. Between workers blocks travel as Arrow's bytes.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from pipeline.cleaning import CleanConfig, FrameJudge, Judge
from pipeline.examples import ShardWriter
from pipeline.frames import from_column
from pipeline.holdout import HeldOut, hold_out
from pipeline.manifest import write_atomically
from pipeline.normalization import Normalizer
from pipeline.pairs import pairs_in, read_block, read_tables, write_pairs, write_table
from pipeline.records import SentencePair
from pipeline.running.counters import count
from pipeline.selection import (
    JUDGED_SCHEMA,
    KEY_BYTES,
    Earlier,
    below,
    by_shard,
    judged_rows,
    keys_of,
    packed,
    select,
    smallest,
    unpacked,
)
from pipeline.vocabularies import Vocabularies
from pipeline.worker_files import CLOUD, in_parts, reading, writing

Block = tuple[str, int, int]  # a Parquet file, the number of a row group in it, the rank of its origin
ShardRows = tuple[int, bytes]  # a shard's number, packed rows for it

HELD_OUT = "held_out"  # the origin of the sets that are scored
CANDIDATES = "candidates"
CANDIDATES_PER_PLACE = 20  # how many pairs are looked at for each place in a held-out set, as some share a side
NO_KEYS = np.zeros((0, KEY_BYTES), np.uint8)
NO_SIDES = np.zeros(0, np.uint64)
BLOCKS_ENCODED_AT_ONCE = 16  # as the more text there is at once, the fewer of its words are new
SPARE_CANDIDATES = 8  # times as many are looked at, as some are rejected
MERGE_BEYOND = 4  # times as many rows as are wanted are gathered before the smallest of them are looked for


class JudgeBlock(beam.DoFn):
    """Judges a block's pairs and sends each to the shard that its content hash names.

    Args:
        config: the rules.
        languages: labels of both sides.
        candidates: how many pairs with small hashes are wanted for the held-out sets as well.
        pairs: how many the whole job judges.
        frame_size: numbers of a frame, 0 where sources are text.
    """

    def __init__(
        self, config: CleanConfig, languages: tuple[str, str], candidates: int, pairs: int, frame_size: int
    ) -> None:
        self.config = config
        self.languages = languages
        self.candidates = candidates
        self.frame_size = frame_size
        # Hashes are spread evenly, so that those above this share of them are never among the wanted ones, unless
        # most pairs are rejected; and a choice among fewer candidates is still one by content.
        self.share = min(1.0, SPARE_CANDIDATES * candidates / pairs)

    def setup(self) -> None:
        """Loads what the rules need once a worker."""
        self.judge = (
            FrameJudge(self.config, self.languages, self.frame_size)
            if self.frame_size
            else Judge(self.config, self.languages)
        )

    def process(self, block: Block) -> Iterator[Any]:
        """Judges one block."""
        path, number, rank = block
        pairs = pairs_in(opened(path), number) if path.startswith(CLOUD) else read_block(Path(path), number)
        rows = judged_rows(self.config, pairs, self.judge(pairs), rank)
        if self.candidates:
            yield TaggedOutput(CANDIDATES, packed(smallest(self.candidates, [below(self.share, rows)])))
        for shard, part in by_shard(self.config, rows):
            yield shard, packed(part)
        count("pairs", len(pairs))


class HoldOut(beam.PTransform):
    """Makes the missing held-out sets of the pairs with the smallest content hashes.

    Args:
        config: sizes of the sets.
        given: the sets that the corpus brings, by name; without "dev" or "test" that one is held out.
    """

    def __init__(self, config: CleanConfig, given: Mapping[str, list[SentencePair]]) -> None:
        super().__init__()
        self.config = config
        self.given = given

    @property
    def candidates(self) -> int:
        """How many pairs are looked at."""
        return CANDIDATES_PER_PLACE * sum(self.wanted)

    @property
    def wanted(self) -> tuple[int, int]:
        """How many pairs are missing for dev and test."""
        sizes = self.config.hold_out
        return 0 if "dev" in self.given else sizes.dev, 0 if "test" in self.given else sizes.test

    def expand(self, candidates: PCollection[bytes]) -> PCollection[HeldOut]:
        return (
            candidates
            | "keep the smallest" >> beam.CombineGlobally(Smallest(self.candidates))
            | "choose the held-out sets" >> beam.Map(self.choose)
        )

    def choose(self, candidates: bytes) -> HeldOut:
        """The given sets, and new ones where none is given."""
        rows = unpacked(candidates)
        pairs = map(SentencePair, rows["source"].to_pylist(), rows["target"].to_pylist())
        dev, test = hold_out(pairs, *self.wanted, chain.from_iterable(self.given.values()))
        return HeldOut.of({"dev": dev, "test": test} | dict(self.given), Normalizer(self.config.normalize))


class Smallest(beam.CombineFn):
    """The pairs with the smallest content hashes, as packed rows."""

    def __init__(self, number: int) -> None:
        self.number = number

    def create_accumulator(self) -> list[pa.Table]:
        """No rows."""
        return []

    def add_input(self, gathered: list[pa.Table], rows: bytes) -> list[pa.Table]:
        """Adds the rows of a block."""
        return self.merge_accumulators([gathered, [unpacked(rows)]])

    def merge_accumulators(self, parts: Iterable[list[pa.Table]]) -> list[pa.Table]:
        """Joins rows, and drops the larger ones now and then."""
        gathered = [table for part in parts for table in part]
        if sum(map(len, gathered)) > MERGE_BEYOND * self.number:
            return [smallest(self.number, gathered)]
        return gathered

    def extract_output(self, gathered: list[pa.Table]) -> bytes:
        """The smallest of all."""
        return packed(smallest(self.number, gathered or [JUDGED_SCHEMA.empty_table()]))


class WriteCleanShards(beam.PTransform):
    """The one shuffle: groups pairs by shard, then sorts, deduplicates, decontaminates and writes each shard.

    Args:
        config: what counts as a duplicate, and the number of shards.
        folder: where they go, as workers call it; see `exchange`.
        held_out: what must not be trained on.
        origins: names of the origins by rank.
        earlier: folders of the generations before, likewise.
    """

    def __init__(
        self,
        config: CleanConfig,
        folder: str,
        held_out: PCollection[HeldOut],
        origins: Sequence[str],
        earlier: Sequence[str],
    ) -> None:
        super().__init__()
        self.config = config
        self.folder = folder
        self.held_out = held_out
        self.origins = list(origins)
        self.earlier = list(earlier)

    def expand(self, judged: PCollection[ShardRows]) -> PCollection[int]:
        # A shard that no pair falls into must still be written, so every number goes in with no pairs.
        nothing = packed(JUDGED_SCHEMA.empty_table())
        numbered = beam.Create([(shard, nothing) for shard in range(self.config.shards)])
        numbers = judged.pipeline | "number shards" >> numbered.with_output_types(ShardRows)
        return (
            (judged, numbers)
            | "join numbers and pairs" >> beam.Flatten()
            | "group pairs by shard" >> beam.GroupByKey()
            | "write clean shards" >> beam.Map(self.write, AsSingleton(self.held_out))
        )

    def write(self, grouped: tuple[int, Iterable[bytes]], held_out: HeldOut) -> int:
        """Writes the pairs of one shard in the order of their hashes, and beside them those that were rejected."""
        shard, parts = grouped
        rows = pa.concat_tables([unpacked(part) for part in parts])
        earlier = read_earlier(self.earlier, shard, self.config)
        selected = select(self.config, rows, held_out, earlier, self.origins)
        name = shard_name(shard, self.config.shards)
        for kind, table in (("train", selected.kept), ("rejects", selected.rejected)):
            with writing(f"{self.folder}/{kind}/{name}.parquet") as path:
                write_table(path, table)
        write_array(f"{self.folder}/keys/{name}.npy", selected.keys)
        if counts_targets(self.config):
            write_array(f"{self.folder}/keys/{name}.sources.npy", selected.source_sides)
        count("kept", len(selected.kept))
        for entry in selected.rejected["reason"].value_counts().to_pylist():
            count(f"rejected.{entry['values']}", entry["counts"])
        count("written", len(rows))
        return shard


class WriteHeldOut(beam.PTransform):
    """Writes the held-out sets into a folder."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def expand(self, held_out: PCollection[HeldOut]) -> PCollection[None]:
        return held_out | "write held-out sets" >> beam.Map(write_held_out, self.folder)


class EncodeShard(beam.DoFn):
    """Turns a Parquet file of pairs into a TFRecord shard of token ids, in the same order.

    Args:
        models: those of the vocabularies.
        origins: names of the origins, whose indexes the records hold.
        frame_size: numbers of a frame, 0 where sources are text.
    """

    def __init__(self, models: Mapping[str, bytes], origins: Sequence[str], frame_size: int) -> None:
        self.models = models
        self.frame_size = frame_size
        self.origins = pa.array(list(origins), pa.string())

    def setup(self) -> None:
        """Loads the vocabularies once a worker."""
        self.vocabularies = Vocabularies.of(self.models)

    def process(self, files: tuple[str, str]) -> Iterator[str]:
        """Encodes one file into another."""
        encode_sources = from_column if self.frame_size else self.vocabularies.source.encode_column
        encode_targets = self.vocabularies.target.encode_column
        with reading(files[0]) as file, writing(files[1]) as shard, ShardWriter(shard, self.frame_size) as writer:
            for pairs in read_tables(file, 1 if self.frame_size else BLOCKS_ENCODED_AT_ONCE):
                sources = encode_sources(pairs["source"].combine_chunks())
                targets = encode_targets(pairs["target"].combine_chunks())
                origins = pc.index_in(pairs["origin"].cast(pa.string()), value_set=self.origins)
                if origins.null_count:
                    raise RuntimeError(f"{files[0]} has pairs of origins that are not among {self.origins.to_pylist()}")
                writer.write(sources, targets, origins.combine_chunks())
                count("pairs", len(pairs))
                count("tokens", len(sources.flatten()) + len(targets.flatten()))
        yield files[1]


def shard_name(shard: int, shards: int) -> str:
    """The name of a shard's files, without their suffix."""
    return f"part-{shard:05}-of-{shards:05}"


@lru_cache(maxsize=8)
def opened(location: str) -> pq.ParquetFile:
    """A file in the cloud, whose footer is fetched once and not for each of its blocks."""
    return pq.ParquetFile(in_parts(location))


def read_earlier(folders: Sequence[str], shard: int, config: CleanConfig) -> Earlier:
    """What a shard of older generations holds."""
    name = shard_name(shard, config.shards)
    keys = [read_array(f"{folder}/keys/{name}.npy") for folder in folders]
    counted = folders if counts_targets(config) else []
    sides = [read_array(f"{folder}/keys/{name}.sources.npy") for folder in counted]
    return Earlier(keys_of(np.concatenate([NO_KEYS, *keys])), np.concatenate([NO_SIDES, *sides]))


def counts_targets(config: CleanConfig) -> bool:
    """Whether later generations need to know how many targets a source has."""
    return config.max_targets_per_source > 0


def write_array(location: str, array: npt.NDArray[Any]) -> None:
    """Writes a NumPy array, whole or not at all."""
    data = io.BytesIO()
    np.save(data, array)
    with writing(location) as path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data.getvalue())


def read_array(location: str) -> npt.NDArray[Any]:
    """Reads a NumPy array."""
    with reading(location) as path:
        array: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def write_held_out(held_out: HeldOut, folder: str) -> None:
    """Writes the sets beside the training pairs."""
    for name, pairs in held_out.sets.items():
        with writing(f"{folder}/{name}.parquet") as path:
            write_pairs(path, pairs, HELD_OUT)
