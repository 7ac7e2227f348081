"""Counts that merge, on batches written by hand and on random ids."""

import zipfile

import numpy as np
import pyarrow as pa
import pytest

from pipeline.summaries import (
    LENGTHS,
    LONGEST,
    RATIOS,
    Sizes,
    Summary,
    by_origin,
    flatten,
    load,
    quantile,
    ratio_bins,
    save,
    sentence_hashes,
    total,
    with_hashed_frames,
)

PIECES = 50


def batch_of(sources, targets, origins=None):
    columns = {"source": sources, "target": targets}
    if origins is not None:
        columns["origin"] = origins
    return pa.RecordBatch.from_arrays(
        [pa.array(column, pa.large_list(pa.int64())) for column in columns.values()], names=list(columns)
    )


def summary_of(sources, targets):
    summary = Summary.of_nothing(Sizes(PIECES, PIECES))
    summary.add(batch_of(sources, targets))
    return summary


def random_pairs(number, seed):
    generator = np.random.default_rng(seed)
    return [
        [generator.integers(4, PIECES, generator.integers(1, 12)).tolist() for _ in range(number)] for _ in range(2)
    ]


def hashes_of(sentences):
    return sentence_hashes(*flatten(pa.array(sentences, pa.large_list(pa.int64())))).tolist()


def written(folder, summaries):
    save(folder / "counts.npz", summaries)
    return (folder / "counts.npz").read_bytes()


def test_everything_is_counted():
    summary = summary_of([[4, 5, 4], [7], [4, 5, 4]], [[6, 6], [8, 9, 1, 1], [6, 6]])
    assert summary.pairs == 3
    assert {piece: n for piece, n in enumerate(summary.source.pieces) if n} == {4: 4, 5: 2, 7: 1}
    assert {piece: n for piece, n in enumerate(summary.target.pieces) if n} == {1: 2, 6: 4, 8: 1, 9: 1}
    assert {length: n for length, n in enumerate(summary.source.lengths) if n} == {1: 1, 3: 2}
    assert {length: n for length, n in enumerate(summary.target.lengths) if n} == {2: 2, 4: 1}
    assert {round(float(RATIOS[place]), 2): n for place, n in enumerate(summary.ratios) if n} == {0.67: 2, 4.0: 1}
    assert (summary.source.tokens, summary.target.tokens) == (7, 8)
    assert [sketch.Estimate() for sketch in (summary.distinct, summary.source.distinct, summary.target.distinct)] == [
        2
    ] * 3


def test_pairs_are_distinct_by_both_sides_in_order():
    summary = summary_of([[4], [4], [5], [6], [4]], [[5], [6], [4], [4], [5]])
    assert (summary.distinct.Estimate(), summary.source.distinct.Estimate(), summary.target.distinct.Estimate()) == (
        4,
        3,
        3,
    )


def test_sentences_longer_than_the_last_bin_fall_into_it():
    summary = summary_of([[4] * (LONGEST + 7), [4] * LONGEST], [[5] * (LONGEST - 1), [5]])
    assert summary.source.lengths[LONGEST] == 2
    assert summary.target.lengths[LONGEST - 1] == summary.target.lengths[1] == 1


def test_a_hash_is_that_of_the_ids_and_their_order_alone():
    one, other, swapped, cut, nothing, again = hashes_of([[4, 5, 6], [4, 5], [5, 4], [6], [], [4, 5, 6]])
    assert one == again
    assert len({one, other, swapped, cut, nothing}) == 5
    assert hashes_of([[4, 5], [6]]) != hashes_of([[4], [5, 6]])
    assert hashes_of([[9, 9, 9], [4, 5, 6]])[1] == one


def test_sentences_that_differ_have_hashes_that_differ():
    sentences = {tuple(ids) for ids in random_pairs(10_000, seed=1)[0]}
    assert len(set(hashes_of(sorted(sentences)))) == len(sentences)


