import random

import numpy as np
import pytest

from pipeline.cleaning import CleanConfig, Judge
from pipeline.quick_look import LONGEST, find_good
from pipeline.readers.weather import weather_pairs
from pipeline.records import SentencePair, Verdict
from pipeline.rules import both_sides

SENTENCES = [
    ("Light rain (5 mm) until 14:30, foggy in the evening.", "Pluie faible (5 mm) jusqu'à 14:30, brumeux le soir."),
    ("He said: “Never again!”", "Il a dit : « Plus jamais ! »"),
    ("the same small words in both of the sides", "the same small words dans les deux côtés"),
    ("one two one two one two one two one two", "un deux un deux un deux un deux un deux"),
    ("Back to the overview", "Back to the overview"),
    ("天气很好，我们去公园。", "The weather is good, let us go to the park."),
    ("Сегодня идёт дождь.", "It rains today."),
    ("H2O, m² and 3 p.m. at www.example.org", "H2O, m² et 15 h à www.example.org"),
]
SIGNS = " ..,:?!12a éüßñœ“”«»жё中かทำक&<%@{/wW_=\u00a0\u200b\u0301\u093e²½٣🙂\u1161\n\t\x00\ufffd"
LANGUAGES = [
    ("en", "fr"),
    ("fr", "en"),
    ("en", "zh"),
    ("th", "ru"),
    ("x", "y"),
    ("de", "nl"),
    ("ja", "ko"),
    ("uk", "hi"),
]
CHOICES = {
    "min_words": (1, 3), "max_words": (8, 200), "min_characters": (1, 10), "max_characters": (40, 1000),
    "max_word_characters": (6, 60), "max_ratio": (1.2, 9), "ratio_slack": (0, 30), "max_deviation": (0, 0.5, 2),
    "max_deviation_unlike": (0, 0.3, 1.5), "min_letters": (0, 0.3, 0.9), "min_script": (0, 0.5, 1),
    "allow_identical": (True, False), "max_copied": (0, 0.3, 0.6, 1), "max_repeats": (0, 1, 4),
    "same_numbers": (True, False), "same_urls": (True, False), "same_emails": (True, False),
    "same_placeholders": (True, False), "same_ending": ("off", "kind", "strict"),
}  # fmt: skip
STEPS = ("whitespace", "invisible", "entities", "tags", "mojibake", "quotes")


def looked_at(judge, pairs):
    sides = [pair.source for pair in pairs], [pair.target for pair in pairs]
    return find_good(judge.config, judge.config.normalize, judge.languages, *sides)


def any_config(chance):
    steps = {step: chance.random() < 0.7 for step in STEPS} | {"form": chance.choice(["NFC", "NFKC"])}
    fields = {name: chance.choice(choices) for name, choices in CHOICES.items()}
    return CleanConfig(language_id={"is_on": False}, normalize=steps, **fields)


def changed(chance, text):
    characters = list(text)
    for _ in range(chance.choice([0, 0, 1, 2])):
        place = chance.randrange(len(characters) + 1)
        characters[place : place + chance.randrange(2)] = chance.choice(SIGNS) * chance.choice([1, 1, 2])
    return "".join(characters * chance.choice([1, 1, 1, 2, 6]))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_found_good_is_neither_changed_nor_rejected(seed):
    chance = random.Random(seed)
    judge = Judge(any_config(chance), chance.choice(LANGUAGES))
    texts = [side for pair in SENTENCES for side in pair]
    pairs = [
        SentencePair(
            *(changed(chance, side) for side in chance.choice([chance.choice(SENTENCES), chance.sample(texts, 2)]))
        )
        for _ in range(1500)
    ]
    wrong = [
        pair
        for pair, good in zip(pairs, looked_at(judge, pairs), strict=True)
        if good and judge.judge(pair) != Verdict(pair, None)
    ]
    assert wrong == []


def test_most_good_pairs_are_found():
    pairs = list(weather_pairs("en", "fr", 2000, seed=5))
    judge = Judge(CleanConfig(language_id={"is_on": False}), ("en", "fr"))
    accepted = np.array([judge.judge(pair).reason is None for pair in pairs])
    assert accepted.sum() > 1900
    assert looked_at(judge, pairs).sum() > 0.95 * accepted.sum()


def test_a_look_changes_no_verdict():
    chance = random.Random(0)
    pairs = [SentencePair(*(changed(chance, side) for side in chance.choice(SENTENCES))) for _ in range(2000)]
    judge = Judge(CleanConfig(language_id={"is_on": False}), ("en", "fr"))
    assert judge(pairs) == [judge.judge(pair) for pair in pairs]


def test_a_rule_that_is_not_considered_is_asked_about_every_pair(monkeypatch):
    def is_odd(config, source, target):
        return "odd" if source.text.endswith("odd") else None

    monkeypatch.setattr("pipeline.rules.both_sides.PAIR_RULES", (*both_sides.PAIR_RULES, is_odd))
    judge = Judge(CleanConfig(language_id={"is_on": False}), ("en", "fr"))
    assert not looked_at(judge, [SentencePair("Light rain.", "Pluie faible.")] * 300).any()


def test_very_long_texts_are_left_to_the_rules():
    judge = Judge(CleanConfig(max_characters=100_000, max_words=10_000), ("en", "fr"))
    short, long = SentencePair("rain " * 3, "pluie " * 3), SentencePair("rain fog " * LONGEST, "pluie brume " * LONGEST)
    pairs = [SentencePair(pair.source.strip(), pair.target.strip()) for pair in (short, long, short)]
    assert looked_at(judge, pairs).tolist() == [True, False, True]


def test_no_pairs():
    assert looked_at(Judge(CleanConfig(), ("en", "fr")), []).tolist() == []
