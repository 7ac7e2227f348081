"""Files of Cloud Storage, downloaded once for each generation of an object.

    ~/.cache/nightshift/objects/77c1...0e.json      which bytes a generation of an object had
    ~/.cache/nightshift/downloads/3a7b...91         those bytes, under their SHA-256
    ~/.cache/nightshift/downloads/.77c1...0e.partial    what a killed process leaves; the next try writes over it

An object that did not change is looked at and not downloaded again.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.api_core import exceptions as api
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

from pipeline.errors import InputError
from pipeline.gcs import LOCATION, GcsStorage
from pipeline.manifest import write_atomically
from pipeline.reading.cache import FULL, alone, cache_folder, downloads
from pipeline.reading.digests import Progress, digest_of
from pipeline.reading.globs import expression_of, fixed_part, is_glob
from pipeline.reading.parts import Beginning, StoredFile


class Objects(GcsStorage):
    """The objects of a bucket, for reading."""

    def matching(self, pattern: str) -> list[Any]:
        """Objects whose names match a glob, or the one of that name, sorted."""
        with self._clear_errors():
            if not is_glob(pattern):
                found = self.bucket.get_blob(pattern, retry=DEFAULT_RETRY)
                return [found] if found else []
            listed = list(self.client.list_blobs(self.bucket, prefix=fixed_part(pattern), retry=DEFAULT_RETRY))
        expression = expression_of(pattern)
        # A browser's "create folder" leaves an empty object whose name ends with a slash.
        found = [blob for blob in listed if expression.fullmatch(blob.name) and not blob.name.endswith("/")]
        return sorted(found, key=lambda blob: str(blob.name))

    def copy(self, blob: Any, target: Path) -> None:
        """Downloads exactly the generation that was found, as it is stored; its checksum is verified."""
        with self._clear_errors():
            blob.download_to_filename(
                str(target), raw_download=True, if_generation_match=blob.generation, retry=DEFAULT_RETRY
            )

    def begin(self, blob: Any, most: int) -> bytes:
        """The first bytes of an object; only a reader of it may have them."""
        if not blob.size:
            return b""
        with self._clear_errors():
            return bytes(blob.download_as_bytes(end=most - 1, raw_download=True, retry=DEFAULT_RETRY))


@dataclass(frozen=True, slots=True)
class CloudFile:
    """An object as it was when it was found.

    Args:
        parameter: what messages call it.
        shown: its address, gs://bucket/name.
        objects: the bucket.
        blob: the object's description.
    """

    parameter: str
    shown: str
    objects: Objects
    blob: Any

    @property
    def size(self) -> int | None:
        """Its bytes."""
        return int(self.blob.size)

    @property
    def is_here(self) -> bool:
        """Whether this generation of it is in the cache."""
        digest = recall(cache_folder() / "objects" / f"{self.identity()}.json")
        return digest is not None and (cache_folder() / "downloads" / digest).is_file()

    def check(self) -> None:
        """Nothing to do: it was found by asking for it."""

    def bring(self, progress: Progress) -> StoredFile:
        """The object's bytes in the cache."""
        folder, identity = downloads(), self.identity()
        note = cache_folder() / "objects" / f"{identity}.json"
        with alone(folder / f".{identity}.lock"):
            digest = recall(note)
            if digest is None or not (folder / digest).exists() or digest_of(folder / digest, progress) != digest:
                digest = self.download(folder, folder / f".{identity}.partial", progress)
                note.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(note, json.dumps({"location": self.shown, "sha256": digest}).encode())
        return StoredFile(self.parameter, folder / digest, digest, self.shown)

    def begin(self, most: int) -> Beginning:
        """The first bytes."""
        return Beginning(self.objects.begin(self.blob, most), int(self.blob.size))

    def identity(self) -> str:
        """What differs where the object's content does."""
        parts = [self.shown, str(self.blob.generation), str(self.blob.crc32c), str(self.blob.md5_hash)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def download(self, folder: Path, partial: Path, progress: Progress) -> str:
        """Puts the object into the cache, by way of `partial`, and returns its SHA-256."""
        size, free = int(self.blob.size), shutil.disk_usage(folder).free
        if size > free:
            allowed = f"a file that fits {folder}, which has {free:,} bytes left"
            raise InputError(self.parameter, self.shown, allowed, f"it has {size:,} bytes")
        progress(self.shown, 0, size)
        try:
            self.objects.copy(self.blob, partial)
            digest = digest_of(partial, progress)
            partial.replace(folder / digest)
        except (api.PreconditionFailed, DataCorruption) as error:
            allowed = "an object that nobody changes while it is read"
            raise InputError(self.parameter, self.shown, allowed, "try again") from error
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise InputError(self.parameter, self.shown, f"space in {folder}", str(error.strerror)) from error
        finally:
            partial.unlink(missing_ok=True)
        return digest


def cloud_files(parameter: str, location: str) -> Sequence[CloudFile]:
    """The objects that gs://bucket/name stands for, of which there must be one.

    Raises:
        InputError: no such object or bucket, or no permission.
        ConnectionError: the service did not answer.
    """
    address = LOCATION.fullmatch(location)
    if not address or not address["prefix"]:
        raise InputError(parameter, location, "gs://bucket/name with a bucket's name in lower case")
    bucket = f"gs://{address['bucket']}"
    objects = Objects(bucket, parameter)
    found = objects.matching(address["prefix"])
    if not found:
        raise InputError(parameter, location, "an object that is there", "no object of the bucket has such a name")
    return [CloudFile(parameter, f"{bucket}/{blob.name}", objects, blob) for blob in found]


def recall(note: Path) -> str | None:
    """The digest that was written down; None also where the note is damaged."""
    try:
        digest = json.loads(note.read_bytes())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return digest if isinstance(digest, str) and digest.isalnum() else None
