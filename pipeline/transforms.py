"""Beam twins of the pure functions: they wire blocks of pairs through them and decide nothing themselves.

One Beam element is a block of some thousands of pairs. Inside a block plain functions look at a pair at a time, which
costs a fifth of what Beam's own bookkeeping would cost for each pair.
"""

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsSingleton, PCollection
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline import examples, statistics
from pipeline.cleaning import CleanConfig, judge
from pipeline.holdout import HeldOut, hold_out
from pipeline.keys import pair_key
from pipeline.pairs import read_block, read_pairs, write_pairs, write_rejects
from pipeline.quiet import tensorflow_quietly
from pipeline.records import SentencePair
from pipeline.vocabulary import Vocabulary

Block = tuple[str, int]  # a Parquet file and the number of a row group in it
Judged = tuple[bytes, str, str, str]  # content hash, source, target, reason to reject it or ""
Keyed = tuple[bytes, str, str]  # content hash, source, target

CANDIDATES_PER_PLACE = 20  # how many pairs are looked at for each place in a held-out set, as some share a side


class Judge(beam.PTransform):
    """Reads blocks, judges their pairs and sends each to the shard that its content hash names."""

    def __init__(self, config: CleanConfig) -> None:
        super().__init__()
        self.config = config

    def expand(self, blocks: PCollection[Block]) -> PCollection[tuple[int, list[Judged]]]:
        return blocks | "judge pairs" >> beam.FlatMap(judge_block, self.config).with_output_types(
            tuple[int, list[Judged]]
        )


class HoldOut(beam.PTransform):
    """Finds the pairs with the smallest content hashes and makes the missing held-out sets of them.

    Args:
        dev: the dev set that the corpus brings, None to hold one out.
        test: the test set that the corpus brings, None to hold one out.
    """

    def __init__(self, config: CleanConfig, dev: list[SentencePair] | None, test: list[SentencePair] | None) -> None:
        super().__init__()
        self.dev = dev
        self.test = test
        self.wanted_dev = config.hold_out.dev if dev is None else 0
        self.wanted_test = config.hold_out.test if test is None else 0

    def expand(self, judged: PCollection[tuple[int, list[Judged]]]) -> PCollection[HeldOut]:
        wanted = CANDIDATES_PER_PLACE * (self.wanted_dev + self.wanted_test)
        return (
            judged
            | "keep the smallest of each block" >> beam.Map(lambda part: smallest(wanted, [kept_rows(part[1])]))
            | "keep the smallest of all" >> beam.CombineGlobally(lambda parts: smallest(wanted, parts))
            | "choose the held-out sets" >> beam.Map(self.choose)
        )

    def choose(self, candidates: list[Keyed]) -> HeldOut:
        """The given sets, and new ones where none is given."""
        pairs = [SentencePair(source, target) for _, source, target in candidates]
        chosen = hold_out(pairs, self.wanted_dev, self.wanted_test, [*(self.dev or ()), *(self.test or ())])
        return HeldOut(
            dev=chosen.dev if self.dev is None else tuple(self.dev),
            test=chosen.test if self.test is None else tuple(self.test),
        )


class WriteCleanShards(beam.PTransform):
    """The one shuffle: groups pairs by shard, then sorts, deduplicates, decontaminates and writes each shard."""

    def __init__(self, config: CleanConfig, folder: Path, held_out: PCollection[HeldOut]) -> None:
        super().__init__()
        self.shards = config.shards
        self.folder = folder
        self.held_out = held_out

    def expand(self, judged: PCollection[tuple[int, list[Judged]]]) -> PCollection[int]:
        # A shard that no pair falls into must still be written, so every number goes in with no pairs.
        numbered = beam.Create([(shard, []) for shard in range(self.shards)])
        numbers = judged.pipeline | "number shards" >> numbered.with_output_types(tuple[int, list[Judged]])
        return (
            (judged, numbers)
            | "join numbers and pairs" >> beam.Flatten()
            | "group pairs by shard" >> beam.GroupByKey()
            | "write clean shards" >> beam.Map(write_clean_shard, self.folder, self.shards, AsSingleton(self.held_out))
        )


