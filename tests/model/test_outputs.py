"""What outputs look like, and the sentences that are shown and disturbed."""

import pyarrow as pa
import pytest

from model.outputs import by_length, describe, is_repeating
from model.robustness import DISTURBANCES, chosen_rows, with_typos
from model.samples import SHOWN, choose, sentence_scores, side_by_side

SENTENCES = ["Light rain in the evening.", "Heavy rain until tomorrow morning.", "雨。", "", "OK", "A  b !"]


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("", False),
        ("no no", False),
        ("no no no", True),
        ("x a b a b a b y", True),
        ("a b a b a c", False),
        ("the rain and the rain and the snow", False),
        ("雨雨雨", True),
        ("1 2 3 4 5 6 7 8 " * 3, True),
        ("1 2 3 4 5 6 7 8 9 " * 3, False),
    ],
)
def test_a_phrase_three_times_in_a_row_is_a_repetition(text, repeats):
    assert is_repeating(text) is repeats


def test_what_the_reference_does_too_is_no_fault():
    found = describe(["", "", "ha ha ha", "ha ha ha", "x ⁇ y"], ["", "a", "ha ha ha", "ha", "x z y"])
    assert found == {"empty": 0.2, "repeating": 0.2, "unknown_rate": 0.2}


def test_buckets_hold_each_pair_once():
    sources = ["w " * length for length in (0, 1, 10, 11, 60, 61, 500)]
    references = [f"this is sentence number {number} ." for number in range(len(sources))]
    hypotheses = [references[0], references[1], "wrong", *references[3:]]
    found = by_length(sources, hypotheses, references, "13a")
    assert [(bucket["words"], bucket["sentences"]) for bucket in found] == [
        ("0", 1),
        ("1-10", 2),
        ("11-20", 1),
        ("41-60", 1),
        ("61-", 2),
    ]
    assert [round(bucket["bleu"]) for bucket in found][0::2] == [100, 100, 100]
    assert found[1]["bleu"] < 60


def test_samples_are_shown_once_each_from_the_best_to_the_worst():
    references = ["abcdefgh ijkl"] * 20
    hypotheses = [reference[: 13 - number // 2] for number, reference in enumerate(references)]
    found = choose(["x" * 1000] * 20, hypotheses, references)
    assert {kind: [sample["row"] for sample in samples] for kind, samples in found.items()} == {
        "best": [0, 1, 2],
        "median": [8, 9, 10],
        "worst": [17, 18, 19],
    }
    assert found["best"][0] | {"chrf": 100} == {
        "row": 0, "chrf": 100, "source": "x" * SHOWN, "reference": references[0], "hypothesis": references[0]
    }  # fmt: skip


@pytest.mark.parametrize(("number", "shown"), [(1, [1, 0, 0]), (4, [3, 0, 1]), (8, [3, 2, 3]), (9, [3, 3, 3])])
def test_of_few_sentences_none_is_shown_twice(number, shown):
    found = choose(*(list(map(str, range(number))),) * 3)
    assert [len(samples) for samples in found.values()] == shown
    rows = [sample["row"] for samples in found.values() for sample in samples]
    assert len(set(rows)) == len(rows)


def test_outputs_of_two_models_side_by_side():
    given = {"source": ["a", "b"], "reference": ["pluie", "neige"]}
    ours, theirs = (pa.table(given | {"hypothesis": texts}) for texts in (["pluie", "neige"], ["pluie", ""]))
    found = side_by_side(ours, theirs)
    assert found.column_names == ["source", "reference", "candidate", "candidate_chrf", "champion", "champion_chrf"]
    assert found["champion"].to_pylist() == ["pluie", ""]
    assert found["champion_chrf"].to_pylist() == sentence_scores(["pluie", ""], given["reference"]) == [100, 0]
    with pytest.raises(ValueError, match="2 and 1 outputs are not of the same sentences"):
        side_by_side(ours, theirs.slice(1))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("typos", ["Light raiin in the evening.", "Heavy rain until tomorrow morrning.", "雨。", "", "OK", "A  b !"]),
        (
            "upper_case",
            ["LIGHT RAIN IN THE EVENING.", "HEAVY RAIN UNTIL TOMORROW MORNING.", "雨。", "", "OK", "A  B !"],
        ),
        (
            "no_end_punctuation",
            ["Light rain in the evening", "Heavy rain until tomorrow morning", "雨", "", "OK", "A  b"],
        ),
        (
            "double_spaces",
            ["Light  rain  in  the  evening.", "Heavy  rain  until  tomorrow  morning.", "雨。", "", "OK", "A    b  !"],
        ),
    ],
)
def test_a_sentence_is_always_disturbed_in_the_same_way(name, expected):
    assert [DISTURBANCES[name](sentence) for sentence in SENTENCES] == expected


def test_typing_errors_grow_with_the_text_and_keep_its_words_apart():
    text = "partly cloudy throughout the afternoon with thunderstorms approaching from northwest " * 5
    found = with_typos(text)
    assert len(found.split()) == len(text.split())
    wrong = sum(one != other for one, other in zip(found.split(), text.split(), strict=True))
    assert 8 <= wrong <= 15


def test_rows_are_chosen_by_content():
    sources, targets = [str(number) for number in range(50)], ["x"] * 50
    rows = chosen_rows(sources, targets, 10)
    assert len(rows) == 10
    assert rows == sorted(rows)
    backwards = chosen_rows(sources[::-1], targets, 10)
    assert sorted(sources[row] for row in rows) == sorted(sources[::-1][row] for row in backwards)
    assert chosen_rows(sources, targets, 99) == list(range(50))
