"""What people type: texts with typing errors, in capitals, without a full stop, with doubled spaces.

Pure functions of the text: the same sentence is always disturbed in the same way.
"""

import hashlib
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

LETTERS_BETWEEN_TYPOS: Final = 25  # about one typing error in so many letters, at least one in a text
END_PUNCTUATION: Final = re.compile(r"[\s.!?…。！？]+$")


def with_typos(text: str) -> str:
    """Swaps, drops or doubles a letter inside a word now and then.

    >>> with_typos("Heavy rain until tomorrow evening.")
    'Heavy rain until tomorrow eveniing.'
    """
    chance = random.Random(hashlib.blake2b(text.encode(), digest_size=8).digest())
    signs = list(text)
    inside = [place for place in range(1, len(signs) - 1) if "".join(signs[place - 1 : place + 2]).isalpha()]
    if not inside:
        return text
    chosen = chance.sample(inside, max(1, len(inside) // LETTERS_BETWEEN_TYPOS))
    for place in sorted(chosen, reverse=True):  # from the end, so that places before stay where they are
        error = chance.choice(("swap", "drop", "double"))
        if error == "swap":
            signs[place : place + 2] = signs[place : place + 2][::-1]
        else:
            signs[place : place + 1] = [] if error == "drop" else [signs[place]] * 2
    return "".join(signs)


def without_end(text: str) -> str:
    """Drops the punctuation at the end; a text of nothing else stays.

    >>> without_end("Light rain. "), without_end("?!")
    ('Light rain', '?!')
    """
    return END_PUNCTUATION.sub("", text) or text


def with_double_spaces(text: str) -> str:
    """Doubles each space.

    >>> with_double_spaces("Light rain.")
    'Light  rain.'
    """
    return text.replace(" ", "  ")


DISTURBANCES: Final[Mapping[str, Callable[[str], str]]] = {
    "typos": with_typos,
    "upper_case": str.upper,
    "no_end_punctuation": without_end,
    "double_spaces": with_double_spaces,
}


def chosen_rows(sources: Sequence[str], references: Sequence[str], number: int) -> list[int]:
    """The rows of so many pairs, chosen by the hashes of their texts, in the order of the set."""
    pairs = zip(sources, references, strict=True)
    hashes = [hashlib.blake2b(f"{source}\t{target}".encode(), digest_size=16).digest() for source, target in pairs]
    return sorted(sorted(range(len(hashes)), key=lambda row: (hashes[row], row))[:number])
