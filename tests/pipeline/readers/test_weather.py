import pytest

from pipeline.errors import InputError
from pipeline.keys import side_key
from pipeline.readers.weather import distinct_conditions, renderer, weather_pairs
from pipeline.records import SentencePair


def test_an_expression_is_rendered_in_both_languages():
    expression = ["sentence", ["and", ["starting", "light-rain", "afternoon"], ["during", "fog", "night"]]]
    assert renderer("en")(expression) == "Light rain starting in the afternoon and foggy overnight."
    assert renderer("fr")(expression) == "Pluie faible commençant dans l’après-midi et brumeux dans la nuit."


def test_the_pairs_are_decided_by_the_seed():
    first = list(weather_pairs("en", "fr", 20, seed=1))
    assert first == list(weather_pairs("en", "fr", 20, seed=1))
    assert first != list(weather_pairs("en", "fr", 20, seed=2))
    assert first[1] == SentencePair(
        "Clear until afternoon, returning overnight.", "Ciel dégagé jusque dans l’après-midi, reprenant dans la nuit."
    )


@pytest.mark.parametrize("language", ["de", "ja", "sr", "zh-tw", "hi"])
def test_no_two_pairs_share_a_side(language):
    pairs = list(weather_pairs("en", language, 2000, seed=3))
    assert len({side_key(pair.source) for pair in pairs}) == len({side_key(pair.target) for pair in pairs}) == 2000


def test_conditions_worded_alike_are_taken_once():
    conditions = distinct_conditions(renderer("en"), renderer("fr"))
    words = [renderer("en")(condition) for condition in conditions]
    assert len(words) == len(set(words))
    assert "light-sleet" in conditions
    assert "very-light-sleet" not in conditions  # "light sleet" too


def test_an_unknown_language():
    with pytest.raises(InputError, match="corpus.target_language = klingon: expected one of ar, az"):
        next(weather_pairs("en", "klingon", 1, seed=1))


def test_more_pairs_than_the_grammar_has(monkeypatch):
    monkeypatch.setattr("pipeline.readers.weather.CONDITIONS", ("clear", "fog", "light-rain"))
    monkeypatch.setattr("pipeline.readers.weather.FORMS", ("for-day", "during"))
    monkeypatch.setattr("pipeline.readers.weather.ENOUGH_FAILURES", 100)
    with pytest.raises(InputError, match="expected at most [0-9,]+ pairs for en and fr"):
        list(weather_pairs("en", "fr", 1_000_000, seed=1))
