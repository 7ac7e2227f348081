"""Scores by metric, on values that papers print or a hand can count."""

import random

import pytest

from model.distances import common_length, edit_distance
from model.metrics import METRICS, measure, words


def by_table(first, second):
    """Edit distance and common length by the usual tables, a cell at a time."""
    edits, common = list(range(len(second) + 1)), [0] * (len(second) + 1)
    for number, one in enumerate(first, start=1):
        above, above_common = edits, common
        edits, common = [number], [0]
        for place, other in enumerate(second, start=1):
            edits.append(min(above[place] + 1, edits[-1] + 1, above[place - 1] + (one != other)))
            common.append(above_common[place - 1] + 1 if one == other else max(above_common[place], common[-1]))
    return edits[-1], common[-1]


def test_distances_are_those_of_the_tables():
    chance = random.Random(1)
    for _ in range(2000):
        first, second = ([chance.choice("abc") for _ in range(chance.randrange(10))] for _ in range(2))
        assert (edit_distance(first, second), common_length(first, second)) == by_table(first, second)
    long = [str(chance.randrange(50)) for _ in range(300)]
    assert (edit_distance(long, long[:100] + long[101:]), common_length(long, long[::2])) == (1, 150)


def test_a_perfect_output_has_the_best_of_every_score():
    text = ["Light rain in the evening.", "小雨，傍晚。"]
    found = measure(text, text, "13a", list(METRICS))
    scores = {name: value for name, value in found.items() if not name.endswith("_signature")}
    assert scores == pytest.approx(
        {
            "bleu": 100,
            "chrf": 100,
            "length_ratio": 1,
            "ter": 0,
            "exact_match": 100,
            "token_error_rate": 0,
            "rouge_l": 100,
        }
    )
    assert set(found) - set(scores) == {f"{name}_signature" for name in ("bleu", "chrf", *METRICS)}
    assert found["ter_signature"].startswith("nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:")
    assert found["bleu_signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")


def test_only_what_is_asked_for_is_measured():
    assert set(measure(["a"], ["b"], "char")) == {"bleu", "bleu_signature", "chrf", "chrf_signature", "length_ratio"}
    assert "tok:char" in measure(["a"], ["b"], "char")["bleu_signature"]


def test_rouge_l_of_the_paper():
    # Lin (2004), section 3: sentence-level ROUGE-L of two candidates for "police killed the gunman".
    reference = "police killed the gunman"
    for candidate, score in (("police kill the gunman", 75.0), ("the gunman kill police", 50.0)):
        assert METRICS["rouge_l"]([candidate], [reference])[0] == score


def test_ter_counts_the_move_of_a_phrase_as_one_edit():
    score, _ = METRICS["ter"](["in the evening light rain"], ["light rain in the evening"])
    assert score == pytest.approx(100 / 5)


def test_the_error_rate_is_one_of_all_words_and_not_a_mean_of_rates():
    score, _ = METRICS["token_error_rate"](["ni3 hao3 a", "x"], ["ni3 hao3", "zhong1 guo2 ren2 min2 yin2 hang2 y z"])
    assert score == pytest.approx(100 * (1 + 8) / 10)


def test_exact_match_looks_past_unicode_forms_and_white_space_only():
    hypotheses, references = ["e\u0301t\u00e9 ", "Rain", "rain"], ["\u00e9t\u00e9", "rain", "rain"]
    assert METRICS["exact_match"](hypotheses, references)[0] == pytest.approx(200 / 3)


@pytest.mark.parametrize(
    ("hypothesis", "reference", "expected"),
    [
        ("", "", {"bleu": 0, "chrf": 0, "ter": 0, "exact_match": 100, "token_error_rate": 0, "rouge_l": 100}),
        ("rain", "", {"bleu": 0, "chrf": 0, "ter": 100, "exact_match": 0, "token_error_rate": 100, "rouge_l": 0}),
        ("", "rain", {"bleu": 0, "chrf": 0, "ter": 100, "exact_match": 0, "token_error_rate": 100, "rouge_l": 0}),
    ],
)
def test_empty_texts_have_scores_too(hypothesis, reference, expected):
    found = measure([hypothesis], [reference], "13a", list(METRICS))
    assert {name: found[name] for name in expected} == expected
    assert found["length_ratio"] == 0


def test_words_of_scripts_without_spaces_are_characters():
    assert words("今夜は雨 20mm") == ["今", "夜", "は", "雨", "20mm"]
    assert words(" ") == []
