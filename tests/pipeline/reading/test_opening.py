import bz2
import gzip
import lzma
import subprocess
import sys

import pytest
import zstandard

from pipeline.errors import InputError
from pipeline.reading.pairing import pair_up
from pipeline.records import SentencePair
from pipeline.sources import CorpusConfig, parts_of, read_blocks, read_part

COMPRESSIONS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard.compress}
# Lines that do not compress to nothing, so that half of a compressed file is really half of it.
LINES = [f"line {number} {number * 7919 % 104729:x}" for number in range(20_000)]
CONTENT = "".join(f"{line}\n" for line in LINES).encode()


@pytest.fixture
def corpus(tmp_path):
    def write(source, target=CONTENT):
        (tmp_path / "a.en").write_bytes(source)
        (tmp_path / "a.de").write_bytes(target)
        return CorpusConfig(train=[{"source": str(tmp_path / "a.en"), "target": str(tmp_path / "a.de")}])

    return write


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_the_first_bytes_say_how_a_file_is_compressed(corpus, compress):
    [part] = parts_of(corpus(compress(CONTENT)))
    assert list(read_part(part)) == pair_up(LINES, LINES)


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_a_file_of_several_compressed_pieces(corpus, compress):
    middle = CONTENT.index(b"\n", len(CONTENT) // 2) - 3  # within a line
    [part] = parts_of(corpus(compress(CONTENT[:middle]) + compress(CONTENT[middle:])))
    assert list(read_part(part)) == pair_up(LINES, LINES)


@pytest.mark.parametrize("start", ["BZh", "BZh9", "BZh91AY"])
def test_text_may_begin_nearly_like_a_compressed_file(corpus, start):
    [part] = parts_of(corpus(f"{start}\n".encode(), b"x\n"))
    assert list(read_part(part)) == [SentencePair(start, "x")]


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_a_compressed_file_without_content_is_empty(corpus, compress):
    [part] = parts_of(corpus(compress(b"")))
    with pytest.raises(InputError, match=r"a.en: expected .* \(the file is empty\)"):
        list(read_part(part))


@pytest.mark.parametrize("kept", [0.5, 0.999])
@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_a_file_that_ends_early_is_refused(corpus, compress, kept):
    stored = compress(CONTENT)
    [part] = parts_of(corpus(stored[: int(len(stored) * kept)]))
    with pytest.raises(
        InputError, match=r"train\[0\].source = .*a.en: expected .* decompresses \(it ends early: copied"
    ):
        list(read_part(part))


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_a_file_with_damage_in_it_is_refused(corpus, compress):
    stored = bytearray(compress(CONTENT))
    stored[len(stored) // 2 : len(stored) // 2 + 64] = bytes(64)
    [part] = parts_of(corpus(bytes(stored)))
    with pytest.raises(InputError, match=r"train\[0\].source = .*a.en: expected"):
        list(read_part(part))


@pytest.mark.parametrize("compress", [bytes, *COMPRESSIONS.values()], ids=["plain", *COMPRESSIONS])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, corpus, compress):
    content = CONTENT * 10
    [part] = parts_of(corpus(compress(content), content))
    records = read_part(part)
    assert next(records) == SentencePair(LINES[0], LINES[0])
    with (tmp_path / "a.de").open("r+b") as file:
        file.seek(-3, 2)
        file.write(b"!")
    with pytest.raises(InputError, match=r"train\[0\].target = .*a.de: expected a file that nobody changes"):
        list(records)


def test_a_file_that_changed_after_it_was_hashed_is_refused(tmp_path, corpus):
    [part] = parts_of(corpus(CONTENT))
    (tmp_path / "a.en").write_bytes(CONTENT.replace(b"line 1 ", b"line X "))
    with pytest.raises(InputError, match=r"train\[0\].source = .*a.en: expected a file that nobody changes"):
        list(read_part(part))


def test_a_parquet_file_that_changes_while_it_is_read_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"source": LINES, "target": LINES}), path, row_group_size=1000)
    [part] = parts_of(CorpusConfig(train=[{"kind": "parquet", "path": str(path)}]))
    blocks = read_blocks(part)
    assert next(blocks)[0] == SentencePair(LINES[0], LINES[0])
    with path.open("r+b") as file:
        file.seek(100)  # in a row group that has been read
        file.write(b"!!!!")
    with pytest.raises(InputError, match=r"train\[0\].path = .*a.parquet: expected a file that nobody changes"):
        list(blocks)