class WriteHeldOut(beam.PTransform):
    """Writes the dev and the test set."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def expand(self, held_out: PCollection[HeldOut]) -> PCollection[None]:
        return held_out | "write dev and test" >> beam.Map(write_held_out, self.folder)


class EncodeShard(beam.DoFn):
    """Turns a Parquet file of pairs into a TFRecord shard of token ids, in the same order."""

    def __init__(self, vocabulary: bytes) -> None:
        self.proto = vocabulary

    def setup(self) -> None:
        """Loads the vocabulary once a worker."""
        self.vocabulary = Vocabulary(self.proto)

    def process(self, files: tuple[str, str]) -> Iterator[str]:
        """Encodes one file into another."""
        pairs, shard = Path(files[0]), Path(files[1])
        encode_shard(pairs, shard, self.vocabulary)
        yield files[1]


class Sketch(beam.PTransform):
    """Reads TFRecord shards through TFXIO and summarises their token ids in mergeable sketches."""

    def __init__(self, shards: list[str]) -> None:
        super().__init__()
        self.shards = shards

    def expand(self, pipeline: beam.Pipeline) -> PCollection[statistics.Summary]:
        with tensorflow_quietly():  # only this job needs TFXIO, and with it TensorFlow
            from tfx_bsl.public import tfxio

        schema = schema_pb2.Schema(
            feature=[schema_pb2.Feature(name=side, type=schema_pb2.INT) for side in examples.SIDES]
        )
        source = tfxio.TFExampleRecord(self.shards, schema=schema, telemetry_descriptors=["nightshift", "inspect"])
        return (
            pipeline
            | "read record batches" >> source.BeamSource(batch_size=1000)
            | "summarise token ids" >> beam.CombineGlobally(SummariseIds())
        )


class SummariseIds(beam.CombineFn):
    """`statistics.Summary` as Beam merges it."""

    def create_accumulator(self) -> statistics.Summary:
        """A summary of nothing."""
        return statistics.Summary()

    def add_input(self, summary: statistics.Summary, batch: pa.RecordBatch) -> statistics.Summary:
        """Adds the pairs of a record batch."""
        summary.add(batch)
        return summary

    def merge_accumulators(self, summaries: Iterable[statistics.Summary]) -> statistics.Summary:
        """Makes one summary of many."""
        merged = statistics.Summary()
        for summary in summaries:
            merged.merge(summary)
        return merged

    def extract_output(self, summary: statistics.Summary) -> statistics.Summary:
        """The summary itself."""
        return summary


def judge_block(block: Block, config: CleanConfig) -> Iterator[tuple[int, list[Judged]]]:
    """The block's pairs with their verdicts, by shard."""
    shards: dict[int, list[Judged]] = {}
    for pair in read_block(Path(block[0]), block[1]):
        verdict = judge(config, pair)
        # A rejected pair is kept as it was read, so that people see what was wrong with it.
        shown = pair if verdict.reason else verdict.pair
        key = pair_key(shown)
        row = (key, shown.source, shown.target, verdict.reason or "")
        shards.setdefault(int.from_bytes(key) % config.shards, []).append(row)
    yield from shards.items()


def kept_rows(rows: list[Judged]) -> list[Keyed]:
    """The rows that were not rejected."""
    return [(key, source, target) for key, source, target, reason in rows if not reason]


def smallest(number: int, parts: Iterable[list[Keyed]]) -> list[Keyed]:
    """The distinct rows with the smallest content hashes of all parts, in their order."""
    return heapq.nsmallest(number, {row for part in parts for row in part})


def write_clean_shard(grouped: tuple[int, Iterable[list[Judged]]], folder: Path, shards: int, held_out: HeldOut) -> int:
    """Writes the pairs of one shard in the order of their hashes, and beside them those that were rejected."""
    shard, parts = grouped
    kept: list[SentencePair] = []
    rejects: list[tuple[str, SentencePair]] = []
    last_key = b""
    for key, source, target, reason in sorted(row for part in parts for row in part):
        pair = SentencePair(source, target)
        if reason:
            rejects.append((reason, pair))
        elif key == last_key:
            rejects.append(("duplicate", pair))
        elif held_out.shares_a_side_with(pair):
            rejects.append(("held_out", pair))
        else:
            kept.append(pair)
        last_key = last_key if reason else key
    name = f"part-{shard:05}-of-{shards:05}.parquet"
    write_pairs(folder / "train" / name, kept)
    write_rejects(folder / "rejects" / name, rejects)
    return shard


def write_held_out(held_out: HeldOut, folder: Path) -> None:
    """Writes both sets beside the training pairs."""
    write_pairs(folder / "dev.parquet", held_out.dev)
    write_pairs(folder / "test.parquet", held_out.test)


def encode_shard(pairs: Path, shard: Path, vocabulary: Vocabulary) -> None:
    """Token ids of a file of pairs, as a TFRecord shard."""
    sides = list(read_pairs(pairs))
    shard.parent.mkdir(parents=True, exist_ok=True)
    sources = vocabulary.encode([pair.source for pair in sides])
    targets = vocabulary.encode([pair.target for pair in sides])
    examples.write_shard(shard, sources, targets)
