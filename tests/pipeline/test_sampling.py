"""What the beginning of a source tells of all of it."""

import bz2
import gzip
import lzma
from functools import partial
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline import sampling
from pipeline.errors import InputError
from pipeline.reading.places import places_of
from pipeline.records import SentencePair
from pipeline.sampling import Wanted, sample
from pipeline.sources import CorpusConfig

chance = Random(1)
LINES = [f"sentence {chance.getrandbits(48):012x} of the source" for _ in range(30_000)]
PAIRS = [(line, f"Satz {line[9:-14]} des Ziels") for line in LINES]
TSV = "".join(f"{source}\t{target}\n" for source, target in PAIRS).encode()
MOST = 100_000  # bytes


@pytest.fixture
def sampled(tmp_path):
    """A sample of one source whose files are written first."""

    def of(files, most=MOST, **source):
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        given = {key: str(tmp_path / value) if value in files else value for key, value in source.items()}
        config = CorpusConfig(source_language="en", target_language="de", train=[given])
        [(split, name, chosen)] = config.sources()
        [files] = places_of(name, chosen) or [()]
        return sample(config, Wanted(split, name, chosen, files), most)

    return of


@pytest.mark.parametrize(
    ("pack", "tolerance"),
    [
        (bytes, 0.01),
        (gzip.compress, 0.1),
        (partial(bz2.compress, compresslevel=1), 0.1),
        (partial(lzma.compress, preset=0), 0.1),
        (zstandard.compress, 0.15),
    ],
)
def test_the_size_follows_from_the_beginning(sampled, pack, tolerance):
    most = MOST if pack is bytes else len(pack(TSV)) // 2
    found = sampled({"a.tsv": pack(TSV)}, most, kind="table", path="a.tsv", source=1, target=2)
    assert found.size == pytest.approx(30_000, rel=tolerance)
    assert not found.is_counted
    assert found.bytes == len(pack(TSV))
    assert set(found.pairs) <= {SentencePair(*pair) for pair in PAIRS}


def test_a_small_file_is_counted(sampled):
    found = sampled({"a.tsv": TSV}, len(TSV), kind="table", path="a.tsv", source=1, target=2)
    assert (found.size, found.is_counted) == (30_000, True)
    assert len(found.pairs) == sampling.KEPT
    kept = set(found.pairs)
    assert 1900 < sum(SentencePair(*pair) in kept for pair in PAIRS[::2]) < 2100  # whatever rhythm the lines have


def test_two_files_are_cut_at_the_same_line(sampled):
    sides = ["\n".join(side).encode() + b"\n" for side in zip(*PAIRS, strict=True)]
    files = {"a.en": sides[0], "a.de": sides[1]}
    found = sampled(files, source="a.en", target="a.de")
    assert found.size == pytest.approx(30_000, rel=0.02)
    assert set(found.pairs) <= {SentencePair(*pair) for pair in PAIRS}
    with pytest.raises(InputError, match="as many lines as .* has, 30,000, but it has 29,999"):
        sampled(files | {"a.de": sides[1].partition(b"\n")[2]}, 1 << 24, source="a.en", target="a.de")


def test_lines_that_take_turns_stay_pairs(sampled):
    data = "".join(f"{source}\n{target}\n" for source, target in PAIRS).encode()
    found = sampled({"a.txt": data}, kind="alternating", path="a.txt")
    assert found.size == pytest.approx(30_000, rel=0.02)
    assert found.pairs[-1] in {SentencePair(*pair) for pair in PAIRS}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_translation_memory_is_cut_between_entries(sampled, encoding):
    entries = "".join(
        f'<tu><tuv xml:lang="en"><seg>{source}</seg></tuv><tuv xml:lang="de"><seg>{target}</seg></tuv></tu>\n'
        for source, target in PAIRS[:5000]
    )
    data = f'<?xml version="1.0"?><tmx version="1.4"><header/><body>{entries}</body></tmx>'.encode(encoding)
    found = sampled({"a.tmx": data}, kind="tmx", path="a.tmx")
    assert found.size == pytest.approx(5000, rel=0.02)
    assert set(found.pairs) <= {SentencePair(*pair) for pair in PAIRS[:5000]}


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ({"a.tmx": b"<tmx><header/><body>" + b" " * MOST}, {"kind": "tmx", "path": "a.tmx"}),
        ({"a.en": b"x" * MOST + b"\n", "a.de": b"y\n"}, {"source": "a.en", "target": "a.de"}),
    ],
)
def test_a_beginning_without_a_whole_record_tells_nothing(sampled, files, source):
    found = sampled(files, **source)
    assert (found.pairs, found.size, found.is_counted) == ([], 0, False)
    assert (found.bytes, found.missing) == (sum(map(len, files.values())), 0)


def test_parquet_knows_its_size(sampled, tmp_path):
    sides = [list(side) for side in zip(*PAIRS, strict=True)]
    pq.write_table(pa.table(sides, names=["source", "target"]), tmp_path / "made.parquet", row_group_size=4096)
    data = (tmp_path / "made.parquet").read_bytes()
    found = sampled({"a.parquet": data}, 1000, kind="parquet", path="a.parquet")
    assert (found.size, found.is_counted, found.bytes) == (30_000, True, len(data))
    assert len(found.pairs) == sampling.KEPT
    assert set(found.pairs) <= {SentencePair(*pair) for pair in PAIRS[:4096]}


def test_the_embedded_corpus_is_not_rendered_whole():
    config = CorpusConfig(source_language="en", target_language="fr", train=[{"kind": "weather", "pairs": 1_000_000}])
    [(split, name, source)] = config.sources()
    found = sample(config, Wanted(split, name, source))
    assert (found.size, found.is_counted, len(found.pairs)) == (1_000_000, True, sampling.KEPT)


def test_what_cannot_be_read_is_told_as_in_the_night(sampled):
    with pytest.raises(InputError, match="byte 1 of line 2 is 0xff"):
        sampled({"a.tsv": b"one\teins\n\xff\tzwei\n"}, kind="table", path="a.tsv", source=1, target=2)
