"""Which code made a model: the release, a digest of the installed source files, and the commit if there is one."""

import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from importlib import metadata, util
from pathlib import Path
from typing import Final

from model.versions import Code

PACKAGES: Final = ("flows", "infra", "model", "pipeline")
PATTERNS: Final = ("*.css", "*.html", "*.py", "*.yaml")
GIT_SECONDS: Final = 10


def code_version() -> Code:
    """The code of this process."""
    folders = [folder_of(package) for package in PACKAGES]
    return Code(package=metadata.version("nightshift"), digest=digest_of(folders), commit=commit_of(folders))


def folder_of(package: str) -> Path:
    """Where a package is installed; it is not imported."""
    found = util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise RuntimeError(f"the package {package} is not installed whole")
    return Path(next(iter(found.submodule_search_locations)))


def digest_of(folders: Sequence[Path]) -> str:
    """SHA-256 over the names and bytes of all source files, whatever folder the packages lie in."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in source_files(folder):
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def source_files(folder: Path) -> Iterator[Path]:
    """The source files of a package in order of their names."""
    found = {path for pattern in PATTERNS for path in folder.rglob(pattern)}
    yield from sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def commit_of(folders: Sequence[Path]) -> str:
    """Git's name of the commit that the folders are from, with `+` where they differ from it; "" outside of git.

    Packages that lie inside somebody else's repository, as in a `.venv` there, are not from its commits.
    """
    first = folders[0]
    if git(first, "ls-files", "--error-unmatch", "--", *map(str, folders)) is None:
        return ""
    commit = git(first, "rev-parse", "HEAD")
    if commit is None:
        return ""
    changes = git(first, "status", "--porcelain", "--", *map(str, folders))
    return f"{commit.strip()}+" if changes else commit.strip()


def git(folder: Path, *arguments: str) -> str | None:
    """What git says in a folder, None where it refuses or is not there."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=GIT_SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout if run.returncode == 0 else None
