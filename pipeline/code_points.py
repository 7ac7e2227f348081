"""What each character is, in tables to look up whole arrays of code points in.

Letters: P code points of the basic plane, and one entry for all of the others.
"""

import re
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

from pipeline.normalization import (
    CYRILLIC,
    CYRILLIC_FIRST,
    ODD_FIRST,
    STRAIGHT,
    WESTERN,
    WESTERN_FIRST,
    NormalizeConfig,
)
from pipeline.rules.languages import Language
from pipeline.rules.one_side import REPLACEMENT

BEYOND = 0x10000  # the entry of whatever is not of the basic plane
PLANE = "".join(map(chr, range(BEYOND)))
HANGUL_JAMO = range(0x1100, 0x1200)  # which compose by arithmetic, so that no table of Unicode's says it

# What a character asks for. Where it depends on the one before, the two have bits of which one is twice the other.
UNUSUAL = 1  # a closer look
DOUBLED = 2  # the same, if it stands twice
LETTER, DIGIT = 4, 8  # the same for a digit after a letter
FIRST, SECOND = 16, 32  # the same for the second after the first: UTF-8 looks like that when read as another encoding
IN_WORD = 64  # part of a word, as regular expressions see it
FOLLOWING = DIGIT | SECOND

SIGNS = f"&<{{%@{ODD_FIRST}{REPLACEMENT}"  # of entities, tags, placeholders, addresses, mojibake, and of what got lost
IN_PAIRS = " /wW"  # of white space to collapse, and in links

# Five counts in one number: letters and their marks; signs of the language's scripts and letters of others; of what is
# in words, small letters, and capitals or digits. Sums of fewer characters than a field has values carry nothing over.
FIELD = 12
LETTERS, OWN, FOREIGN, SMALL, LARGE = (np.uint64(place * FIELD) for place in range(5))
MOST = (1 << FIELD) - 1


@cache
def kinds(config: NormalizeConfig) -> npt.NDArray[np.uint8]:
    """The bits of each character, `[P + 1]`."""
    unusual = set(SIGNS) | composing() | (set(map(chr, STRAIGHT)) if config.quotes else set())
    table = np.zeros(BEYOND + 1, np.uint8)
    table[BEYOND] = UNUSUAL
    for code, sign in enumerate(PLANE):
        is_plain = sign.isprintable() and unicodedata.is_normalized(config.form, sign) and sign not in unusual
        is_ours = sign.isascii() or not sign.isalnum() or sign.isalpha()  # no digit or number of other scripts
        table[code] = (not (is_plain and is_ours)) * UNUSUAL + sign.isalpha() * LETTER
    table |= in_words() * np.uint8(IN_WORD)
    for signs, bit in ((IN_PAIRS, DOUBLED), ("0123456789", DIGIT)):
        table[[ord(sign) for sign in signs]] |= bit
    for signs, bit in ((WESTERN_FIRST + CYRILLIC_FIRST, FIRST), (WESTERN + CYRILLIC, SECOND)):
        table[:BEYOND] |= inside(re.compile(f"[{signs}]+")) * np.uint8(bit)
    return table


def inside(characters: re.Pattern[str]) -> npt.NDArray[np.bool_]:
    """Which characters a pattern for runs of them finds, `[P]`."""
    table = np.zeros(BEYOND, bool)
    for run in characters.finditer(PLANE):
        table[run.start() : run.end()] = True
    return table


def composing() -> set[str]:
    """The characters that may become one with what is before them, or change places with it."""
    parts = (unicodedata.decomposition(sign).split() for sign in PLANE)
    last = {chr(int(part[1], 16)) for part in parts if len(part) == 2 and not part[0].startswith("<")}
    return last | set(map(chr, HANGUL_JAMO)) | set(filter(unicodedata.combining, PLANE))


def in_words() -> npt.NDArray[np.bool_]:
    """Which characters words are made of, as regular expressions see it, `[P + 1]`."""
    return np.append(inside(re.compile(r"\w+")), False)


@cache
def weights(language: Language) -> npt.NDArray[np.uint64]:
    """What each character adds to the five counts, `[P + 1]`."""
    own = inside(language.letters) if language.scripts else np.zeros(BEYOND, bool)
    letter, small, capital = (
        np.array(list(map(is_so, PLANE)))
        for is_so in (str.isalpha, str.islower, lambda sign: sign.isupper() or sign.istitle())
    )
    mark = np.array([unicodedata.category(sign)[0] == "M" for sign in PLANE])
    in_word = in_words()[:BEYOND]
    table = np.zeros(BEYOND + 1, np.uint64)
    for place, counted in (
        (LETTERS, letter | mark),
        (OWN, own),
        (FOREIGN, letter & ~own),
        (SMALL, in_word & small),
        (LARGE, in_word & (capital | ~letter)),
    ):
        table[:BEYOND] |= counted.astype(np.uint64) << place
    return table


def field(sums: npt.NDArray[np.uint64], place: np.uint64) -> npt.NDArray[np.int64]:
    """One of the counts."""
    return (sums >> place & np.uint64(MOST)).astype(np.int64)
