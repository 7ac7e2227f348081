"""The part of the lock that some packages need, with the same versions and hashes, so that an image has nothing else.

    python -m infra.lock_subset --without apache-beam tensorflow tfx-bsl < requirements.lock > trainer.lock
    python -m infra.lock_subset --project pyproject.toml < requirements.lock > flow.lock

Above each package the lock says by its `# via` lines who needs it, which is all that is asked here.
"""

import argparse
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from pipeline.errors import InputError

ENTRY: Final = re.compile(r"^(?=[A-Za-z0-9])", re.MULTILINE)
NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
NEEDED_BY: Final = re.compile(r"^    #(?: via)?(?: +(\S+))?", re.MULTILINE)


def subset(lock: str, wanted: Iterable[str], without: Collection[str] = ()) -> str:
    """The entries of some packages and of all that they need.

    Args:
        lock: as `uv pip compile --generate-hashes` writes it.
        wanted: names of packages.
        without: packages that are left out though others say they need them.

    Raises:
        InputError: a package is not in the lock.
    """
    entries = {name_of(entry): entry for entry in ENTRY.split(lock)[1:]}
    needs = defaultdict(set)
    for name, entry in entries.items():
        for parent in NEEDED_BY.findall(entry):
            needs[parent].add(name)
    found: set[str] = set()
    waiting = set(wanted)
    for name in (waiting | set(without)) - entries.keys():
        raise InputError("package", name, "a package of the lock")
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= needs[name] - found - set(without)
    return "".join(entry for name, entry in entries.items() if name in found)


def name_of(entry: str) -> str:
    """The package of an entry.

    >>> name_of("apache-beam[gcp]==2.77.0")
    'apache-beam'
    """
    match = NAME.match(entry)
    return match.group() if match else ""


def needs_of(project: Path) -> list[str]:
    """The packages that a project needs to run, by its pyproject.toml."""
    return [name_of(line) for line in tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]]


def main() -> None:
    """From standard input to standard output."""
    parser = argparse.ArgumentParser(description="The part of a lock that some packages need.")
    parser.add_argument("packages", nargs="*")
    parser.add_argument("--project", type=Path, help="a pyproject.toml, for all that it needs to run")
    parser.add_argument("--without", action="append", default=[], help="leave this package out")
    given = parser.parse_args()
    wanted = given.packages + (needs_of(given.project) if given.project else [])
    sys.stdout.write(subset(sys.stdin.read(), wanted, given.without))


if __name__ == "__main__":
    main()
