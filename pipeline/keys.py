"""What makes two pairs, or two sentences, the same."""

import hashlib
import re
import unicodedata
from functools import cache

from pipeline.records import SentencePair


def pair_key(pair: SentencePair) -> bytes:
    """128-bit content hash: equal pairs have equal keys, and a key decides a pair's shard and its place there."""
    return hashlib.blake2b(f"{pair.source}\t{pair.target}".encode(), digest_size=16).digest()


class _Folding(dict[int, str]):
    """What becomes of a character in `side_key`, worked out when it is first met: letters, digits and marks stay."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        kept = sign if sign.isalnum() or unicodedata.category(sign).startswith("M") else ""
        self[code] = kept
        return kept


_FOLDING = _Folding()
_DIGITS = re.compile(r"\d+")
_NO_WORDS = re.compile(r"[\W_]+")
_SMALL = bytes(ord(chr(code).lower()) for code in range(256))
_SIGNS = bytes(code for code in range(256) if not chr(code).isalnum())
_SHARP_S = "ß".encode("latin-1")
# Latin-1 characters of which NFKC and case folding leave one, the small one; superscripts, fractions and such are not.
_SIMPLE = bytes(code for code in range(256) if unicodedata.normalize("NFKC", chr(code)).casefold() == chr(code).lower())
_SIMPLE += _SHARP_S


def side_key(text: str) -> str:
    """What two sentences share that differ only in case, punctuation, spaces or compatibility characters.

    "3.5" and "35" are the same to it, too: what is held out is rather kept away from once too often.

    Both sides of every pair of every night are put to it, so common alphabets have quicker ways to the same result.

    >>> side_key("Light RAIN, to-night!") == side_key("light rain tonight")
    True
    """
    if text.isascii():
        return text.encode().translate(_SMALL, _SIGNS).decode() or text.strip()
    try:
        latin = text.encode("latin-1")
    except UnicodeEncodeError:
        return _key_in_any_script(text)
    if latin.translate(None, _SIMPLE):
        return _key_in_any_script(text)
    return latin.translate(_SMALL, _SIGNS).replace(_SHARP_S, b"ss").decode("latin-1") or text.strip()


def _key_in_any_script(text: str) -> str:
    """`side_key` as it is defined: folded characters, of which letters, digits and marks stay."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = folded.translate(_FOLDING) if _marks().search(folded) else _NO_WORDS.sub("", folded)
    return kept or folded.strip()


@cache
def _marks() -> re.Pattern[str]:
    """What finds combining marks, which stay though words hold none to regular expressions, and the rarer planes."""
    marks = (chr(code) for code in range(0x10000) if unicodedata.category(chr(code)).startswith("M"))
    return re.compile(f"[{''.join(marks)}\U00010000-\U0010ffff]")


def side_digest(text: str) -> bytes:
    """64-bit hash of `side_key`: what a held-out sentence is looked up by among very many."""
    if text.isascii():  # the same without a way through characters
        folded = text.encode().translate(_SMALL, _SIGNS) or text.strip().encode()
    else:
        folded = side_key(text).encode()
    return hashlib.blake2b(folded, digest_size=8).digest()


def side_hash(text: str) -> int:
    """The same as an unsigned number."""
    return int.from_bytes(side_digest(text))


def loose_key(pair: SentencePair) -> bytes:
    """128-bit hash of a pair without case, punctuation, spaces and the values of its numbers.

    >>> loose_key(SentencePair("Room 12, e-mail", "Zimmer 12")) == loose_key(SentencePair("room 7 Email", "Zimmer 7."))
    True
    """
    return hashlib.blake2b(f"{_loose(pair.source)}\t{_loose(pair.target)}".encode(), digest_size=16).digest()


def loose_side_hash(text: str) -> int:
    """Unsigned 64-bit hash of one side, folded as in `loose_key`."""
    return int.from_bytes(hashlib.blake2b(_loose(text).encode(), digest_size=8).digest())


def _loose(text: str) -> str:
    return _DIGITS.sub("0", side_key(text))
