import gzip
import hashlib
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest

from pipeline import examples
from pipeline.errors import InputError
from pipeline.vocabulary import IDS

SOURCES = [[5, 6, 7], [8], [9, 10]]
TARGETS = [[11], [12, 13, 14, 15], [300, 70_000]]


def test_a_shard_comes_back_as_it_was_written(tmp_path):
    shard = tmp_path / "shard-00000-of-00001.tfrecord"
    examples.write_shard(shard, SOURCES, TARGETS)
    back = examples.read_shard(shard)
    assert len(back) == 3
    assert np.split(back.source_values, back.source_offsets[1:-1])[2].tolist() == [9, 10]
    assert back.source_values.tolist() == [5, 6, 7, 8, 9, 10]
    assert back.target_values.tolist() == [11, 12, 13, 14, 15, 300, 70_000]
    assert back.target_offsets.tolist() == [0, 1, 5, 7]
    assert examples.read_lengths(shard).tolist() == [[3, 1], [1, 4], [2, 2]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shard-00000-of-00001.lengths.npy", shard.name]


def test_a_shard_without_pairs(tmp_path):
    examples.write_shard(tmp_path / "a.tfrecord", [], [])
    assert len(examples.read_shard(tmp_path / "a.tfrecord")) == 0
    assert examples.read_lengths(tmp_path / "a.tfrecord").shape == (0, 2)


def test_the_origin_of_each_pair_comes_back(tmp_path):
    examples.write_shard(tmp_path / "a.tfrecord", SOURCES, TARGETS, [1, 0, 200])
    assert examples.read_shard(tmp_path / "a.tfrecord").origins.tolist() == [1, 0, 200]
    assert examples.read_origins(tmp_path / "a.tfrecord").tolist() == [1, 0, 200]


def test_a_compressed_shard_holds_the_same_and_no_time(tmp_path, monkeypatch):
    for name, now in (("a", 1e9), ("b", 1.1e9)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        examples.write_shard(tmp_path / name / "shard.tfrecord.gz", SOURCES, TARGETS, [1, 0, 2])
    plain = tmp_path / "plain.tfrecord"
    examples.write_shard(plain, SOURCES, TARGETS, [1, 0, 2])
    files = [tmp_path / name / "shard.tfrecord.gz" for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert gzip.decompress(files[0].read_bytes()) == plain.read_bytes()
    assert list(examples.records_of(files[0])) == list(examples.records_of(plain))
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["shard.lengths.npy", "shard.tfrecord.gz"]
    files[1].write_bytes(files[1].read_bytes()[:-9])
    with pytest.raises(InputError, match="expected a whole gzip file"):
        examples.read_shard(files[1])


def test_blocks_written_one_by_one_make_the_same_shard(tmp_path):
    examples.write_shard(tmp_path / "a.tfrecord", SOURCES, TARGETS)
    with examples.ShardWriter(tmp_path / "b.tfrecord") as writer:
        sources, targets = pa.array(SOURCES, IDS), pa.array(TARGETS, IDS)
        for start, end in ((0, 1), (1, 1), (1, 3)):
            writer.write(sources[start:end], targets[start:end], [0] * (end - start))
    assert (tmp_path / "a.tfrecord").read_bytes() == (tmp_path / "b.tfrecord").read_bytes()
    assert (tmp_path / "a.lengths.npy").read_bytes() == (tmp_path / "b.lengths.npy").read_bytes()


def test_sides_of_different_numbers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="3 sources, 2 targets"):
        examples.write_shard(tmp_path / "a.tfrecord", SOURCES, TARGETS[:2])
    assert list(tmp_path.iterdir()) == []


def test_bytes_are_the_same_in_every_process_and_those_of_protobuf(tmp_path):
    # protobuf's hash seed differs from process to process, and with it the order of a map's entries
    program = f"""
from pipeline import examples
from pathlib import Path
import sys
examples.write_shard(Path(sys.argv[1]), {SOURCES} * 50, {TARGETS} * 50)
"""
    digests = set()
    for number in range(3):
        shard = tmp_path / f"{number}.tfrecord"
        subprocess.run([sys.executable, "-c", program, str(shard)], check=True)
        digests.add(hashlib.sha256(shard.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_tensorflow_reads_the_same_records(tmp_path):
    import tensorflow as tf

    shard = tmp_path / "a.tfrecord"
    examples.write_shard(shard, SOURCES, TARGETS)
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(shard))]
    parsed = [tf.train.Example.FromString(record) for record in records]
    assert [list(example.features.feature["source"].int64_list.value) for example in parsed] == SOURCES
    assert [example.SerializeToString(deterministic=True) for example in parsed] == records


def write_frames(shard):
    """The sources as frames of two numbers, the second of them empty."""
    sources = pa.array([[0.5, -2.0, 1.0, 0.0], [], [3.0, 4.0]], pa.large_list(pa.float32()))
    with examples.ShardWriter(shard, frame_size=2) as writer:
        writer.write(sources, pa.array(TARGETS, IDS), [0, 1, 0])


def test_frames_come_back_as_they_were_written(tmp_path):
    shard = tmp_path / "a.tfrecord"
    write_frames(shard)
    back = examples.read_shard(shard, frame_size=2)
    assert back.source_values.tolist() == [[0.5, -2], [1, 0], [3, 4]]
    assert back.source_values.dtype == np.float32
    assert back.source_offsets.tolist() == [0, 2, 2, 3]
    assert (back.target_offsets.tolist(), back.origins.tolist()) == ([0, 1, 5, 7], [0, 1, 0])
    assert examples.read_lengths(shard).tolist() == [[2, 1], [0, 4], [1, 2]]
    assert examples.read_origins(shard).tolist() == [0, 1, 0]


def test_tensorflow_reads_the_same_frames(tmp_path):
    import tensorflow as tf

    shard = tmp_path / "a.tfrecord"
    write_frames(shard)
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(shard))]
    parsed = [tf.train.Example.FromString(record) for record in records]
    numbers = [list(example.features.feature["source"].float_list.value) for example in parsed]
    assert numbers == [[0.5, -2, 1, 0], [], [3, 4]]
    assert [example.SerializeToString(deterministic=True) for example in parsed] == records


