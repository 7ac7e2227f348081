"""What the rules are given: their parameters, and sides with what several of them look at."""

from typing import Literal

from pydantic import Field

from pipeline.config import StageConfig
from pipeline.rules.languages import Language


class RuleConfig(StageConfig):
    """What a pair must be like to be kept; the defaults suit text from the web."""

    min_words: int = Field(1, ge=1, le=1000, description="Shortest side in words.")
    max_words: int = Field(
        200, ge=1, le=10_000, description="Longest side in words; without spaces, 1.5 to 4 characters count as one."
    )
    min_characters: int = Field(1, ge=1, le=1000, description="Shortest side in characters.")
    max_characters: int = Field(1000, ge=1, le=100_000, description="Longest side in characters.")
    max_word_characters: int = Field(
        60, ge=1, le=100_000, description="Longest word in characters, URLs and languages without spaces apart."
    )
    max_ratio: float = Field(9.0, ge=1, le=100, description="Largest ratio of the sides' lengths in characters.")
    ratio_slack: int = Field(30, ge=0, le=1000, description="Characters added to both sides before the ratio is taken.")
    max_deviation: float = Field(
        2.0, ge=0, le=100, description="Largest difference of the sides' lengths in standard deviations; 0: any."
    )
    max_deviation_unlike: float = Field(
        1.5, ge=0, le=100, description="The same where one side has more sentences than the other; 0: any."
    )
    min_letters: float = Field(0.3, ge=0, le=1, description="Smallest share of letters among visible characters.")
    min_script: float = Field(0.5, ge=0, le=1, description="Smallest share of letters in the language's own scripts.")
    allow_identical: bool = Field(False, description="Keep pairs whose sides are the same.")
    max_copied: float = Field(
        0.6, ge=0, le=1, description="Largest share of words in small letters that both sides have; 1: any."
    )
    max_repeats: int = Field(
        4, ge=0, le=1000, description="How often in a row up to three words may be repeated; 0: without end."
    )
    same_numbers: bool = Field(True, description="Reject pairs with a number that the other side clearly lacks.")
    same_urls: bool = Field(True, description="Reject pairs with a URL of a site that the other side does not name.")
    same_emails: bool = Field(True, description="Reject pairs with an e-mail address that the other side lacks.")
    same_placeholders: bool = Field(
        True, description="Reject pairs that differ in {name}, %s, ${name} or in tags that are no HTML."
    )
    same_ending: Literal["off", "kind", "strict"] = Field(
        "kind", description="Whether both sides end alike: as question, statement, list; strict: or neither has a mark."
    )
    min_frames: int = Field(1, ge=1, le=1_000_000, description="Shortest source in frames, where sources are frames.")
    max_frames: int = Field(3000, ge=1, le=1_000_000, description="Longest source in frames, where sources are frames.")


class Side:
    """A side of a normalised pair, with what several rules look at.

    Args:
        text: the normalised text.
        language: what its label says.

    Attributes:
        words: what is between its spaces.
        vocabulary: the different ones.
        encoded: its UTF-8, in which some things are found ten times as fast.
    """

    __slots__ = ("encoded", "language", "text", "vocabulary", "words")

    def __init__(self, text: str, language: Language) -> None:
        self.text = text
        self.language = language
        self.words = text.split()
        self.vocabulary = set(self.words)
        self.encoded = text.encode()
