"""The stage `inspect` on shards of the weather, generation by generation."""

import json
import logging
from collections import Counter

import pytest

from pipeline import manifest as manifests
from pipeline.beam_config import BeamConfig
from pipeline.errors import InputError
from pipeline.examples import write_shard
from pipeline.inspection import inspect
from pipeline.manifest import EARLIER, Manifest, input_record
from pipeline.readers.weather import weather_pairs
from pipeline.statistics import StatisticsConfig
from pipeline.summaries import load
from pipeline.vocabulary import Vocabulary, VocabularyConfig, train_vocabulary

HERE = BeamConfig(workers=1)
PAIRS = [(pair.source, pair.target) for pair in weather_pairs("en", "fr", 1800, seed=5)]
CONFIG = StatisticsConfig(frequent_pieces=3, min_pairs=100)


def made(folder, kind, counts=None, facts=None, earlier=None):
    """The manifest of files that are there, as a stage would have written it."""
    manifest = Manifest(
        kind=kind,
        stage=kind,
        stage_version=1,
        fingerprint=folder.name * 4,
        earlier=earlier.fingerprint if earlier else "",
        config={},
        inputs={EARLIER: input_record(earlier)} if earlier else {},
        files=manifests.file_records(folder),
        counts=counts or {},
        facts=facts or {},
        versions={},
        finished="2026-11-22T03:00:00+00:00",
        seconds=1.0,
        directory=folder,
    )
    manifests.write(manifest)
    return manifest


class Data:
    """A vocabulary of the weather, and shards made with it."""

    def __init__(self, folder):
        self.folder = folder
        sentences = [side for pair in PAIRS for side in pair]
        model = train_vocabulary(VocabularyConfig(size=200, character_coverage=1.0), sentences)
        there = folder / "vocabulary" / ("0" * 12)
        there.mkdir(parents=True)
        (there / "vocabulary.model").write_bytes(model)
        self.pieces = Vocabulary(model)
        self.vocabulary = made(there, "vocabulary")

    def shards(self, name, pairs, origins=("news",), files=2, suffix="tfrecord", earlier=None, counted=None):
        """A generation of shards; pair i is of origin i modulo their number."""
        folder = self.folder / "shard" / (name * 12)[:12]
        for number in range(files):
            rows = range(number, len(pairs), files)
            sides = [self.pieces.encode([pairs[row][side] for row in rows]) for side in (0, 1)]
            shard = folder / "train" / f"shard-{number:05}-of-{files:05}.{suffix}"
            shard.parent.mkdir(parents=True, exist_ok=True)
            write_shard(shard, *sides, [row % len(origins) for row in rows])
        counts = {"train.pairs": len(pairs) if counted is None else counted}
        return made(folder, "shards", counts, {"origins": list(origins)}, earlier)

    def inspect(self, shards, config=CONFIG, beam=HERE, name="inspect"):
        return inspect(config, shards, self.vocabulary, output_dir=self.folder / name, beam=beam)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The vocabulary, for shards of each test's own."""
    return Data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def first(data):
    """A first generation of two origins."""
    return data.shards("a", PAIRS[:1000], origins=("news", "web"))


def report_of(manifest):
    return json.loads(manifest.path("statistics.json").read_text(encoding="utf-8"))


def test_a_first_generation_is_described(data, first):
    found = data.inspect(first)
    report = report_of(found)
    assert found.counts == {"pairs": 1000}
    assert sorted(file.path for file in found.files) == [
        "chain.npz",
        "generation.npz",
        "lengths.png",
        "statistics.json",
    ]
    assert report["drift"] == []
    assert report["generation"] == report["chain"]
    assert {name: figures["pairs"] for name, figures in report["generation"]["origins"].items()} == {
        "news": 500,
        "web": 500,
    }
    ids = data.pieces.encode([source for source, _ in PAIRS[:1000]])
    source = report["generation"]["all"]["source"]
    tokens = Counter(token for sentence in ids for token in sentence)
    assert source["tokens"] == tokens.total()
    assert source["frequent_pieces"] == {data.pieces.piece(token): n for token, n in tokens.most_common(3)}
    assert (source["lengths"]["0%"], source["lengths"]["100%"]) == (min(map(len, ids)), max(map(len, ids)))
    assert source["lengths"]["50%"] == sorted(map(len, ids))[499]
    assert source["distinct_sentences"] == len(set(map(tuple, ids)))
    assert report["generation"]["all"]["distinct_pairs"] == 1000
    assert found.facts == {
        "generation": report["generation"]["all"],
        "chain": report["chain"]["all"],
        "origins": {"news": 500, "web": 500},
        "drift": [],
    }


def test_the_files_are_those_of_the_pairs_alone(data, first):
    """Other files in another order, and packed, give the same bytes."""
    other = data.shards("b", PAIRS[:1000], origins=("news", "web"), files=6, suffix="tfrecord.gz")
    assert data.inspect(other, name="other").digest == data.inspect(first).digest


def test_two_processes_give_the_same_bytes(data, first):
    two = data.inspect(first, beam=BeamConfig(workers=2), name="two")
    assert two.digest == data.inspect(first).digest