@pytest.mark.parametrize(
    ("kind", "content"), [("tmx", "<tmx><body>"), ("parquet", "PAR1"), ("gettext", "msgid"), ("jsonl", "{}")]
)
def test_every_reader_tells_a_file_that_ends_early(tmp_path, kind, content):
    (tmp_path / "a").write_bytes(gzip.compress((content + "\n".join(LINES)).encode())[:-10])
    [part] = parts_of(CorpusConfig(train=[{"kind": kind, "path": str(tmp_path / "a")}]))
    with pytest.raises(InputError, match=r"train\[0\].path = .*a: expected a file that decompresses \(it ends early"):
        list(read_part(part))


MEASURE = """
import resource, sys
from pipeline.sources import CorpusConfig, parts_of, read_part

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
parts = parts_of(CorpusConfig(train=[{"kind": "jsonl", "path": path} for path in sys.argv[1:]]))
read = [[record.reason for record in read_part(part)] for part in parts]
assert read == [["line_too_long"]] * len(parts), read
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_small_file_does_not_fill_the_memory(tmp_path):
    """A line of 150 MB takes some kilobytes in each compression, and no more of the memory than any other line."""
    paths = []
    for name, compress in COMPRESSIONS.items():
        paths.append(tmp_path / f"a.{name}")
        paths[-1].write_bytes(compress(bytes(50 * 2**20)) * 3)
    run = subprocess.run([sys.executable, "-c", MEASURE, *paths], check=True, capture_output=True, text=True)
    assert int(run.stdout) < 80_000  # KiB


def test_a_file_that_is_gone_when_it_is_read(tmp_path, corpus):
    [part] = parts_of(corpus(CONTENT))
    (tmp_path / "a.en").unlink()
    with pytest.raises(InputError, match=r"train\[0\].source = .*a.en: expected a file that can be read"):
        list(read_part(part))


def test_reading_may_stop_anywhere(corpus):
    [part] = parts_of(corpus(gzip.compress(CONTENT)))
    records = read_part(part)
    next(records)
    records.close() if hasattr(records, "close") else None
    blocks = read_blocks(part)
    next(blocks)
    blocks.close()


def test_a_parquet_file_that_would_fill_the_disk_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(gzip.compress(b"PAR1" + bytes(2**27), 1))
    [part] = parts_of(CorpusConfig(train=[{"kind": "parquet", "path": str(tmp_path / "a.parquet")}]))
    with pytest.raises(InputError, match=r"a.parquet: expected a file that unpacks to at most 100 times its size"):
        list(read_part(part))


def test_a_digest_that_was_remembered_wrongly_is_forgotten(tmp_path, own_cache, monkeypatch):
    """As on a file system whose times of change do not tell that a file is another one."""
    monkeypatch.setattr("pipeline.reading.digests.SETTLED", -1.0)
    (tmp_path / "a.jsonl").write_text('{"source": "one", "target": "eins"}')
    config = CorpusConfig(train=[{"kind": "jsonl", "path": str(tmp_path / "a.jsonl")}])
    [part] = parts_of(config)
    [note] = own_cache.glob("digests/*/*.json")
    note.write_text(note.read_text().replace(part.digest, "0" * 64))
    with pytest.raises(InputError, match="expected a file that nobody changes"):
        list(read_part(*parts_of(config)))
    assert list(read_part(*parts_of(config))) == [SentencePair("one", "eins")]
