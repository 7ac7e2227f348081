"""What was decided about a version, beside it in the registry: written after it, as a version never changes.

    weather-en-fr/versions/0003/
        manifest.json                      the version, complete
        verdicts/0001/claim.json           written first, so that no two writers take the same number
        verdicts/0001/report.html          what belongs to the decision
        verdicts/0001/verdict.json         the decision with its reasons; written last

Each verdict is written once. Another one follows where the same model is judged again, by other rules for example; the
last complete one counts.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, field_validator

from model.decision import Decision
from model.numbering import claim, taken
from model.registry import Registry, damaged, record_of
from model.versions import FORMAT, Version, inside, now, parse, to_json, whoami
from pipeline.config import Frozen
from pipeline.errors import InputError
from pipeline.manifest import FileRecord
from pipeline.storage import ABSENT

VERDICT: Final = "verdict.json"


class Verdict(Frozen):
    """One decision about a version.

    Args:
        version: digest of the version's files.
        decision: whether it was promoted, against which champion, and each reason.
        rules: the configuration that it was decided by.
        files: what belongs to it, such as a report.
    """

    format: Literal[1] = FORMAT
    number: int = Field(ge=1)
    version: str
    when: str
    who: str
    decision: Decision
    rules: dict[str, Any]
    files: tuple[FileRecord, ...] = ()

    @field_validator("files")
    @classmethod
    def _stay_inside(cls, files: tuple[FileRecord, ...]) -> tuple[FileRecord, ...]:
        return inside(files)


def conclude(
    registry: Registry,
    version: Version,
    decision: Decision,
    rules: Mapping[str, Any],
    *,
    files: Mapping[str, Path] | None = None,
    who: str = "",
) -> Verdict:
    """Writes down what was decided about a version, unless the last verdict says just that.

    Args:
        registry: where the version is.
        version: what was decided about.
        decision: the outcome.
        rules: the configuration that it was decided by.
        files: what belongs to the decision by the name it gets, `{"report.html": Path(...)}`.
        who: the person and the machine, and the flow run if it was one.
    """
    last = latest(registry, version)
    records = tuple(record_of(name, path) for name, path in sorted((files or {}).items()))
    if last and (last.decision, last.rules, last.files) == (decision, dict(rules), records):
        return last
    number = claim(registry.storage, folder_of_all(version), version.digest)
    verdict = Verdict(
        number=number,
        version=version.digest,
        when=now(),
        who=who or whoami(),
        decision=decision,
        rules=dict(rules),
        files=records,
    )
    for name, path in (files or {}).items():
        registry.storage.upload(path, f"{folder_of(version, number)}/{name}")
    registry.storage.write(f"{folder_of(version, number)}/{VERDICT}", to_json(verdict), if_generation=ABSENT)
    return verdict


def latest(registry: Registry, version: Version) -> Verdict | None:
    """The last complete verdict about a version, None before there is one."""
    for number in reversed(taken(registry.storage, folder_of_all(version))):
        name = f"{folder_of(version, number)}/{VERDICT}"
        stored = registry.storage.read(name)
        if stored:
            return parse(Verdict, stored.data, f"{registry.location}/{name}")
    return None


def file_of(registry: Registry, version: Version, name: str) -> bytes:
    """What belongs to the last verdict about a version, `report.html` for example.

    Raises:
        InputError: there is no such file, or it is not what was written.
    """
    verdict = latest(registry, version)
    found = next((file for file in verdict.files if file.path == name), None) if verdict else None
    if verdict is None or found is None:
        allowed = f"a version whose decision has a {name}"
        raise InputError("version", version.number, allowed, "registered before there were any?")
    path = f"{folder_of(version, verdict.number)}/{name}"
    stored = registry.storage.read(path)
    if stored is None or hashlib.sha256(stored.data).hexdigest() != found.sha256:
        raise damaged(f"{registry.location}/{path}", found)
    return stored.data


def folder_of_all(version: Version) -> str:
    """Where the verdicts about a version lie."""
    return f"{version.folder}/verdicts"


def folder_of(version: Version, number: int) -> str:
    """Where one verdict lies."""
    return f"{folder_of_all(version)}/{number:04d}"
