"""Markdown that cannot be broken by what it shows: whatever people wrote becomes part of it through `plain`.

Prefect's pages read GitHub's Markdown, HTML included, and make links of what looks like an address.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
ESCAPES: Final = str.maketrans({mark: f"\\{mark}" for mark in "!\"#$%'()*+,-./:;=?@[\\]^_`{|}~"} | ENTITIES)
LINKS: Final = re.compile(r"(\\:(?=\\/\\/)|www(?=\\\.)|\\@)", re.IGNORECASE)  # as they look after escaping
FENCES: Final = re.compile("`{3,}")
NOTHING: Final = "*(nothing)*"


def plain(text: str) -> str:
    r"""Text on one line that means nothing but itself: no table ends in it, no HTML, no link, no picture.

    A comment, which is not shown, parts what would become a link.

    >>> print(plain("a|b [c](https://d.e) <b>"))
    a\|b \[c\]\(https\:<!-- -->\/\/d\.e\) &lt;b&gt;
    """
    return LINKS.sub(r"\1<!-- -->", " ".join(text.split()).translate(ESCAPES))


def written(text: str) -> str:
    """A piece of somebody's text: in its own direction, which does not reach what stands beside it.

    >>> written("Pluie"), written(" ")
    ('<span dir="auto">Pluie</span>', '*(nothing)*')
    """
    return f'<span dir="auto">{shown}</span>' if (shown := plain(text)) else NOTHING


def fenced(text: str) -> str:
    """Lines as they stand, in a fence that nothing in them ends."""
    longest = max((len(found) for found in FENCES.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """A table of cells that are Markdown already; after so many columns of words come figures, below each other.

    >>> print(table(["set", "BLEU"], [["test", "61.50"]]))
    | set | BLEU |
    |:--|--:|
    | test | 61.50 |
    """
    rule = "|".join(["", *[":--"] * words, *["--:"] * (len(heads) - words), ""])
    lines = (f"| {' | '.join(cells)} |" for cells in (heads, *rows))
    first, *others = lines
    return "\n".join([first, rule, *others])
