"""Whether this machine's credentials may do what a night does, and no more than that."""

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from flows.checks.finding import Finding, ok, warning
from flows.settings import RetrainConfig
from pipeline.errors import InputError
from pipeline.storage import LocalStorage, open_storage

NEEDED: Final = ("storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list")
READ: Final = ("storage.objects.get", "storage.objects.list")
TOO_MUCH: Final = ("storage.buckets.delete", "storage.buckets.setIamPolicy", "storage.buckets.update")
UNKNOWN: Final = "the server does not tell which rights there are; writing and reading were tried"


def find_rights(config: RetrainConfig) -> Iterator[Finding]:
    """What is to be said of the registry and of the buckets that sources lie in."""
    try:
        storage = open_storage(config.registry)
        if isinstance(storage, LocalStorage):
            yield from find_local("registry", storage.root)
        else:
            yield from find_bucket("registry", storage, NEEDED)
        for name, location in buckets_of(config):
            if config.registry.startswith(f"{location}/") or config.registry == location:
                continue  # it is written too
            yield from find_bucket(name, open_storage(location, name), READ)
    except (InputError, ConnectionError):
        return  # it was told where it was looked at first


def find_local(subject: str, root: Path) -> Iterator[Finding]:
    """A folder is protected by its rights alone: whoever may write to it decides which model is in service."""
    if root.is_dir() and root.stat().st_mode & stat.S_IWOTH:
        yield warning(subject, f"{root} can be written by everybody on this machine: chmod o-w {root}")


def buckets_of(config: RetrainConfig) -> list[tuple[str, str]]:
    """The buckets that sources lie in, each with the name of the first such source."""
    found: dict[str, str] = {}
    for _, name, source in config.corpus.sources():
        for field in ("path", "source", "target"):
            place = str(getattr(source, field, ""))
            if place.startswith("gs://"):
                found.setdefault("/".join(place.split("/")[:3]), f"{name}.{field}")
    return [(name, bucket) for bucket, name in found.items()]


def find_bucket(subject: str, storage: Any, needed: Sequence[str]) -> Iterator[Finding]:
    """What the service says these credentials may do in a bucket.

    A right that they lack there is no mistake by itself: those of `infra/terraform` are given below a prefix only, of
    which the bucket knows nothing. Whether they can write and read is tried elsewhere.
    """
    given = storage.permissions([*NEEDED, *TOO_MUCH])
    if given is None:
        yield ok(subject, f"{storage.location}: {UNKNOWN}")
        return
    missing = [right for right in needed if right not in given]
    more = [right for right in (*NEEDED, *TOO_MUCH) if right in given and right not in needed]
    if missing:
        cause = "which is no harm if they have it below a prefix: writing and reading were tried"
        yield warning(subject, f"{storage.location}: these credentials lack {', '.join(missing)}, {cause}")
    if more:
        cause = f"more than a night needs, which is {', '.join(needed)}; roles/{role_of(needed)} is enough"
        yield warning(subject, f"{storage.location}: these credentials have {', '.join(more)}, {cause}")
    if not missing and not more:
        yield ok(
            subject, f"{storage.location}: these credentials have {', '.join(needed)}, and no more of what matters"
        )


def role_of(needed: Sequence[str]) -> str:
    """The role of Cloud Storage that has just these rights."""
    return "storage.objectUser" if needed == NEEDED else "storage.objectViewer"
