"""Where an output and the reference differ, word by word."""

from difflib import SequenceMatcher
from itertools import groupby

from model.metrics import WORD
from model.report.markup import Html, element, join


def marked(text: str, other: str, *, as_: str) -> Html:
    """A text whose words that the other does not have in their place are in elements of that name.

    >>> marked("light rain until noon", "rain until noon", as_="mark")
    '<mark>light</mark> rain until noon'
    """
    found = list(WORD.finditer(text))
    mine, theirs = [one.group() for one in found], WORD.findall(other)
    common = set[int]()
    for block in SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks():
        common.update(range(block.a, block.a + block.size))
    parts: list[str] = []
    end = 0
    for is_common, words in groupby(range(len(found)), common.__contains__):
        run = list(words)
        start, stop = found[run[0]].start(), found[run[-1]].end()
        inside = text[start:stop]
        parts += [text[end:start], inside if is_common else element(as_, inside)]
        end = stop
    return join([*parts, text[end:]])
