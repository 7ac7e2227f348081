"""The default rules against pairs that people labelled: enough bad ones go, few good ones do."""

import csv
import gzip
import os
from collections import Counter
from pathlib import Path
from pkgutil import iter_modules

import pytest
from pirateweather_translations import lang

from pipeline.cleaning import CleanConfig, Judge
from pipeline.readers.weather import weather_pairs
from pipeline.records import SentencePair

DATA = Path(os.environ.get("NIGHTSHIFT_DATA", Path(__file__).parents[4] / "shared" / "data"))
LABELLED = DATA / "paracrawl-labelled"
RAW = DATA / "libreoffice-help" / "raw.en-de.tsv.gz"


def read_rows(lines):
    return list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize(("target", "wrong_language"), [("de", 0.60), ("fr", None)])
def test_default_rules_find_what_people_found(target, wrong_language):
    path = LABELLED / f"en-{target}.tsv"
    if not path.exists():
        pytest.skip(f"{path} is missing: labelled pairs of ParaCrawl")
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = read_rows(file)
    columns = [header.index(name) for name in ("label", "src", "tgt")]
    labels, sources, targets = ([row[column] for row in rows] for column in columns)
    verdicts = Judge(CleanConfig(), ("en", target))(list(map(SentencePair, sources, targets)))
    total = Counter(labels)
    rejected = Counter(label for label, verdict in zip(labels, verdicts, strict=True) if verdict.reason)
    share = {label: rejected[label] / total[label] for label in total}
    assert len(rows) == 5000
    assert share["V"] <= 0.06
    assert share["A"] >= 0.35
    assert wrong_language is None or share["L"] >= wrong_language


def test_every_untranslated_copy_goes():
    if not RAW.exists():
        pytest.skip(f"{RAW} is missing: paragraphs of LibreOffice's help before any cleaning")
    with gzip.open(RAW, "rt", encoding="utf-8", newline="") as file:
        rows = read_rows(file)
    pairs = [SentencePair(row[2], row[3]) for row in rows]
    copies = [pair for pair in pairs if pair.source.split() == pair.target.split()]
    reasons = Counter(verdict.reason for verdict in Judge(CleanConfig(), ("en", "de"))(copies))
    assert len(copies) > 0.17 * len(rows)
    assert None not in reasons
    assert {"identical", "empty"} <= set(reasons)


def test_clean_text_in_many_languages_and_scripts_passes():
    lengths_alike = {"max_deviation": 0, "max_deviation_unlike": 0}  # a grammar may be terse in one and not in another
    config = CleanConfig.model_validate({**lengths_alike, "language_id": {"is_on": False}})
    languages = [module.name for module in iter_modules(lang.__path__) if module.name != "en"]
    for language in languages:
        verdicts = Judge(config, ("en", language))(list(weather_pairs("en", language, 100, 1)))
        assert {verdict.reason for verdict in verdicts} == {None}, language
    assert len(languages) == 56
