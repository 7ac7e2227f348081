"""Nights on real files: what each of them makes, keeps and says."""

import logging

import pytest

from pipeline import manifest
from pipeline.beam_config import BeamConfig
from pipeline.build_vocabulary import build_vocabulary
from pipeline.cleaning import CleanConfig
from pipeline.errors import InputError
from pipeline.examples import read_shard
from pipeline.ingest import ingest
from pipeline.jobs import ShardConfig, clean, shard
from pipeline.manifest import sha256_of_file
from pipeline.pairs import read_pairs
from pipeline.readers.weather import weather_pairs
from pipeline.sources import CorpusConfig
from pipeline.vocabulary import VocabularyConfig

WEATHER = [f"{pair.source}\t{pair.target}\n" for pair in weather_pairs("en", "fr", 400, seed=5)]
HERE = BeamConfig(workers=1)


@pytest.fixture(autouse=True)
def log(caplog):
    caplog.set_level(logging.INFO, logger="nightshift")
    return caplog


class Nights:
    """A folder of TSV files, and the nights that are run on it."""

    def __init__(self, folder, caplog):
        self.folder = folder
        self.caplog = caplog
        (folder / "text").mkdir()

    def file(self, name, lines):
        (self.folder / "text" / name).write_text("".join(lines), encoding="utf-8")

    def config(self, **fields):
        train = {"kind": "table", "path": str(self.folder / "text" / "*.tsv"), "source": 1, "target": 2}
        given = {"train": [train | {"origin": "news"}], "source_language": "en", "target_language": "fr"}
        return CorpusConfig(**given | fields)

    def ingest(self, **fields):
        return ingest(self.config(**fields), output_dir=self.folder / "ingest")

    def night(self, vocabulary=None, **fields):
        """Everything up to the shards."""
        corpus = self.ingest(**fields)
        rules = CleanConfig(hold_out={"dev": 10, "test": 10}, shards=2, max_deviation=0, min_script=0)
        pairs = clean(rules, corpus, output_dir=self.folder / "clean", beam=HERE)
        learned = VocabularyConfig(**{"size": 150, "character_coverage": 1.0} | (vocabulary or {}))
        pieces = build_vocabulary(learned, pairs, output_dir=self.folder / "vocabulary")
        return corpus, pairs, pieces, shard(ShardConfig(), pairs, pieces, output_dir=self.folder / "shard", beam=HERE)

    def said(self):
        """What the stages said, in order, since this was last asked: [("ingest", "started", why), ...]."""
        lines = [record.getMessage().split(None, 2) for record in self.caplog.records]
        self.caplog.clear()
        return [(name, what, rest) for name, what, rest in lines if what in ("started", "reused")]


@pytest.fixture
def nights(tmp_path, caplog):
    return Nights(tmp_path, caplog)


def files_of(corpus):
    return [[part["location"].rpartition("/")[2] for part in made.facts["parts"]] for made in corpus.chain()]


def texts_in(manifest):
    return [
        (pair.source, pair.target) for path in manifest.paths_of_all("train/*.parquet") for pair in read_pairs(path)
    ]


