"""Deleting: nothing an alias stands for, nothing readable left, and no number given twice; on disk and on a server."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from model import deletion
from model.registry import Registry
from model.versions import Version
from pipeline.errors import InputError
from pipeline.storage import open_storage


def registry_with(versions: int, location: str, tmp_path: Path) -> Registry:
    """A registry with that many versions."""
    registry = Registry(location, "weather")
    for _ in range(versions):
        add(registry, tmp_path)
    return registry


def add(registry: Registry, tmp_path: Path) -> Version:
    """Registers a version of two files."""
    (tmp_path / "graph").write_bytes(b"graph")
    files = dict.fromkeys(("export/saved_model.pb", "evaluation.json"), tmp_path / "graph")
    return registry.add(files, fingerprint="f", metrics={}, lineage={}, configs={}, versions={})


def test_what_is_deleted_is_gone_for_every_reader_and_its_number_is_not_given_again(
    location: str, tmp_path: Path
) -> None:
    registry = registry_with(3, location, tmp_path)

    deletion.delete(registry, 3, why="too old", who="ada@host")

    assert [version.number for version in registry.versions()] == [1, 2]
    with pytest.raises(InputError, match="model = 3: expected one of 1, 2"):
        registry.get(3)
    assert open_storage(location).names("weather/versions/0003") == [
        "weather/versions/0003/claim.json",
        "weather/versions/0003/deleted.json",
    ]
    stored = open_storage(location).read("weather/versions/0003/deleted.json")
    assert stored is not None
    assert b'"who": "ada@host",\n  "why": "too old"' in stored.data
    assert add(registry, tmp_path).number == 4


def test_a_version_that_an_alias_stands_for_stays(location: str, tmp_path: Path) -> None:
    registry = registry_with(1, location, tmp_path)
    for alias in ("champion", "staging"):
        registry.move_alias(alias, 1, expected=None, why="test")

    with pytest.raises(InputError, match=r"model = 1: .* \(champion and staging would stand for nothing; move"):
        deletion.delete(registry, 1, why="too old")

    assert [version.number for version in registry.versions()] == [1]
    assert not open_storage(location).exists("weather/versions/0001/deleted.json")


def test_only_what_is_neither_new_nor_in_use_is_superfluous(tmp_path: Path) -> None:
    registry = registry_with(5, str(tmp_path / "registry"), tmp_path)
    registry.move_alias("champion", 2, expected=None, why="test")

    assert deletion.superfluous(registry, 2) == [1, 3]
    assert deletion.superfluous(registry, 0) == [1, 3, 4, 5]
    assert deletion.superfluous(registry, 9) == []


def test_a_version_that_is_promoted_while_it_is_deleted_stays_or_is_not_promoted(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = registry_with(2, location, tmp_path)
    registry.move_alias("champion", 1, expected=None, why="test")
    exists = registry.storage.exists
    asked = []

    def delete_before_the_second_look(name: str) -> bool:
        asked.append(name)
        if len(asked) == 2:  # the alias was moved, and the mover looks again
            with pytest.raises(InputError, match="champion would stand for nothing"):
                deletion.delete(Registry(location, "weather"), 2, why="too old")
        return exists(name)

    monkeypatch.setattr(registry.storage, "exists", delete_before_the_second_look)
    registry.move_alias("champion", 2, expected=1, why="test")
    assert (registry.alias("champion"), len(asked)) == (2, 2)
    assert registry.get("champion").number == 2


def test_a_deletion_that_finds_an_alias_after_its_mark_takes_the_mark_back(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = registry_with(2, location, tmp_path)
    write = registry.storage.write

    def promote_and_mark(name: str, data: bytes, *, if_generation: str | None = None) -> str:
        Registry(location, "weather").move_alias("champion", 2, expected=None, why="test")
        return write(name, data, if_generation=if_generation)

    monkeypatch.setattr(registry.storage, "write", promote_and_mark)
    with pytest.raises(InputError, match="champion would stand for nothing"):
        deletion.delete(registry, 2, why="too old")

    assert registry.get("champion").number == 2
    assert deletion.unfinished(registry) == []
    Registry(location, "weather").move_alias("staging", 2, expected=None, why="it stays, so it may be moved to")


@pytest.mark.parametrize("before", [1, None], ids=["moved", "set for the first time"])
def test_an_alias_moved_to_a_version_that_was_just_deleted_goes_back(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int | None
) -> None:
    registry = registry_with(2, location, tmp_path)
    if before:
        registry.move_alias("champion", before, expected=None, why="test")
    write = registry.storage.write

    def delete_and_write(name: str, data: bytes, *, if_generation: str | None = None) -> str:
        monkeypatch.setattr(registry.storage, "write", write)
        deletion.delete(Registry(location, "weather"), 2, why="too old")
        return write(name, data, if_generation=if_generation)

    monkeypatch.setattr(registry.storage, "write", delete_and_write)
    with pytest.raises(InputError, match="model = 2: expected a version that stays"):
        registry.move_alias("champion", 2, expected=before, why="test")

    assert registry.alias("champion") == before
    assert [move.version for move in registry.history("champion")] == ([before] if before else [])


KILLED = """
import sys, time
from model import deletion
from model.registry import Registry

registry = Registry(sys.argv[1], "weather")
delete = registry.storage.delete

def delete_and_hang(name):
    delete(name)
    print(name, flush=True)
    time.sleep(60)

registry.storage.delete = delete_and_hang
deletion.delete(registry, 1, why="too old")
"""


def test_a_killed_deletion_leaves_nothing_readable_and_is_finished_by_the_next(location: str, tmp_path: Path) -> None:
    registry = registry_with(2, location, tmp_path)
    with subprocess.Popen([sys.executable, "-c", KILLED, location], stdout=subprocess.PIPE, text=True) as deleting:
        assert deleting.stdout is not None
        assert deleting.stdout.readline() == "weather/versions/0001/manifest.json\n"
        deleting.send_signal(signal.SIGKILL)

    assert [version.number for version in registry.versions()] == [2]
    with pytest.raises(InputError, match="model = 1: expected one of 2"):
        registry.move_alias("champion", 1, expected=None, why="test")
    assert deletion.unfinished(registry) == [1]
    deletion.delete(registry, 1, why="again")
    assert deletion.unfinished(registry) == []
    assert len(open_storage(location).names("weather/versions/0001")) == 2
    with pytest.raises(InputError, match="model = 1: expected one of 2"):
        deletion.delete(registry, 1, why="and again")


def test_a_damaged_version_that_keeps_all_others_from_being_listed_can_be_deleted(
    location: str, tmp_path: Path
) -> None:
    registry = registry_with(2, location, tmp_path)
    registry.storage.write("weather/versions/0001/manifest.json", b'{"format": 1, "model": "by hand"}')
    with pytest.raises(InputError, match="versions/0001/manifest.json: expected the fields of a version"):
        registry.versions()

    deletion.delete(registry, 1, why="damaged")

    assert [version.number for version in registry.versions()] == [2]
