"""Whether the sources can be read, are the files that are pinned, and are in the languages they are said to be in."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from flows.checks.finding import Finding, ok, warning, wrong, wrong_input
from pipeline.cleaning import CleanConfig
from pipeline.errors import InputError
from pipeline.reading.places import places_of
from pipeline.records import SentencePair
from pipeline.rules.language_id import bundled_model, own_words
from pipeline.rules.languages import Language, language
from pipeline.sampling import Sample, Wanted, most_of, sample
from pipeline.sources import CorpusConfig, check_kind, check_source, package_of

JUDGED: Final = 300  # pairs of a part whose languages are looked at
FEWEST_LETTERS: Final = 12
FEWEST: Final = 10  # sentences with that many letters
SHARE: Final = 0.5  # of the probability, from which on a language is the one that a side is in


def find_sources(config: CorpusConfig, clean: CleanConfig, samples: list[Sample]) -> Iterator[Finding]:
    """What is to be said of each part of the corpus; adds what was read of it to `samples`."""
    parts: list[Wanted] = []
    for split, name, source in config.sources():
        try:
            check_kind(config, name, source)
            check_source(name, source, config.languages_of(source))
            parts += [Wanted(split, name, source)] if package_of(source) else []
            parts += [Wanted(split, name, source, files) for files in places_of(name, source)]
        except InputError as error:
            yield wrong_input(error)
        except ConnectionError as error:
            yield wrong(name, str(error))
    most = most_of(sum(len(wanted.files) for wanted in parts))
    for wanted in parts:
        try:
            found = sample(config, wanted, most)
        except InputError as error:
            yield wrong_input(error)
        except ConnectionError as error:
            yield wrong(wanted.name, f"{error}; the server is down, or this machine may not reach it")
        else:
            samples.append(found)
            yield ok(wanted.name, described(found))
            if not config.frame_size:
                yield from find_languages(config, clean, found)


def described(found: Sample) -> str:
    """What a part is, in a line."""
    if not found.size:
        return f"{found.part.location}: {found.bytes:,} bytes; what is in it shows when all of it is read"
    size = f"{found.size:,.0f} pairs" if found.is_counted else f"about {found.size:,.0f} pairs, by its beginning"
    stored = f" in {found.bytes:,} bytes" if found.bytes else ""
    return f"{found.part.location}: {size}{stored}"


def find_languages(config: CorpusConfig, clean: CleanConfig, part: Sample) -> Iterator[Finding]:
    """What is to be said of the languages that a part's sides are in; nothing where they are as they should be."""
    expected = [language(label) for label in (config.source_language, config.target_language)]
    found = [language_of(side, own) for side, own in zip(sides_of(part.pairs), expected, strict=True)]
    seen = [one or own for one, own in zip(found, (own.code for own in expected), strict=True)]
    are_foreign = [bool(one) and one not in own.kin for one, own in zip(found, expected, strict=True)]
    if not any(are_foreign):
        return
    subject = part.part.name
    if all(one in other.kin for one, other in zip(seen, reversed(expected), strict=True)):
        allowed = f"{expected[0].code} and then {expected[1].code}: expected reverse: true, or the files changed about"
        yield wrong(subject, f"its sides are in {seen[0]} and then {seen[1]}, not in {allowed}")
        return
    for side, is_foreign, one, own in zip(("source", "target"), are_foreign, seen, expected, strict=True):
        if is_foreign:
            said = f"its {side} side looks like {one}, expected {own.code}, by {JUDGED} pairs at most"
            if clean.language_id.is_on:
                yield wrong(subject, f"{said}; clean.language_id would reject it")
            else:
                yield warning(subject, said)


def sides_of(pairs: Sequence[SentencePair]) -> list[list[list[str]]]:
    """The words by which the sentences of each side are judged."""
    some = pairs[:: max(1, -(-len(pairs) // JUDGED))]
    words = [own_words(pair) for pair in some]
    return [[each[place] for each in words] for place in (0, 1)]


def language_of(sentences: Sequence[Sequence[str]], own: Language) -> str:
    """The code of the language that most of the sentences are in, "" where there is too little to tell."""
    if not own.is_known:
        return ""
    long = [words for words in sentences if sum(map(len, words)) >= FEWEST_LETTERS * own.length]
    if len(long) < FEWEST:
        return ""
    model = bundled_model()
    probabilities = model.probabilities(long).mean(axis=0)
    sums: Counter[str] = Counter()
    for label, probability in zip(model.labels, probabilities.tolist(), strict=True):
        sums[own.code if label in own.kin else label] += probability
    best = max(sums, key=lambda label: sums[label])
    return best if sums[best] >= SHARE else ""
