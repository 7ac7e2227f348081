"""Shards on Cloud Storage, on a real server."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli import cli
from model.batches import Pairs
from model.shards import fetch, fetch_with_vocabulary
from pipeline import manifest as manifests
from pipeline.errors import InputError
from pipeline.examples import write_shard
from pipeline.gcs import GcsStorage
from pipeline.manifest import Manifest
from pipeline.storage import open_storage


def write_generation(folder: Path, fingerprint: str, source: int, earlier: Manifest | None = None) -> Manifest:
    """An output of one pair whose source is one token."""
    directory = manifests.folder_of(folder, fingerprint)
    write_shard(directory / "train/shard-00000-of-00001.tfrecord", [[source]], [[20]])
    made = Manifest(
        kind="shards",
        stage="shard",
        stage_version=1,
        fingerprint=fingerprint,
        earlier=earlier.fingerprint if earlier else "",
        config={},
        inputs={manifests.EARLIER: manifests.input_record(earlier)} if earlier else {},
        files=manifests.file_records(directory),
        counts={"train.pairs": 1},
        facts={},
        versions={},
        finished="2026-01-01T00:00:00",
        seconds=0.0,
        directory=directory,
    )
    manifests.write(made)
    return made


@pytest.fixture
def stored(bucket: str, tmp_path: Path) -> tuple[str, list[Manifest]]:
    """Two generations in a bucket: where they lie, and what they were."""
    first = write_generation(tmp_path, "a" * 64, 10)
    chain = [first, write_generation(tmp_path, "b" * 64, 11, first)]
    storage = open_storage(f"{bucket}/shard")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            storage.upload(path, path.relative_to(tmp_path).as_posix())
    return f"{bucket}/shard", chain


def test_a_chain_of_generations_is_read_from_the_cache(
    stored: tuple[str, list[Manifest]], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location, chain = stored
    made = fetch(f"{location}/{'b' * 12}")
    assert made.directory == own_cache / "outputs" / ("b" * 12)
    assert made.digest == chain[1].digest
    pairs = Pairs.read(made.paths_of_all("train/*.tfrecord"))
    assert pairs.whole.sides[0][0].tolist() == [10, 11]

    monkeypatch.setattr(GcsStorage, "download", lambda *_: pytest.fail("downloaded again"))
    assert fetch(f"{location}/{'b' * 12}/") == made


def test_a_file_that_was_damaged_in_the_cache_is_downloaded_again(stored: tuple[str, list[Manifest]]) -> None:
    location, _ = stored
    shard = fetch(f"{location}/{'b' * 12}").paths_of_all("train/*.tfrecord")[0]
    good = shard.read_bytes()
    shard.write_bytes(good[:-1] + b"x")
    fetch(f"{location}/{'b' * 12}")
    assert shard.read_bytes() == good


def test_a_file_that_is_not_what_its_manifest_says_is_refused(
    stored: tuple[str, list[Manifest]], own_cache: Path
) -> None:
    location, _ = stored
    name = "aaaaaaaaaaaa/train/shard-00000-of-00001.tfrecord"
    open_storage(location).write(name, b"another")
    with pytest.raises(InputError, match=f"shards = {location}/{name}: expected the .* bytes with SHA-256 .*changed"):
        fetch(f"{location}/{'a' * 12}")
    assert not list(own_cache.rglob("*.tfrecord"))
    assert not list(own_cache.rglob("manifest.json"))


def test_a_folder_without_a_manifest_is_no_output(stored: tuple[str, list[Manifest]]) -> None:
    location, _ = stored
    with pytest.raises(InputError, match=f"shards = {location}/cccccccccccc: expected an output with a manifest"):
        fetch(f"{location}/cccccccccccc")


@pytest.fixture
def workspace(bucket: str, toy: Any) -> str:
    """The toy corpus in a bucket, as a workspace has it: the location of its shards."""
    storage = open_storage(f"{bucket}/work")
    for stage, made in (("shard", toy.shards), ("build_vocabulary", toy.vocabulary)):
        for path in (*made.paths("*"), *made.paths("*/*"), made.directory / manifests.NAME):
            name = path.relative_to(made.directory).as_posix()
            storage.upload(path, f"{stage}/{manifests.folder_of(Path(), made.fingerprint)}/{name}")
    return f"{bucket}/work/shard/{manifests.folder_of(Path(), toy.shards.fingerprint)}"


def test_the_vocabulary_of_shards_is_fetched_with_them(workspace: str, toy: Any) -> None:
    shards, vocabulary = fetch_with_vocabulary(workspace)
    assert (shards.digest, vocabulary.digest) == (toy.shards.digest, toy.vocabulary.digest)
    with pytest.raises(InputError, match=r"shards = .*: expected an output of shard \(this is one of vocabulary\)"):
        fetch_with_vocabulary(workspace.replace("of-shards", "of-vocabular").replace("/shard/", "/build_vocabulary/"))


def test_a_training_from_a_bucket_is_one_command(
    workspace: str, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = ["train.model={embedding_size: 8, encoder_units: 8, decoder_units: 8, attention_units: 8}"]
    settings += ["train.steps=1", "corpus.source_language=en", "corpus.target_language=ne"]
    options = [part for setting in settings for part in ("--set", setting)]
    found = CliRunner().invoke(cli, ["train", "--shards", workspace, *options], catch_exceptions=False)
    assert found.exit_code == 0
    made = manifests.read(Path(found.output.strip()))
    assert (made.kind, made.counts["steps"], made.counts["train.pairs"]) == ("model", 1, 600)
    assert list(own_cache.glob("outputs/of-shards/train/*.tfrecord"))
