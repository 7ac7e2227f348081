from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from model import batches
from model.batches import FrameForm, Pairs, full_batch, padded
from pipeline.errors import InputError
from pipeline.examples import ShardWriter, write_shard
from pipeline.vocabulary import IDS


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    """Three shards, the second one empty."""
    write_shard(tmp_path / "shard-0.tfrecord", [[10, 11], []], [[20], [21, 22, 23]], [1, 0])
    write_shard(tmp_path / "shard-1.tfrecord", [], [])
    write_shard(tmp_path / "shard-2.tfrecord.gz", [[12], [13, 14]], [[24], [25]], [2, 2])
    return Pairs.read([tmp_path / name for name in ("shard-0.tfrecord", "shard-1.tfrecord", "shard-2.tfrecord.gz")])


def test_batches_end_with_the_closing_token_and_padding(pairs: Pairs) -> None:
    batch = pairs.whole.batch(np.array([2, 0, 1]))
    assert batch.sources.tolist() == [[12, 3, 0], [10, 11, 3], [3, 0, 0]]
    assert batch.targets.tolist() == [[24, 3, 0, 0], [20, 3, 0, 0], [21, 22, 23, 3]]
    assert batch.sources.dtype == batch.targets.dtype == np.int32


def test_lengths_and_sizes_are_known_without_the_records(pairs: Pairs) -> None:
    for shard in pairs.shards:
        shard.unlink()
    assert pairs.lengths.tolist() == [[3, 2], [1, 4], [2, 2], [3, 2]]
    assert pairs.sizes == (2, 0, 2)


def test_pairs_keep_their_numbers_whatever_else_is_loaded(pairs: Pairs) -> None:
    for shards in ([2], [1, 2], [0, 2], [0, 1, 2]):
        batch = pairs.load(shards).batch(np.array([3, 2]))
        assert batch.sources.tolist() == [[13, 14, 3], [12, 3, 0]]
        assert batch.targets.tolist() == [[25, 3], [24, 3]]


def test_a_given_shape_is_filled_with_padding(pairs: Pairs) -> None:
    batch = pairs.load([2]).batch(np.array([3, 2]), (3, 4, 2))
    assert batch.sources.tolist() == [[13, 14, 3, 0], [12, 3, 0, 0], [3, 0, 0, 0]]
    assert batch.targets.tolist() == [[25, 3], [24, 3], [0, 0]]


def test_a_full_batch_has_no_padding() -> None:
    batch = full_batch((2, 3, 1))
    assert batch.sources.tolist() == [[3, 3, 3], [3, 3, 3]]
    assert batch.targets.tolist() == [[3], [3]]


@pytest.fixture
def frames(tmp_path: Path) -> Pairs:
    """Frames of two numbers in two shards, read with a stride of two."""
    rows = [[[1, 2, 3, 4, 5, 6], [0, 0]], [[7, 8, 0, 0]]]
    for number, (sources, targets) in enumerate(zip(rows, [[[20], [21, 22]], [[23]]], strict=True)):
        with ShardWriter(tmp_path / f"{number}.tfrecord", frame_size=2) as writer:
            column = pa.array(sources, pa.large_list(pa.float32()))
            writer.write(column, pa.array(targets, IDS), [0] * len(sources))
    return Pairs.read([tmp_path / f"{number}.tfrecord" for number in range(2)], FrameForm(size=2, stride=2))


def test_batches_of_frames_are_padded_with_what_is_no_number(frames: Pairs) -> None:
    batch = frames.whole.batch(np.array([2, 0, 1]))
    assert batch.sources.shape == (3, 3, 2)
    assert batch.sources.dtype == np.float32
    assert batch.sources[1].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert batch.sources[0, :2].tolist() == [[7, 8], [0, 0]]
    assert np.isnan(batch.sources[..., 0]).tolist() == [[False, False, True], [False] * 3, [False, True, True]]
    assert np.array_equal(np.isnan(batch.sources[..., 0]), np.isnan(batch.sources[..., 1]))
    assert batch.targets.tolist() == [[23, 3, 0], [20, 3, 0], [21, 22, 3]]


def test_frames_are_counted_in_positions_and_shapes_too(frames: Pairs) -> None:
    assert frames.lengths.tolist() == [[2, 2], [1, 3], [1, 2]]
    batch = frames.load([1]).batch(np.array([2]), (2, 3, 2))
    assert batch.sources.shape == (2, 6, 2)
    assert np.isnan(batch.sources[..., 0]).tolist() == [[False, False] + [True] * 4, [False] + [True] * 5]
    assert batch.sources[1, 0].tolist() == [0, 0]
    assert batch.targets.tolist() == [[23, 3], [0, 0]]
    full = full_batch((2, 3, 1), frames.frames)
    assert full.sources.shape == (2, 6, 2)
    assert full.sources.dtype == np.float32
    assert not np.isnan(full.sources).any()


def test_a_window_of_frames_is_as_large_as_memory(frames: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    assert frames.window_pairs == batches.WINDOW_PAIRS
    monkeypatch.setattr(batches, "WINDOW_NUMBERS", 11)  # a pair has 5 1/3 on average
    assert frames.window_pairs == 2
    assert Pairs.read([], FrameForm(2, 2)).window_pairs == batches.WINDOW_PAIRS


def test_no_shards_are_no_frames() -> None:
    loaded = Pairs.read([], FrameForm(2, 2)).load([])
    assert loaded.batch(np.array([], np.int64)).sources.shape == (0, 1, 2)


def test_origins_are_those_of_the_records(pairs: Pairs) -> None:
    assert pairs.origins.tolist() == [1, 0, 2, 2]


def test_no_shards_are_no_pairs() -> None:
    pairs = Pairs.read([])
    assert pairs.lengths.shape == (0, 2)
    assert pairs.origins.shape == (0,)
    assert pairs.load([]).batch(np.array([], np.int64)).sources.shape == (0, 1)


def test_padding_no_rows_gives_a_rectangle_of_none() -> None:
    assert padded(np.array([7]), np.array([0, 1]), np.array([], np.int64)).shape == (0, 1)


@pytest.mark.parametrize("targets", [[[20], [21, 22]], [[20]]])
def test_a_length_index_of_other_records_is_named(tmp_path: Path, targets: list[list[int]]) -> None:
    write_shard(tmp_path / "a.tfrecord", [[1], [2]], [[20], [21]])
    write_shard(tmp_path / "b.tfrecord", [[1], [2]][: len(targets)], targets)
    (tmp_path / "b.lengths.npy").replace(tmp_path / "a.lengths.npy")
    with pytest.raises(InputError) as caught:
        Pairs.read([tmp_path / "a.tfrecord"]).load([0])
    assert str(caught.value) == (
        f"shard = {tmp_path / 'a.lengths.npy'}: expected the lengths of the 2 records of a.tfrecord "
        "(one of both was changed after it was written)"
    )


def test_a_damaged_record_names_its_file_and_byte(pairs: Pairs) -> None:
    data = bytearray(pairs.shards[0].read_bytes())
    data[-1] ^= 1
    pairs.shards[0].write_bytes(data)
    with pytest.raises(
        InputError, match=r"shard = .*shard-0.tfrecord: expected an intact record at byte \d+ \(damaged"
    ):
        pairs.load([0])
    assert pairs.load([2]).batch(np.array([2])).targets.tolist() == [[24, 3]]
