"""The Beam job behind `inspect`: shards of token ids -> summaries of them, one an origin."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PCollection

from pipeline import examples, summaries
from pipeline.quiet import tensorflow_quietly
from pipeline.running.counters import count
from pipeline.summaries import Sizes, Summary
from pipeline.worker_files import reading, writing

BATCH = 1000  # pairs of a record batch
BATCH_OF_FRAMES = 64
Summaries = dict[int, Summary]  # by the number of the origin


class Sketch(beam.PTransform[beam.Pipeline, PCollection[Summaries]]):
    """Decodes TFRecord shards through TFXIO and summarises their token ids, the pairs of each origin by themselves.

    The records are read by `examples`, which checks them and costs a third of TFXIO's own source.

    Args:
        shards: TFRecord files, as workers call them.
        sizes: of the vocabularies.
        frame_size: numbers of a frame, 0 where sources are token ids.
    """

    def __init__(self, shards: list[str], sizes: Sizes, frame_size: int = 0) -> None:
        super().__init__()
        self.shards = shards
        self.sizes = sizes
        self.frame_size = frame_size

    def expand(self, pipeline: beam.Pipeline) -> PCollection[Summaries]:
        """From nothing to one element, which is empty where there are no pairs."""
        with tensorflow_quietly():  # only this job needs TFXIO, and with it TensorFlow
            from tfx_bsl.public import tfxio

        schema = examples.schema_of(examples.FEATURES, self.frame_size)
        decoder = tfxio.TFExampleBeamRecord("tfrecord", telemetry_descriptors=["nightshift", "inspect"], schema=schema)
        found: PCollection[Summaries] = (
            pipeline
            | "list shards" >> beam.Create(self.shards)
            | "spread shards" >> beam.Reshuffle()
            | "read records" >> beam.FlatMap(read_records).with_output_types(bytes)
            | "decode record batches" >> decoder.RawRecordToRecordBatch(BATCH_OF_FRAMES if self.frame_size else BATCH)
            | "summarise token ids" >> beam.CombineGlobally(SummariseIds(self.sizes, self.frame_size))
        )
        return found


class SummariseIds(beam.CombineFn):
    """`Summary` as Beam merges it, one an origin.

    Args:
        sizes: of the vocabularies.
        frame_size: numbers of a frame, 0 where sources are token ids.
    """

    def __init__(self, sizes: Sizes, frame_size: int = 0) -> None:
        self.sizes = sizes
        self.frame_size = frame_size

    def create_accumulator(self) -> Summaries:
        """Nothing yet."""
        return {}

    def add_input(self, found: Summaries, batch: pa.RecordBatch) -> Summaries:
        """Adds the pairs of a record batch."""
        if self.frame_size:
            batch = summaries.with_hashed_frames(batch, self.frame_size)
        for origin, pairs in summaries.by_origin(batch):
            if origin not in found:
                found[origin] = Summary.of_nothing(self.sizes)
            found[origin].add(pairs)
        count("pairs", batch.num_rows)
        return found

    def merge_accumulators(self, accumulators: Iterable[Summaries]) -> Summaries:
        """Makes one of many."""
        merged: Summaries = {}
        for found in accumulators:
            for origin, summary in found.items():
                if origin not in merged:
                    merged[origin] = Summary.of_nothing(self.sizes)
                merged[origin].merge(summary)
        return merged

    def extract_output(self, found: Summaries) -> Summaries:
        """In the order of the origins' numbers, whatever the runner did first."""
        return dict(sorted(found.items()))


def read_records(shard: str) -> Iterator[bytes]:
    """The serialized Examples of a shard."""
    with reading(shard) as path:
        yield from examples.records_of(path)


def write_summaries(found: Summaries, location: str, origins: list[str]) -> None:
    """Writes the summaries under the names of their origins."""
    with writing(location) as path:
        summaries.save(path, {origins[number]: summary for number, summary in found.items()})
