"""Token ids <-> tf.train.Example in TFRecord files, both ways, through tfx-bsl's Arrow coders.

A shard is two files:

    shard-00000-of-00008.tfrecord           one Example a pair: int64 lists "source" and "target", without BOS or EOS,
                                            and "origin", one number: which of its manifest's origins the pair is from
    shard-00000-of-00008.lengths.npy        int32 [pairs, 2]: how many ids each side has, to plan batches by

Where sources are frames of F numbers, "source" is a float list of them, frame after frame, and the index counts frames.
With gzip the first is `shard-00000-of-00008.tfrecord.gz`. The bytes are a function of the ids alone: protobuf leaves
the order of a map's entries open and tfx-bsl's encoder uses that freedom, so the entries of each Example are put in
order here, and gzip's header has no time.
"""

import gzip
import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from uuid import uuid4

import google_crc32c
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders import example_coder

from pipeline.errors import InputError
from pipeline.manifest import write_atomically
from pipeline.vocabulary import IDS

SIDES = ("source", "target")
FEATURES = (*SIDES, "origin")
GZIP_SUFFIX = ".gz"
GZIP_LEVEL = 6
DECODED_AT_ONCE = 4096
SEQUENCES_DECODED_AT_ONCE = 64  # of frames, each of which may take as much room as some thousand sentences
NARROW = pa.large_list(pa.int32())
Ids = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class PairIds:
    """Token ids of many pairs: the source of pair i is `source_values[source_offsets[i]:source_offsets[i + 1]]`.

    Shapes: values int32 [sum of lengths], offsets int64 [pairs + 1], origins int32 [pairs]. Sources that are frames of
    F numbers are values float32 [sum of lengths, F].
    """

    source_values: npt.NDArray[Any]
    source_offsets: npt.NDArray[np.int64]
    target_values: npt.NDArray[np.int32]
    target_offsets: npt.NDArray[np.int64]
    origins: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.source_offsets) - 1


def lengths_path(shard: Path) -> Path:
    """Where the length index of a shard lies."""
    return shard.with_name(shard.name.removesuffix(GZIP_SUFFIX)).with_suffix(".lengths.npy")


class ShardWriter:
    """Writes a shard block by block; it and its length index appear when the `with` block ends well, or not at all.

    Args:
        shard: the file.
        frame_size: numbers of a frame, 0 where sources are token ids.
    """

    def __init__(self, shard: Path, frame_size: int = 0) -> None:
        self.shard = shard
        self.frame_size = frame_size
        self.lengths = [np.zeros((0, 2), np.int32)]
        self._partial = shard.with_name(f".{shard.name}.{uuid4().hex}.partial")

    def __enter__(self) -> Self:
        self.shard.parent.mkdir(parents=True, exist_ok=True)
        self._raw = self._partial.open("wb")
        is_gzip = self.shard.suffix == GZIP_SUFFIX
        self._file: gzip.GzipFile | IO[bytes] = (
            gzip.GzipFile("", "wb", GZIP_LEVEL, fileobj=self._raw, mtime=0) if is_gzip else self._raw
        )
        return self

    def write(self, sources: pa.LargeListArray, targets: pa.LargeListArray, origins: Sequence[int]) -> None:
        """Adds pairs; raises `ValueError` if there are not as many sources as targets and origins."""
        if not len(sources) == len(targets) == len(origins):
            raise ValueError(f"{len(sources)} sources, {len(targets)} targets, {len(origins)} origins: they are pairs")
        self._file.write(b"".join(map(frame, encode(sources, targets, origins))))
        lengths = [side.value_lengths().to_numpy(zero_copy_only=False) for side in (sources, targets)]
        if self.frame_size:
            lengths[0] = lengths[0] // self.frame_size
        self.lengths.append(np.stack(lengths, axis=1).astype(np.int32))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._raw:
                self._file.close()
            if kind is None:
                index = io.BytesIO()
                np.save(index, np.concatenate(self.lengths))
                write_atomically(lengths_path(self.shard), index.getvalue())
                self._partial.replace(self.shard)
        finally:
            self._partial.unlink(missing_ok=True)


def write_shard(shard: Path, sources: Ids, targets: Ids, origins: Sequence[int] | None = None) -> None:
    """Writes a shard of ids in one go, by default of a single origin."""
    with ShardWriter(shard) as writer:
        sides = pa.array(sources, IDS), pa.array(targets, IDS)
        writer.write(*sides, [0] * len(sources) if origins is None else origins)


def read_shard(shard: Path, frame_size: int = 0) -> PairIds:
    """Reads a shard back; raises `InputError` where a record's checksum does not hold.

    Args:
        shard: the file.
        frame_size: numbers of a frame, 0 where sources are token ids.
    """
    columns = _columns(shard, FEATURES, frame_size)
    (source_values, source_offsets), (target_values, target_offsets) = (_flatten(columns[side]) for side in SIDES)
    if frame_size:
        source_values = source_values.astype(np.float32, copy=False).reshape(-1, frame_size)
        source_offsets = source_offsets // frame_size
    return PairIds(source_values, source_offsets, target_values, target_offsets, _flatten(columns["origin"])[0])


