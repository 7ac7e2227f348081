"""The registry: immutable numbered versions of models, and aliases that say which one is in service.

    registry/                              a folder, or gs://bucket/prefix
        registry.json                      the format of what is below
        weather-en-fr/
            versions/0001/                 one version: written once, complete as soon as manifest.json is there
                claim.json                 written first, so that no two writers take the same number
                export/saved_model.pb ...
                manifest.json              files with digests, scores, lineage
                verdicts/0001/...          what was decided about it; see model/verdicts.py
            aliases/champion.json          the version in service, and which ones were before it, when and why

A writer that was killed half-way leaves a number without a manifest: no reader sees it and no later writer takes it.
The same is true of a version that was deleted; see model/deletion.py.
Everything is JSON or opaque bytes; nothing is unpickled.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

from model.numbering import CLAIM, claim, taken
from model.versions import (
    FORMAT,
    Alias,
    Code,
    Move,
    SourceRecord,
    Version,
    checked_format,
    folder_of,
    now,
    parse,
    to_json,
    whoami,
)
from pipeline.errors import InputError
from pipeline.manifest import FileRecord, InputRecord, sha256_of_file, size_of
from pipeline.storage import ABSENT, Conflict, Storage, check_name, open_storage

MARKER: Final = "registry.json"
MANIFEST: Final = "manifest.json"
DELETED: Final = "deleted.json"
OWN: Final = {CLAIM, MANIFEST, DELETED, "verdicts"}  # names that no file of a version has
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
EXPORT: Final = "export"  # the folder of a version's SavedModel
EXPORTED: Final = (f"{EXPORT}/*",)  # what translates
WEIGHTS: Final = "weights.npz"  # what another training begins with
CHAMPION: Final = "champion"  # the alias of the version in service
CANDIDATE: Final = "candidate"  # the alias of the newest version
ALIAS: Final = re.compile(r"[a-z][a-z0-9-]{0,49}")
MOST_DIGITS: Final = 9  # of a version's number; see model/numbering.py
READERS: Final = 8  # manifests read at the same time: each is one small request to a bucket


class Registry:
    """The versions and aliases of one model.

        registry = Registry("gs://models/nightshift", "weather-en-fr")
        saved_model = registry.fetch(registry.get("champion"), cache, only=EXPORTED) / "export"

    Args:
        location: a folder or `gs://bucket/prefix`; a folder need not exist yet.
        name: the model's name; one registry holds many.

    Raises:
        InputError: a location that cannot be used, a registry of a newer format, or a name with other characters than
            letters, digits, dots, dashes and underscores.
    """

    def __init__(self, location: str, name: str) -> None:
        if not NAME.fullmatch(name):
            raise InputError("name", name, "1 to 100 letters, digits, dots, dashes or underscores")
        self.location = location
        self.name = name
        self.storage = open_registry(location)

    def check_writable(self) -> None:
        """Raises `InputError` unless versions can be written here; to be asked before a night starts."""
        self.storage.check_writable()

    def versions(self) -> list[Version]:
        """All complete versions, oldest first."""
        with ThreadPoolExecutor(READERS) as pool:
            found = list(pool.map(self.peek, numbers(self.storage, self.name)))
        return [version for version in found if version]

    def find(self, fingerprint: str) -> Version | None:
        """The newest complete version of that fingerprint."""
        return next((version for version in reversed(self.versions()) if version.fingerprint == fingerprint), None)

    def get(self, wanted: int | str) -> Version:
        """The version of that number or alias: `get(3)`, `get("3")`, `get("champion")`.

        Raises:
            InputError: there is no such version; the message lists what there is.
        """
        is_number = isinstance(wanted, int) or wanted.isdecimal()
        number = number_of(wanted) if is_number else self.alias(str(wanted))
        version = self.peek(number) if number else None
        if version:
            return version
        there = [str(version.number) for version in self.versions()] + sorted(self.aliases())
        cause = "" if there else f"nothing was registered as {self.name} in {self.location} yet"
        raise InputError("model", wanted, f"one of {', '.join(there)}" if there else "a registered version", cause)

    def peek(self, number: int) -> Version | None:
        """The complete version of that number, None where there is none."""
        name = f"{folder_of(self.name, number)}/{MANIFEST}"
        stored = self.storage.read(name)
        if not stored:
            return None
        version = parse(Version, stored.data, f"{self.location}/{name}")
        if (version.model, version.number) != (self.name, number):
            where, found = f"{self.location}/{name}", f"it is the one of {version.model}, version {version.number}"
            raise InputError("registry", where, f"the manifest of {self.name}, version {number}", found)
        return version

    def add(
        self,
        files: Mapping[str, Path],
        *,
        fingerprint: str,
        metrics: Mapping[str, dict[str, Any]],
        lineage: Mapping[str, InputRecord],
        configs: Mapping[str, dict[str, Any]],
        versions: Mapping[str, str],
        sources: Sequence[SourceRecord] = (),
        parent: int | None = None,
        code: Code | None = None,
    ) -> Version:
        """Stores a new version under the next free number and returns it.

        `files` says where each file lies, by the name it gets: `{"export/saved_model.pb": Path(...)}`. The other
        arguments are described at `Version`.
        """
        if not files or OWN & {name.partition("/")[0] for name in files}:
            raise ValueError(f"a version has files, none of which is called {', '.join(sorted(OWN))}: {sorted(files)}")
        records = tuple(record_of(name, path) for name, path in sorted(files.items()))
        self._mark()
        version = Version(
            model=self.name,
            number=claim(self.storage, f"{self.name}/versions", fingerprint),
            fingerprint=fingerprint,
            created=now(),
            files=records,
            metrics=dict(metrics),
            lineage=dict(lineage),
            configs=dict(configs),
            versions=dict(versions),
            sources=tuple(sources),
            parent=parent,
            code=code,
        )
        for name, path in files.items():
            self.storage.upload(path, f"{version.folder}/{name}")
        self.storage.write(f"{version.folder}/{MANIFEST}", to_json(version), if_generation=ABSENT)
        return version

    def fetch(self, version: Version, to: Path, *, only: Collection[str] | None = None) -> Path:
        """The folder with a version's files on this machine, each of them verified.

        Args:
            version: what to fetch.
            to: where downloads are kept; a file that is there already and whole is not downloaded again. A registry in
                a folder is used in place.
            only: names of the files to fetch, or patterns such as `export/*` for all in a folder; None: all.

        Raises:
            InputError: a file is not what was registered; the message names it.
        """
        in_place = self.storage.local(version.folder)
        folder = in_place or to / f"{version.model}-{version.number:04d}-{version.digest[:12]}"
        for file in version.files:
            path = folder / file.path
            if only is not None and not any(fnmatchcase(file.path, pattern) for pattern in only):
                continue
            if is_whole(path, file):
                continue
            if not in_place:
                self.storage.download(f"{version.folder}/{file.path}", path)
            if in_place or not is_whole(path, file):
                raise damaged(f"{self.location}/{version.folder}/{file.path}", file)
        return folder

    def alias(self, alias: str) -> int | None:
        """The number of the version an alias stands for, None where there is no such alias."""
        found, _ = self._alias(alias)
        return found.version if found else None

    def aliases(self) -> dict[str, int]:
        """All aliases with the versions they stand for."""
        names = [Path(name) for name in self.storage.names(f"{self.name}/aliases")]
        words = [name.stem for name in names if name.suffix == ".json" and ALIAS.fullmatch(name.stem)]
        found = {word: self.alias(word) for word in words}
        return {alias: number for alias, number in found.items() if number}

    def history(self, alias: str) -> tuple[Move, ...]:
        """All moves of an alias, oldest first."""
        found, _ = self._alias(alias)
        return found.history if found else ()

    def move_alias(
        self,
        alias: str,
        to: int,
        *,
        expected: int | None,
        why: str,
        who: str = "",
        how: Literal["decided", "by hand", "rollback"] = "decided",
    ) -> Move:
        """Makes an alias stand for another version, if it still stands for the expected one.

        Args:
            alias: a word such as `champion`.
            to: the number of a version.
            expected: the version that this decision was taken against; None if there was no such alias.
            why: kept in the alias's history.
            who: likewise; the person and the machine unless given.
            how: likewise.

        Raises:
            Conflict: it stands for another version by now; the decision has to be taken again.
            InputError: there is no complete version of that number, or it is being deleted.
        """
        self.get(to)
        self._check_stays(to)
        found, generation = self._alias(alias)
        if (found.version if found else None) != expected:
            raise Conflict(self._lost(alias, found, expected, to))
        history = found.history if found else ()
        move = Move(id=uuid4().hex, version=to, previous=expected, when=now(), why=why, who=who or whoami(), how=how)
        moved = Alias(name=alias, history=(*history, move))
        try:
            written = self.storage.write(self._alias_name(alias), to_json(moved), if_generation=generation)
        except Conflict as error:
            winner, written = self._alias(alias)
            # On a bucket the answer may get lost and another writer go on from our move before we ask again.
            if not winner or move not in winner.history:
                raise Conflict(self._lost(alias, winner, expected, to)) from error
        try:
            self._check_stays(to)  # whoever deletes a version marks it first and looks at the aliases afterwards
        except InputError:
            self._put_back(alias, found, written)
            raise
        return move

    def _check_stays(self, number: int) -> None:
        if self.storage.exists(f"{folder_of(self.name, number)}/{DELETED}"):
            raise InputError("model", number, "a version that stays", "it is being deleted")

    def _put_back(self, alias: str, before: Alias | None, written: str) -> None:
        if before is None:
            self.storage.delete(self._alias_name(alias))
            return
        with suppress(Conflict):  # who moved it since then has looked for himself
            self.storage.write(self._alias_name(alias), to_json(before), if_generation=written)

    def _lost(self, alias: str, present: Alias | None, expected: int | None, to: int) -> str:
        stands = f"stands for version {present.version}" if present else "is not set"
        wanted = f"from version {expected} to {to}" if expected else f"to version {to} for the first time"
        return f"{alias} of {self.name} {stands} by now and was not moved {wanted}"

    def _alias(self, alias: str) -> tuple[Alias | None, str]:
        name = self._alias_name(alias)
        stored = self.storage.read(name)
        if not stored:
            return None, ABSENT
        found = parse(Alias, stored.data, f"{self.location}/{name}")
        if found.name != alias:
            raise InputError(
                "registry", f"{self.location}/{name}", f"the alias {alias}", f"it is the alias {found.name}"
            )
        return found, stored.generation

    def _alias_name(self, alias: str) -> str:
        if not ALIAS.fullmatch(alias):
            raise InputError("alias", alias, "1 to 50 small letters, digits or dashes, a letter first")
        return f"{self.name}/aliases/{alias}.json"

    def _mark(self) -> None:
        try:
            self.storage.write(MARKER, json.dumps({"format": FORMAT}).encode(), if_generation=ABSENT)
        except Conflict:
            check_format(self.storage)


def open_registry(location: str) -> Storage:
    """The storage of a registry; raises `InputError` if it is of a format that this release does not know."""
    storage = open_storage(location)
    check_format(storage)
    return storage


def check_format(storage: Storage) -> None:
    """Raises `InputError` for a registry of another format; a location without a marker is a registry to be."""
    marker = storage.read(MARKER)
    if marker:
        checked_format(marker.data, f"{storage.location}/{MARKER}")


def names(location: str) -> list[str]:
    """Names of all models with at least one complete version in a registry."""
    storage = open_registry(location)
    return [name for name in storage.folders() if NAME.fullmatch(name) and has_versions(storage, name)]


def resolve_name(location: str, name: str | None) -> str:
    """The name of the model that is meant: the given one, or the only one there is.

    Raises:
        InputError: the registry has no model of that name, none at all, or several and none was named.
    """
    there = names(location)
    if not there:
        raise InputError("registry", location, "a registry with a model in it", "nothing was registered here yet")
    if name is None and len(there) == 1:
        return there[0]
    if name not in there:
        raise InputError("name", name or "not given", f"one of {', '.join(there)}", f"the models in {location}")
    return name


def number_of(wanted: int | str) -> int:
    """The number that digits stand for, 0 for more of them than any version's has; Python refuses thousands of them.

    >>> number_of("0003"), number_of("9" * 5000)
    (3, 0)
    """
    return int(wanted) if len(str(wanted)) <= MOST_DIGITS else 0


def numbers(storage: Storage, name: str) -> list[int]:
    """All numbers that were ever taken for a model's versions, in ascending order."""
    return taken(storage, f"{name}/versions")


def has_versions(storage: Storage, name: str) -> bool:
    """Whether a model has a complete version; the newest is asked first, because it nearly always is."""
    return any(storage.exists(f"{folder_of(name, number)}/{MANIFEST}") for number in reversed(numbers(storage, name)))


def is_whole(path: Path, file: FileRecord) -> bool:
    """Whether a file's bytes are those of its record."""
    return size_of(path) == file.bytes and sha256_of_file(path) == file.sha256


def record_of(name: str, path: Path) -> FileRecord:
    """A local file as it is registered under a name."""
    return FileRecord(path=check_name(name), bytes=path.stat().st_size, sha256=sha256_of_file(path))


def damaged(where: str, file: FileRecord) -> InputError:
    """What is told of a file that is not what was registered."""
    expected = f"the {file.bytes} bytes with SHA-256 {file.sha256[:12]}..."
    return InputError("registry", where, expected, "damaged after it was registered")
