"""Sources in a bucket, on a real server."""

import gzip
import hashlib
import signal
import subprocess
import sys

import pytest

from pipeline.errors import InputError
from pipeline.reading import cloud_files
from pipeline.reading.parts import Beginning
from pipeline.records import SentencePair
from pipeline.sources import CorpusConfig, check_sources, parts_of
from pipeline.storage import open_storage


def table(path, **fields):
    return {"kind": "table", "path": path, "source": 1, "target": 2, **fields}


def test_an_object_is_read_and_not_downloaded_again(bucket, read, own_cache, monkeypatch):
    stored = gzip.compress(b"one\teins\n")
    open_storage(bucket).write("web/a.tsv.gz", stored)
    [part] = parts_of(CorpusConfig(train=[table(f"{bucket}/web/a.tsv.gz")]))
    assert part.location == f"{bucket}/web/a.tsv.gz"
    assert part.digest == hashlib.sha256(stored).hexdigest()
    monkeypatch.setattr(cloud_files.Objects, "copy", None)  # who downloads now fails
    assert read(**table(f"{bucket}/web/a.tsv.gz")) == [SentencePair("one", "eins")]


def test_the_beginning_of_an_object_is_not_kept(bucket, own_cache):
    storage = open_storage(bucket)
    storage.write("a.tsv", b"one\teins\n")
    storage.write("empty.tsv", b"")
    [found], [empty] = (cloud_files.cloud_files("corpus", f"{bucket}/{name}.tsv") for name in ("a", "empty"))
    assert found.begin(3) == Beginning(b"one", 9)
    assert found.begin(100) == Beginning(b"one\teins\n", 9)
    assert empty.begin(100) == Beginning(b"", 0)
    assert list(own_cache.glob("**/*")) == []


def test_a_changed_object_is_downloaded(bucket, read):
    storage = open_storage(bucket)
    storage.write("a.tsv", b"one\teins\n")
    assert read(**table(f"{bucket}/a.tsv")) == [SentencePair("one", "eins")]
    storage.write("a.tsv", b"two\tzwei\n")
    assert read(**table(f"{bucket}/a.tsv")) == [SentencePair("two", "zwei")]


def test_a_download_that_was_damaged_on_disk_is_made_anew(bucket, own_cache):
    open_storage(bucket).write("a.tsv", b"one\teins\n")
    config = CorpusConfig(train=[table(f"{bucket}/a.tsv")])
    [part] = parts_of(config)
    part.files[0].path.write_bytes(b"damaged")
    for note in (own_cache / "objects").iterdir():
        note.write_bytes(b"{")
    assert parts_of(config) == [part]
    assert part.files[0].path.read_bytes() == b"one\teins\n"


def test_a_glob_matches_objects_in_the_order_of_their_names(bucket):
    storage = open_storage(bucket)
    for name in ("news/b.en", "news/a.en", "news/deep/c.en", "news/b.de", "news/a.de", "news/deep/c.de"):
        storage.write(name, b"line\n")
    [first, second] = parts_of(CorpusConfig(train=[{"source": f"{bucket}/news/*.en", "target": f"{bucket}/news/*.de"}]))
    assert first.location == f"{bucket}/news/a.en | {bucket}/news/a.de"
    assert second.location == f"{bucket}/news/b.en | {bucket}/news/b.de"
    assert first.origin == second.origin == "news"
    everything = CorpusConfig(train=[{"kind": "alternating", "path": f"{bucket}/**/*.en"}])
    assert [part.location.removeprefix(f"{bucket}/") for part in parts_of(everything)] == [
        "news/a.en",
        "news/b.en",
        "news/deep/c.en",
    ]


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("{bucket}/no.tsv", r"path = {bucket}/no.tsv: expected an object that is there"),
        ("{bucket}/no*.tsv", r"path = .*: expected an object that is there"),
        ("{bucket}-other/a.tsv", r"path = {bucket}-other: expected a bucket that exists"),
        ("{bucket}", "expected gs://bucket/name"),
        ("gs://UPPER/a.tsv", "expected gs://bucket/name"),
    ],
)
def test_what_is_not_there(bucket, location, message):
    config = CorpusConfig(train=[table(location.format(bucket=bucket))])
    for look in (check_sources, parts_of):
        with pytest.raises(InputError, match=message.format(bucket=bucket)):
            look(config)


def test_a_pinned_object_must_be_that_one(bucket):
    open_storage(bucket).write("a.tsv", b"one\teins\n")
    digest = hashlib.sha256(b"one\teins\n").hexdigest()
    assert parts_of(CorpusConfig(train=[table(f"{bucket}/a.tsv", sha256=digest)]))[0].digest == digest
    with pytest.raises(InputError, match=rf"expected the file with SHA-256 {'0' * 64} \(its SHA-256 is {digest}"):
        parts_of(CorpusConfig(train=[table(f"{bucket}/a.tsv", sha256="0" * 64)]))


KILLED = """
import os, signal, sys
from pipeline.reading import cloud_files
from pipeline.sources import CorpusConfig, parts_of

def copy(objects, blob, target):
    target.write_bytes(b"half of i")
    os.kill(os.getpid(), signal.SIGKILL)

cloud_files.Objects.copy = copy
parts_of(CorpusConfig(train=[{"kind": "table", "path": sys.argv[1], "source": 1, "target": 2}]))
"""


def test_a_download_that_is_killed_leaves_nothing_that_stays(bucket, read, own_cache):
    open_storage(bucket).write("a.tsv", b"one\teins\n")
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", KILLED, f"{bucket}/a.tsv"], check=False)
        assert run.returncode == -signal.SIGKILL
    assert len(list(own_cache.glob("downloads/.*.partial"))) == 1
    assert read(**table(f"{bucket}/a.tsv")) == [SentencePair("one", "eins")]
    assert list(own_cache.glob("downloads/.*.partial")) == []
