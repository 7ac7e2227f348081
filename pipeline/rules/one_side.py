"""Rules about what each side must be on its own; those about both together are in `both_sides`.

A rule answers None, or the reason to reject the pair; the reasons are the names under which rejects are counted.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence

from pipeline.rules.languages import SCRIPTS, Language
from pipeline.rules.parameters import RuleConfig, Side

SideRule = Callable[[RuleConfig, Side], str | None]

REPLACEMENT = "\ufffd"  # what a decoder leaves in the place of bytes that it could not read
LINK = re.compile(r"://|www\.|@")
WITHOUT_SPACES = ("Thai", "Lao", "Tibetan", "Myanmar", "Khmer", "Kana", "Han")
UNSPACED = re.compile(f"[{''.join(SCRIPTS[name] for name in WITHOUT_SPACES)}]")
LATER_BYTES = bytes(range(0x80, 0xC0))  # of a character in UTF-8: all but its first
LETTER_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" + LATER_BYTES
LATIN_BYTES = bytes(range(0x80)) + LATER_BYTES + bytes(range(0xC0, 0xCD)) + b"\xe2"  # E2 begins quotes, dashes, signs
LONGEST_UNIT = 3  # words that are repeated together
LONGEST_SYLLABLES = 8  # characters that are, in a script without spaces


def is_empty(config: RuleConfig, side: Side) -> str | None:
    """No visible character."""
    return None if side.words else "empty"


def has_control_characters(config: RuleConfig, side: Side) -> str | None:
    """NUL and its kin: signs of a file that is not text, and nothing a sentence holds."""
    if side.text.isprintable():  # the common case, decided without a look at each character
        return None
    return "control_characters" if any(unicodedata.category(sign) == "Cc" for sign in side.text) else None


def has_lost_characters(config: RuleConfig, side: Side) -> str | None:
    """A mark that says that a character could not be read."""
    return "lost_characters" if REPLACEMENT in side.text else None


def is_of_bad_length(config: RuleConfig, side: Side) -> str | None:
    """A fragment, or a paragraph rather than a sentence."""
    characters, words = len(side.text), count_words(side.words, side.language)
    if characters < config.min_characters or words < config.min_words:
        return "too_short"
    return "too_long" if characters > config.max_characters or words > config.max_words else None


def count_words(words: Sequence[str], language: Language) -> float:
    """Length in words; where no spaces are between them, from the number of characters."""
    return len(words) if language.is_spaced else max(1, sum(map(len, words)) / language.characters_in_word)


def has_long_word(config: RuleConfig, side: Side) -> str | None:
    """A run of letters that no dictionary holds: encoded data, or a line that lost its spaces."""
    limit = config.max_word_characters
    if len(side.text) <= limit or max(map(len, side.words)) <= limit:
        return None
    long = [word for word in side.words if len(word) > limit]
    return None if all(LINK.search(word) or UNSPACED.search(word) for word in long) else "long_word"


def has_few_letters(config: RuleConfig, side: Side) -> str | None:
    """Mostly digits, signs or markup."""
    enough = config.min_letters * (len(side.text) - len(side.words) + 1)  # of visible characters
    # Without ASCII letters and later bytes, UTF-8 has one byte left for each other character: some may be letters too.
    at_least = len(side.text) - len(side.encoded.translate(None, LETTER_BYTES))
    return "few_letters" if at_least < enough and count_letters(side.text) < enough else None


def count_letters(text: str) -> int:
    """How many characters are letters or their marks, which are most vowels of Hindi or Thai."""
    return sum(sign.isalpha() or unicodedata.category(sign)[0] == "M" for sign in text)


def is_in_wrong_script(config: RuleConfig, side: Side) -> str | None:
    """Few letters of the scripts that its language is written in."""
    scripts = side.language.scripts
    if not scripts or ("Latin" in scripts and not side.encoded.translate(None, LATIN_BYTES)):
        return None
    return "wrong_script" if share_in_scripts(side.text, side.language) < config.min_script else None


def share_in_scripts(text: str, language: Language) -> float:
    """The share of letters that the language's scripts have, 1 where there are none at all.

    A name in Latin letters takes three times as many as a word of Chinese, so one of those counts for three.

    >>> from pipeline.rules.languages import language
    >>> round(share_in_scripts("在Windows上安装Python", language("zh")), 2)
    0.51
    """
    own = sum(map(len, language.letters.findall(text))) / min(1, language.length)
    foreign = sum(map(str.isalpha, language.letters.sub("", text)))
    return own / (own + foreign) if foreign else 1.0


def repeats_words(config: RuleConfig, side: Side) -> str | None:
    """The same word, or the same few words, over and over."""
    limit = config.max_repeats
    if not limit:
        return None
    if not side.language.is_spaced:
        again = re.search(rf"(\w{{2,{LONGEST_SYLLABLES}}}?)\1{{{limit},}}", side.text)
        return "repeated_words" if again else None
    spare = len(side.words) - len(side.vocabulary)
    return "repeated_words" if spare >= limit and longest_repetition(side.words) > limit else None


def longest_repetition(words: Sequence[str]) -> int:
    """How often in a row a unit of up to three words stands at most.

    >>> longest_repetition("20 pictures 20 pictures 20 pictures".split())
    3
    """
    longest = 1
    for unit in range(1, LONGEST_UNIT + 1):
        same = 0
        for word, before in zip(words[unit:], words, strict=False):
            same = same + 1 if word == before else 0
            longest = max(longest, same // unit + 1)
    return longest


SIDE_RULES: tuple[SideRule, ...] = (
    is_empty,
    has_control_characters,
    has_lost_characters,
    is_of_bad_length,
    has_long_word,
    has_few_letters,
    is_in_wrong_script,
    repeats_words,
)


def fault_of(config: RuleConfig, side: Side) -> str | None:
    """The first reason to reject a side that a rule finds."""
    for rule in SIDE_RULES:
        reason = rule(config, side)
        if reason is not None:
            return reason
    return None
