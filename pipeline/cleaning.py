"""From raw pairs to pairs worth learning from: normalisation and one small function per rule.

A rule answers None, or the reason to reject the pair; the reasons are the names under which rejects are counted.

    >>> judge(CleanConfig(), SentencePair("Light  rain.", ""))
    Verdict(pair=SentencePair(source='Light rain.', target=''), reason='empty')
"""

import hashlib
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pydantic import Field

from pipeline.config import Frozen, StageConfig
from pipeline.records import SentencePair, Verdict


class HoldOutConfig(Frozen):
    """How many pairs to set apart where the corpus brings no such set itself."""

    dev: int = Field(1000, ge=1, le=100_000, description="Pairs for the dev set, unless corpus.dev names one.")
    test: int = Field(1000, ge=1, le=100_000, description="Pairs for the test set, unless corpus.test names one.")


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


def pair_key(pair: SentencePair) -> bytes:
    """128-bit content hash: equal pairs have equal keys, and a key decides a pair's shard and its place there."""
    return hashlib.blake2b(f"{pair.source}\t{pair.target}".encode(), digest_size=16).digest()


class _Folding(dict[int, str]):
    """What becomes of a character in `side_key`, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        kept = sign if sign.isalnum() or unicodedata.category(sign).startswith("M") else " "
        self[code] = kept
        return kept


_FOLDING = _Folding()


def side_key(text: str) -> str:
    """What two sentences share that differ only in case, punctuation, spacing or compatibility characters.

    >>> side_key("Light RAIN, tonight!") == side_key("light rain tonight")
    True
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.translate(_FOLDING).split()) or folded.strip()


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The dev and test sets, and what a training pair must not share with them.

    Args:
        dev: pairs to choose a model by.
        test: pairs to judge it by.
        sources: `side_key` of every source side of both sets.
        targets: `side_key` of every target side of both sets.
    """

    dev: tuple[SentencePair, ...]
    test: tuple[SentencePair, ...]
    sources: frozenset[str] = field(init=False)
    targets: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        pairs = self.dev + self.test
        object.__setattr__(self, "sources", frozenset(side_key(pair.source) for pair in pairs))
        object.__setattr__(self, "targets", frozenset(side_key(pair.target) for pair in pairs))

    def shares_a_side_with(self, pair: SentencePair) -> bool:
        """Whether training on the pair would leak a held-out sentence."""
        return side_key(pair.source) in self.sources or side_key(pair.target) in self.targets


def hold_out(candidates: Iterable[SentencePair], dev: int, test: int, given: Iterable[SentencePair] = ()) -> HeldOut:
    """Takes the test set and then the dev set from candidates in the order of their content hashes.

    A pair that shares a side with one taken before is passed over, so that no sentence is in both sets. As the order is
    one of content, the sets stay nearly the same while a corpus grows, and no pair moves from training to the test set.

    Args:
        candidates: pairs to choose from.
        dev: how many to take for the dev set.
        test: how many to take for the test set.
        given: pairs of a set that the corpus brings, which share no side with those taken either.
    """
    given = list(given)
    taken = {side_key(pair.source) for pair in given}, {side_key(pair.target) for pair in given}
    chosen: list[SentencePair] = []
    for pair in candidates:
        keys = side_key(pair.source), side_key(pair.target)
        if keys[0] not in taken[0] and keys[1] not in taken[1]:
            taken[0].add(keys[0])
            taken[1].add(keys[1])
            chosen.append(pair)
        if len(chosen) == dev + test:
            break
    return HeldOut(dev=tuple(chosen[test:]), test=tuple(chosen[:test]))
