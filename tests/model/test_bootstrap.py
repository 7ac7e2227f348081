"""Paired bootstrap resampling: sacreBLEU's figures, whatever the environment says."""

import os

import pytest
from sacrebleu.metrics.chrf import CHRF

from model.bootstrap import interval_of, paired_bootstrap

REFERENCES = [f"rain and fog until {hour} hours in the morning" for hour in range(40)]
HALF = [text.replace("rain", "snow") if row % 2 else text for row, text in enumerate(REFERENCES)]
ALL = [text.replace("rain", "snow") for text in REFERENCES]


def compare(ours: list[str], theirs: list[str], samples: int = 200):
    return paired_bootstrap(ours, theirs, REFERENCES, tokenizer="13a", samples=samples)


def test_a_clear_difference_is_significant_and_signed() -> None:
    found = compare(HALF, ALL)

    assert found.p == 1 / 201
    assert found.ours.score > found.theirs.score
    assert found.ours.half_width > 0
    assert found.signature == "nrefs:1|bs:200|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"


def test_the_interval_of_one_system_is_that_of_the_comparison() -> None:
    found = compare(HALF, ALL)

    alone = interval_of("bleu", HALF, REFERENCES, tokenizer="13a", samples=200)

    assert alone.score == pytest.approx(found.ours.score, abs=1e-4)
    assert alone.half_width == pytest.approx(found.ours.half_width, abs=1e-4)


def test_the_interval_of_chrf_is_the_one_that_sacrebleu_gives() -> None:
    said = CHRF().corpus_score(HALF, [REFERENCES], n_bootstrap=200)
    assert str(said) == "chrF2 = 93.83 (μ = 93.83 ± 1.69)"

    alone = interval_of("chrf", HALF, REFERENCES, tokenizer="13a", samples=200)

    assert f"{alone.score:.2f} ± {alone.half_width:.2f}" == "93.83 ± 1.69"


def test_a_difference_of_one_sentence_may_be_chance() -> None:
    nearly = [ALL[0], *REFERENCES[1:]]

    assert compare(REFERENCES, nearly).p > 0.05


def test_a_tie_is_chance() -> None:
    assert compare(HALF, HALF).p == 1


def test_the_same_texts_give_the_same_figures_in_any_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    found = compare(HALF, ALL)
    monkeypatch.setenv("SACREBLEU_SEED", "7")

    assert compare(HALF, ALL) == found
    assert os.environ["SACREBLEU_SEED"] == "7"


def test_what_cannot_be_paired_is_refused() -> None:
    with pytest.raises(ValueError, match="39, 40 and 40 sentences cannot be paired"):
        compare(HALF[1:], ALL)


@pytest.mark.parametrize(
    ("sentences", "different", "p"),
    [(1, 1, 1.0), (2, 2, 0.5), (4, 4, 0.125), (40, 1, 1.0), (40, 0, 1.0), (12, 12, 1 / 201)],
)
def test_a_few_sentences_make_nothing_certain(sentences: int, different: int, p: float) -> None:
    references = REFERENCES[:sentences]
    theirs = [text.replace("rain", "snow") if row < different else text for row, text in enumerate(references)]

    assert paired_bootstrap(references, theirs, references, tokenizer="13a", samples=200).p == p
