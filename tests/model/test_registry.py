"""Versions are immutable, aliases move by compare-and-swap, nothing damaged is used: on disk and on a real server."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from model.registry import EXPORTED, Registry, names, resolve_name
from model.versions import FORMAT, Version
from pipeline.errors import InputError
from pipeline.manifest import InputRecord
from pipeline.storage import open_storage

RACERS = 32


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """The files of a small version by the name they get in the registry."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "graph").write_bytes(b"graph")
    (source / "weights").write_bytes(bytes(range(256)))
    (source / "evaluation.json").write_text("{}")
    return {
        "export/saved_model.pb": source / "graph",
        "export/variables/variables.data-00000-of-00001": source / "weights",
        "evaluation.json": source / "evaluation.json",
    }


def add(registry: Registry, files: Mapping[str, Path], fingerprint: str = "f1", bleu: float = 97.1) -> Version:
    """Registers a version with plausible particulars."""
    return registry.add(
        files,
        fingerprint=fingerprint,
        metrics={"test": {"bleu": bleu, "sentences": 1000}},
        lineage={"model": InputRecord(kind="model", fingerprint="m1", digest="d1")},
        configs={"train": {"steps": 100}},
        versions={"tensorflow": "2.21.0"},
    )


def damage(location: str, name: str, data: bytes) -> None:
    """Replaces a file behind the registry's back."""
    open_storage(location).write(name, data)


# --- versions


def test_a_version_comes_back_as_it_was_registered(location: str, files: dict[str, Path]) -> None:
    registry = Registry(location, "weather-en-fr")

    added = add(registry, files)

    assert (added.number, added.model, added.metrics["test"]["bleu"]) == (1, "weather-en-fr", 97.1)
    assert [file.path for file in added.files] == sorted(files)
    again = Registry(location, "weather-en-fr")
    assert again.get(1) == again.get("1") == again.find("f1") == added
    assert again.versions() == [added]


def test_numbers_ascend_and_models_do_not_share_them(location: str, files: dict[str, Path]) -> None:
    weather, news = Registry(location, "weather-en-fr"), Registry(location, "news-en-de")

    numbers = [add(weather, files).number, add(news, files).number, add(weather, files, "f2").number]

    assert numbers == [1, 1, 2]
    assert [version.number for version in weather.versions()] == [1, 2]
    assert names(location) == ["news-en-de", "weather-en-fr"]


def test_numbers_go_on_after_9999(tmp_path: Path, files: dict[str, Path]) -> None:
    for folder in ("0002", "9999"):
        (tmp_path / "registry" / "weather" / "versions" / folder).mkdir(parents=True)

    assert add(Registry(str(tmp_path / "registry"), "weather"), files).number == 10_000


def test_the_newest_version_of_a_fingerprint_is_found(tmp_path: Path, files: dict[str, Path]) -> None:
    registry = Registry(str(tmp_path / "registry"), "weather")
    for fingerprint in ("f1", "f2", "f1", "f3"):
        add(registry, files, fingerprint)

    found = registry.find("f1")

    assert found is not None
    assert found.number == 3
    assert registry.find("f4") is None


@pytest.mark.usefixtures("slow_renames")
def test_racing_writers_get_numbers_of_their_own(location: str, files: dict[str, Path]) -> None:
    together = Barrier(RACERS)

    def race(racer: int) -> int:
        registry = Registry(location, "weather")
        together.wait(timeout=60)
        return add(registry, {"evaluation.json": files["evaluation.json"]}, f"f{racer}").number

    with ThreadPoolExecutor(RACERS) as pool:
        taken = list(pool.map(race, range(RACERS)))

    assert sorted(taken) == list(range(1, RACERS + 1))
    found = {version.number: version.fingerprint for version in Registry(location, "weather").versions()}
    assert found == {number: f"f{racer}" for racer, number in enumerate(taken)}


KILLED_WRITER = """
import sys, time
from pathlib import Path
from model.registry import Registry

registry = Registry(sys.argv[1], "weather")
upload = registry.storage.upload

def upload_one_and_hang(source, name):
    upload(source, name)
    print(name, flush=True)
    time.sleep(60)

registry.storage.upload = upload_one_and_hang
files = {"a": Path(sys.argv[2]), "b": Path(sys.argv[2])}
registry.add(files, fingerprint="killed", metrics={}, lineage={}, configs={}, versions={})
"""


