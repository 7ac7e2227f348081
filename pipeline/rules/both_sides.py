"""Rules about what both sides of a translation have in common; those about one side alone are in `one_side`."""

import math
import re
from collections.abc import Callable

from pipeline.rules import anchors, quantities
from pipeline.rules.languages import Language, are_related
from pipeline.rules.parameters import RuleConfig, Side

PairRule = Callable[[RuleConfig, Side, Side], str | None]

VARIANCE = 6.8  # of the length of a translation in characters, for each character (Gale and Church, 1993)
SENTENCE_END = re.compile(  # a full stop after a short word may be that of an abbreviation
    r"(?:[^\W\d_]{4}\.|[!?…؟।։።])[.!?…؟।։።]{0,8}[\"”»')\]]{0,8}(?=\s|$)|[。！？]+"
)
SMALL_WORD = re.compile(r"\b[^\W\d_]{2,}\b")
FEWEST_COPIED = 3  # words, as one or two are the same in many languages by chance
CLOSING = " \"'”“’»«›‹)]}』」"
KINDS_OF_ENDINGS = {
    **dict.fromkeys(".!。！．।։።။។", "statement"),
    **dict.fromkeys("?？؟፧", "question"),
    **dict.fromkeys(":,;：，、；،؛", "list"),
    "…": "unfinished",
}
QUESTIONS = {"el": re.compile(";$"), "hy": re.compile("՞[^։]*։?$")}  # where another mark ends one than elsewhere


def is_untranslated(config: RuleConfig, source: Side, target: Side) -> str | None:
    """A copy in place of a translation."""
    return "identical" if source.text == target.text and not config.allow_identical else None


def is_out_of_proportion(config: RuleConfig, source: Side, target: Side) -> str | None:
    """Sides so different in length that one cannot be the translation of the other, in whatever languages."""
    left, right = len(source.text) + config.ratio_slack, len(target.text) + config.ratio_slack
    return "length_ratio" if left > config.max_ratio * right or right > config.max_ratio * left else None


def is_unlikely_in_length(config: RuleConfig, source: Side, target: Side) -> str | None:
    """Lengths that seldom go together in these languages, the less so where one side has more sentences."""
    if not (source.language.is_known and target.language.is_known):
        return None
    difference = deviation(len(source.text), len(target.text), source.language, target.language)
    if config.max_deviation and difference > config.max_deviation:
        return "length_deviation"
    if not config.max_deviation_unlike or difference <= config.max_deviation_unlike:
        return None
    return "other_sentences" if count_sentences(source.text) != count_sentences(target.text) else None


def deviation(source: int, target: int, source_language: Language, target_language: Language) -> float:
    """How many standard deviations apart two lengths in characters are (Gale and Church, 1993).

    Both lengths are taken in characters of English, three for one of Chinese, which makes them as much coarser.

    >>> from pipeline.rules.languages import language
    >>> round(deviation(100, 150, language("en"), language("de")), 2)
    1.28
    """
    left, right = source / source_language.length, target / target_language.length
    variance = VARIANCE / min(source_language.length, target_language.length, 1)
    return abs(left - right) / math.sqrt(variance * (left + right) / 2)


def count_sentences(text: str) -> int:
    """Sentences, by the marks at their ends."""
    return max(1, len(SENTENCE_END.findall(text)))


def has_other_numbers(config: RuleConfig, source: Side, target: Side) -> str | None:
    """A number that the other side clearly lacks."""
    if not config.same_numbers:
        return None
    if not (quantities.may_have_numbers(source.encoded) or quantities.may_have_numbers(target.encoded)):
        return None
    return "numbers_differ" if quantities.are_different(source.text, target.text) else None


def has_other_urls(config: RuleConfig, source: Side, target: Side) -> str | None:
    """A link to a site that the other side does not name."""
    if not config.same_urls:
        return None
    return "urls_differ" if names_another(anchors.urls, source.text, target.text) else None


def has_other_emails(config: RuleConfig, source: Side, target: Side) -> str | None:
    """An e-mail address at a site that the other side does not name."""
    if not config.same_emails:
        return None
    return "emails_differ" if names_another(anchors.emails, source.text, target.text) else None


def names_another(sites: Callable[[str], list[str]], source: str, target: str) -> bool:
    """Whether an address of one side leads to a site that is nowhere on the other."""
    named, others = sites(source), sites(target)
    if named == others:
        return False
    source, target = source.lower(), target.lower()
    return any(site not in target for site in named) or any(site not in source for site in others)


def has_other_placeholders(config: RuleConfig, source: Side, target: Side) -> str | None:
    """A place for a value on one side only: what is filled in would be lost."""
    if config.same_placeholders and anchors.placeholders(source.text) != anchors.placeholders(target.text):
        return "placeholders_differ"
    return None


def is_copied_in_part(config: RuleConfig, source: Side, target: Side) -> str | None:
    """Sides that have most words in small letters in common, so that part of one was not translated.

    Words in capitals may be names. Related languages share too many words for this to mean anything.
    """
    if config.max_copied == 1 or len(source.vocabulary & target.vocabulary) < FEWEST_COPIED:
        return None
    if are_related(source.language, target.language):
        return None
    small = [[word for word in SMALL_WORD.findall(side.text) if word.islower()] for side in (source, target)]
    copied = set(small[0]).intersection(small[1])
    for words in small:
        number = sum(word in copied for word in words)
        if number >= FEWEST_COPIED and number > config.max_copied * len(words):
            return "copied"
    return None


def ends_otherwise(config: RuleConfig, source: Side, target: Side) -> str | None:
    """A question for a statement, or a sentence for the head of a list."""
    if config.same_ending == "off" or source.text[-1:] == target.text[-1:]:
        return None
    kinds = kind_of_ending(source.text, source.language), kind_of_ending(target.text, target.language)
    if kinds[0] == kinds[1] or (config.same_ending == "kind" and not all(kinds)):
        return None
    return "ending_differs"


def kind_of_ending(text: str, language: Language) -> str:
    """Whether a text ends as a statement, a question, a list or unfinished; empty where no mark tells."""
    text = text.rstrip(CLOSING)
    if text.endswith("..."):
        return "unfinished"
    if language.code in QUESTIONS and QUESTIONS[language.code].search(text):
        return "question"
    if language.code == "ja" and text.endswith("か。"):  # asks, or is only surprised
        return ""
    return KINDS_OF_ENDINGS.get(text[-1:], "")


PAIR_RULES: tuple[PairRule, ...] = (
    is_untranslated,
    is_out_of_proportion,
    is_unlikely_in_length,
    ends_otherwise,
    has_other_urls,
    has_other_emails,
    has_other_placeholders,
    has_other_numbers,
    is_copied_in_part,
)
