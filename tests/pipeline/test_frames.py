"""Frames as text and back."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.cleaning import CleanConfig, FrameJudge
from pipeline.frames import count_frames, from_column, from_text, may_be_frames, to_text
from pipeline.keys import loose_key, loose_side_hash, side_key
from pipeline.normalization import NormalizeConfig, Normalizer
from pipeline.records import SentencePair, Verdict

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
SEQUENCES = arrays.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(3)), elements=FINITE)


def test_two_letters_are_a_byte_and_its_upper_half_comes_first():
    assert to_text(np.array([[0.5, -2.0]])) == "aaaaaadpaaaaaama"  # 00 00 00 3f, 00 00 00 c0
    assert from_text("aaaaaadpaaaaaama", 2).tolist() == [[0.5, -2.0]]
    assert from_text("aaaaaadpaaaaaama", 1).tolist() == [[0.5], [-2.0]]


@given(SEQUENCES)
def test_frames_come_back(frames):
    text = to_text(frames)
    assert np.array_equal(from_text(text, 3), frames)
    assert count_frames(text, 3) == len(frames)
    assert may_be_frames(text)


@given(SEQUENCES)
def test_nothing_that_compares_texts_takes_two_sequences_for_one(frames):
    text = to_text(frames)
    assert side_key(text) == text
    assert Normalizer(NormalizeConfig(form="NFKC"))(text) == text
    other = to_text(np.nextafter(frames, np.float32(0)) - (frames == 0))
    assert loose_side_hash(other) != loose_side_hash(text)
    assert loose_key(SentencePair(other, "x")) != loose_key(SentencePair(text, "x"))


def test_equal_frames_are_equal_text():
    assert to_text(np.array([[-0.0]])) == to_text(np.array([[0.0]])) == to_text(np.array([[0]]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 letters are not those of frames of 2 numbers"),
        ("aaaaaadp", "8 letters are not"),
        ("aaaaaadpaaaaaam0", "Non-hexadecimal digit found"),
        ("aaaaaadpaaaaaamA", "Non-hexadecimal digit found"),
        ("aaaaaadpaaaaaamq", "Non-hexadecimal digit found"),
        (to_text(np.array([[1, np.inf]])), "infinite or none at all"),
    ],
)
def test_what_is_no_frames(text, message):
    with pytest.raises(ValueError, match=message):
        from_text(text, 2)


def test_a_column_is_what_its_texts_are():
    sequences = [np.arange(6).reshape(3, 2), np.array([[-1, 7]]), np.array([[8, 9], [1, 2]])]
    column = pa.array([to_text(sequence) for sequence in sequences], pa.large_string())
    expected = [sequence.ravel().tolist() for sequence in sequences]
    assert from_column(column).to_pylist() == expected
    assert from_column(column[1:]).to_pylist() == expected[1:]
    assert from_column(column[1:2].cast(pa.string())).to_pylist() == expected[1:2]
    assert from_column(column[:0]).to_pylist() == []


@pytest.mark.parametrize(
    ("frames", "target", "reason"),
    [
        (2, "light rain", None),
        (1, "light rain", "too_few_frames"),
        (5, "light rain", "too_many_frames"),
        (2, " ", "empty"),
        (2, "light \ufffd", "lost_characters"),
        (2, "雨が降る。", "wrong_script"),
        (2, "Klicken Sie hier, um das ganze Bild zu sehen.", "wrong_language"),
        (2, "aaaaaaaa", None),
    ],
)
def test_frames_are_counted_and_the_text_is_judged(frames, target, reason):
    pair = SentencePair(to_text(np.zeros((frames, 3))), target)
    judge = FrameJudge(CleanConfig(min_frames=2, max_frames=4), ("speech", "en"), 3)
    assert judge([pair]) == [Verdict(pair if target.strip() else SentencePair(pair.source, ""), reason)]


def test_the_text_is_normalised_and_the_frames_are_not():
    pair = SentencePair(to_text(np.ones((2, 3))), " Light  rain.")
    judge = FrameJudge(CleanConfig(language_id={"is_on": False}), ("en", "en"), 3)
    assert judge([pair]) == [Verdict(SentencePair(pair.source, "Light rain."), None)]
