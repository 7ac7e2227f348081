"""Whether workers elsewhere have the packages of this machine: other versions would make other bytes, or none."""

from collections.abc import Mapping
from importlib import metadata
from platform import python_version

from pipeline.errors import InputError
from pipeline.manifest import PACKAGES


def packages_here() -> dict[str, str]:
    """Versions of the packages that can change an output, and of Python without its patch level."""
    return {"python": python_version().rpartition(".")[0]} | {name: version_of(name) for name in PACKAGES}


def version_of(package: str) -> str:
    """The version of an installed package, "none" where it is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def compare_packages(wanted: Mapping[str, str]) -> None:
    """Run by a worker: raises `InputError` where it has other packages than the machine that sent the job.

    Args:
        wanted: what `packages_here` says there.
    """
    found = packages_here()
    others = [name for name, version in wanted.items() if found[name] != version]
    if others:
        raise InputError(
            "workers",
            ", ".join(f"{name} {found[name]}" for name in others),
            ", ".join(f"{name} {wanted[name]}" for name in others),
            "as on the machine that sent the job; build their image from the same requirements.lock",
        )
