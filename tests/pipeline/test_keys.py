import hashlib
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.keys import loose_key, pair_key, side_hash, side_key
from pipeline.records import SentencePair


def side_key_by_definition(text):
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = [sign if sign.isalnum() or unicodedata.category(sign).startswith("M") else "" for sign in folded]
    return "".join(kept) or folded.strip()


@given(st.text())
@example("Straße, ÄÖÜ ÿ Ÿ µ ª ½ ²")
@example("_a_ … „Grüße“ ﬁn")
@example("İstanbul ΣΑΣ ς हिन्दी 𝐀 \u0345")
@example("\x1c\x85\u00a0!")
def test_side_key_is_what_its_definition_says(text):
    assert side_key(text) == side_key_by_definition(text)


def test_side_key_is_what_its_definition_says_for_every_character():
    for code in [*range(0xD800), *range(0xE000, 0x30000)]:
        text = f"a{chr(code)}B {chr(code)}"
        assert side_key(text) == side_key_by_definition(text), hex(code)


def test_pair_key_tells_apart_where_the_border_is():
    assert pair_key(SentencePair("a b", "c")) != pair_key(SentencePair("a", "b c"))
    assert pair_key(SentencePair("a", "b")).hex() == "36cd0d2ebe5c1135a8a9dc2302c08f1e"  # b2sum -l 128


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Light RAIN, tonight!", "light rain tonight"),
        ("Straße", "STRASSE"),
        ("ﬁn", "fin"),
        ("a  b", "a b."),
        ("雨 が", "雨が"),
    ],
)
def test_side_key_ignores_case_punctuation_and_form(left, right):
    assert side_key(left) == side_key(right)


@pytest.mark.parametrize(("left", "right"), [("2 cm", "3 cm"), ("हिन्दी", "हन्दा"), ("!", "?"), ("cote", "côte")])
def test_side_key_keeps_what_carries_meaning(left, right):
    assert side_key(left) != side_key(right)


def test_side_hash_is_64_bits_of_the_key():
    digest = hashlib.blake2b(b"lightrain", digest_size=8).digest()
    assert side_hash("Light rain!") == int.from_bytes(digest)
    assert 0 <= side_hash("") < 2**64


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("Room 12, e-mail", "Zimmer 12"), ("room 7 Email", "Zimmer 345.")),
        (("100 km", "१०० किमी"), ("5 KM", "५ किमी")),
        (("Ｏｐｅｎ", "開"), ("open", "開。")),
    ],
)
def test_loose_key_forgets_case_punctuation_spaces_and_values(left, right):
    assert loose_key(SentencePair(*left)) == loose_key(SentencePair(*right))


@pytest.mark.parametrize(
    ("left", "right"),
    [(("a 1", "b"), ("a", "b")), (("a", "b c"), ("a b", "c")), (("1 to 2", "x"), ("1", "x")), (("!", "x"), ("?", "x"))],
)
def test_loose_key_keeps_words_and_how_many_numbers_there_are(left, right):
    assert loose_key(SentencePair(*left)) != loose_key(SentencePair(*right))


def test_loose_key_has_128_bits():
    assert len(loose_key(SentencePair("a", "b"))) == 16
