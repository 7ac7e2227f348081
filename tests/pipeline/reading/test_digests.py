import hashlib
import os
import time

import pytest

from pipeline.reading.digests import digest_of

OLD = time.time_ns() - 3600 * 10**9


@pytest.fixture
def seen(monkeypatch):
    """The paths whose bytes were read, in order."""
    from pipeline.reading import digests

    paths, read_digest = [], digests.read_digest
    monkeypatch.setattr(
        digests, "read_digest", lambda path, progress: (paths.append(path), read_digest(path, progress))[1]
    )
    return paths


@pytest.fixture
def settled(monkeypatch):
    """Files count as old enough at once: nobody can set the time of a file's last change of state."""
    monkeypatch.setattr("pipeline.reading.digests.SETTLED", -1.0)


def test_a_file_is_read_once(tmp_path, seen, settled):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert digest_of(path) == digest_of(path) == hashlib.sha256(b"one").hexdigest()
    assert seen == [path]


def test_what_was_changed_just_now_is_not_remembered(tmp_path, seen):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    os.utime(path, ns=(OLD, OLD))  # the time of its last change of state is now all the same
    assert digest_of(path) == digest_of(path)
    assert seen == [path, path]


def test_a_change_that_leaves_size_and_time_as_they_were_is_seen(tmp_path, seen, settled):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    os.utime(path, ns=(OLD, OLD))
    digest_of(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(OLD, OLD))
    assert digest_of(path) == hashlib.sha256(b"two").hexdigest()


def test_another_file_in_its_place_is_seen(tmp_path, settled):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    digest_of(path)
    (tmp_path / "b").write_bytes(b"two")
    (tmp_path / "b").replace(path)
    assert digest_of(path) == hashlib.sha256(b"two").hexdigest()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"signature": 1}', b"\xff"])
def test_a_damaged_note_is_written_anew(tmp_path, seen, settled, own_cache, damage):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    digest_of(path)
    [note] = (own_cache / "digests").rglob("*.json")
    note.write_bytes(damage)
    assert digest_of(path) == digest_of(path) == hashlib.sha256(b"one").hexdigest()
    assert seen == [path, path]


def test_a_digest_that_is_none_is_not_believed(tmp_path, settled, own_cache):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    digest_of(path)
    [note] = (own_cache / "digests").rglob("*.json")
    note.write_text(note.read_text().replace(hashlib.sha256(b"one").hexdigest(), "short"))
    assert digest_of(path) == hashlib.sha256(b"one").hexdigest()


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path, seen, settled, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert digest_of(tmp_path / "file") == digest_of(tmp_path / "file") == hashlib.sha256().hexdigest()
    assert len(seen) == 2


def test_progress_is_told(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(3 * 2**20))
    told = []
    digest_of(path, lambda *what: told.append(what))
    assert told == [(str(path), done * 2**20, 3 * 2**20) for done in (1, 2, 3)]
