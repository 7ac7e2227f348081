"""The code that made a version: its digest follows the source files alone, its commit is git's."""

import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from model.code_version import code_version, commit_of, digest_of

GIT = shutil.which("git")


@pytest.fixture
def packages(tmp_path: Path) -> list[Path]:
    """Two packages of some files."""
    for name in ("flows/a.py", "flows/presets/b.yaml", "model/c.py", "model/__pycache__/c.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return [tmp_path / "flows", tmp_path / "model"]


def test_the_digest_is_of_names_and_bytes_wherever_they_lie(packages: list[Path], tmp_path: Path) -> None:
    before = digest_of(packages)
    (tmp_path / "model/__pycache__/c.py").write_text("compiled anew")
    (tmp_path / "model/notes.txt").write_text("no source")
    moved = [Path(shutil.copytree(folder, tmp_path / "elsewhere" / folder.name)) for folder in packages]
    assert digest_of(packages) == digest_of(moved) == before

    (moved[1] / "c.py").rename(moved[1] / "d.py")
    renamed = digest_of(moved)
    (packages[1] / "c.py").write_text("changed")
    assert len({before, renamed, digest_of(packages)}) == 3


@pytest.mark.skipif(GIT is None, reason="git is not installed")
def test_the_commit_is_told_with_a_sign_where_files_differ(packages: list[Path], tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        command = [str(GIT), "-C", str(tmp_path), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    assert commit_of(packages) == ""  # in a repository that does not have them: a .venv inside of it, for example
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert commit_of(packages) == commit
    (packages[0] / "a.py").write_text("changed")
    assert commit_of(packages) == f"{commit}+"


def test_this_code_is_described() -> None:
    found = code_version()

    assert found.package == metadata.version("nightshift")
    assert found == code_version()
    assert len(found.digest) == 64