def test_a_killed_writer_leaves_a_number_that_nobody_reads_or_takes(location: str, files: dict[str, Path]) -> None:
    registry = Registry(location, "weather")
    add(registry, files, "f1")
    command = [sys.executable, "-c", KILLED_WRITER, location, str(files["evaluation.json"])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "weather/versions/0002/a\n"
        writer.send_signal(signal.SIGKILL)

    assert [version.number for version in registry.versions()] == [1]
    assert registry.find("killed") is None
    with pytest.raises(InputError, match="model = 2: expected one of 1"):
        registry.get(2)
    with pytest.raises(InputError, match="model = 2: expected one of 1"):
        registry.move_alias("champion", 2, expected=None, why="test")
    assert add(registry, files, "f3").number == 3
    assert open_storage(location).names("weather/versions/0002") == [
        "weather/versions/0002/a",
        "weather/versions/0002/claim.json",
    ]


def test_a_version_needs_files_and_keeps_its_own_names(tmp_path: Path, files: dict[str, Path]) -> None:
    registry = Registry(str(tmp_path / "registry"), "weather")

    for wrong in ({}, {"claim.json": files["evaluation.json"]}, {"manifest.json": files["evaluation.json"]}):
        with pytest.raises(ValueError, match="a version has files"):
            add(registry, wrong)
    with pytest.raises(InputError, match=r"name = \.\./up"):
        add(registry, {"../up": files["evaluation.json"]})

    assert registry.versions() == []
    assert not (tmp_path / "registry").exists()


# --- fetching


def test_fetched_files_are_those_that_were_registered(location: str, files: dict[str, Path], tmp_path: Path) -> None:
    registry = Registry(location, "weather")
    version = add(registry, files)

    folder = registry.fetch(version, tmp_path / "cache")

    assert {name: (folder / name).read_bytes() for name in files} == {
        name: path.read_bytes() for name, path in files.items()
    }


def test_a_folder_is_used_in_place_and_a_bucket_downloaded_once(
    bucket: str, files: dict[str, Path], tmp_path: Path
) -> None:
    local, remote = Registry(str(tmp_path / "registry"), "weather"), Registry(bucket, "weather")
    cache = tmp_path / "cache"

    assert local.fetch(add(local, files), cache) == tmp_path / "registry" / "weather" / "versions" / "0001"
    assert not cache.exists()

    version = add(remote, files)
    folder = remote.fetch(version, cache)
    assert folder == cache / f"weather-0001-{version.digest[:12]}"
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    (folder / "evaluation.json").write_text("damaged in the cache")
    assert remote.fetch(version, cache) == folder
    again = {path: path.stat().st_mtime_ns for path in written}
    assert [path.name for path in written if written[path] != again[path]] == ["evaluation.json"]
    assert (folder / "evaluation.json").read_text() == "{}"


def test_what_translates_is_fetched_without_the_rest(bucket: str, files: dict[str, Path], tmp_path: Path) -> None:
    registry = Registry(bucket, "weather")
    version = add(registry, files | {"weights.npz": files["evaluation.json"]})
    folder = registry.fetch(version, tmp_path / "cache", only=EXPORTED)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {"export/saved_model.pb", "export/variables/variables.data-00000-of-00001"}
    registry.fetch(version, tmp_path / "cache", only=["weights.npz"])
    assert (folder / "weights.npz").read_bytes() == b"{}"
    assert not (folder / "evaluation.json").exists()


@pytest.mark.parametrize("name", ["export/saved_model.pb", "export/variables/variables.data-00000-of-00001"])
def test_a_flipped_bit_is_found_and_its_file_named(
    location: str, files: dict[str, Path], tmp_path: Path, name: str
) -> None:
    registry = Registry(location, "weather")
    version = add(registry, files)
    data = bytearray(files[name].read_bytes())
    data[len(data) // 2] ^= 1
    damage(location, f"weather/versions/0001/{name}", bytes(data))

    with pytest.raises(
        InputError, match=re.escape(f"{location}/weather/versions/0001/{name}: expected the {len(data)}")
    ):
        registry.fetch(version, tmp_path / "cache")


def test_a_missing_file_is_named(location: str, files: dict[str, Path], tmp_path: Path) -> None:
    registry = Registry(location, "weather")
    version = add(registry, files)
    open_storage(location).delete("weather/versions/0001/evaluation.json")

    with pytest.raises(InputError, match=re.escape(f"{location}/weather/versions/0001/evaluation.json")):
        registry.fetch(version, tmp_path / "cache")


def test_a_manifest_cannot_send_files_elsewhere(location: str, files: dict[str, Path]) -> None:
    registry = Registry(location, "weather")
    fields = add(registry, files).model_dump(mode="json")
    fields["files"][0]["path"] = "../../../evil"
    damage(location, "weather/versions/0001/manifest.json", json.dumps(fields).encode())

    with pytest.raises(InputError, match=r"0001/manifest.json: expected the fields of a version .*\.\./evil"):
        registry.get(1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", r"expected JSON \(damaged after it was written\)"),
        (b"[]", r"expected registry format 1, not None"),
        (b'{"format": 1}', r"expected the fields of a version \(damaged after it was written: model: Field required\)"),
        (b'{"format": 2}', r"expected registry format 1, not 2 \(written by a newer nightshift: update this one\)"),
    ],
)
def test_an_unreadable_manifest_is_named(tmp_path: Path, files: dict[str, Path], data: bytes, message: str) -> None:
    location = str(tmp_path / "registry")
    registry = Registry(location, "weather")
    add(registry, files)
    damage(location, "weather/versions/0001/manifest.json", data)

    with pytest.raises(InputError, match=f"registry = {location}/weather/versions/0001/manifest.json: {message}"):
        registry.versions()


def test_a_registry_of_a_newer_format_is_refused(location: str, files: dict[str, Path]) -> None:
    registry = Registry(location, "weather")
    add(registry, files)
    damage(location, "registry.json", json.dumps({"format": FORMAT + 1}).encode())
    expected = f"registry = {location}/registry.json: expected registry format 1, not 2 (written by a newer"

    for use in (lambda: Registry(location, "weather"), lambda: names(location), lambda: add(registry, files)):
        with pytest.raises(InputError, match=re.escape(expected)):
            use()


# --- what is asked for does not exist


def test_an_unknown_version_is_answered_with_what_there_is(tmp_path: Path, files: dict[str, Path]) -> None:
    location = str(tmp_path / "registry")
    registry = Registry(location, "weather")
    with pytest.raises(InputError) as empty:
        registry.get("champion")
    add(registry, files)
    registry.move_alias("candidate", 1, expected=None, why="new")
    with pytest.raises(InputError) as other:
        registry.get("champion")

    assert str(empty.value) == (
        f"model = champion: expected a registered version (nothing was registered as weather in {location} yet)"
    )
    assert str(other.value) == "model = champion: expected one of 1, candidate"
    for number in ("0", "2", "9" * 5000):  # the last is more digits than Python makes a number of
        with pytest.raises(InputError, match=r"^model = [0-9.]+: expected one of 1, candidate$"):
            registry.get(number)


@pytest.mark.parametrize("name", ["", "a/b", "..", "-weather", "a b", "x" * 101])
def test_a_model_has_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"^name = "):
        Registry(str(tmp_path), name)


def test_the_only_model_needs_no_name(location: str, files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="expected a registry with a model in it"):
        resolve_name(location, None)

    add(Registry(location, "weather-en-fr"), files)
    assert resolve_name(location, None) == resolve_name(location, "weather-en-fr") == "weather-en-fr"

    add(Registry(location, "news-en-de"), files)
    assert resolve_name(location, "news-en-de") == "news-en-de"
    for name, told in ((None, "not given"), ("other", "other")):
        with pytest.raises(InputError) as caught:
            resolve_name(location, name)
        assert str(caught.value) == (
            f"name = {told}: expected one of news-en-de, weather-en-fr (the models in {location})"
        )


def test_looking_at_a_registry_that_is_not_there_creates_nothing(tmp_path: Path) -> None:
    location = tmp_path / "registry"

    assert names(str(location)) == []
    assert Registry(str(location), "weather").versions() == []
    assert not location.exists()


def test_an_unwritable_registry_is_told_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    location = str(tmp_path / "file" / "registry")

    with pytest.raises(InputError, match=f"registry = {location}: expected a folder that can be read and written"):
        Registry(location, "weather").check_writable()
