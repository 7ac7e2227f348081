"""The embedded corpus: weather summaries in two of some fifty languages, rendered from one grammar.

The sentences come from the language modules of the package `pirateweather-translations`, which people wrote for a
weather service; the same expression rendered in two languages is a pair. It is a controlled language (compare
Chevalier et al., 1978, on the TAUM-METEO system), which is why a small model can learn it in minutes.

    ["sentence", ["and", ["starting", "light-rain", "afternoon"], ["during", "fog", "night"]]]
    en  Light rain starting in the afternoon and foggy overnight.
    fr  Pluie faible commençant dans l’après-midi et brumeux dans la nuit.
"""

import random
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import islice
from pkgutil import iter_modules
from typing import Any

from pirateweather_translations import lang
from pirateweather_translations.translation import Translation

from pipeline.errors import InputError
from pipeline.keys import side_key
from pipeline.reading.parts import BLOCK, Blocks, Part
from pipeline.records import SentencePair

PACKAGE = "pirateweather-translations"

Expression = str | list[Any]
Renderer = Callable[[Expression], str]

PRECIPITATION = tuple(
    f"{possible}{intensity}{kind}"
    for kind in ("rain", "sleet", "snow", "precipitation")
    for possible in ("", "possible-")
    for intensity in ("light-", "medium-", "heavy-", "very-light-")
)
SKY = ("clear", "fog", "very-light-clouds", "light-clouds", "medium-clouds", "heavy-clouds")
AIR = ("light-wind", "medium-wind", "heavy-wind", "low-humidity", "high-humidity")
CONDITIONS = (*PRECIPITATION, "mixed-precipitation", "possible-thunderstorm", "thunderstorm", *SKY, *AIR)
PERIODS = ("morning", "afternoon", "evening", "night")
DAYS = tuple(f"{day}-{period}" for day in ("today", "tomorrow") for period in PERIODS)
FORMS = ("for-day", "during", "starting", "until", "until-starting-again", "starting-continuing-until")
ENOUGH_FAILURES = 10_000  # expressions in a row that give no new pair: the grammar is used up


def read(part: Part) -> Blocks:
    """The pairs that a source asks for, in the languages of the corpus."""
    pairs = weather_pairs(*part.languages, part.source.pairs, part.source.seed, part.name)
    while block := list(islice(pairs, BLOCK)):
        yield list(block)


def weather_pairs(
    source_language: str, target_language: str, pairs: int, seed: int, name: str = "corpus.train"
) -> Iterator[SentencePair]:
    """Renders distinct pairs: no two of them share a side, even after normalisation for comparison.

    Raises:
        InputError: a language is unknown or the grammar has fewer different sentences than asked for.
    """
    check_languages(source_language, target_language)
    source, target = renderer(source_language), renderer(target_language)
    conditions = distinct_conditions(source, target)
    choose = random.Random(seed)
    seen: tuple[set[str], set[str]] = (set(), set())
    found = failures = 0
    while found < pairs:
        if failures == ENOUGH_FAILURES:
            allowed = f"at most {found:,} pairs for {source_language} and {target_language}"
            raise InputError(f"{name}.pairs", pairs, allowed, "the grammar has no more different sentences")
        pair = render(day_summary(choose, conditions), source, target)
        keys = (side_key(pair.source), side_key(pair.target)) if pair else ("", "")
        if not pair or keys[0] in seen[0] or keys[1] in seen[1]:
            failures += 1
            continue
        for side, key in zip(seen, keys, strict=True):
            side.add(key)
        found, failures = found + 1, 0
        yield pair


def render(expression: Expression, source: Renderer, target: Renderer) -> SentencePair | None:
    """The expression in both languages, or None where one of them has no words for it."""
    try:
        return SentencePair(source(expression), target(expression))
    except IndexError:  # the Serbian module looks for a word that "until tomorrow night" does not have
        return None


def distinct_conditions(source: Renderer, target: Renderer) -> list[str]:
    """The conditions that no other one is worded like, in either language: those a reader could translate.

    English says "light sleet" for two intensities that French tells apart; only the first is taken.
    """
    taken: tuple[set[str], set[str]] = (set(), set())
    conditions = []
    for condition in CONDITIONS:
        words = source(condition), target(condition)
        if words[0] not in taken[0] and words[1] not in taken[1]:
            conditions.append(condition)
        for side, word in zip(taken, words, strict=True):
            side.add(word)
    return conditions


def day_summary(choose: random.Random, conditions: list[str]) -> Expression:
    """A random sentence of the grammar: one to three conditions, each with the time when it holds."""
    clauses = [timed(choose, condition) for condition in choose.sample(conditions, choose.choice((1, 2, 2, 2, 3)))]
    summary = clauses[0]
    for clause in clauses[1:]:
        summary = ["and", summary, clause]
    return ["sentence", summary]


def timed(choose: random.Random, condition: str) -> Expression:
    """A condition and when it holds."""
    periods = choose.choice((PERIODS, DAYS))
    first, second = sorted(choose.sample(range(len(periods)), 2))
    form = choose.choice(FORMS)
    if form == "for-day":
        return [form, condition]
    if form in ("until-starting-again", "starting-continuing-until"):
        return [form, condition, periods[first], periods[second]]
    return [form, condition, periods[first]]


def check_languages(source_language: str, target_language: str, name: str = "corpus") -> None:
    """Raises `InputError` for a language that the package does not have."""
    languages = sorted(module.name for module in iter_modules(lang.__path__))
    for side, language in (("source", source_language), ("target", target_language)):
        if language not in languages:
            allowed, cause = f"one of {', '.join(languages)}", "the languages of the weather corpus"
            raise InputError(f"{name}.{side}_language", language, allowed, cause)


def renderer(language: str) -> Renderer:
    """The package's function from an expression to a sentence of one language."""
    template = import_module(f"{lang.__name__}.{language}").template
    translate: Renderer = Translation(template).translate
    return translate
