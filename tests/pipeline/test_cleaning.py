import pytest

from pipeline.cleaning import CleanConfig, judge, normalize
from pipeline.holdout import HeldOut, hold_out
from pipeline.keys import pair_key, side_key
from pipeline.records import SentencePair, Verdict


def test_normalize_composes_and_collapses_white_space():
    assert normalize("  Cafe\u0301\u00a0 noir\u2028") == "Café noir"


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("Light rain.", "Pluie faible.", None),
        ("", "Pluie faible.", "empty"),
        ("Light rain.", " \u00a0\t", "empty"),
        ("Light\x00rain.", "Pluie faible.", "control_characters"),
        ("ein " * 200, "eins " * 200, None),
        ("ein " * 201, "eins " * 200, "too_long"),
        ("rain", "x" * 1001, "too_long"),
        ("No.", "x" * 400, "length_ratio"),
        ("No.", "x" * 200, None),
        ("Paris", "Paris", "identical"),
        ("Paris ", " Paris", "identical"),
        ("12:30 --- 14:45", "de 12:30 à 14:45 ?", "few_letters"),
        ("雨が降る。", "Il pleut.", None),
    ],
)
def test_judge(source, target, reason):
    assert judge(CleanConfig(), SentencePair(source, target)).reason == reason


def test_a_verdict_carries_the_normalised_pair():
    verdict = judge(CleanConfig(), SentencePair(" Light  rain.", "Pluie faible. "))
    assert verdict == Verdict(SentencePair("Light rain.", "Pluie faible."), None)


def test_copies_are_kept_on_request():
    assert judge(CleanConfig(allow_identical=True), SentencePair("Paris", "Paris")).reason is None


def test_pair_key_tells_apart_where_the_border_is():
    assert pair_key(SentencePair("a b", "c")) != pair_key(SentencePair("a", "b c"))
    assert pair_key(SentencePair("a", "b")).hex() == "36cd0d2ebe5c1135a8a9dc2302c08f1e"  # b2sum -l 128


@pytest.mark.parametrize(
    ("left", "right"),
    [("Light RAIN, tonight!", "light rain tonight"), ("Straße", "STRASSE"), ("ﬁn", "fin"), ("a  b", "a b.")],
)
def test_side_key_ignores_case_punctuation_and_form(left, right):
    assert side_key(left) == side_key(right)


@pytest.mark.parametrize(("left", "right"), [("2 cm", "3 cm"), ("हिन्दी", "हन्दा"), ("!", "?"), ("cote", "côte")])
def test_side_key_keeps_what_carries_meaning(left, right):
    assert side_key(left) != side_key(right)


def test_hold_out_takes_test_first_and_shares_no_side():
    pairs = [
        SentencePair("one", "eins"),
        SentencePair("One!", "uno"),  # shares a source side with the first
        SentencePair("two", "EINS"),  # shares a target side with the first
        SentencePair("three", "drei"),
        SentencePair("four", "vier"),
    ]
    held_out = hold_out(pairs, dev=1, test=2)
    assert held_out == HeldOut(dev=(pairs[4],), test=(pairs[0], pairs[3]))


def test_what_shares_a_side_with_a_held_out_pair_is_told():
    held_out = HeldOut(dev=(SentencePair("one", "eins"),), test=(SentencePair("two", "zwei"),))
    assert held_out.shares_a_side_with(SentencePair("ONE.", "anders"))
    assert held_out.shares_a_side_with(SentencePair("other", "Zwei"))
    assert not held_out.shares_a_side_with(SentencePair("eins", "two"))