@pytest.mark.parametrize("position", [0, 9, 14, 40, -1])
def test_a_flipped_byte_is_found(tmp_path, position):
    shard = tmp_path / "a.tfrecord"
    examples.write_shard(shard, SOURCES, TARGETS)
    data = bytearray(shard.read_bytes())
    data[position] ^= 1
    shard.write_bytes(data)
    with pytest.raises(InputError, match="intact record at byte"):
        examples.read_shard(shard)


def test_a_truncated_shard_is_found(tmp_path):
    shard = tmp_path / "a.tfrecord"
    examples.write_shard(shard, SOURCES, TARGETS)
    shard.write_bytes(shard.read_bytes()[:-3])
    with pytest.raises(InputError, match="intact record at byte"):
        examples.read_shard(shard)


def test_a_record_that_is_damaged_behind_intact_ones_is_found_at_its_byte(tmp_path):
    shard = tmp_path / "a.tfrecord"
    examples.write_shard(shard, SOURCES, TARGETS)
    sizes = [len(record) + 16 for record in examples.records_of(shard)]
    data = bytearray(shard.read_bytes())
    data[sizes[0] + sizes[1] + 20] ^= 1
    shard.write_bytes(data)
    with pytest.raises(InputError) as caught:
        examples.read_shard(shard)
    allowed = f"an intact record at byte {sizes[0] + sizes[1]}"
    assert str(caught.value) == f"shard = {shard}: expected {allowed} (damaged after it was written)"


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-3], lambda data: b"no index" * 20])
def test_a_damaged_length_index_is_named(tmp_path, damage):
    shard = tmp_path / "a.tfrecord"
    examples.write_shard(shard, SOURCES, TARGETS)
    index = tmp_path / "a.lengths.npy"
    index.write_bytes(damage(index.read_bytes()))
    with pytest.raises(InputError, match="^shard = .*a.lengths.npy: expected the shard's length index"):
        examples.read_lengths(shard)
    index.unlink()
    with pytest.raises(InputError, match="No such file"):
        examples.read_lengths(shard)
