"""Differences between an output and the reference."""

import pytest

from model.report.marks import marked


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        ("light rain", "light rain", "light rain"),
        ("light rain until noon", "heavy rain until noon", "<mark>light</mark> rain until noon"),
        ("rain in the morning", "rain", "rain <mark>in the morning</mark>"),
        ("  two  spaces ", "two", "  two  <mark>spaces</mark> "),
        ("", "rain", ""),
        ("rain", "", "<mark>rain</mark>"),
        ("小雨后晴", "大雨后晴", "<mark>小</mark>雨后晴"),
        ("<b> & rain", "rain", "<mark>&lt;b&gt; &amp;</mark> rain"),
    ],
)
def test_runs_of_words_that_the_other_text_does_not_have_are_marked(text: str, other: str, expected: str) -> None:
    assert marked(text, other, as_="mark") == expected
