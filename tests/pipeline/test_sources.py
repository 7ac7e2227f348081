import gzip
import hashlib
import pickle

import pytest

from pipeline.errors import InputError
from pipeline.records import SentencePair
from pipeline.sources import CorpusConfig, check_sources, licences_of, parts_of, read_blocks, read_part, weights_of

LANGUAGES = {"source_language": "en", "target_language": "de"}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Writes files into the current folder, each as its name says: `a.en`, `a.de`, `a.tsv`."""
    monkeypatch.chdir(tmp_path)

    def write(files, **fields):
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        return CorpusConfig(**LANGUAGES | fields)

    return write


def table(path, **fields):
    return {"kind": "table", "path": path, "source": 1, "target": 2, **fields}


def test_any_kinds_of_sources_make_one_corpus(corpus):
    config = corpus(
        {"a.en": b"one\n", "a.de": b"eins\n", "b.tsv": b"two\tzwei\n", "c.txt": b"drei\nthree\n", "d.en": b"x\n"},
        train=[
            {"source": "a.en", "target": "a.de"},
            table("b.tsv", origin="web", weight=0.5),
            {"kind": "alternating", "path": "c.txt", "reverse": True},
        ],
        dev=[{"source": "d.en", "target": "a.de"}],
    )
    check_sources(config)
    parts = parts_of(config)
    assert [(part.split, part.name, part.location, part.origin) for part in parts] == [
        ("train", "corpus.train[0]", "a.en | a.de", "a"),
        ("train", "corpus.train[1]", "b.tsv", "web"),
        ("train", "corpus.train[2]", "c.txt", "c"),
        ("dev", "corpus.dev[0]", "d.en | a.de", "d"),
    ]
    assert [record for part in parts for record in read_part(part)] == [
        SentencePair("one", "eins"),
        SentencePair("two", "zwei"),
        SentencePair("three", "drei"),
        SentencePair("x", "eins"),
    ]
    assert weights_of(config) == {"web": 0.5}


def test_files_of_a_glob_are_parts_in_the_order_of_their_names(corpus):
    files = {f"{name}.{language}": f"{name}\n".encode() for name in ("n-10", "n-9", "n-1") for language in ("en", "de")}
    config = corpus(files, train=[{"source": "n-*.en", "target": "n-*.de"}])
    parts = parts_of(config)
    assert [part.location for part in parts] == ["n-1.en | n-1.de", "n-10.en | n-10.de", "n-9.en | n-9.de"]
    assert {(part.name, part.origin) for part in parts} == {("corpus.train[0]", "n")}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["a.en", "b.en", "a.de"],
            r"train\[0\].target = \*.de: expected as many files as \*.en matches, 2, but 1 match",
        ),
        (
            ["a.en", "b.en", "a.de", "c.de"],
            r"train\[0\].target = \*.de: expected the file that belongs to b.en \(c.de is",
        ),
        (["a.en"], r"train\[0\].target = \*.de: expected a pattern that at least one file matches"),
        (["a.de"], r"train\[0\].source = \*.en: expected a pattern that at least one file matches"),
    ],
)
def test_globs_that_do_not_match_the_same_files(corpus, files, message):
    config = corpus(dict.fromkeys(files, b"line\n"), train=[{"source": "*.en", "target": "*.de"}])
    for look in (check_sources, parts_of):
        with pytest.raises(InputError, match=message):
            look(config)


def test_a_digest_is_that_of_the_stored_bytes(corpus):
    stored = gzip.compress(b"one\teins\n")
    config = corpus(
        {"a.tsv.gz": stored, "a.en": b"1\n", "a.de": b"2\n"},
        train=[table("a.tsv.gz"), {"source": "a.en", "target": "a.de"}],
    )
    digests = [hashlib.sha256(content).hexdigest() for content in (stored, b"1\n", b"2\n")]
    both = hashlib.sha256("".join(digests[1:]).encode()).hexdigest()
    assert [part.digest for part in parts_of(config)] == [digests[0], both]


def test_a_reading_is_what_changes_the_pairs_and_nothing_else(corpus):
    files = {"a.tsv": b"one\teins\n", "elsewhere/b.tsv": b"one\teins\n", "a.csv": b"one\teins\n"}

    def reading(path="a.tsv", reading=None, languages=LANGUAGES, **fields):
        config = corpus(files, train=[table(path, **fields)], reading=reading or {}, **languages)
        return parts_of(config)[0].reading

    plain = reading()
    same = [
        reading("elsewhere/b.tsv"),
        reading(origin="x", weight=2),
        reading(delimiter="\t"),
        reading(quoted=False),
        reading(languages={"source_language": "fr", "target_language": "it"}),
        reading(sha256=hashlib.sha256(b"one\teins\n").hexdigest()),
    ]
    other = [
        reading(reverse=True),
        reading(target=1),
        reading(delimiter=","),
        reading(quoted=True),
        reading(reading={"undecodable": "reject"}),
        reading(reading={"malformed": "error"}),
        reading(reading={"longest_line": 500}),
    ]
    assert set(same) == {plain}
    assert reading("a.csv") == reading(delimiter=",") == reading(delimiter=",", quoted=True)
    assert len({plain, *other}) == 1 + len(other)


def test_languages_count_where_they_choose_what_is_read():
    def reading(source, target, **fields):
        config = CorpusConfig(source_language=source, target_language=target, train=[{"kind": "weather", **fields}])
        return parts_of(config)[0].reading

    assert reading("en", "fr") == reading("en-US", "fr", source_language="en")
    assert (
        len({reading("en", "fr"), reading("fr", "en"), reading("en", "fr", seed=2), reading("en", "fr", pairs=5)}) == 4
    )


def test_a_package_is_known_by_its_version():
    config = CorpusConfig(source_language="zh", target_language="pinyin", train=[{"kind": "pinyin"}])
    [part] = parts_of(config)
    assert (part.location, part.origin, part.files) == ("package pypinyin", "pypinyin", ())
    assert part.digest == hashlib.sha256(b"package pypinyin 0.55.0").hexdigest()


def test_weather_is_rendered_in_the_languages_of_the_corpus():
    config = CorpusConfig(**LANGUAGES, train=[{"kind": "weather", "pairs": 50}])
    [part] = parts_of(config)
    records = list(read_part(part))
    assert len(records) == 50
    assert records[0].source.startswith("Windy until this afternoon")
    assert (part.origin, part.location) == ("weather", "package pirateweather-translations")


def test_what_the_configuration_is_beside_its_parts():
    config = CorpusConfig(**LANGUAGES, reverse=True, train=[{"kind": "weather"}], reading={"undecodable": "reject"})
    assert config.canonical() == {"source_language": "en", "target_language": "de", "reverse": True}


def test_blocks_hold_the_same_as_the_part(corpus):
    config = corpus({"a.tsv": b"one\teins\n" * 10_000}, train=[table("a.tsv")])
    [part] = parts_of(config)
    blocks = list(read_blocks(part))
    assert [len(block) for block in blocks] == [4096, 4096, 1808]
    assert [record for block in blocks for record in block] == list(read_part(part))


def test_a_part_can_be_sent_to_another_process(corpus, monkeypatch, tmp_path_factory):
    config = corpus({"a.tsv": b"one\teins\n"}, train=[table("a.tsv")])
    [part] = parts_of(config)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    sent = pickle.loads(pickle.dumps(part))
    assert sent == part
    assert list(read_part(sent)) == [SentencePair("one", "eins")]


def test_no_source_at_all():
    with pytest.raises(InputError, match="corpus.train .*expected at least one source of pairs"):
        check_sources(CorpusConfig(dev=[{"kind": "weather"}]))


@pytest.mark.parametrize("path", ["", "/dev/zero", "/", "/no/such/file", "a\0b", "~no-such-user/a"])
def test_what_is_no_file(path):
    config = CorpusConfig(train=[{"source": path, "target": path}])
    for look in (check_sources, parts_of):
        with pytest.raises(InputError, match=r"corpus.train\[0\].source = .*: expected a regular file"):
            look(config)


def test_a_home_folder_is_found(corpus, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = corpus({"a.tsv": b"one\teins\n", "b[1].tsv": b"two\tzwei\n"}, train=[table("~/a.tsv"), table("b[1].tsv")])
    assert [part.location for part in parts_of(config)] == ["~/a.tsv", "b[1].tsv"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"train": [{"kind": "weather", "weight": 2}, {"kind": "weather", "seed": 2}]},
            r"train\[1\].weight = 1.0: expected 2",
        ),
        (
            {"train": [{"kind": "weather"}], "dev": [{"kind": "weather", "weight": 2}]},
            r"dev\[0\].weight = 2.0: expected none",
        ),
        ({"train": [{"kind": "weather", "reverse": True}]}, r"train\[0\].reverse = True: expected false for weather"),
        (
            {"train": [{"kind": "weather", "target_language": "klingon"}]},
            "target_language = klingon: expected one of ar",
        ),
        (
            {"frame_size": 80, "train": [{"kind": "weather"}]},
            r"train\[0\].kind = weather: expected frames \(corpus.frame_size is 80\)",
        ),
        (
            {"train": [{"kind": "frames", "path": "a"}]},
            r"corpus.frame_size = 0: expected how many numbers a frame has \(corpus.train\[0\] holds frames\)",
        ),
        (
            {"frame_size": 80, "reverse": True, "train": [{"kind": "frames", "path": "a"}]},
            r"corpus.reverse = True: expected false beside corpus.frame_size \(frames cannot be written\)",
        ),
        (
            {"frame_size": 80, "train": [{"kind": "frames", "path": "a", "reverse": True}]},
            r"train\[0\].reverse = True: expected false for frames",
        ),
    ],
)
def test_sources_that_contradict_each_other(fields, message):
    with pytest.raises(InputError, match=message):
        check_sources(CorpusConfig(**LANGUAGES, **fields))


def test_a_pinned_file_must_be_that_one(corpus):
    digest = hashlib.sha256(b"one\teins\n").hexdigest()
    config = corpus({"a.tsv": b"one\teins\n"}, train=[table("a.tsv", sha256=digest)])
    assert parts_of(config)[0].digest == digest
    with pytest.raises(InputError, match=rf"path = a.tsv: expected the file with SHA-256 000.* is {digest}"):
        parts_of(corpus({}, train=[table("a.tsv", sha256="0" * 64)]))
    with pytest.raises(InputError, match=r"path = \*.tsv: expected one file, because its SHA-256 is given \(2 match\)"):
        parts_of(corpus({"b.tsv": b"1\t2\n"}, train=[table("*.tsv", sha256=digest)]))


def test_licences_are_told_by_origin_and_packages_tell_their_own() -> None:
    news = {"source": "a.en", "target": "a.fr", "origin": "news"}
    train = [
        news | {"licence": "CC0-1.0"},
        news | {"licence": "CC-BY-4.0"},
        {"source": "b.en", "target": "b.fr"},
        {"kind": "pinyin"},
        {"kind": "gettext", "package": "jupyterlab-language-pack-fr-fr"},  # its metadata hold a whole text
    ]

    assert licences_of(CorpusConfig(train=train)) == {
        "news": "CC-BY-4.0; CC0-1.0",
        "pypinyin": "MIT (as the package pypinyin says)",
    }


@pytest.mark.parametrize("source", [{"kind": "pinyin"}, {"kind": "weather", "pairs": 5}])
def test_a_licence_changes_nothing_that_is_read(source) -> None:
    [part] = parts_of(CorpusConfig(source_language="en", target_language="fr", train=[source]))
    [licensed] = parts_of(
        CorpusConfig(source_language="en", target_language="fr", train=[source | {"licence": "CC0-1.0"}])
    )

    assert (part.reading, part.digest) == (licensed.reading, licensed.digest)
