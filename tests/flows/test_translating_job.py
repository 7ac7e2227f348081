"""`nightshift translate --runner`: files, objects in a bucket, what a job leaves behind, and what it does not take."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli import cli
from model.export import Exported
from pipeline.errors import InputError
from pipeline.storage import open_storage

SENTENCES = ["rain", "", "snow fog hail", "  ", "rain", "wind " * 12, "sun"]


@pytest.fixture(scope="module")
def expected(two_versions: Path) -> str:
    """What version 1 says."""
    exported = Exported.load(two_versions / "tiny/versions/0001/export")
    return "".join(f"{exported.translate([one.strip()])[0] if one.strip() else ''}\n" for one in SENTENCES)


def run(registry: object, tmp_path: Path, *arguments: object) -> Any:
    command = ["translate", "--runner", "local", "--set", f"workspace={tmp_path / 'workspace'}"]
    return CliRunner().invoke(
        cli, [*command, "--registry", str(registry), *map(str, arguments)], catch_exceptions=False
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_becomes_a_file(two_versions: Path, expected: str, tmp_path: Path, workers: int) -> None:
    source, target = tmp_path / "in.gz", tmp_path / "out"
    source.write_bytes(gzip.compress("\n".join(SENTENCES).encode()))
    told = run(two_versions, tmp_path, "--set", f"beam.workers={workers}", "--input", source, "--output", target)
    assert target.read_text() == expected
    assert (told.stdout, told.stderr) == ("", f"{target}: 7 lines by version 1 of tiny\n")
    assert list((tmp_path / "workspace/translate").iterdir()) == []


def test_all_of_it_may_lie_in_a_bucket(two_versions: Path, bucket: str, expected: str, tmp_path: Path) -> None:
    storage = open_storage(bucket)
    for path in two_versions.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            storage.upload(path, f"registry/{path.relative_to(two_versions)}")
    storage.write("in/news.en", "\n".join(SENTENCES).encode())
    files = ["--input", f"{bucket}/in/news.en", "--output", f"{bucket}/out/news.fr.gz"]
    run(f"{bucket}/registry", tmp_path, *files)
    stored = storage.read("out/news.fr.gz")
    assert stored is not None
    assert gzip.decompress(stored.data).decode() == expected
    assert storage.names("out") == ["out/news.fr.gz"]
    (model,) = (tmp_path / "workspace/translate").iterdir()
    assert model.name.startswith("tiny-0001-")
    assert [path.name for path in model.iterdir()] == ["export"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rain"], "--runner = given: expected --input, no sentences as arguments (there are 1)"),
        (["--input", "a"], "--output = not given: expected a path or gs://bucket/name beside --runner"),
        (["--input", "a", "--output", "b", "--n-best", "2"], "--n-best = 2: expected no --runner beside it"),
        (["--input", "a", "--output", "b", "--scores"], "--scores = True: expected no --runner beside it"),
        (["--input", "a", "--output", "b", "--set", "train.steps=1"], "--set = train.steps=1: expected a key of beam"),
        (["--input", "a", "--output", "b", "--set", "beam.workers=99"], "beam.workers = 99: expected at most 64"),
        (
            ["--input", "a", "--output", "b", "--runner", "dataflow"],
            "beam.dataflow.project = not given: expected a value",
        ),
        (["--input", "a", "--output", "b", "--model", "9"], "model = 9: expected one of 1, 2, champion"),
        (["--input", "{folder}/none", "--output", "{folder}/b"], "--input = {folder}/none: expected"),
        (["--input", "a", "--output", "/dev/null"], "--output = /dev/null: expected a file's path or gs://bucket/name"),
    ],
)
def test_what_a_job_does_not_take_is_named(
    two_versions: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(InputError) as raised:
        run(two_versions, tmp_path, *(one.format(folder=tmp_path) for one in arguments))
    assert str(raised.value).startswith(message.format(folder=tmp_path))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
