"""What makes two pairs, or two sentences, the same."""

import hashlib
import unicodedata

from pipeline.records import SentencePair


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
