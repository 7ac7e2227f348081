import random

import numpy as np
import pytest

from pipeline import quick_look
from pipeline.cleaning import CleanConfig, Judge
from pipeline.normalization import NormalizeConfig, Normalizer
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
    for _ in range(chance.choice([0, 0, 0, 0, 1, 2])):
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


@pytest.mark.parametrize(
    ("pair", "languages", "config"),
    [
        (("\u1100\u1161 a", "b c"), ("x", "y"), {}),  # two jamo become a syllable
        (("\u0995\u09c7\u09be", "b"), ("bn", "y"), {}),  # two vowel signs become one, neither of a combining class
        (("\u05d0\u05a1\u0591 a", "c"), ("x", "y"), {}),  # two accents change places
        (("put {a} here", "ici"), ("x", "y"), {}),
        (("see WWW.a.de", "voir"), ("x", "y"), {}),
        (("see http://a.de", "voir"), ("x", "y"), {}),
        (("write to me@a.de", "voir"), ("x", "y"), {}),
        (("a box of 25³ cells", "une boîte de 25 cellules"), ("x", "y"), {}),
        (("a ‚Äò b", "c"), ("x", "y"), {"max_ratio": 100}),
        (("РЅРµР±Рѕ РјРѕСЂРµ", "Hello world"), ("ru", "y"), {}),  # Cyrillic in UTF-8 that was read as Windows-1251
        (("schÃ¶n", "beau"), ("de", "y"), {}),
        (("in 𝟐𝟎𝟏𝟗 a", "in the a"), ("x", "y"), {}),  # digits beyond the basic plane
        (("one two ten us 1ab 2cd", "one two ten la 3ef 4gh"), ("en", "fr"), {"same_numbers": False}),
        (("one two ten six red is ok so", "one two ten six red la le du"), ("en", "fr"), {}),
        (("天气很好我们去园" * 6, "the weather is good"), ("zh", "en"), {"max_deviation": 0}),
        (("天 气 好", "good weather now"), ("zh", "en"), {"min_words": 3}),
        (("Ո՞վ է այստեղ", "Who is here now."), ("hy", "en"), {"same_ending": "kind"}),
        (("is he here now?", "il est ici en ce moment."), ("x", "y"), {}),
        (("x  y", "a b"), ("x", "y"), {}),
        (("x y ", "a b"), ("x", "y"), {}),
        (("x H2O", "a H20"), ("x", "y"), {}),
        (("ab\ufffdc", "b"), ("x", "y"), {}),
        (("“a”", "b"), ("x", "y"), {"normalize": {"quotes": True}}),
        (("ﬁn", "b"), ("x", "y"), {"normalize": {"form": "NFKC"}}),
        (("same", "same"), ("x", "y"), {}),
    ],
)
def test_what_is_changed_or_rejected_is_not_found_good(pair, languages, config):
    usual = {"language_id": {"is_on": False}, "min_letters": 0, "max_deviation": 0, "max_deviation_unlike": 0}
    judge = Judge(CleanConfig(**(usual | config)), languages)
    pair = SentencePair(*pair)
    assert judge.judge(pair) != Verdict(pair, None)
    assert looked_at(judge, [pair]).tolist() == [False]


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_every_character_of_the_basic_plane(form):
    judge = Judge(CleanConfig(language_id={"is_on": False}, normalize={"form": form}), ("x", "y"))
    signs = [chr(code) for code in (*range(0xD800), *range(0xE000, 0x10000), 0x1D15E, 0x1D7D0)]
    pairs = [SentencePair(f"ab{sign}c 가{sign} \u1100{sign}", "something like that") for sign in signs]
    good = looked_at(judge, pairs)
    assert [pair for pair, is_good in zip(pairs, good, strict=True) if is_good and judge.judge(pair).pair != pair] == []
    assert looked_at(judge, [SentencePair(f"ab{sign}c d", "something like that") for sign in signs]).sum() > 10_000


def test_a_rule_that_is_not_considered_is_asked_about_every_pair(monkeypatch):
    def is_odd(config, source, target):
        return "odd" if source.text.startswith("Light") else None

    monkeypatch.setattr("pipeline.rules.both_sides.PAIR_RULES", (*both_sides.PAIR_RULES, is_odd))
    judge = Judge(CleanConfig(language_id={"is_on": False}), ("en", "fr"))
    assert [verdict.reason for verdict in judge([SentencePair("Light rain.", "Pluie faible.")] * 300)] == ["odd"] * 300


def test_a_step_that_is_not_considered_is_taken_for_every_pair():
    judge = Judge(CleanConfig(language_id={"is_on": False}), ("en", "fr"))
    considered = set(Normalizer(NormalizeConfig(quotes=True)).steps)
    assert considered == quick_look.CONSIDERED_STEPS
    assert looked_at(judge, [SentencePair("Light rain.", "Pluie faible.")]).tolist() == [True]


def test_very_long_texts_are_left_to_the_rules():
    judge = Judge(CleanConfig(max_characters=100_000, max_words=10_000), ("en", "fr"))
    short, long = SentencePair("rain " * 3, "pluie " * 3), SentencePair("rain fog " * LONGEST, "pluie brume " * LONGEST)
    pairs = [SentencePair(pair.source.strip(), pair.target.strip()) for pair in (short, long, short)]
    assert looked_at(judge, pairs).tolist() == [True, False, True]


def test_no_pairs():
    assert looked_at(Judge(CleanConfig(), ("en", "fr")), []).tolist() == []