def test_a_new_file_is_a_new_generation_and_nothing_else_is_done_again(nights):
    nights.file("a.tsv", WEATHER[:200])
    nights.file("b.tsv", WEATHER[200:300])
    first = nights.night()
    assert [what for _, what, _ in nights.said()] == ["started"] * 4
    nights.file("c.tsv", [*WEATHER[250:400], WEATHER[399], "same\tsame\n"])
    second = nights.night()
    started = nights.said()
    assert [(name, what) for name, what, _ in started] == [
        ("ingest", "started"), ("clean", "started"), ("build_vocabulary", "started"), ("shard", "started")
    ]  # fmt: skip
    assert started[0][2].endswith("c.tsv")
    assert started[0][2].startswith("generation 2: ")
    assert files_of(second[0]) == [["a.tsv", "b.tsv"], ["c.tsv"]]
    assert [made.chain()[0] for made in second] == list(first)
    # the fifty lines that the first generation had do not come again, nor what it held out
    counts = second[1].counts
    held_out = counts.get("train.rejected.held_out", 0)
    known = counts["train.rejected.earlier_duplicate"] + held_out
    assert known == 50
    assert counts == {
        "train.read": 152,
        "train.kept": 100,
        "train.rejected.duplicate": 1,
        "train.rejected.earlier_duplicate": 50 - held_out,
        **({"train.rejected.held_out": held_out} if held_out else {}),
        "train.rejected.identical": 1,
    }
    kept = texts_in(second[1])
    assert len(kept) == len(set(kept)) == 400 - 20
    ids = [read_shard(path) for path in second[3].paths_of_all("train/*.tfrecord")]
    assert sum(map(len, ids)) == 380
    assert second[3].totals()["train.pairs"] == 380
    assert second[3].digest != first[3].digest


def test_a_night_with_nothing_new_finds_everything_done(nights):
    nights.file("a.tsv", WEATHER[:200])
    nights.night()
    nights.file("b.tsv", WEATHER[200:])
    made = nights.night()
    nights.said()
    assert nights.night() == made
    assert {what for _, what, _ in nights.said()} == {"reused"}


def test_where_files_lie_and_in_which_order_does_not_matter(nights):
    nights.file("a.tsv", WEATHER[:200])
    nights.file("b.tsv", WEATHER[200:])
    first = nights.ingest()
    text = nights.folder / "text"
    (text / "a.tsv").rename(text / "z.tsv")
    assert nights.ingest() == first


def test_a_file_that_changed_adds_a_generation_or_makes_it_anew(nights):
    nights.file("a.tsv", WEATHER[:200])
    nights.file("b.tsv", WEATHER[200:250])
    nights.ingest()
    nights.file("b.tsv", WEATHER[220:300])
    added = nights.ingest()
    assert files_of(added) == [["a.tsv", "b.tsv"], ["b.tsv"]]
    rebuilt = nights.ingest(when_changed="rebuild")
    assert files_of(rebuilt) == [["a.tsv", "b.tsv"]]
    assert rebuilt.counts == {"train": 280}
    assert "b.tsv is gone or changed" in nights.said()[-1][2]


def test_a_source_that_is_gone_is_said_and_only_what_follows_is_made_anew(nights):
    for name, lines in (("a", WEATHER[:200]), ("b", WEATHER[200:250]), ("c", WEATHER[250:300])):
        nights.file(f"{name}.tsv", lines)
        made = nights.ingest()
    assert files_of(made) == [["a.tsv"], ["b.tsv"], ["c.tsv"]]
    (nights.folder / "text" / "b.tsv").unlink()
    without = nights.ingest()
    assert files_of(without) == [["a.tsv"], ["c.tsv"]]
    assert without.chain()[0] == made.chain()[0]
    name, what, why = nights.said()[-1]
    assert (name, what) == ("ingest", "started")
    assert why.startswith("generations 2 and on made anew, as ")
    assert "b.tsv is gone or changed; generation 2: " in why
    nights.file("b.tsv", WEATHER[200:250])  # it is back: the first chain holds again
    assert nights.ingest() == made


def test_another_test_set_makes_everything_anew(nights):
    nights.file("a.tsv", WEATHER[:200])
    nights.ingest()
    (nights.folder / "held").mkdir()
    (nights.folder / "held" / "test.tsv").write_text("".join(WEATHER[300:310]), encoding="utf-8")
    columns = {"kind": "table", "source": 1, "target": 2}
    given = {"test": [columns | {"path": str(nights.folder / "held" / "test.tsv")}]}
    with_test = nights.ingest(**given)
    assert with_test.counts == {"test": 10, "train": 200}
    nights.file("b.tsv", WEATHER[200:220])
    assert [made.counts for made in nights.ingest(**given).chain()] == [with_test.counts, {"train": 20}]


