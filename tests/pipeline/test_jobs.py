"""The Beam jobs on real files, run in this process unless a test says otherwise."""

import resource
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from pipeline.beam_config import BeamConfig
from pipeline.build_vocabulary import build_vocabulary, sample_of
from pipeline.cleaning import CleanConfig
from pipeline.errors import InputError
from pipeline.examples import read_lengths, read_shard
from pipeline.funnel import count_clean
from pipeline.ingest import ingest
from pipeline.jobs import ShardConfig, clean, shard
from pipeline.keys import pair_key, side_key
from pipeline.pairs import read_pairs
from pipeline.readers.weather import weather_pairs
from pipeline.records import SentencePair
from pipeline.sources import CorpusConfig
from pipeline.vocabulary import Vocabulary, VocabularyConfig

HERE = BeamConfig(workers=1)
WEATHER = [(pair.source, pair.target) for pair in weather_pairs("en", "fr", 600, seed=5)]


def corpus_of(folder, pairs, parts=1, sets=(), **splits):
    """A corpus of text files, the training pairs spread over some number of them; `sets` names further ones."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = {}
    for split, number, rows in [("train", parts, pairs), *((name, 1, rows) for name, rows in splits.items())]:
        sources[split] = []
        for part in range(number):
            names = [folder / f"{split}{part}.{side}" for side in ("en", "fr")]
            chosen = rows[part * len(rows) // number : (part + 1) * len(rows) // number]
            for side, name in enumerate(names):
                name.write_text("".join(f"{row[side]}\n" for row in chosen), encoding="utf-8")
            sources[split].append({"source": str(names[0]), "target": str(names[1]), "origin": "weather"})
    further = {name: sources.pop(name) for name in sets}
    return ingest(CorpusConfig(**sources, sets=further), output_dir=folder / "ingest")


def config_for(dev=20, test=30, **fields):
    """Rules that keep all weather sentences, and small held-out sets."""
    return CleanConfig(**{"hold_out": {"dev": dev, "test": test}, "shards": 4, "max_deviation": 0} | fields)


def pairs_of(manifest, pattern):
    return [pair for path in manifest.paths(pattern) for pair in read_pairs(path)]


@pytest.fixture(scope="module")
def weather(tmp_path_factory):
    """Weather pairs, clean and sharded."""
    folder = tmp_path_factory.mktemp("weather")
    corpus = corpus_of(folder, WEATHER)
    pairs = clean(config_for(), corpus, output_dir=folder / "clean", beam=HERE)
    vocabulary = build_vocabulary(VocabularyConfig(size=200, character_coverage=1.0), pairs, output_dir=folder / "v")
    shards = shard(ShardConfig(), pairs, vocabulary, output_dir=folder / "shard", beam=HERE)
    return folder, pairs, vocabulary, shards


def test_every_pair_is_kept_or_rejected_with_a_reason(tmp_path):
    dirty = [*WEATHER[:100], WEATHER[0], WEATHER[1], WEATHER[1], ("", "vide"), ("same", "same"), (" Rain ", "Pluie")]
    made = clean(config_for(5, 5), corpus_of(tmp_path, dirty), output_dir=tmp_path / "clean", beam=HERE)
    assert made.counts == {
        "train.read": 106,
        "train.kept": 91,
        "train.rejected.duplicate": 3,
        "train.rejected.empty": 1,
        "train.rejected.held_out": 10,
        "train.rejected.identical": 1,
        "dev": 5,
        "test": 5,
    }
    kept = pairs_of(made, "train/*.parquet")
    held_out = pairs_of(made, "dev.parquet") + pairs_of(made, "test.parquet")
    expected = {SentencePair(*row) for row in [*WEATHER[:100], ("Rain", "Pluie")]}
    assert {*kept, *held_out} == expected
    assert len(kept) + len(held_out) == len(expected)


def test_no_held_out_sentence_is_trained_on(weather):
    _, pairs, _, _ = weather
    held_out = pairs_of(pairs, "dev.parquet") + pairs_of(pairs, "test.parquet")
    train = pairs_of(pairs, "train/*.parquet")
    assert (len(train), len(held_out)) == (550, 50)
    for side in ("source", "target"):
        keys = [side_key(getattr(pair, side)) for pair in held_out]
        assert len(set(keys)) == 50
        assert not set(keys) & {side_key(getattr(pair, side)) for pair in train}
    # the pairs with the smallest content hashes are the test set
    smallest = sorted((SentencePair(*row) for row in WEATHER), key=pair_key)
    assert pairs_of(pairs, "test.parquet") == smallest[:30]


def test_given_sets_are_used_as_they_are_and_kept_out_of_training(tmp_path):
    given = [("Light  rain tonight!", "Pluie faible ce soir !"), ("", "")]
    leaks = [("light rain TONIGHT", "something else"), ("anything", "pluie faible ce soir")]
    corpus = corpus_of(tmp_path, WEATHER[:50] + leaks, test=given)
    made = clean(config_for(dev=5), corpus, output_dir=tmp_path / "clean", beam=HERE)
    assert made.counts["train.rejected.held_out"] == 5 + 2
    assert [(pair.source, pair.target) for pair in pairs_of(made, "test.parquet")] == given


def test_further_sets_are_held_out_under_their_names(tmp_path):
    news, coco = [("Snow  tonight!", "Neige ce soir !"), ("", "")], WEATHER[:7]
    leaks = [("snow tonight", "something else"), *WEATHER[:3]]
    corpus = corpus_of(tmp_path, WEATHER[50:100] + leaks, sets=["news", "coco"], news=news, coco=coco)
    assert corpus.counts == {"train": 54, "news": 2, "coco": 7}
    made = clean(config_for(dev=5, test=5), corpus, output_dir=tmp_path / "clean", beam=HERE)
    assert made.counts == {
        "train.read": 54,
        "train.kept": 40,
        "train.rejected.held_out": 5 + 5 + 4,
        "coco": 7,
        "dev": 5,
        "news": 2,
        "test": 5,
    }
    assert [(pair.source, pair.target) for pair in pairs_of(made, "coco.parquet")] == coco
    assert [(pair.source, pair.target) for pair in pairs_of(made, "news.parquet")] == news


def test_a_dev_set_that_is_held_out_shares_nothing_with_a_given_test_set(tmp_path):
    corpus = corpus_of(tmp_path, WEATHER[:100], test=WEATHER[:60])
    made = clean(config_for(dev=30), corpus, output_dir=tmp_path / "clean", beam=HERE)
    assert not set(pairs_of(made, "dev.parquet")) & set(pairs_of(made, "test.parquet"))
    assert (made.counts["dev"], made.counts["train.kept"]) == (30, 10)


def test_rejects_are_kept_as_they_were_read(tmp_path):
    corpus = corpus_of(tmp_path, [*WEATHER[:20], ("  same ", "same")])
    made = clean(config_for(5, 5, shards=1), corpus, output_dir=tmp_path / "clean", beam=HERE)
    rows = pq.read_table(made.path("rejects/part-00000-of-00001.parquet")).to_pylist()
    assert [row for row in rows if row["reason"] != "held_out"] == [
        {"reason": "identical", "source": "  same ", "target": "same", "origin": "weather"}
    ]


def test_a_text_of_which_nearly_all_is_rejected_stops_the_night(tmp_path, caplog):
    rows = [*WEATHER[:60], *((f"same {number}", f"same {number}") for number in range(640))]
    corpus = corpus_of(tmp_path, rows)
    with pytest.raises(InputError, match=r"clean.max_rejected = 640 of 650 pairs rejected: .*90 % \(identical 640; sw"):
        clean(config_for(), corpus, output_dir=tmp_path / "clean", beam=HERE)
    taken = clean(config_for(max_rejected=1), corpus, output_dir=tmp_path / "clean", beam=HERE)
    assert taken.counts["train.kept"] == 10
    assert clean(config_for(), corpus, output_dir=tmp_path / "clean", beam=HERE) == taken
    assert "nothing is known of source: its side is not checked for it" in caplog.text


def test_lost_pairs_are_a_failure(tmp_path):
    made = clean(config_for(5, 5), corpus_of(tmp_path, WEATHER[:20]), output_dir=tmp_path / "clean", beam=HERE)
    with pytest.raises(RuntimeError, match="21 pairs were read, but 10 kept and {'held_out': 10} rejected"):
        count_clean(made.directory, 21)


def test_more_shards_than_pairs_write_every_file(tmp_path):
    made = clean(
        config_for(5, 5, shards=64), corpus_of(tmp_path, WEATHER[:20]), output_dir=tmp_path / "clean", beam=HERE
    )
    assert len(made.paths("train/part-*-of-00064.parquet")) == 64


def test_pairs_lie_in_the_order_of_their_hashes(weather):
    _, pairs, _, _ = weather
    files = pairs.paths("train/*.parquet")
    assert [path.name for path in files] == [f"part-{shard:05}-of-00004.parquet" for shard in range(4)]
    for shard_number, path in enumerate(files):
        keys = [pair_key(pair) for pair in read_pairs(path)]
        assert keys == sorted(keys)
        assert {int.from_bytes(key) % 4 for key in keys} == {shard_number}


def test_shards_hold_the_ids_of_the_pairs_in_their_order(weather):
    _, pairs, vocabulary, shards = weather
    pieces = Vocabulary.load(vocabulary.path("vocabulary.model"))
    for parquet, tfrecord in zip(pairs.paths("train/*.parquet"), shards.paths("train/*.tfrecord"), strict=True):
        ids = read_shard(tfrecord)
        expected = pieces.encode([pair.target for pair in read_pairs(parquet)])
        assert ids.target_values.tolist() == [token for sentence in expected for token in sentence]
        assert read_lengths(tfrecord)[:, 1].tolist() == [len(sentence) for sentence in expected]
    assert shards.counts["train.pairs"] == 550
    assert shards.counts["dev.pairs"] == 20


@pytest.mark.parametrize("runner", ["this process", "two processes", "an external worker"])
def test_bytes_are_the_same_wherever_the_job_runs_and_however_the_lines_are_spread(runner, weather, tmp_path, request):
    _, pairs, vocabulary, shards = weather
    beam = {"this process": lambda: HERE, "two processes": lambda: BeamConfig(workers=2)}.get(
        runner, lambda: request.getfixturevalue("portable")
    )()
    corpus = corpus_of(tmp_path, WEATHER[::-1], parts=3)
    again = clean(config_for(), corpus, output_dir=tmp_path / "clean", beam=beam)
    assert again.digest == pairs.digest
    assert again.counts == pairs.counts
    assert shard(ShardConfig(), again, vocabulary, output_dir=tmp_path / "shard", beam=beam).digest == shards.digest


def test_a_job_that_was_killed_ends_with_the_same_bytes(weather, tmp_path):
    """Kills a real process at several moments of the clean job, and runs it again."""
    _, pairs, *_ = weather
    corpus = corpus_of(tmp_path, WEATHER)
    process = start_clean(corpus, tmp_path / "clean")
    for _ in range(3):
        time.sleep(0.3)
        process.kill()
        process.communicate()
        process = start_clean(corpus, tmp_path / "clean")
    while process.poll() is None and not list(tmp_path.glob("clean/*/train/*.parquet")):
        time.sleep(0.001)
    process.kill()
    process.communicate()
    again = clean(config_for(), corpus, output_dir=tmp_path / "clean", beam=HERE)
    assert again.digest == pairs.digest


def start_clean(corpus, output_dir):
    program = f"""
