"""Patterns of file names, and which files of two patterns belong together.

*  any signs but a slash     ?  one sign     [a-c]  one of these     **/  folders at any depth
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

WILDCARD: Final = re.compile(r"(\*\*/|\*+|\?|\[!?\]?[^\]]*\])")


def is_glob(location: str) -> bool:
    """Whether a location can stand for several files."""
    return WILDCARD.search(location) is not None


def fixed_part(location: str) -> str:
    """A location up to its first wildcard.

    >>> fixed_part("data/news-*.en")
    'data/news-'
    """
    return WILDCARD.split(location, maxsplit=1)[0]


def name_of(location: str) -> str:
    """The name of a file or of a pattern of files, up to the first dot.

    >>> name_of("data/a.en.gz"), name_of("data/news-*.en"), name_of("gs://bucket/web/*.tmx"), name_of("*.en")
    ('a', 'news', 'web', '')
    """
    fixed = fixed_part(location)
    if fixed != location:
        fixed = fixed.rstrip("/-_. ")
    return PurePosixPath(fixed).name.partition(".")[0]


def expression_of(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression with a group for what each wildcard stands for.

    >>> expression_of("news-*.en").fullmatch("news-2019.en").groups()
    ('2019',)
    """
    parts = []
    for part in WILDCARD.split(pattern):
        if part == "**/":
            parts.append("((?:[^/]+/)*)")
        elif part.startswith("*"):
            parts.append("([^/]*)")
        elif part == "?":
            parts.append("([^/])")
        elif WILDCARD.fullmatch(part):
            parts.append(f"({set_of(part)})")
        else:
            parts.append(re.escape(part))
    return re.compile("".join(parts))


def set_of(part: str) -> str:
    """The regular expression of `[...]`; [z-a] and [], which are no sets, stand for themselves."""
    is_other = part.startswith("[!")
    inside = re.sub(r"([\\\[\]^&|~])", r"\\\1", part[2 if is_other else 1 : -1])
    expression = f"[{'^' * is_other}{inside}]"
    try:
        re.compile(expression)
    except re.error:
        return re.escape(part)
    return expression


def first_stranger(patterns: tuple[str, str], names: tuple[Sequence[str], Sequence[str]]) -> int | None:
    """The first place where the files of two patterns do not belong together; None if all do.

    Two files belong together if the wildcards stand for the same, or if their names are the same up to the first dot
    and no other file of the pattern is called so.

    >>> first_stranger(("*.en", "*.de"), (["a.en", "b.en"], ["a.de", "c.de"]))
    1
    """
    stems = tuple([name_of(name) for name in side] for side in names)
    counts = Counter(stems[0]), Counter(stems[1])
    for number, pair in enumerate(zip(*names, strict=True)):
        matches = [expression_of(pattern).fullmatch(name) for pattern, name in zip(patterns, pair, strict=True)]
        wildcards = [match.groups() if match else (name,) for match, name in zip(matches, pair, strict=True)]
        stem = stems[0][number]
        is_unique = stem == stems[1][number] and counts[0][stem] == counts[1][stem] == 1
        if wildcards[0] != wildcards[1] and not is_unique:
            return number
    return None
