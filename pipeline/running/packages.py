"""Whether workers elsewhere have the packages and the code of this machine: others would make other bytes, or none."""

import hashlib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import Final

from pipeline.errors import InputError
from pipeline.manifest import PACKAGES

CODE: Final = Path(__file__).parents[1]
UNUSED: Final = {"nightshift", "sacrebleu"}  # of a worker: its image has our code without an installer, and no scores


def packages_here() -> dict[str, str]:
    """Python without its patch level, a digest of our code, and the packages whose code can change what a job makes."""
    used = [name for name in PACKAGES if name not in UNUSED]
    about = {"python": python_version().rpartition(".")[0], "pipeline": code_digest(CODE)}
    return about | {name: version_of(name) for name in used}


def code_digest(folder: Path) -> str:
    """The first half of a SHA-256 over the names and bytes of a package's modules, wherever it lies."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()[:32]


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
    others = [name for name, version in wanted.items() if found.get(name) != version]
    if others:
        raise InputError(
            "workers",
            ", ".join(f"{name} {found.get(name)}" for name in others),
            ", ".join(f"{name} {wanted[name]}" for name in others),
            "as on the machine that sent the job; build their image from the same commit and its requirements.lock",
        )
