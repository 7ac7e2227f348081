"""The storage of `gs://bucket/prefix`; see `pipeline.storage`, which imports this only where it is needed.

With `STORAGE_EMULATOR_HOST` in the environment the client talks to that server, without credentials.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud.storage import Client
from google.cloud.storage.retry import DEFAULT_RETRY
from typing_extensions import override

from pipeline.errors import InputError
from pipeline.storage import ABSENT, Conflict, Storage, Stored, check_name, partial_of, probe_name

LOCATION: Final = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(/(?P<prefix>.*))?")
READ_AHEAD: Final = 2**20  # bytes fetched at least where parts of a file are read
LARGEST_WRITE: Final = 8 * 2**20  # bytes that the client sends as one request: the only kind sure to be conditional
WRITER: Final = "writer"


class GcsStorage(Storage):
    """Objects of a bucket below a prefix; a file's generation is the service's own.

    Every request is repeated by the client with growing, jittered pauses for up to two minutes. Each of them may be:
    reading, replacing with the same bytes and deleting by nature, a conditional write because of `_wrote`.

    Raises:
        InputError: no such bucket, no credentials, or not the right ones.
        ConnectionError: the service did not answer in those two minutes.
    """

    def __init__(self, location: str, parameter: str = "registry") -> None:
        found = LOCATION.fullmatch(location)
        if not found:
            raise InputError(parameter, location, "gs://bucket/prefix with a bucket's name in lower case")
        self.location = location
        self.parameter = parameter
        prefix = (found["prefix"] or "").strip("/")
        self.prefix = f"{check_name(prefix)}/" if prefix else ""
        with self._clear_errors():
            # Without a project: no request here needs one, and many machines have credentials but no default project.
            self.client: Any = Client(project=None)
            self.bucket: Any = self.client.bucket(found["bucket"])
            # Listing is what a plain reader of objects may do; asking for the bucket itself needs a further permission.
            list(self._list(prefix=self.prefix, max_results=1))

    @override
    def read(self, name: str) -> Stored | None:
        blob = self._blob(name)
        with self._clear_errors():
            try:
                data = blob.download_as_bytes(retry=DEFAULT_RETRY)
            except api.NotFound:
                return None
        # From the header of the same answer, so it is the generation of exactly these bytes.
        return Stored(data, str(blob.generation))

    @override
    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:
        if len(data) > LARGEST_WRITE:
            raise ValueError(f"{name} has {len(data):,} bytes; more than {LARGEST_WRITE:,} need upload()")
        blob = self._blob(name)
        blob.metadata = {WRITER: uuid4().hex}
        condition = None if if_generation is None else int(if_generation)
        with self._clear_errors():
            try:
                blob.upload_from_string(data, if_generation_match=condition, retry=DEFAULT_RETRY)
            except api.PreconditionFailed as error:
                present = self.bucket.get_blob(blob.name, retry=DEFAULT_RETRY)
                if not self._wrote(blob, present):
                    raise Conflict(f"{self.location}/{name} was changed by another writer") from error
                return str(present.generation)
        return str(blob.generation)

    @override
    def upload(self, source: Path, name: str) -> None:
        with self._clear_errors():
            self._blob(name).upload_from_filename(str(source), retry=DEFAULT_RETRY)

    @override
    def download(self, name: str, target: Path) -> None:
        with partial_of(target) as partial, self._clear_errors():
            try:
                self._blob(name).download_to_filename(str(partial), retry=DEFAULT_RETRY)
            except api.NotFound as error:
                where = f"{self.location}/{name}"
                raise InputError(self.parameter, where, "a file that is there", "removed by hand?") from error
            partial.replace(target)

    @override
    def names(self, prefix: str = "") -> list[str]:
        with self._clear_errors():
            found = [blob.name for blob in self._list(prefix=self._folder(prefix))]
        # A browser's "create folder" leaves an empty object whose name ends with a slash.
        return sorted(name.removeprefix(self.prefix) for name in found if not name.endswith("/"))

    @override
    def folders(self, prefix: str = "") -> list[str]:
        top = self._folder(prefix)
        with self._clear_errors():
            pages = self._list(prefix=top, delimiter="/")
            found = {folder for page in pages.pages for folder in page.prefixes}
        return sorted(folder.removeprefix(top).rstrip("/") for folder in found)

    @override
    def exists(self, name: str) -> bool:
        with self._clear_errors():
            return bool(self._blob(name).exists(retry=DEFAULT_RETRY))

    @override
    def delete(self, name: str) -> None:
        with self._clear_errors():
            try:
                self._blob(name).delete(retry=DEFAULT_RETRY)
            except api.NotFound:
                return  # there was none, or an earlier try of this request removed it and its answer got lost

    @override
    def local(self, name: str) -> Path | None:
        check_name(name)
        return None

    @override
    def check_writable(self) -> None:
        probe = probe_name()
        self.write(probe, b"", if_generation=ABSENT)
        self.delete(probe)

    def permissions(self, asked: list[str]) -> set[str] | None:
        """Which of some permissions these credentials have in the bucket; None where the server does not tell."""
        with self._clear_errors():
            try:
                return set(self.bucket.test_iam_permissions(asked))
            except api.NotFound:  # the bucket is there, so it is the question that is not known: emulators
                return None

    def open(self, name: str) -> Any:
        """A file to read parts of: only what is asked for is downloaded."""
        return self._blob(name).open("rb", chunk_size=READ_AHEAD, retry=DEFAULT_RETRY)

    def checksums(self, prefix: str) -> dict[str, str]:
        """CRC-32C of all files at any depth below a folder, in Base64, by name."""
        with self._clear_errors():
            listed = self._list(prefix=self._folder(prefix))
            return {blob.name.removeprefix(self.prefix): blob.crc32c for blob in listed if not blob.name.endswith("/")}

    def _blob(self, name: str) -> Any:
        return self.bucket.blob(self.prefix + check_name(name))

    def _list(self, **given: Any) -> Any:
        return self.client.list_blobs(self.bucket, retry=DEFAULT_RETRY, **given)

    def _folder(self, prefix: str) -> str:
        return f"{self.prefix}{check_name(prefix)}/" if prefix else self.prefix

    @staticmethod
    def _wrote(written: Any, present: Any) -> bool:
        """Whether a refused conditional write did happen: its answer got lost, and its repetition met its own work."""
        return present is not None and (present.metadata or {}).get(WRITER) == written.metadata[WRITER]

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except api.NotFound as error:
            raise self._unusable("a bucket that exists", "create it first, or correct the name") from error
        except (api.Forbidden, api.Unauthorized) as error:
            raise self._unusable("a bucket these credentials may read and write", error.message) from error
        except (auth.DefaultCredentialsError, auth.RefreshError) as error:
            cause = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
            raise self._unusable("a bucket and credentials for it", cause) from error
        except api.RetryError as error:
            raise ConnectionError(f"{self.location} could not be reached: {error.cause or error}") from error

    def _unusable(self, allowed: str, cause: str) -> InputError:
        return InputError(self.parameter, self.location, allowed, cause)
