"""Deleting versions, so that no reader accepts what is left and no later version gets the number.

    weather-en-fr/versions/0003/
        claim.json        stays: the number was taken
        deleted.json      written first: who deleted it, when and why

Then the manifest goes, without which nothing here is a version, and then the files. A deletion that was killed half-way
is finished by the next one of the same version.

A version may be promoted while it is being deleted. Whoever deletes marks it first and looks at the aliases afterwards;
whoever moves an alias does so first and looks for the mark afterwards. So at least one of the two sees the other, and
takes back what he did.
"""

from contextlib import suppress
from typing import Literal

from model.numbering import CLAIM
from model.registry import DELETED, MANIFEST, Registry, numbers
from model.versions import FORMAT, folder_of, now, to_json, whoami
from pipeline.config import Frozen
from pipeline.errors import InputError
from pipeline.storage import ABSENT, Conflict


class Deletion(Frozen):
    """Who deleted a version, when and why."""

    format: Literal[1] = FORMAT
    number: int
    when: str
    who: str
    why: str


def delete(registry: Registry, number: int, *, why: str, who: str = "") -> None:
    """Deletes a version for good.

    Raises:
        InputError: there is no such version, or an alias stands for it.
    """
    folder = folder_of(registry.name, number)
    if not is_unfinished(registry, number):
        if not registry.storage.exists(f"{folder}/{MANIFEST}"):  # one that is damaged may well be deleted
            registry.get(number)
        check_unused(registry, number)
    deletion = Deletion(number=number, when=now(), who=who or whoami(), why=why)
    with suppress(Conflict):  # another one is at it, or was killed at it; deleting twice does no harm
        registry.storage.write(f"{folder}/{DELETED}", to_json(deletion), if_generation=ABSENT)
    try:
        check_unused(registry, number)
    except InputError:
        registry.storage.delete(f"{folder}/{DELETED}")
        raise
    registry.storage.delete(f"{folder}/{MANIFEST}")
    for name in registry.storage.names(folder):
        if name not in (f"{folder}/{CLAIM}", f"{folder}/{DELETED}"):
            registry.storage.delete(name)


def check_unused(registry: Registry, number: int) -> None:
    """Raises `InputError` where an alias stands for a version."""
    aliases = sorted(alias for alias, version in registry.aliases().items() if version == number)
    if aliases:
        cause = f"{' and '.join(aliases)} would stand for nothing; move the alias first"
        raise InputError("model", number, "a version without an alias", cause)


def superfluous(registry: Registry, keep: int) -> list[int]:
    """The numbers of the versions that are neither among the newest nor have an alias, oldest first.

    Args:
        registry: where they are.
        keep: how many of the newest stay.
    """
    versions = [version.number for version in registry.versions()]
    used = set(registry.aliases().values()) | set(versions[-keep:] if keep else [])
    return [number for number in versions if number not in used]


def unfinished(registry: Registry) -> list[int]:
    """The numbers of versions whose deletion was begun and not finished."""
    return [number for number in numbers(registry.storage, registry.name) if is_unfinished(registry, number)]


def is_unfinished(registry: Registry, number: int) -> bool:
    """Whether the deletion of a version was begun and left files behind."""
    folder = folder_of(registry.name, number)
    names = set(registry.storage.names(folder))
    return f"{folder}/{DELETED}" in names and bool(names - {f"{folder}/{CLAIM}", f"{folder}/{DELETED}"})
