"""From raw pairs to pairs worth learning from: normalisation and one small function per rule.

A rule answers None, or the reason to reject the pair; the reasons are the names under which rejects are counted.

    >>> judge(CleanConfig(), SentencePair("Light  rain.", ""))
    Verdict(pair=SentencePair(source='Light rain.', target=''), reason='empty')
"""

import unicodedata
from collections.abc import Callable

from pydantic import Field

from pipeline.config import StageConfig
from pipeline.holdout import HoldOutConfig
from pipeline.records import SentencePair, Verdict


class CleanConfig(StageConfig):
    """Which pairs are kept, and into how many files they go."""

    max_words: int = Field(200, ge=1, le=10_000, description="Longest side in words, separated by spaces.")
    max_characters: int = Field(1000, ge=1, le=100_000, description="Longest side in characters.")
    max_ratio: float = Field(9.0, ge=1, le=100, description="Largest ratio of the sides' lengths in characters.")
    ratio_slack: int = Field(30, ge=0, le=1000, description="Characters added to both sides before the ratio is taken.")
    min_letters: float = Field(0.3, ge=0, le=1, description="Smallest share of letters among visible characters.")
    allow_identical: bool = Field(False, description="Keep pairs whose sides are the same.")
    hold_out: HoldOutConfig = Field(HoldOutConfig(), description="Sizes of the sets that are held out by content hash.")
    shards: int = Field(8, ge=1, le=4096, description="Files of clean training pairs.")


Rule = Callable[[CleanConfig, SentencePair], str | None]


def is_empty(config: CleanConfig, pair: SentencePair) -> str | None:
    """A side without a visible character."""
    return None if pair.source and pair.target else "empty"


def has_control_characters(config: CleanConfig, pair: SentencePair) -> str | None:
    """NUL and its kin: signs of a file that is not text, and nothing a sentence holds."""
    both = pair.source + pair.target
    if both.isprintable():  # the common case, decided without a look at each character
        return None
    return "control_characters" if any(unicodedata.category(sign) == "Cc" for sign in both) else None


def is_too_long(config: CleanConfig, pair: SentencePair) -> str | None:
    """A side that is a paragraph rather than a sentence."""
    if max(len(pair.source), len(pair.target)) > config.max_characters:
        return "too_long"
    spaces = max(pair.source.count(" "), pair.target.count(" "))
    return "too_long" if spaces + 1 > config.max_words else None


def is_out_of_proportion(config: CleanConfig, pair: SentencePair) -> str | None:
    """Sides so different in length that one cannot be the translation of the other."""
    short, long = sorted((len(pair.source), len(pair.target)))
    ratio = (long + config.ratio_slack) / max(short + config.ratio_slack, 1)
    return "length_ratio" if ratio > config.max_ratio else None


def is_untranslated(config: CleanConfig, pair: SentencePair) -> str | None:
    """A copy in place of a translation."""
    return "identical" if pair.source == pair.target and not config.allow_identical else None


def is_not_prose(config: CleanConfig, pair: SentencePair) -> str | None:
    """A side of mostly digits, signs or markup."""
    for side in (pair.source, pair.target):
        visible = len(side) - side.count(" ")
        if sum(map(str.isalpha, side)) < config.min_letters * visible:
            return "few_letters"
    return None


RULES: tuple[Rule, ...] = (
    is_empty,
    has_control_characters,
    is_too_long,
    is_out_of_proportion,
    is_untranslated,
    is_not_prose,
)


def normalize(text: str) -> str:
    r"""Composes characters (NFC, as the exported model does too) and makes any run of white space one space.

    >>> normalize("  Cafe\u0301\u00a0 noir ")
    'Café noir'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def judge(config: CleanConfig, pair: SentencePair) -> Verdict:
    """Normalises a pair and puts it to every rule; the first reason found is the verdict."""
    clean = SentencePair(normalize(pair.source), normalize(pair.target))
    reasons = (rule(config, clean) for rule in RULES)
    return Verdict(clean, next((reason for reason in reasons if reason), None))