def test_a_set_that_is_added_makes_everything_anew_and_later_nights_keep_out_of_it(nights):
    nights.file("a.tsv", WEATHER[:200])
    nights.night()
    (nights.folder / "coco.tsv").write_text("".join(WEATHER[200:205]), encoding="utf-8")
    given = {"sets": {"coco": [{"kind": "table", "path": str(nights.folder / "coco.tsv"), "source": 1, "target": 2}]}}
    nights.said()
    nights.night(**given)
    assert nights.said()[0][2].endswith("as a held-out set or the order of the sources changed")
    nights.file("b.tsv", WEATHER[203:250])
    corpus, pairs, *_ = nights.night(**given)
    assert [made.counts for made in corpus.chain()] == [{"train": 200, "coco": 5}, {"train": 47}]
    assert pairs.counts["train.rejected.held_out"] >= 2
    assert pairs.totals()["coco"] == 5


def test_what_cannot_be_read_in_a_test_set_is_counted_and_not_scored(nights):
    nights.file("a.tsv", WEATHER[:200])
    (nights.folder / "test.tsv").write_text("".join(WEATHER[300:310]) + "no second column\n", encoding="utf-8")
    given = {"test": [{"kind": "table", "path": str(nights.folder / "test.tsv"), "source": 1, "target": 2}]}
    corpus, pairs, *_ = nights.night(**given)
    assert corpus.counts == {"test": 10, "test.unreadable.malformed": 1, "train": 200}
    assert (pairs.counts["test"], pairs.counts["dev"]) == (10, 10)
    (nights.folder / "test.tsv").rename(nights.folder / "renamed.tsv")
    moved = {"test": [given["test"][0] | {"path": str(nights.folder / "renamed.tsv")}]}
    assert nights.ingest(**moved) == corpus


def test_sources_in_another_order_are_made_anew_as_the_earlier_one_wins(nights):
    nights.file("a.tsv", WEATHER[:200])
    nights.file("b.csv", [line.replace(",", ";").replace("\t", ",") for line in WEATHER[100:300]])
    news, web = ({"kind": "table", "path": str(nights.folder / "text" / name), "source": 1, "target": 2,
                  "origin": origin} for name, origin in (("a.tsv", "news"), ("b.csv", "web")))  # fmt: skip
    first = nights.ingest(train=[news, web])
    assert nights.ingest(train=[news, web]) == first
    other = nights.ingest(train=[web, news])
    assert [part["origin"] for part in other.facts["parts"]] == ["web", "news"]
    assert "the order of the sources changed" in nights.said()[-1][2]


def test_a_chain_that_keeps_more_is_preferred_to_one_made_later(nights):
    nights.file("a.tsv", WEATHER[:200])
    nights.file("b.tsv", WEATHER[200:250])
    nights.ingest()
    nights.file("b.tsv", WEATHER[250:300])
    added = nights.ingest()
    nights.ingest(when_changed="rebuild")
    assert nights.ingest() == added


def test_a_night_reads_no_more_of_older_generations_than_it_needs(nights, monkeypatch):
    nights.file("a.tsv", WEATHER[:200])
    nights.night()
    nights.file("b.tsv", WEATHER[200:300])
    hashed = []
    monkeypatch.setattr(manifest, "sha256_of_file", lambda path: hashed.append(path) or sha256_of_file(path))
    _, pairs, *_ = nights.night()
    old = {
        path.relative_to(pairs.before().directory).as_posix()
        for path in hashed
        if pairs.before().directory in path.parents
    }
    assert old == {"dev.parquet", "test.parquet", *(f"keys/part-0000{n}-of-00002.npy" for n in range(2))}


