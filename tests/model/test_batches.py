from pathlib import Path

import numpy as np
import pytest

from model.batches import Pairs, full_batch, padded
from pipeline.errors import InputError
from pipeline.examples import write_shard


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