def test_a_second_generation_is_added_to_the_first(data, first, caplog):
    second = data.shards("c", PAIRS[1000:1300], origins=("books", "news"), earlier=first)
    whole = data.shards("d", PAIRS[:1300], origins=("x",))
    with caplog.at_level(logging.WARNING):
        found = data.inspect(second)
    report = report_of(found)
    assert found.earlier == found.before().fingerprint
    assert report_of(found.before()) == report_of(data.inspect(first))
    assert report["generation"]["all"]["pairs"] == 300
    assert {name: figures["pairs"] for name, figures in report["chain"]["origins"].items()} == {
        "news": 650,
        "web": 500,
        "books": 150,
    }
    # The chain's figures, put together from two generations, are those of all pairs read at once.
    assert report["chain"]["all"] == report_of(data.inspect(whole, name="whole"))["chain"]["all"]
    assert [(each["origin"], each["pairs"], each["pairs_before"]) for each in report["drift"]] == [
        ("", 300, 1000),
        ("books", 150, 1000),
        ("news", 150, 500),
    ]
    assert not any(distance["is_over"] for each in report["drift"] for distance in each["distances"])
    assert caplog.messages == []


def test_older_shards_are_not_read_again(data, tmp_path):
    one = data.shards("e", PAIRS[:200])
    earlier = data.inspect(one)
    two = data.shards("f", PAIRS[200:300], earlier=one)
    for path in one.paths("train/*"):
        path.unlink()
    outcome = inspect.body(CONFIG, two, data.vocabulary, folder=tmp_path, beam=HERE, earlier=earlier, is_newest=True)
    assert outcome.counts == {"pairs": 100}
    assert load(tmp_path / "chain.npz")["news"].pairs == 300


def test_swapped_sides_stop_the_night(data, first, caplog):
    swapped = data.shards("g", [pair[::-1] for pair in PAIRS[1000:1400]], origins=("odd",), earlier=first)
    data.inspect(first)
    before = {path.name for path in (data.folder / "inspect").iterdir() if path.is_dir()}
    with pytest.raises(InputError) as error, caplog.at_level(logging.WARNING):
        data.inspect(swapped)
    assert error.value.parameter == "statistics.stop.swapped_sides"
    assert 0.5 < error.value.value < 1
    (stopped,) = (data.folder / "inspect").glob("*-stopped")
    assert str(error.value).partition(": ")[2] == (
        "expected at most 0.05 (swapped sides of all 400 new pairs against the 1,000 before: source and target look "
        f"swapped; set reverse on that source; see {stopped}, leave it out, or raise the limit to take it; "
        "the night brought odd 400)"
    )
    assert {path.name for path in stopped.iterdir()} >= {"lengths.png", "statistics.json"}
    assert not list(stopped.glob("manifest.json"))
    assert len(caplog.messages) == 4  # both sides' pieces, the ratio, the sides themselves
    assert caplog.messages[0].startswith("inspect          drift     source pieces of all 400 new pairs: 0.")
    assert ", with more ▁la ▁dans ▁et " in caplog.messages[0]
    assert {path.name for path in (data.folder / "inspect").iterdir() if path.is_dir()} == before | {stopped.name}


def test_a_raised_limit_takes_what_stopped_the_night(data, first, caplog):
    config = StatisticsConfig(frequent_pieces=3, min_pairs=100, stop={"pieces": 1, "swapped_sides": 1})
    swapped = data.shards("h", [pair[::-1] for pair in PAIRS[1000:1400]], earlier=first)
    with caplog.at_level(logging.WARNING):
        found = data.inspect(swapped, config)
    over = {(each["measure"], each["side"]) for each in found.facts["drift"][0]["distances"] if each["is_over"]}
    assert {("swapped_sides", ""), ("pieces", "source"), ("pieces", "target"), ("ratio", "")} <= over
    assert sum("of all 400 new pairs" in line for line in caplog.messages) == len(over)
    # what is there is not made again for a limit that it stays below
    assert data.inspect(swapped, CONFIG) == found


def test_what_was_taken_once_stops_no_later_night(data, first):
    lenient = StatisticsConfig(frequent_pieces=3, min_pairs=100, stop={"pieces": 1, "swapped_sides": 1})
    swapped = data.shards("k", [pair[::-1] for pair in PAIRS[1000:1400]], earlier=first)
    data.inspect(swapped, lenient)
    later = data.shards("l", PAIRS[1400:1450], earlier=swapped)
    changed = StatisticsConfig(frequent_pieces=4, min_pairs=100)  # has all generations described anew
    assert data.inspect(later, changed).facts["chain"]["pairs"] == 1450


def test_damage_to_what_earlier_generations_left_is_found_and_mended(data, first):
    made = data.inspect(first, name="damaged")
    chain = made.path("chain.npz")
    chain.write_bytes(chain.read_bytes()[:-1] + b"x")
    second = data.shards("m", PAIRS[1400:1500], earlier=first)
    with pytest.raises(InputError, match=r"chain.npz.* and inspect makes it anew"):
        data.inspect(second, name="damaged")
    assert data.inspect(second, name="damaged").facts["chain"]["pairs"] == 1100


def test_few_pairs_are_counted_and_not_judged(data, first, caplog):
    few = data.shards("i", [pair[::-1] for pair in PAIRS[1000:1099]], earlier=first)
    with caplog.at_level(logging.WARNING):
        found = data.inspect(few)
    assert found.facts["drift"][0]["distances"] == []
    assert found.facts["chain"]["pairs"] == 1099
    assert caplog.messages == []


def test_a_generation_without_pairs_changes_nothing(data, first):
    found = data.inspect(data.shards("j", [], earlier=first))
    assert found.counts == {"pairs": 0}
    assert found.facts["chain"] == data.inspect(first).facts["chain"]


def test_pairs_that_were_lost_are_a_failure(data):
    shards = data.shards("k", PAIRS[:150], counted=151)
    with pytest.raises(RuntimeError, match="150 pairs were summarised of 151"):
        data.inspect(shards, name="lost")
    assert [path for path in (data.folder / "lost").iterdir() if path.is_dir()] == []
