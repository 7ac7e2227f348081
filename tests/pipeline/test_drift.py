"""Distances known by hand, and alarms on real text: the weather, and captions and help pages where those are there."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.build_vocabulary import learn
from pipeline.drift import (
    Comparison,
    Distance,
    StopLimits,
    WarnLimits,
    compare,
    distances_between,
    divergence,
    divergence_by_chance,
    largest_difference,
    risen_pieces,
)
from pipeline.piece_table import PieceTable, PieceTables
from pipeline.readers.weather import weather_pairs
from pipeline.records import SentencePair
from pipeline.summaries import SideSummary, Sizes, Summary
from pipeline.vocabulary import VocabularyConfig

DATA = Path(os.environ.get("NIGHTSHIFT_DATA", Path(__file__).parents[3] / "shared/data"))


def weather_in(language, number=2500, seed=1):
    pairs = list(weather_pairs("en", language, number, seed=seed))
    return [pair.source for pair in pairs], [pair.target for pair in pairs]


def real_text(name):
    files = [DATA / name / f"train.{language}" for language in ("en", "de")]
    if not all(file.exists() for file in files):
        pytest.skip(f"{files[0].parent} is missing; NIGHTSHIFT_DATA names the folder above it")
    return tuple(file.read_text(encoding="utf-8").splitlines() for file in files)


class Text:
    """A vocabulary or two, and summaries of text made with them."""

    def __init__(self, size, source, target, *, separate=False):
        config = VocabularyConfig(size=size, character_coverage=1.0, separate=separate)
        self.vocabularies = learn(config, list(map(SentencePair, source, target)))
        self.tables = PieceTables.of(self.vocabularies)

    def summary(self, source, target):
        made = Summary.of_nothing(self.tables.sizes)
        source, target = self.vocabularies.source.encode(list(source)), self.vocabularies.target.encode(list(target))
        columns = [pa.array(side, pa.large_list(pa.int64())) for side in (source, target)]
        made.add(pa.RecordBatch.from_arrays(columns, names=["source", "target"]))
        return made

    def alarms(self, new, before, limits):
        (comparison,) = compare({"x": new}, {"x": before}, self.tables, min_pairs=1)
        return {(found.measure, found.side) for found in comparison.over(limits)}


@pytest.fixture(scope="module", params=[False, True], ids=["shared", "separate"])
def weather(request):
    """Weather in English and French, and its vocabulary or vocabularies."""
    source, target = weather_in("fr")
    return Text(300, source, target, separate=request.param), source, target


@pytest.fixture(scope="module", params=[False, True], ids=["shared", "separate"])
def captions(request):
    """Captions in English and German, in an order of chance, and a vocabulary or two of half of them."""
    order = np.random.default_rng(0).permutation(12_000)
    source, target = ([side[row] for row in order] for side in real_text("multi30k"))
    return Text(3000, source[:6000], target[:6000], separate=request.param), source, target


@pytest.fixture(scope="module")
def captions_before(captions):
    """A summary of half of the captions."""
    text, source, target = captions
    return text.summary(source[:6000], target[:6000])


def part(source, target, first, last):
    return source[first:last], target[first:last]


def test_divergence_by_hand():
    assert divergence(np.array([1, 1]), np.array([4, 0])) == pytest.approx(0.311278, abs=1e-6)
    assert divergence(np.array([4, 0]), np.array([1, 1])) == pytest.approx(0.311278, abs=1e-6)
    assert divergence(np.array([3, 0, 0]), np.array([0, 2, 2])) == pytest.approx(1)


def test_largest_difference_by_hand():
    assert largest_difference(np.array([2, 2, 0]), np.array([1, 0, 3])) == 0.75
    assert largest_difference(np.array([1, 2]), np.array([50, 100])) == 0


def test_divergence_by_chance_falls_with_the_sample_and_is_always_the_same():
    shares = 1 / np.arange(1, 2001)
    before = (1e6 * shares).astype(np.int64)
    by_chance = [divergence_by_chance((size * shares).astype(np.int64), before) for size in (50, 500, 5000, 50_000)]
    assert all(small > 2 * large for small, large in pairwise(by_chance))
    assert divergence_by_chance((50 * shares).astype(np.int64), before) == by_chance[0]


def test_shares_differ_by_their_difference():
    def side(*pieces):
        return SideSummary(np.array(pieces))

    table = PieceTable(("<pad>", "<unk>", "<s>", "</s>", "a", "bc"), np.array([False] * 4 + [True, False]))
    new, before = Summary.of_nothing(Sizes(6, 6)), Summary.of_nothing(Sizes(6, 6))
    for summary, source in ((new, side(0, 10, 0, 0, 20, 70)), (before, side(0, 20, 0, 0, 100, 280))):
        summary.source, summary.target, summary.pairs = source, side(0, 0, 0, 0, 1, 9), 100
        for histogram in (summary.source.lengths, summary.target.lengths, summary.ratios):
            histogram[4] = 100
    found = {
        (distance.measure, distance.side): distance
        for distance in distances_between(new, before, PieceTables(table, table))
    }
    assert found["unknown_share", "source"].value == pytest.approx(10 / 100 - 20 / 400)
    assert found["single_character_share", "source"].value == pytest.approx(100 / 400 - 20 / 100)
    assert found["unknown_share", "target"].value == found["single_character_share", "target"].value == 0
    # 3.29 standard deviations of the difference between two means of 100 draws each
    assert found["unknown_share", "source"].by_chance == pytest.approx(3.29 * np.sqrt(0.06 * 0.94 / 50))
    assert found["lengths", "source"].by_chance == pytest.approx(1.95 * np.sqrt(1 / 50))


def test_risen_pieces_come_in_the_order_of_what_they_add():
    new, before = SideSummary(np.array([5, 60, 25, 10])), SideSummary(np.array([65, 10, 15, 10]))
    assert risen_pieces(new, before, "abcd") == ("b", "c")
    assert risen_pieces(before, before, "abcd") == ()


def test_only_what_is_beyond_chance_is_over_a_limit():
    distances = (Distance("pieces", "source", 0.5, 0.31), Distance("pieces", "target", 0.5, 0.29))
    comparison = Comparison("", 100, 100, distances, {})
    assert comparison.over(WarnLimits(pieces=0.2)) == [distances[1]]
    assert comparison.over(WarnLimits(pieces=1)) == []


def test_random_parts_of_one_text_raise_no_alarm(weather):
    text, source, target = weather
    before = text.summary(*part(source, target, 0, 1000))
    for first, last in pairwise((1000, 1020, 1070, 1200, 1600, 2500)):
        new = text.summary(*part(source, target, first, last))
        assert text.alarms(new, before, WarnLimits()) == set(), (first, last)


def test_swapped_sides_stop(weather):
    text, source, target = weather
    before = text.summary(*part(source, target, 0, 1000))
    swapped = text.summary(*part(target, source, 1000, 1300))
    assert ("swapped_sides", "") in text.alarms(swapped, before, StopLimits())


def test_another_language_stops(weather):
    text, source, target = weather
    before = text.summary(source, target)
    german = text.summary(*weather_in("de", 500))
    assert text.alarms(german, before, StopLimits()) == {("pieces", "target")}
    assert ("single_character_share", "target") in text.alarms(german, before, WarnLimits())
    assert not {side for _, side in text.alarms(german, before, WarnLimits())} & {"source"}


def test_random_parts_of_captions_raise_no_alarm(captions, captions_before):
    text, source, target = captions
    for first, last in pairwise((6000, 6025, 6100, 6300, 7000, 8500, 12_000)):
        new = text.summary(*part(source, target, first, last))
        assert text.alarms(new, captions_before, WarnLimits()) == set(), (first, last)


def test_a_small_sample_is_far_away_by_chance_alone(captions, captions_before):
    text, source, target = captions
    new = text.summary(*part(source, target, 6000, 6050))
    pieces = next(distances_between(new, captions_before, text.tables))
    assert pieces.value > WarnLimits().pieces
    assert pieces.by_chance > 0.9 * pieces.value


def test_another_domain_warns_and_does_not_stop(captions, captions_before):
    text, *_ = captions
    new = text.summary(*part(*real_text("libreoffice-help"), 0, 1000))
    warned = text.alarms(new, captions_before, WarnLimits())
    assert {("pieces", "source"), ("pieces", "target"), ("lengths", "source")} <= warned
    assert ("swapped_sides", "") not in warned
    assert text.alarms(new, captions_before, StopLimits()) == set()


def test_swapped_sides_of_another_domain_stop(captions, captions_before):
    text, *_ = captions
    english, german = real_text("libreoffice-help")
    new = text.summary(german[:1000], english[:1000])
    assert ("swapped_sides", "") in text.alarms(new, captions_before, WarnLimits())
    # Beside a vocabulary of its own the text of the other side is further away than the sides' characters are.
    stops = {("pieces", "source"), ("pieces", "target")} if text.vocabularies.source_size else {("swapped_sides", "")}
    assert stops <= text.alarms(new, captions_before, StopLimits())


def test_sides_that_slipped_by_a_line_warn_by_their_ratio(captions, captions_before):
    text, source, target = captions
    new = text.summary(source[6000:9000], target[6001:9001])
    assert text.alarms(new, captions_before, WarnLimits()) == {("ratio", "")}


def test_too_few_pairs_are_not_compared(weather):
    text, source, target = weather
    many, few = text.summary(source[:600], target[:600]), text.summary(target[600:699], source[600:699])
    for new, before in ((few, many), (many, few), (Summary.of_nothing(text.tables.sizes), many)):
        (comparison,) = compare({"x": new}, {"x": before}, text.tables, min_pairs=100)
        assert (comparison.pairs, comparison.pairs_before) == (new.pairs, before.pairs)
        assert (comparison.distances, comparison.risen) == ((), {})


def test_the_first_generation_has_nothing_to_be_compared_with(weather):
    text, source, target = weather
    assert compare({"x": text.summary(source, target)}, {}, text.tables, 1) == []


def test_an_origin_is_compared_with_its_own_past(weather):
    text, source, target = weather
    good, swapped = text.summary(source[:1000], target[:1000]), text.summary(target[:1000], source[:1000])
    chain = {"news": good, "odd": swapped}
    found = compare({"odd": swapped, "new": good}, chain, text.tables, 1)
    assert [(each.origin, each.pairs, each.pairs_before) for each in found] == [
        ("", 2000, 2000),
        ("odd", 1000, 1000),
        ("new", 1000, 2000),
    ]
    assert {distance.value for distance in found[1].distances if distance.measure != "swapped_sides"} == {0}
    assert found[2].distances[0].value > 0.1
    alone = compare({"new": good}, chain, text.tables, 1)
    assert [each.origin for each in alone] == [""]