from pathlib import Path
from pipeline import manifest
from pipeline.beam_config import BeamConfig
from pipeline.cleaning import CleanConfig
from pipeline.jobs import clean
config = CleanConfig.model_validate_json({config_for().model_dump_json()!r})
corpus = manifest.read(Path({str(corpus.directory)!r}))
clean(config, corpus, output_dir=Path({str(output_dir)!r}), beam=BeamConfig(workers=1))
"""
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_full_disk_leaves_nothing_that_looks_whole(tmp_path):
    """The limit on the size of a file stands for the disk: it fails the same system call."""
    corpus = corpus_of(tmp_path, WEATHER)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            clean(config_for(), corpus, output_dir=tmp_path / "clean", beam=HERE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not list(tmp_path.glob("clean/*/*"))
    assert clean(config_for(), corpus, output_dir=tmp_path / "clean", beam=HERE).counts["train.kept"] == 550


def test_the_sample_is_chosen_by_content(weather, tmp_path):
    _, pairs, _, _ = weather
    config = VocabularyConfig(size=120, character_coverage=1.0, sample_pairs=100)
    made = build_vocabulary(config, pairs, output_dir=tmp_path)
    assert made.counts == {"pieces": 120, "sampled_pairs": 100}
    smallest = sorted(pairs_of(pairs, "train/*.parquet"), key=pair_key)[:100]
    assert sample_of([pairs], 100) == smallest


@pytest.mark.parametrize(
    ("rows", "config", "message"),
    [
        (
            [("same", "same"), ("", "x")],
            config_for(),
            "corpus.train = 2 pairs, all rejected: expected at least one pair .*empty 1, identical 1",
        ),
        (
            WEATHER[:40],
            config_for(),
            r"hold_out.dev = 20: expected fewer, as 10 were found among 40 clean",
        ),
        (
            WEATHER[:20],
            config_for(),
            r"hold_out.test = 30: expected fewer, as 20 were found among 20 clean",
        ),
        (WEATHER[:50], config_for(20, 30), r"clean.hold_out = nothing left: .*all 50 clean pairs"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(tmp_path, rows, config, message):
    corpus = corpus_of(tmp_path, rows)
    with pytest.raises(InputError, match=message):
        clean(config, corpus, output_dir=tmp_path / "clean", beam=HERE)
    assert [path for path in (tmp_path / "clean").iterdir() if path.is_dir()] == []


def test_a_vocabulary_larger_than_the_text_allows(weather, tmp_path):
    _, pairs, _, _ = weather
    with pytest.raises(InputError, match="vocabulary.size = 8000: expected at most"):
        build_vocabulary(VocabularyConfig(character_coverage=1.0), pairs, output_dir=tmp_path)
