"""Whether a version in the registry is still what was registered: every byte of it is read."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from model import verdicts
from model.registry import Registry, damaged, is_whole
from model.versions import Version
from pipeline.errors import InputError
from pipeline.manifest import FileRecord


def verify(registry: Registry, version: Version) -> list[FileRecord]:
    """Reads all files of a version and of the last verdict about it; returns their records.

    Files in a bucket are downloaded again, whatever a cache on this machine holds.

    Raises:
        InputError: a file is not what was registered; the message names each of them.
    """
    records = [
        FileRecord(path=name, bytes=file.bytes, sha256=file.sha256) for name, file in files_of(registry, version)
    ]
    wrong = [record for record in records if not is_as_registered(registry, record)]
    if wrong:
        first = damaged(f"{registry.location}/{wrong[0].path}", wrong[0])
        more = f"; so are {', '.join(record.path for record in wrong[1:])}" if wrong[1:] else ""
        raise InputError(first.parameter, first.value, first.allowed, f"{first.cause}{more}")
    return records


def files_of(registry: Registry, version: Version) -> Iterator[tuple[str, FileRecord]]:
    """Every file of a version and of the last verdict about it, with its name in the registry."""
    yield from ((f"{version.folder}/{file.path}", file) for file in version.files)
    verdict = verdicts.latest(registry, version)
    if verdict:
        if verdict.version != version.digest:
            where = f"{registry.location}/{verdicts.folder_of(version, verdict.number)}/{verdicts.VERDICT}"
            raise InputError("registry", where, f"a verdict about version {version.number}", "it is about another one")
        folder = verdicts.folder_of(version, verdict.number)
        yield from ((f"{folder}/{file.path}", file) for file in verdict.files)


def is_as_registered(registry: Registry, record: FileRecord) -> bool:
    """Whether a file in the registry has the recorded bytes; a missing one does not."""
    in_place = registry.storage.local(record.path)
    if in_place:
        return is_whole(in_place, record)
    if not registry.storage.exists(record.path):
        return False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        registry.storage.download(record.path, path)
        return is_whole(path, record)
