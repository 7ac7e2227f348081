"""Frames through the stages of the pipeline."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import pairs as pairs_module
from pipeline.beam_config import BeamConfig
from pipeline.build_vocabulary import build_vocabulary
from pipeline.cleaning import CleanConfig
from pipeline.errors import InputError
from pipeline.examples import read_shard
from pipeline.frames import from_text, to_text
from pipeline.ingest import ingest
from pipeline.inspection import inspect
from pipeline.jobs import ShardConfig, clean, shard
from pipeline.pairs import count_blocks, read_pairs
from pipeline.sources import CorpusConfig
from pipeline.statistics import StatisticsConfig
from pipeline.vocabularies import Vocabularies
from pipeline.vocabulary import VocabularyConfig

HERE = BeamConfig(workers=1)
SIZE = 3
CLEAN = CleanConfig(hold_out={"dev": 10, "test": 10}, shards=2, max_frames=8)
VOCABULARY = VocabularyConfig(size=24, character_coverage=1.0)


def rows_of(number, seed):
    """Frames, and text that is different for each of them."""
    chance = np.random.default_rng(seed)
    frames = [chance.normal(size=(chance.integers(2, 8), SIZE)).astype(np.float32) for _ in range(number)]
    return [(each, "".join(chance.choice(list("abcdefgh"), 12))) for each in frames]


def write(path, rows):
    columns = {"source": [frames.tolist() for frames, _ in rows], "target": [text for _, text in rows]}
    pq.write_table(pa.table(columns), path)
    return {"kind": "frames", "path": str(path), "origin": "speech"}


class Night:
    """The stages before training, on some sources."""

    def __init__(self, folder, *sources):
        self.corpus = ingest(CorpusConfig(frame_size=SIZE, train=sources), output_dir=folder / "ingest")
        self.pairs = clean(CLEAN, self.corpus, output_dir=folder / "clean", beam=HERE)
        self.vocabulary = build_vocabulary(VOCABULARY, self.pairs, output_dir=folder / "vocabulary")
        self.shards = shard(ShardConfig(), self.pairs, self.vocabulary, output_dir=folder / "shard", beam=HERE)

    def inspect(self, folder):
        config = StatisticsConfig(min_pairs=50)
        return inspect(config, self.shards, self.vocabulary, output_dir=folder / "inspect", beam=HERE)


ROWS = rows_of(300, seed=1)
FAULTS = [
    ROWS[0],  # a copy
    (np.zeros((9, SIZE)), "too many frames"),
    (np.zeros((2, SIZE)), " "),
    (np.zeros((2, SIZE + 1)), "too wide"),
]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A night on frames, some of which cannot be used."""
    folder = tmp_path_factory.mktemp("frames")
    return folder, Night(folder, write(folder / "a.parquet", ROWS + FAULTS))


def test_every_pair_is_kept_or_rejected_with_a_reason(first):
    _, night = first
    assert night.corpus.counts == {"train": 303, "train.unreadable.frame_size": 1}
    assert night.pairs.counts == {
        "train.read": 303,
        "train.kept": 280,
        "train.rejected.duplicate": 1,
        "train.rejected.empty": 1,
        "train.rejected.held_out": 20,
        "train.rejected.too_many_frames": 1,
        "dev": 10,
        "test": 10,
    }
    assert night.pairs.facts["samples"]["too_many_frames"] == [["9 frames", "too many frames", "speech"]]
    files = [
        path for pattern in ("train/*.parquet", "dev.parquet", "test.parquet") for path in night.pairs.paths(pattern)
    ]
    found = {(pair.source, pair.target) for path in files for pair in read_pairs(path)}
    assert found == {(to_text(frames), text) for frames, text in ROWS}


def test_shards_hold_the_frames_and_the_ids_of_the_text(first):
    _, night = first
    pieces = Vocabularies.read(night.vocabulary).target
    assert "".join(map(pieces.piece, range(4, pieces.size))).strip("▁abcdefgh") == ""  # no letter of frames is learned
    frames = 0
    for parquet, tfrecord in zip(
        night.pairs.paths("train/*.parquet"), night.shards.paths("train/*.tfrecord"), strict=True
    ):
        back = read_shard(tfrecord, SIZE)
        texts = list(read_pairs(parquet))
        expected = np.concatenate([from_text(pair.source, SIZE) for pair in texts])
        assert np.array_equal(back.source_values, expected)
        ids = np.split(back.target_values, back.target_offsets[1:-1])
        assert pieces.decode([each.tolist() for each in ids]) == [pair.target for pair in texts]
        frames += len(expected)
    assert night.shards.counts["train.source_frames"] == frames
    assert "train.source_tokens" not in night.shards.counts


def test_frames_are_described_by_their_lengths(first):
    folder, night = first
    report = json.loads(night.inspect(folder).path("statistics.json").read_text(encoding="utf-8"))
    figures = report["generation"]["all"]
    kept = [from_text(pair.source, SIZE) for path in night.pairs.paths("train/*.parquet") for pair in read_pairs(path)]
    lengths = sorted(map(len, kept))
    assert figures["source"]["frames"] == sum(lengths)
    assert figures["source"]["distinct_sequences"] == figures["distinct_pairs"] == 280
    assert (figures["source"]["lengths"]["0%"], figures["source"]["lengths"]["50%"]) == (lengths[0], lengths[139])
    assert figures["target"]["unknown_share"] == 0
    assert figures["vocabulary_coverage"] == figures["target"]["vocabulary_coverage"]


def test_new_frames_are_a_generation_of_their_own_and_are_compared_with_those_before(tmp_path):
    sources = [write(tmp_path / "a.parquet", ROWS)]
    before = Night(tmp_path, *sources)
    before.inspect(tmp_path)
    long = [(np.repeat(frames, 2, axis=0)[:8], text) for frames, text in rows_of(120, seed=2)]
    after = Night(tmp_path, *sources, write(tmp_path / "b.parquet", [*ROWS[:3], *long]))
    assert [made.counts["train.kept"] for made in after.pairs.chain()] == [280, 120]
    assert after.pairs.counts["train.rejected.earlier_duplicate"] + after.pairs.counts.get(
        "train.rejected.held_out", 0
    ) == len(ROWS[:3])
    distances = after.inspect(tmp_path).facts["drift"][0]["distances"]
    assert [(each["measure"], each["side"]) for each in distances] == [
        ("lengths", "source"),
        ("pieces", "target"),
        ("lengths", "target"),
        ("unknown_share", "target"),
        ("single_character_share", "target"),
        ("ratio", ""),
    ]
    assert {each["side"] for each in distances if each["is_over"]} == {"source", ""}


def test_the_same_frames_are_the_same_shards_however_they_are_spread(first, tmp_path, monkeypatch):
    _, night = first
    monkeypatch.setattr(pairs_module, "BLOCK_BYTES", 10_000)  # some 60 pairs
    halves = [write(tmp_path / f"{number}.parquet", ROWS[number::2]) for number in (1, 0)]
    other = Night(tmp_path, *halves)
    assert [count_blocks(path) for path in other.corpus.paths("train-*.parquet")] != [1, 1]
    for made, again in zip(night.shards.files, other.shards.files, strict=True):
        assert (made.path, made.sha256) == (again.path, again.sha256)


def test_frames_have_no_vocabulary_of_their_own(first, tmp_path):
    _, night = first
    with pytest.raises(InputError, match="vocabulary.separate = True: expected false, as sources are frames"):
        build_vocabulary(VocabularyConfig(size=24, separate=True), night.pairs, output_dir=tmp_path)