def test_the_vocabulary_stays_until_the_text_is_unknown_to_it(nights):
    nights.file("a.tsv", WEATHER[:200])
    first = nights.night()
    nights.file("b.tsv", WEATHER[200:300])
    second = nights.night()
    assert second[2].path("vocabulary.model").read_bytes() == first[2].path("vocabulary.model").read_bytes()
    assert second[2].totals()["pieces"] == 150
    nights.file("c.tsv", ["☂ rain\t☂ pluie\n"])  # too little to be judged by
    assert nights.night()[2].facts["learned_at"] == 1
    nights.file("d.tsv", [f"дождь {number}\tснег {number}\n" for number in range(600)])
    nights.said()
    third = nights.night()
    assert [name for name, what, _ in nights.said() if what == "started"] == [
        "ingest", "clean", "build_vocabulary", "shard", "shard", "shard", "shard"
    ]  # fmt: skip
    assert third[2].facts["learned_at"] == 4
    assert third[2].path("vocabulary.model").read_bytes() != first[2].path("vocabulary.model").read_bytes()
    assert [made.inputs["vocabulary"].digest for made in third[3].chain()] == [third[2].digest] * 4


def test_text_that_one_side_does_not_know_has_both_vocabularies_learned_anew(nights):
    apart = {"separate": True, "source_size": 100}
    nights.file("a.tsv", WEATHER[:200])
    first = nights.night(vocabulary=apart)[2]
    assert first.counts == {"source.pieces": 100, "target.pieces": 150, "sampled_pairs": 180}
    nights.file("b.tsv", WEATHER[200:250])
    kept = nights.night(vocabulary=apart)[2]
    assert kept.counts == {"generations_kept_for": 1}
    assert kept.totals()["source.pieces"] == 100
    for name in ("source.model", "target.model"):
        assert kept.path(name).read_bytes() == first.path(name).read_bytes()
    nights.file("c.tsv", [f"Rain {number}.\tснег {number}.\n" for number in range(600)])
    third = nights.night(vocabulary=apart)[2]
    assert third.facts["learned_at"] == 3
    assert third.facts["unknown_share"] < 0.01
    assert third.path("target.model").read_bytes() != first.path("target.model").read_bytes()


def test_a_new_vocabulary_can_be_asked_for(nights):
    nights.file("a.tsv", WEATHER[:200])
    nights.night()
    nights.file("b.tsv", WEATHER[200:400])
    *_, pieces, _ = nights.night(vocabulary={"rebuild_at": 2})
    assert pieces.facts["learned_at"] == 2
    assert pieces.counts["sampled_pairs"] == 380
    nights.file("c.tsv", ["A new day.\tUn nouveau jour.\n"])
    *_, later, _ = nights.night(vocabulary={"rebuild_at": 2, "max_unknown_share": 1})
    assert later.facts["learned_at"] == 2


def test_a_generation_of_which_nothing_is_new_is_empty_and_whole(nights):
    nights.file("a.tsv", WEATHER[:200])
    nights.night()
    nights.file("b.tsv", WEATHER[50:100])
    _, pairs, _, shards = nights.night()
    assert (pairs.counts["train.read"], pairs.counts["train.kept"]) == (50, 0)
    assert shards.counts["train.pairs"] == 0
    assert len(shards.paths("train/*.tfrecord")) == 2


def test_a_damaged_key_file_is_found_before_it_is_used(nights):
    nights.file("a.tsv", WEATHER[:200])
    _, pairs, *_ = nights.night()
    keys = pairs.paths("keys/*.npy")[0]
    keys.write_bytes(keys.read_bytes()[:-1] + b"x")
    nights.file("b.tsv", WEATHER[200:300])
    with pytest.raises(InputError, match=r"keys.*run the same command again and clean makes it anew"):
        nights.night()
    assert len(nights.night()[3].chain()) == 2


def test_a_file_that_cannot_be_read_leaves_the_chain_as_it_was(nights):
    nights.file("a.tsv", WEATHER[:200])
    made = nights.ingest()
    nights.file("b.tsv", [])
    with pytest.raises(InputError, match=r"b.tsv"):
        nights.ingest()
    (nights.folder / "text" / "b.tsv").unlink()
    assert nights.ingest() == made
