"""The phrases of the package pypinyin with their pronunciation: a task that is not translation.

一不小心    yí bù xiǎo xīn
"""

from itertools import islice

from pipeline.reading.parts import BLOCK, Blocks, Part
from pipeline.records import SentencePair

PACKAGE = "pypinyin"


def read(part: Part) -> Blocks:
    """Every phrase with the first reading of each of its signs, in the order of the package."""
    from pypinyin.phrases_dict import phrases_dict  # 2.5 MB of JSON

    phrases = iter(phrases_dict.items())
    while block := list(islice(phrases, BLOCK)):
        yield [SentencePair(hanzi, " ".join(readings[0] for readings in signs)) for hanzi, signs in block]