def test_frames_are_counted_and_told_apart():
    frames = [[0.5, 1.0, 2.0, 0.0], [0.5, 1.0], [2.0, 0.0, 0.5, 1.0], [0.5, 1.0, 2.0, 0.0]]
    columns = [pa.array(frames, pa.large_list(pa.float32())), pa.array([[7], [8], [9], [7]], pa.large_list(pa.int64()))]
    batch = with_hashed_frames(pa.RecordBatch.from_arrays(columns, names=["source", "target"]), 2)
    first, second, third, again = batch.column("source").to_pylist()
    assert first == [*second, third[0]] == again
    assert third == first[::-1]
    summary = Summary.of_nothing(Sizes(0, 10))
    summary.add(batch)
    assert (summary.source.are_frames, summary.target.are_frames) == (True, False)
    assert (summary.source.tokens, summary.source.lengths[:3].tolist()) == (7, [0, 1, 3])
    assert (summary.source.distinct.Estimate(), summary.distinct.Estimate()) == (3, 3)


def test_merging_is_adding_in_any_order(tmp_path):
    sources, targets = random_pairs(18_000, seed=2)
    parts = [summary_of(sources[start::7], targets[start::7]) for start in range(7)]
    whole = written(tmp_path, {"all": summary_of(sources, targets)})
    assert written(tmp_path, {"all": total(parts, Sizes(PIECES, PIECES))}) == whole
    assert written(tmp_path, {"all": total(parts[::-1], Sizes(PIECES, PIECES))}) == whole


def test_distinct_sentences_beyond_the_sketch_are_estimated():
    sources = [[4 + place % 40, 4 + place // 40 % 40, 4 + place // 1600] for place in range(60_000)]
    summary = summary_of(sources + sources[:9000], sources + sources[:9000])
    assert abs(summary.source.distinct.Estimate() - 60_000) < 0.03 * 60_000


def test_a_file_gives_back_what_was_saved(tmp_path):
    sources, targets = random_pairs(500, seed=3)
    first, more = summary_of(sources[:300], targets[:300]), summary_of(sources[300:], targets[300:])
    names = {"news": first, "a/../b 日本": more}
    whole = written(tmp_path, names)
    found = load(tmp_path / "counts.npz")
    assert list(found) == list(names)
    assert written(tmp_path, found) == whole
    found["news"].merge(found["a/../b 日本"])
    assert written(tmp_path, {"x": found["news"]}) == written(tmp_path, {"x": summary_of(sources, targets)})
    assert [path.name for path in tmp_path.iterdir()] == ["counts.npz"]


def test_a_file_holds_no_time(tmp_path):
    written(tmp_path, {"news": summary_of([[4]], [[5]])})
    with zipfile.ZipFile(tmp_path / "counts.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_nothing_is_unpickled(tmp_path):
    np.savez(tmp_path / "counts.npz", names=np.array([{}], object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load(tmp_path / "counts.npz")


def test_rows_go_to_their_origins():
    batch = batch_of([[4], [5, 6], [], [7]], [[8], [9], [10], [11]], [[2], [0], [2], [2]])
    assert [(origin, rows.to_pydict()) for origin, rows in by_origin(batch)] == [
        (0, {"source": [[5, 6]], "target": [[9]], "origin": [[0]]}),
        (2, {"source": [[4], [], [7]], "target": [[8], [10], [11]], "origin": [[2], [2], [2]]}),
    ]


@pytest.mark.parametrize("origins", [[[0], []], [[0], [0, 1]], [[0], None]])
def test_a_pair_has_one_origin(origins):
    with pytest.raises(RuntimeError, match="origins for 2 pairs"):
        list(by_origin(batch_of([[4], [5]], [[6], [7]], origins)))


def test_a_list_that_is_not_there_is_empty():
    ids, offsets = flatten(pa.array([[4, 5], None, [], [6]], pa.large_list(pa.int64())))
    assert (ids.tolist(), offsets.tolist()) == ([4, 5, 6], [0, 2, 2, 2, 3])


def test_ratios_are_binned_by_octaves():
    bins = ratio_bins(np.array([4, 4, 4, 0, 1, 4096, 100]), np.array([4, 8, 2, 0, 4096, 1, 101]))
    assert np.round(RATIOS[bins], 3).tolist() == [1, 2, 0.5, 1, 16, 0.062, 1.011]


def test_quantiles_are_those_of_the_sorted_values():
    lengths = np.random.default_rng(4).integers(0, 200, 999)
    histogram = np.bincount(lengths, minlength=LONGEST + 1)
    ordered = np.sort(lengths)
    assert [quantile(histogram, LENGTHS, share) for share in (0, 0.5, 1)] == [ordered[0], ordered[499], ordered[-1]]
    assert quantile(np.array([0, 4]), np.array([1, 2]), 0.0) == 2
