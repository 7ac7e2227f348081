"""One flipped bit in any file of a version is found and the file named: the manifest and the verdict too."""

import json
from pathlib import Path

import pytest

from model import verdicts
from model.decision import Decision
from model.registry import Registry
from model.verification import verify
from model.versions import Version
from pipeline.errors import InputError
from pipeline.storage import open_storage

FOLDER = "weather/versions/0001"


@pytest.fixture
def version(location: str, tmp_path: Path) -> Version:
    """A version with a verdict, in a registry of each kind."""
    registry = Registry(location, "weather")
    (tmp_path / "graph").write_bytes(b"graph")
    files = dict.fromkeys(("export/saved_model.pb", "model_card.md"), tmp_path / "graph")
    scores = {"test": {"bleu": 97.1, "loss": 1e-05, "sentences": 1000}}
    added = registry.add(files, fingerprint="f", metrics=scores, lineage={}, configs={}, versions={})
    decision = Decision(is_promoted=True, reason="BLEU 97.1, and there was no champion")
    verdicts.conclude(registry, added, decision, {"max_p": 0.05}, files={"report.html": tmp_path / "graph"})
    return added


def flip(location: str, name: str, place: int, bit: int = 1) -> None:
    """Flips a bit of a file behind the registry's back."""
    storage = open_storage(location)
    stored = storage.read(name)
    assert stored is not None
    data = bytearray(stored.data)
    data[place] ^= bit
    storage.write(name, bytes(data))


def test_a_whole_version_is_told_file_by_file(location: str, version: Version) -> None:
    assert [record.path for record in verify(Registry(location, "weather"), version)] == [
        f"{FOLDER}/export/saved_model.pb",
        f"{FOLDER}/model_card.md",
        f"{FOLDER}/verdicts/0001/report.html",
    ]


def test_every_damaged_file_is_named(location: str, version: Version) -> None:
    flip(location, f"{FOLDER}/model_card.md", 2)
    flip(location, f"{FOLDER}/verdicts/0001/report.html", 0)
    open_storage(location).delete(f"{FOLDER}/export/saved_model.pb")

    with pytest.raises(InputError) as caught:
        verify(Registry(location, "weather"), version)

    assert str(caught.value) == (
        f"registry = {location}/{FOLDER}/export/saved_model.pb: expected the 5 bytes with SHA-256 "
        f"{version.files[0].sha256[:12]}... (damaged after it was registered; so are {FOLDER}/model_card.md, "
        f"{FOLDER}/verdicts/0001/report.html)"
    )


@pytest.mark.parametrize("location", ["folder"], indirect=True)
@pytest.mark.parametrize("name", ["manifest.json", "verdicts/0001/verdict.json"])
def test_no_bit_of_a_record_flips_unseen(location: str, version: Version, name: str) -> None:
    registry = Registry(location, "weather")
    path = Path(location) / FOLDER / name
    for place in range(path.stat().st_size):
        bit = 1 << place % 8
        flip(location, f"{FOLDER}/{name}", place, bit)
        with pytest.raises(InputError, match=f"registry = {path}: expected"):
            verify(registry, registry.get(1))
        flip(location, f"{FOLDER}/{name}", place, bit)
    verify(registry, registry.get(1))


def test_the_manifest_of_another_version_is_refused(location: str, version: Version) -> None:
    storage = open_storage(location)
    stored = storage.read(f"{FOLDER}/manifest.json")
    assert stored is not None
    storage.write("weather/versions/0002/manifest.json", stored.data)

    with pytest.raises(
        InputError, match=r"expected the manifest of weather, version 2 \(it is the one of weather, ver"
    ):
        Registry(location, "weather").get(2)


def test_each_change_of_rules_or_files_is_a_verdict_of_its_own(location: str, version: Version, tmp_path: Path) -> None:
    registry = Registry(location, "weather")
    decision = Decision(is_promoted=True, reason="BLEU 97.1, and there was no champion")
    (tmp_path / "other").write_bytes(b"other")
    files = {"report.html": tmp_path / "graph"}
    numbers = [
        verdicts.conclude(registry, version, decision, rules, files=given).number
        for rules, given in (
            ({"max_p": 0.05}, files),
            ({"max_p": 0.01}, files),
            ({"max_p": 0.01}, {"report.html": tmp_path / "other"}),
            ({"max_p": 0.01}, {"report.html": tmp_path / "other"}),
        )
    ]

    assert numbers == [1, 2, 3, 3]
    assert verdicts.latest(registry, version) is not None


def test_a_verdict_about_another_version_is_refused(location: str, version: Version, tmp_path: Path) -> None:
    registry, storage = Registry(location, "weather"), open_storage(location)
    (tmp_path / "graph").write_bytes(b"another graph")
    other = registry.add(
        {"export/saved_model.pb": tmp_path / "graph"},
        fingerprint="g",
        metrics=version.metrics,
        lineage={},
        configs={},
        versions={},
    )
    for name in storage.names(f"{FOLDER}/verdicts"):
        stored = storage.read(name)
        assert stored is not None
        storage.write(name.replace("/0001/verdicts/", "/0002/verdicts/"), stored.data)

    with pytest.raises(InputError, match=r"expected a verdict about version 2 \(it is about another one\)"):
        verify(registry, other)


def test_a_record_from_before_there_were_checksums_is_read(location: str, version: Version) -> None:
    fields = version.model_dump(mode="json", exclude={"sources", "parent", "code"})
    open_storage(location).write(f"{FOLDER}/manifest.json", json.dumps(fields).encode())

    assert Registry(location, "weather").get(1) == version
