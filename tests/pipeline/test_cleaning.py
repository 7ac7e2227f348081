import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cleaning import CleanConfig, Judge, judge
from pipeline.records import SentencePair, Verdict

ENGLISH_FRENCH = ("en", "fr")


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("Light rain.", "Pluie faible.", None),
        ("", "Pluie faible.", "empty"),
        ("Light rain.", " \u00a0\t", "empty"),
        ("Light rain.", "\u200b", "empty"),
        ("Light\x00rain.", "Pluie faible.", "control_characters"),
        ("Light rain.", "Pluie \ufffdaible.", "lost_characters"),
        ("rain", "x " * 501, "too_long"),
        ("No.", "oui, le ciel reste couvert, " * 4, "length_deviation"),
        ("Paris", "Paris", "identical"),
        ("Paris ", " Paris", "identical"),
        ("12:30 --- 14:45", "de 12:30 à 14:45 ?", "few_letters"),
        ("雨が降る。", "Il pleut.", "wrong_script"),
        ("See {name}.", "Voir {nom}.", "placeholders_differ"),
        ("Page 12", "Page 13", "numbers_differ"),
        ("Klicken Sie hier, um das Bild zu sehen.", "Cliquez ici pour voir l'image.", "wrong_language"),
        ("Click here to see the whole picture.", "Klicken Sie hier, um das Bild zu sehen.", "wrong_language"),
    ],
)
def test_judge(source, target, reason):
    assert judge(CleanConfig(), ENGLISH_FRENCH, SentencePair(source, target)).reason == reason


def test_without_known_languages_only_what_needs_none_is_asked():
    pairs = [
        SentencePair("雨が降る。", "Il pleut."),
        SentencePair("wei3 chi1", "喂吃"),
        SentencePair("No.", "x y z w " * 20),
    ]
    assert [verdict.reason for verdict in Judge(CleanConfig(), ("source", "target"))(pairs)] == [None, None, None]
    assert judge(CleanConfig(), ("source", "target"), SentencePair("No.", "x y z w " * 50)).reason == "length_ratio"


def test_a_verdict_carries_the_normalised_pair():
    verdict = judge(CleanConfig(), ENGLISH_FRENCH, SentencePair(" Light  rain.", "Pluie&nbsp;faible.\u200b "))
    assert verdict == Verdict(SentencePair("Light rain.", "Pluie faible."), None)


def test_a_block_is_judged_as_each_pair_alone():
    pairs = [
        SentencePair("Light rain in the morning.", "Pluie faible dans la matinée."),
        SentencePair("Click here to see the whole picture.", "Klicken Sie hier, um das Bild zu sehen."),
        SentencePair("", ""),
        SentencePair("Page 12", "Page 13"),
        SentencePair("Foggy until the evening.", "Brumeux jusque dans la soirée."),
    ] * 60
    judge_block = Judge(CleanConfig(), ENGLISH_FRENCH)
    together = judge_block(pairs)
    assert together == [judge(CleanConfig(), ENGLISH_FRENCH, pair) for pair in pairs]
    assert together == judge_block(pairs[:7]) + judge_block(pairs[7:])
    assert [verdict.reason for verdict in together[:5]] == [None, "wrong_language", "empty", "numbers_differ", None]
    assert judge_block([]) == []


def test_switches_reach_the_rules_and_language_id():
    same = SentencePair("Paris", "Paris")
    assert judge(CleanConfig(allow_identical=True), ENGLISH_FRENCH, same).reason is None
    german = SentencePair("Click here to see the whole picture.", "Klicken Sie hier, um das Bild zu sehen.")
    off = CleanConfig.model_validate({"language_id": {"is_on": False}})
    assert judge(off, ENGLISH_FRENCH, german).reason is None
    raw = CleanConfig.model_validate({"normalize": {"entities": False}})
    assert judge(raw, ENGLISH_FRENCH, SentencePair("Tea &amp; milk", "Thé &amp; lait")).pair.source == "Tea &amp; milk"


@given(st.text(), st.text(), st.sampled_from(["de", "zh", "th", "sr-Cyrl", "x-frames"]))
def test_any_text_gets_a_verdict(source, target, label):
    judge_block = Judge(CleanConfig(), ("en", label))
    verdict = judge_block([SentencePair(source, target)])[0]
    again = judge_block([verdict.pair])[0]
    assert again == verdict


def test_a_judge_can_be_sent_to_a_worker():
    sent = pickle.loads(pickle.dumps(Judge(CleanConfig(), ENGLISH_FRENCH)))
    assert sent([SentencePair("Light rain.", "Pluie faible.")])[0].reason is None
