import pytest

from pipeline.errors import InputError
from pipeline.pairs import read_pairs
from pipeline.records import SentencePair
from pipeline.sources import CorpusConfig, ingest


def corpus_of(folder, source, target, **fields):
    (folder / "a.en").write_bytes(source)
    (folder / "a.de").write_bytes(target)
    return CorpusConfig(train=[{"source": str(folder / "a.en"), "target": str(folder / "a.de")}], **fields)


def pairs_in(manifest, pattern="train-*.parquet"):
    return [pair for path in manifest.paths(pattern) for pair in read_pairs(path)]


def test_lines_become_pairs_and_only_a_line_feed_ends_a_line(tmp_path):
    config = corpus_of(
        tmp_path, "\ufeffone\r\ntwo\u2028halves\n\nthree".encode(), "eins\nzwei\x85\nleer\ndrei\n".encode()
    )
    made = ingest(config, output_dir=tmp_path / "out")
    assert pairs_in(made) == [
        SentencePair("one", "eins"),
        SentencePair("two\u2028halves", "zwei\x85"),
        SentencePair("", "leer"),
        SentencePair("three", "drei"),
    ]
    assert made.counts == {"train": 4}


def test_reverse_changes_the_sides(tmp_path):
    config = corpus_of(tmp_path, b"one\n", b"eins\n", reverse=True, source_language="en", target_language="de")
    made = ingest(config, output_dir=tmp_path / "out")
    assert pairs_in(made) == [SentencePair("eins", "one")]
    assert made.facts["languages"] == ["de", "en"]


def test_sets_that_the_corpus_brings_are_kept_apart(tmp_path):
    files = {"source": str(tmp_path / "a.en"), "target": str(tmp_path / "a.de")}
    config = corpus_of(tmp_path, b"one\n", b"eins\n", test=[files])
    made = ingest(config, output_dir=tmp_path / "out")
    assert made.counts == {"train": 1, "test": 1}
    assert pairs_in(made, "test-*.parquet") == [SentencePair("one", "eins")]


def test_content_counts_and_not_the_path(tmp_path):
    first = ingest(corpus_of(tmp_path, b"one\n", b"eins\n"), output_dir=tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    moved = corpus_of(tmp_path / "elsewhere", b"one\n", b"eins\n")
    assert ingest(moved, output_dir=tmp_path / "out") == first
    changed = ingest(corpus_of(tmp_path, b"two\n", b"zwei\n"), output_dir=tmp_path / "out")
    assert changed.fingerprint != first.fingerprint


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (b"1\n2\n3\n", b"1\n2\n", r"train\[0\].target = .*a.de: expected as many lines as .*a.en has, 3, but it has 2"),
        (b"1\n", b"1\n2\n3\n4\n", r"train\[0\].target = .*a.de: expected as many lines as .*a.en has, 1, but it has 4"),
        (b"1\n2\n", b"1\nf\xfcnf\n", r"train\[0\].target = .*a.de: .* UTF-8 \(byte 2 of line 2 is 0xfc"),
        (b"", b"", r"train\[0\] = .*a.en.*: expected a corpus with at least one pair"),
    ],
)
def test_files_that_do_not_fit_leave_nothing(tmp_path, source, target, message):
    config = corpus_of(tmp_path, source, target)
    with pytest.raises(InputError, match=message):
        ingest(config, output_dir=tmp_path / "out")
    assert [path for path in (tmp_path / "out").iterdir() if path.is_dir()] == []


def test_a_missing_file(tmp_path):
    config = CorpusConfig(train=[{"source": str(tmp_path / "no.en"), "target": str(tmp_path / "no.de")}])
    with pytest.raises(InputError, match=r"corpus.train\[0\].source = .*no.en: .*No such file"):
        ingest(config, output_dir=tmp_path / "out")


def test_no_source_at_all(tmp_path):
    with pytest.raises(InputError, match="corpus.train .*expected at least one source of pairs"):
        ingest(CorpusConfig(), output_dir=tmp_path / "out")


@pytest.mark.parametrize("path", ["", "/dev/zero", "/"])
def test_what_is_no_file(tmp_path, path):
    with pytest.raises(InputError, match=r"corpus.train\[0\].source = .*: expected a regular file"):
        ingest(CorpusConfig(train=[{"source": path, "target": path}]), output_dir=tmp_path / "out")


def test_weather_goes_in_both_directions_and_its_seed_counts(tmp_path):
    def made(**fields):
        given = {"source_language": "en", "target_language": "de", "train": [{"kind": "weather", "pairs": 50}]}
        return ingest(CorpusConfig(**given | fields), output_dir=tmp_path)

    there, back = made(), made(reverse=True)
    assert [SentencePair(pair.target, pair.source) for pair in pairs_in(there)] == pairs_in(back)
    seeded = made(train=[{"kind": "weather", "pairs": 50, "seed": 2}])
    assert not set(pairs_in(seeded)) & set(pairs_in(there))
    assert there.inputs["corpus.train[0]"].digest.startswith("pirateweather-translations 1.")
