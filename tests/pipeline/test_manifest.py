import json
from pathlib import Path

import pytest

from pipeline import manifest as manifests
from pipeline.errors import InputError
from pipeline.manifest import InputRecord, Manifest


def write_output(folder: Path, **fields) -> Manifest:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train").mkdir(exist_ok=True)
    (folder / "train" / "b.txt").write_text("two")
    (folder / "a.txt").write_text("one")
    given = {
        "kind": "pairs",
        "stage": "clean",
        "stage_version": 1,
        "fingerprint": "f" * 64,
        "config": {"shards": 8},
        "inputs": {},
        "files": manifests.file_records(folder),
        "counts": {"z": 1, "a": 2},
        "facts": {"name": "é"},
        "versions": {"python": "3.11"},
        "finished": "2030-01-01T00:00:00",
        "seconds": 0.5,
        "directory": folder,
    }
    made = Manifest(**given | fields)
    manifests.write(made)
    return made


def test_a_manifest_comes_back_as_it_was_written(tmp_path):
    made = write_output(tmp_path)
    back = manifests.read(tmp_path)
    assert back == made
    assert list(back.counts) == ["z", "a"]
    assert [file.path for file in back.files] == ["a.txt", "train/b.txt"]
    assert back.paths("train/*.txt") == [tmp_path / "train" / "b.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "manifest.json", "train"]


def test_the_digest_is_one_of_content_and_not_of_place(tmp_path):
    first = write_output(tmp_path / "here")
    second = write_output(tmp_path / "there", finished="2031-01-01T00:00:00", seconds=9.0)
    assert first.digest == second.digest
    (tmp_path / "there" / "a.txt").write_text("ONE")
    assert write_output(tmp_path / "there").digest == first.digest  # written anew with the old content
    changed = tmp_path / "there" / "extra.txt"
    changed.write_text("more")
    assert write_output(tmp_path / "there").digest != first.digest


def test_a_changed_file_is_named(tmp_path):
    made = write_output(tmp_path)
    made.verify()
    (tmp_path / "train" / "b.txt").write_text("TWO")
    assert made.missing_files() == []  # of the same size, so only reading finds it
    with pytest.raises(InputError, match="train/b.txt: expected the 3 bytes with SHA-256 .*changed after"):
        made.verify()
    (tmp_path / "a.txt").unlink()
    assert made.missing_files() == ["a.txt"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "expected an output with a manifest .the stage never finished"),
        ("{", "expected JSON"),
        ("[]", "expected format 1"),
        ('{"format": 2}', "expected format 1 .written by another version"),
        ('{"format": 1, "kind": "pairs"}', "expected the fields of a manifest"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=message):
        manifests.read(tmp_path)


def test_a_missing_file_of_an_output_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected a file vocabulary.model in it"):
        write_output(tmp_path).path("vocabulary.model")


def test_the_fingerprint_depends_on_version_config_and_inputs_alone():
    record = InputRecord(kind="corpus", fingerprint="1", digest="2")
    base = manifests.fingerprint("clean", 1, {"a": 1, "b": 2}, {"corpus": record})
    assert base == manifests.fingerprint("clean", 1, {"b": 2, "a": 1}, {"corpus": record})
    others = {
        manifests.fingerprint("clean", 2, {"a": 1, "b": 2}, {"corpus": record}),
        manifests.fingerprint("shard", 1, {"a": 1, "b": 2}, {"corpus": record}),
        manifests.fingerprint("clean", 1, {"a": 1, "b": 3}, {"corpus": record}),
        manifests.fingerprint("clean", 1, {"a": 1, "b": 2}, {"corpus": record.model_copy(update={"digest": "3"})}),
        manifests.fingerprint("clean", 1, {"a": 1, "b": 2}, {"corpus": record.model_copy(update={"fingerprint": "3"})}),
    }
    assert len(others) == 5
    assert base not in others


def test_a_file_is_replaced_in_one_step(tmp_path, monkeypatch):
    path = tmp_path / "file"
    manifests.write_atomically(path, b"old")

    def fail(self, target):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        manifests.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_outputs_are_listed_oldest_first(tmp_path):
    write_output(tmp_path / "b", finished="2030-01-01T00:00:00")
    write_output(tmp_path / "a", finished="2030-01-02T00:00:00")
    (tmp_path / "unfinished").mkdir()
    assert [made.directory.name for made in manifests.complete_outputs(tmp_path)] == ["b", "a"]


def test_the_manifest_is_readable_json(tmp_path):
    write_output(tmp_path)
    fields = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert fields["facts"] == {"name": "é"}
    assert "directory" not in fields
