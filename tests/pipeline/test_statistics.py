"""Figures of summaries whose every value is known."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.drift import MEANINGS, Comparison, Distance
from pipeline.piece_table import PieceTable, PieceTables, is_single_character
from pipeline.statistics import StatisticsConfig, drift_report, frequent, report
from pipeline.summaries import Sizes, Summary
from pipeline.vocabulary import Vocabulary, VocabularyConfig, train_vocabulary

TEXTS = ("<pad>", "<unk>", "<s>", "</s>", "▁a", "▁the", "b", "▁", "▁日", "..")
TABLE = PieceTable(TEXTS, np.array([is_single_character(text) for text in TEXTS]))
TABLES = PieceTables(TABLE, TABLE)


def summary_of(sources, targets):
    summary = Summary.of_nothing(Sizes(len(TEXTS), len(TEXTS)))
    columns = [pa.array(side, pa.large_list(pa.int64())) for side in (sources, targets)]
    summary.add(pa.RecordBatch.from_arrays(columns, names=["source", "target"]))
    return summary


def test_figures_of_a_small_generation():
    news = summary_of([[4, 5], [4, 5], [4, 1, 6, 7]], [[8], [9, 9], [8]])
    web = summary_of([[5]], [[5, 5, 5, 9]])
    found = report({"news": news, "web": web}, TABLES, StatisticsConfig(frequent_pieces=2))
    assert list(found["origins"]) == ["news", "web"]
    assert found["origins"]["web"]["pairs"] == 1
    assert found["all"] == {
        "pairs": 4,
        "distinct_pairs": 4,
        "vocabulary_coverage": 1.0,
        "source": {
            "tokens": 9,
            "tokens_per_sentence": 2.25,
            "lengths": {"0%": 1, "1%": 1, "25%": 1, "50%": 2, "75%": 2, "99%": 4, "100%": 4},
            "unknown_share": 0.111111,
            "single_character_share": 0.444444,  # ▁a three times, b once
            "vocabulary_coverage": 0.666667,
            "distinct_sentences": 3,
            "frequent_pieces": {"▁a": 3, "▁the": 3},
        },
        "target": {
            "tokens": 8,
            "tokens_per_sentence": 2.0,
            "lengths": {"0%": 1, "1%": 1, "25%": 1, "50%": 1, "75%": 2, "99%": 4, "100%": 4},
            "unknown_share": 0.0,
            "single_character_share": 0.25,
            "vocabulary_coverage": 0.5,
            "distinct_sentences": 3,
            "frequent_pieces": {"▁the": 3, "..": 3},
        },
        "target_to_source_ratio": {
            "0%": 0.25,
            "1%": 0.25,
            "25%": 0.25,
            "50%": 0.5,
            "75%": 1.0,
            "99%": 4.0,
            "100%": 4.0,
        },
    }


def test_figures_of_no_pairs():
    found = report({}, TABLES, StatisticsConfig())
    assert found["origins"] == {}
    assert (found["all"]["pairs"], found["all"]["distinct_pairs"]) == (0, 0)
    assert (found["all"]["source"]["lengths"], found["all"]["target_to_source_ratio"]) == ({}, {})
    assert found["all"]["source"]["frequent_pieces"] == {}


def test_estimates_do_not_exceed_what_there_is():
    rows = [[4 + place % 6, 4 + place // 6 % 6, 4 + place // 36 % 6, *[4] * (place // 216)] for place in range(50_000)]
    generation = {"all": summary_of(rows, rows)}
    assert generation["all"].distinct.Estimate() > 50_000  # the sketch's estimate of these pairs
    assert report(generation, TABLES, StatisticsConfig())["all"]["distinct_pairs"] == 50_000


def test_frequent_pieces_of_the_same_count_come_in_the_order_of_the_vocabulary():
    assert frequent(np.array([1, 3, 0, 3, 2]), "abcde", 3) == {"b": 3, "d": 3, "e": 2}
    assert frequent(np.array([0, 0, 2]), "abc", 3) == {"c": 2}


def test_sides_without_a_common_vocabulary_are_compared_by_their_characters():
    other = ("<pad>", "<unk>", "<s>", "</s>", "ba", "é")
    tables = PieceTables(TABLE, PieceTable(other, np.array([is_single_character(text) for text in other])))
    assert tables.sizes == (10, 6)
    assert tables.alphabet[tables.alphabet.index("a") :][:2] == ["a", "b"]
    source, target = tables.comparable(np.array([0, 2, 0, 0, 5, 0, 7, 1, 0, 0]), np.array([0, 1, 0, 0, 3, 4]))
    places = {character: place for place, character in enumerate(tables.alphabet, start=1)}
    assert (source[0], target[0]) == (2, 1)
    assert {character: source[place] for character, place in places.items() if source[place]} == {
        "a": 5,
        "b": 7,
        "▁": 6,
    }
    assert {character: target[place] for character, place in places.items() if target[place]} == {
        "a": 3,
        "b": 3,
        "é": 4,
    }
    shared = np.array([1]), np.array([2])
    assert TABLES.comparable(*shared) == shared


def test_pieces_of_a_vocabulary():
    vocabulary = Vocabulary(train_vocabulary(VocabularyConfig(size=16), ["ab ab abc", "cb ab"]))
    table = PieceTable.of(vocabulary)
    assert len(table.texts) == vocabulary.size == 16
    single = {text for text, is_single in zip(table.texts, table.are_single_characters, strict=True) if is_single}
    assert single >= {"a", "b", "c"}
    assert not single & {"▁", "<unk>", "▁ab", "</s>"}


def test_a_night_warns_before_it_stops():
    config = StatisticsConfig()
    for measure in MEANINGS:
        assert 0 < getattr(config.warn, measure) < getattr(config.stop, measure) <= 1


def test_limits_are_shares():
    with pytest.raises(ValueError, match="less than or equal to 1"):
        StatisticsConfig(stop={"pieces": 1.5})
    assert StatisticsConfig(stop={"pieces": 0.9}).stop.unknown_share == 0.1


def test_distances_say_whether_they_are_over_their_limits():
    distances = (Distance("pieces", "source", 0.31234, 0.1), Distance("pieces", "target", 0.29, 0.1))
    comparison = Comparison("web", 600, 900, distances, {"source": ("▁a",), "target": ()})
    common = {"measure": "pieces", "by_chance": 0.1, "warn_above": 0.2}
    assert drift_report([comparison], StatisticsConfig()) == [
        {
            "origin": "web",
            "pairs": 600,
            "pairs_before": 900,
            "distances": [
                {**common, "side": "source", "value": 0.3123, "is_over": True},
                {**common, "side": "target", "value": 0.29, "is_over": False},
            ],
            "risen_pieces": {"source": ["▁a"], "target": []},
        }
    ]