def read_origins(shard: Path) -> npt.NDArray[np.int32]:
    """The origin of each pair alone, int32 [pairs]; raises `InputError` where a record's checksum does not hold."""
    return _flatten(_columns(shard, ("origin",))["origin"])[0]


def read_lengths(shard: Path) -> npt.NDArray[np.int32]:
    """The shard's length index, int32 [pairs, 2]; raises `InputError` where it is missing or damaged."""
    path = lengths_path(shard)
    try:
        lengths: npt.NDArray[np.int32] = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise InputError("shard", path, "the shard's length index", f"damaged or removed: {error}") from error
    return lengths


def encode(sources: pa.LargeListArray, targets: pa.LargeListArray, origins: Sequence[int]) -> Iterator[bytes]:
    """Serialized Examples of pairs of id lists, the same bytes in every process."""
    if not len(sources):
        return
    offsets = pa.array(np.arange(len(origins) + 1), pa.int64())
    columns = [sources, targets, pa.LargeListArray.from_arrays(offsets, pa.array(origins, pa.int64()))]
    encoder = example_coder.RecordBatchToExamplesEncoder()
    for example in encoder.encode(pa.RecordBatch.from_arrays(columns, names=list(FEATURES))):
        yield in_order(example)


def in_order(example: bytes) -> bytes:
    r"""Sorts the entries of a serialized Example's only map, which come right after one another.

    >>> in_order(b"\n\x0a" + b"\n\x03\n\x01b" + b"\n\x03\n\x01a")
    b'\n\n\n\x03\n\x01a\n\x03\n\x01b'
    """
    _, start = _varint(example, 1)  # byte 0 is the tag of Example.features, and nothing follows it
    entries: list[tuple[bytes, bytes]] = []
    position = start
    while position < len(example):
        length = example[position + 1]
        content = position + 2
        if length >= 0x80:  # seldom, and a call costs more than all the rest
            length, content = _varint(example, position + 1)
        end = content + length
        entries.append((example[content + 2 : content + 2 + example[content + 1]], example[position:end]))
        position = end
    entries.sort()
    return example[:start] + b"".join([entry for _, entry in entries])


def frame(record: bytes) -> bytes:
    """A record as TFRecord files hold it: length, checksum of the length, record, checksum of the record.

    The format is described at TensorFlow's `tf.io.TFRecordWriter`; checksums are masked CRC-32C.
    """
    length = struct.pack("<Q", len(record))
    return b"".join((length, _masked_crc(length), record, _masked_crc(record)))


def records_of(shard: Path) -> Iterator[bytes]:
    """The records of a TFRecord file, each checked against its checksums; the file is read as they are taken."""
    position = 0
    with (gzip.open if shard.suffix == GZIP_SUFFIX else open)(shard, "rb") as file:
        try:
            while length := file.read(8):
                is_intact = file.read(4) == _masked_crc(length)
                size = struct.unpack("<Q", length)[0] if is_intact else 0
                record = file.read(size)
                if not is_intact or file.read(4) != _masked_crc(record):
                    allowed = f"an intact record at byte {position}"
                    raise InputError("shard", shard, allowed, "damaged after it was written")
                yield record
                position += size + 16
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError("shard", shard, "a whole gzip file", f"damaged after it was written: {error}") from error


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A protobuf varint and the position behind it."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7


def schema_of(features: Sequence[str], frame_size: int) -> schema_pb2.Schema:
    """How features are stored: as integers, or sources that are frames as floats."""
    kinds = {name: schema_pb2.FLOAT if frame_size and name == "source" else schema_pb2.INT for name in features}
    return schema_pb2.Schema(feature=[schema_pb2.Feature(name=name, type=kind) for name, kind in kinds.items()])


def _columns(shard: Path, features: Sequence[str], frame_size: int = 0) -> dict[str, list[pa.Array]]:
    """Some features of a shard's records, as list arrays of 32-bit numbers, one for each block of records."""
    decoder = example_coder.ExamplesToRecordBatchDecoder(schema_of(features, frame_size).SerializeToString())
    columns: dict[str, list[pa.Array]] = {name: [] for name in features}
    records = records_of(shard)
    at_once = SEQUENCES_DECODED_AT_ONCE if frame_size else DECODED_AT_ONCE
    while block := list(islice(records, at_once)):
        batch = decoder.DecodeBatch(block)
        for name in features:
            is_of_frames = bool(frame_size) and name == "source"
            columns[name].append(batch.column(name) if is_of_frames else batch.column(name).cast(NARROW))
    return columns


def _flatten(parts: list[pa.Array]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Many list arrays as one pair of values and offsets."""
    if not parts:
        return np.zeros(0, np.int32), np.zeros(1, np.int64)
    lengths = np.concatenate([part.value_lengths().to_numpy(zero_copy_only=False) for part in parts])
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    return np.concatenate([part.flatten().to_numpy() for part in parts]), offsets
