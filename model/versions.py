"""What a registry writes down: versions, and the moves of the aliases that stand for them. Plain JSON.

Each record holds a checksum of itself, so that a flipped byte is found in it as well as in the files it names.
"""

import getpass
import json
import socket
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator

from pipeline.config import Frozen
from pipeline.errors import InputError
from pipeline.manifest import FileRecord, InputRecord, sha256_of_json
from pipeline.storage import check_name

FORMAT: Final = 1
CHECKSUM: Final = "checksum"
Record = TypeVar("Record", bound=Frozen)


class SourceRecord(Frozen):
    """One part of the corpus that a model was made from.

    Args:
        split: train, dev or test.
        origin: the source's name in counts and reports.
        location: as people name it, without what may be secret in an address.
        digest: SHA-256 of its content.
        pairs: how many pairs were read from it.
        licence: under which terms its text may be used, "" where nobody said.
    """

    split: str
    origin: str
    location: str
    digest: str
    pairs: int
    licence: str = ""


class Code(Frozen):
    """The code that made something.

    Args:
        package: version of nightshift.
        digest: SHA-256 over the source files of its packages, in order of their names.
        commit: git's name of the commit they are from, with `+` where they differ from it; "" outside of git.
    """

    package: str
    digest: str
    commit: str


class Version(Frozen):
    """One registered model: what it consists of, how well it does, and what it was made from.

    Args:
        fingerprint: hash of what was registered; the same model with the same evaluation has the same one.
        metrics: scores by set, `{"test": {"bleu": 97.1, "bleu_signature": "...", "data_digest": "...", ...}}`.
        lineage: manifests it was made from, by kind.
        configs: configurations of the stages that made it, by stage.
        versions: package versions.
        sources: the parts of the corpus.
        parent: the version that was champion when this one was registered, None if there was none.
        code: what registered it.
    """

    format: Literal[1] = FORMAT
    model: str
    number: int = Field(ge=1)
    fingerprint: str
    created: str
    files: tuple[FileRecord, ...]
    metrics: dict[str, dict[str, Any]]
    lineage: dict[str, InputRecord]
    configs: dict[str, dict[str, Any]]
    versions: dict[str, str]
    sources: tuple[SourceRecord, ...] = ()
    parent: int | None = None
    code: Code | None = None

    @field_validator("files")
    @classmethod
    def _stay_inside(cls, files: tuple[FileRecord, ...]) -> tuple[FileRecord, ...]:
        return inside(files)

    @property
    def folder(self) -> str:
        """Where it lies in the registry."""
        return folder_of(self.model, self.number)

    @property
    def digest(self) -> str:
        """SHA-256 over the paths and digests of all files."""
        return sha256_of_json(sorted((file.path, file.sha256) for file in self.files))


class Move(Frozen):
    """One move of an alias.

    Args:
        id: tells it from all others.
        version: what the alias stands for since then.
        previous: what it stood for before.
        when: in UTC.
        why: the reason of a decision, or what a person gave.
        who: the person and the machine, and the flow run if it was one.
        how: by the rules of promotion, by hand, or back to where it was.
    """

    id: str
    version: int
    previous: int | None
    when: str
    why: str
    who: str = ""
    how: Literal["decided", "by hand", "rollback"] = "decided"


class Alias(Frozen):
    """A name for a version, with all its moves, oldest first."""

    format: Literal[1] = FORMAT
    name: str
    history: tuple[Move, ...] = Field(min_length=1)

    @property
    def version(self) -> int:
        """The version it stands for now."""
        return self.history[-1].version


def folder_of(model: str, number: int) -> str:
    """Where a version lies in its registry.

    >>> folder_of("weather-en-fr", 3)
    'weather-en-fr/versions/0003'
    """
    return f"{model}/versions/{number:04d}"


def inside(files: tuple[FileRecord, ...]) -> tuple[FileRecord, ...]:
    """The files, if none of their names leads out of their folder."""
    for file in files:
        check_name(file.path)
    return files


def to_json(record: Frozen) -> bytes:
    """A record and its checksum, as a person may read it in the bucket's browser."""
    fields = record.model_dump(mode="json")
    return as_text(fields | {CHECKSUM: sha256_of_json(fields)})


def as_text(fields: dict[str, Any]) -> bytes:
    """The one form in which fields are written."""
    return (json.dumps(fields, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()


def parse(kind: type[Record], data: bytes, where: str) -> Record:
    """A record from its JSON; raises `InputError` for another format than ours and for damage.

    What has no checksum was written before there were any.
    """
    fields = checked_format(data, where)
    checksum = fields.pop(CHECKSUM, None)
    try:
        record = kind(**fields)
    except (TypeError, ValidationError, InputError) as error:
        problem = describe(error) if isinstance(error, ValidationError) else str(error)
        allowed = f"the fields of a {kind.__name__.lower()}"
        raise InputError("registry", where, allowed, f"damaged after it was written: {problem}") from error
    is_whole = checksum == sha256_of_json(fields) and as_text(fields | {CHECKSUM: checksum}) == data
    if checksum is not None and not is_whole:
        raise InputError(
            "registry", where, f"the {kind.__name__.lower()} with its checksum", "damaged after it was written"
        )
    return record


def checked_format(data: bytes, where: str) -> dict[str, Any]:
    """The fields of a JSON object that says it is of our format."""
    try:
        fields = json.loads(data)
    except ValueError as error:
        raise InputError("registry", where, "JSON", "damaged after it was written") from error
    found = fields.get("format") if isinstance(fields, dict) else None
    if found == FORMAT:
        return dict(fields)
    is_newer = isinstance(found, int) and found > FORMAT
    cause = "written by a newer nightshift: update this one" if is_newer else "not written by nightshift?"
    raise InputError("registry", where, f"registry format {FORMAT}, not {found}", cause)


def describe(error: ValidationError) -> str:
    """The first thing that is wrong with a record: `files.0.bytes: Field required`."""
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def whoami() -> str:
    """The person and the machine, `ada@buildhost`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user number without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
