"""Outputs of stages that lie on Cloud Storage, brought into the cache file by file.

    ~/.cache/nightshift/outputs/5b7e0c44d1a9/       the first characters of the fingerprint, as in the workspace
        train/shard-00000-of-00008.tfrecord
        train/shard-00000-of-00008.lengths.npy
        manifest.json                               written last, as it was by the stage

An output's fingerprint tells what is in it, so a file that is there already, with the digest that the manifest records,
is not downloaded again; of a chain of generations only new ones are.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline import manifest as manifests
from pipeline.errors import InputError
from pipeline.manifest import FileRecord, Manifest
from pipeline.reading.cache import cache_folder
from pipeline.storage import Storage, check_name, open_storage


def fetch_with_vocabulary(location: str) -> tuple[Manifest, Manifest]:
    """The shards at gs://bucket/.../shard/5b7e0c44d1a9 and the vocabulary of their ids, which is what `train` takes.

    The vocabulary lies where a workspace has it: in `build_vocabulary/`, beside the folder of all shards.

    Raises:
        InputError: as `fetch`, or what lies there are no shards.
        ConnectionError: the service did not answer.
    """
    shards = fetch(location)
    record = shards.inputs.get("vocabulary")
    if shards.kind != "shards" or record is None:
        raise InputError("shards", location, "an output of shard", f"this is one of {shards.stage}")
    workspace = location.rstrip("/").rsplit("/", 2)[0]
    name = manifests.folder_of(Path("build_vocabulary"), record.fingerprint)
    return shards, fetch(f"{workspace}/{name.as_posix()}")


def fetch(location: str) -> Manifest:
    """The output at gs://bucket/.../5b7e0c44d1a9, and the generations before it, as folders in the cache.

    Raises:
        InputError: no output there, or a file that is not what its manifest says.
        ConnectionError: the service did not answer.
    """
    parent, _, name = location.rstrip("/").rpartition("/")
    storage = open_storage(parent, "shards")
    made = fetch_generation(storage, name)
    generation = made
    while generation.earlier:
        generation = fetch_generation(storage, manifests.folder_of(Path(), generation.earlier).name)
    return made


def fetch_generation(storage: Storage, name: str) -> Manifest:
    """One output of a stage's folder, without those before it."""
    shown = f"{storage.location}/{name}"
    stored = storage.read(f"{name}/{manifests.NAME}")
    if not stored:
        raise InputError("shards", shown, "an output with a manifest", "the stage never finished")
    with TemporaryDirectory() as folder:
        (Path(folder) / manifests.NAME).write_bytes(stored.data)
        found = manifests.read(Path(folder))
    folder_here = manifests.folder_of(cache_folder() / "outputs", check_name(found.fingerprint))
    for file in found.files:
        path = folder_here / check_name(file.path)
        if not is_whole(path, file):
            storage.download(f"{name}/{file.path}", path)
            if not is_whole(path, file):
                path.unlink()
                allowed = f"the {file.bytes} bytes with SHA-256 {file.sha256[:12]}..."
                raise InputError("shards", f"{shown}/{file.path}", allowed, "changed after it was written")
    folder_here.mkdir(parents=True, exist_ok=True)
    manifests.write_atomically(folder_here / manifests.NAME, stored.data)
    return manifests.read(folder_here)


def is_whole(path: Path, file: FileRecord) -> bool:
    """Whether a file is there and has the recorded bytes."""
    return manifests.size_of(path) == file.bytes and manifests.sha256_of_file(path) == file.sha256
