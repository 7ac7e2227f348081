import doctest

import pytest

from pipeline import cleaning, keys, normalization
from pipeline.rules import anchors, both_sides, language_id, languages, one_side, quantities
from pipeline.rules.anchors import emails, placeholders, urls
from pipeline.rules.both_sides import PAIR_RULES, count_sentences, deviation, kind_of_ending
from pipeline.rules.languages import language
from pipeline.rules.one_side import SIDE_RULES
from pipeline.rules.parameters import RuleConfig, Side
from pipeline.rules.quantities import are_different, roman


def reasons(text, label="en", **config):
    answers = [rule(RuleConfig(**config), Side(text, language(label))) for rule in SIDE_RULES]
    return [reason for reason in answers if reason]


def disagreements(source, target, labels=("en", "de"), **config):
    sides = Side(source, language(labels[0])), Side(target, language(labels[1]))
    return [reason for rule in PAIR_RULES if (reason := rule(RuleConfig(**config), *sides))]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Light rain in the evening.", "en"),
        ("Oui.", "fr"),
        ("Дождь, 12 мм", "ru"),
        ("दिन भर हल्की बारिश", "hi"),
        ("夕方から小雨が降るでしょう。", "ja"),
        ("ฝนตกเล็กน้อยในตอนเย็น", "th"),
        ("See https://www.example.org/a/very/long/path/that/goes/on/and/on/and/on/and/on/index.html", "en"),
        ("very very very very good", "en"),
        ("Kiša pada. Киша пада.", "sr"),
        ("在Windows上安装Python", "zh"),  # a Chinese letter counts for three Latin ones
        ("ab12", "x-frames"),
        ("我们在花园里看到的是孩子们" * 4, "source"),  # one long word, but of a script without spaces
    ],
)
def test_sides_that_pass(text, label):
    assert reasons(text, label) == []


@pytest.mark.parametrize(
    ("text", "label", "reason"),
    [
        ("Light\x00rain.", "en", "control_characters"),
        ("Gr\ufffd\ufffde aus Wien", "de", "lost_characters"),
        ("wort " * 200 + "ende", "de", "too_long"),
        ("x " * 501, "en", "too_long"),
        ("雨が降る" * 101, "ja", "too_long"),  # 404 characters count as 202 words
        ("a" * 61, "en", "long_word"),
        ("Donaudampfschifffahrtsgesellschaft" * 2, "de", "long_word"),
        ("12:30 --- 14:45 de", "en", "few_letters"),
        ("१२:३० --- १४:४५ है", "hi", "few_letters"),
        ("Дождь вечером", "en", "wrong_script"),
        ("Light rain", "ru", "wrong_script"),
        ("Light rain", "zh", "wrong_script"),
        ("こんにちは", "zh", "wrong_script"),
        ("Βροχή", "sr-Cyrl", "wrong_script"),
        ("no no no no no", "en", "repeated_words"),
        ("20 Bilder 20 Bilder 20 Bilder 20 Bilder 20 Bilder", "de", "repeated_words"),
        ("哈哈" * 8, "zh", "repeated_words"),
    ],
)
def test_sides_that_do_not(text, label, reason):
    assert reason in reasons(text, label)


def test_an_empty_side_is_only_judged_as_such():
    assert SIDE_RULES[0](RuleConfig(), Side(" ", language("en"))) == "empty"


@pytest.mark.parametrize(
    ("text", "label", "config", "reason"),
    [
        ("one two", "en", {"min_words": 3}, "too_short"),
        ("東京都", "ja", {"min_words": 3}, "too_short"),
        ("東京都に住む", "ja", {"min_words": 3}, None),
        ("abc", "en", {"min_characters": 4}, "too_short"),
        ("one two three", "en", {"max_words": 2}, "too_long"),
        ("abcdef", "en", {"max_characters": 5}, "too_long"),
        ("abcdef", "en", {"max_word_characters": 5}, "long_word"),
        ("abc 123", "en", {"min_letters": 0.6}, "few_letters"),
        ("Это a word", "ru", {"min_script": 0.2}, None),
        ("Это a word", "ru", {"min_script": 0.6}, "wrong_script"),
        ("so so so", "en", {"max_repeats": 2}, "repeated_words"),
        ("so so so so so so", "en", {"max_repeats": 0}, None),
        ("哈哈哈哈哈哈哈哈哈哈哈哈", "zh", {"max_repeats": 0}, None),
    ],
)
def test_parameters_of_one_side(text, label, config, reason):
    assert reasons(text, label, **config) == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("source", "target", "labels"),
    [
        ("Light rain in the evening.", "Leichter Regen am Abend.", ("en", "de")),
        ("Rooms from 1,914.00 €", "Zimmer ab 1 914,00 €", ("en", "de")),
        ("How old are you?", "Πόσο χρονών είσαι;", ("en", "el")),
        ("How old are you?", "کم عمر هستی؟", ("en", "fa")),
        ("It will rain in the evening.", "傍晚有雨。", ("en", "zh")),
        ("Is this your new book?", "これはあなたの新しい本ですか。", ("en", "ja")),
        ("So this is your new book.", "これがあなたの新しい本ですか。", ("en", "ja")),
        ("What do you want today?", "Ի՞նչ ես ուզում այսօր։", ("en", "hy")),
        ("See http://a.example.com/ for version 2.0", "请看http://a.example.com，其中有版本2.0的说明", ("en", "zh")),
        ("See http://www.example.org/en/ now", "Siehe http://www.example.de/ jetzt", ("en", "de")),
        ("Write to info@example.com.", "Schreiben Sie an info@example.de.", ("en", "de")),
        ("Deleted %d of {total} files", "{total} Dateien, davon %d gelöscht", ("en", "de")),
        ("Up to 20% of all", "Bis 20% davon aller", ("en", "de")),
        ("Hotel Condado de Miranda in Porto", "Das Hotel Condado de Miranda in Porto", ("en", "de")),
        ("o gato preto dorme na cama", "o gato preto dorme na cama branca", ("pt", "gl")),  # kin share words
        ("a b c", "A. b. c", ("source", "target")),
        ("No.", "x " * 90 + "x", ("source", "target")),
    ],
)
def test_sides_that_agree(source, target, labels):
    assert disagreements(source, target, labels) == []


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("Paris", "Paris", "identical"),
        ("No.", "x" * 400, "length_ratio"),
        ("The house is small.", "Das Haus ist klein, " + "aber der Garten ist groß und schön " * 4, "length_deviation"),
        (
            "Trains leave on time every morning from here.",
            "Züge fahren jeden Morgen pünktlich los und weiter. Die Fahrt in die Stadt dauert zwei Stunden.",
            "other_sentences",
        ),
        ("Are you there?", "Sie sind dort.", "ending_differs"),
        ("雨ですか？", "Es regnet.", "ending_differs"),
        ("The following files are there:", "Die folgenden Dateien sind da.", "ending_differs"),
        ("Go to www.example.org today", "Gehen Sie heute hin", "urls_differ"),
        ("Ask me@example.org about it", "Fragen Sie me@beispiel.de danach", "emails_differ"),
        ("Hello {name}", "Hallo {nome}", "placeholders_differ"),
        ("%d files", "%s Dateien", "placeholders_differ"),
        ("Press <key1> now", "Drücken Sie jetzt", "placeholders_differ"),
        ("Users in chat 7", "Nutzer im Chat 6", "numbers_differ"),
        ("Keywords dioxin; fly ash; indicators", "Schlagwörter dioxin; fly ash; indicators", "copied"),
    ],
)
def test_sides_that_do_not_agree(source, target, reason):
    found = disagreements(source, target)
    assert reason in found
    assert found == [reason] or reason == "length_ratio"


@pytest.mark.parametrize(
    ("source", "target", "config"),
    [
        ("Paris", "Paris", {"allow_identical": True}),
        ("Oh", "x" * 400, {"max_ratio": 100, "max_deviation": 0, "max_deviation_unlike": 0}),
        ("Trains go.", "Die Bahn ist da. " * 5, {"max_deviation": 0, "max_deviation_unlike": 0}),
        ("Are you there?", "Sie sind dort.", {"same_ending": "off"}),
        ("Go to www.example.org today", "Gehen Sie heute hin", {"same_urls": False}),
        ("Ask me@example.org about it", "Fragen Sie me@beispiel.de danach", {"same_emails": False}),
        ("%d files", "%s Dateien", {"same_placeholders": False}),
        ("Users in chat 7", "Nutzer im Chat 6", {"same_numbers": False}),
        ("Keywords dioxin; fly ash; indicators", "Schlagwörter dioxin; fly ash; indicators", {"max_copied": 1}),
    ],
)
def test_each_rule_about_both_sides_has_a_switch(source, target, config):
    assert disagreements(source, target) != []
    assert disagreements(source, target, **config) == []


def test_a_missing_mark_at_the_end_counts_on_request():
    assert disagreements("Add to cart.", "In den Warenkorb") == []
    assert disagreements("Add to cart.", "In den Warenkorb", same_ending="strict") == ["ending_differs"]
    assert disagreements("„Ja.“", "Yes.", same_ending="strict") == []


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("no numbers", "keine Zahlen"),
        ("1,914.00 €", "1.914,00 €"),
        ("1 234 567", "1234567"),
        ("3:00 p.m.", "15.00 Uhr"),
        ("10:30 pm", "22:30"),
        ("in 1998", "im Jahr '98"),
        ("the 19th century", "XIX век"),
        ("120,000 people", "12万人"),
        ("2 dogs", "zwei Hunde"),
        ("12 May", "十二日"),
        ("25 years", "二十五年"),
        ("Page 05", "Seite 5"),
        ("120 m²", "120 m2"),
        ("11/26/2017", "26. November 2017"),
        ("25 km", "२५ किमी"),
        ("30.00 €", "30 €"),
        ("wei3 chi1", "喂吃"),
        ("1,500,000 people", "1,5 million de personnes"),
        ("2.5 million", "2 500 000"),
        ("12 million people", "1200万人"),
        ("1.5 million people", "150만 명"),
        ("150,000 books", "1.5 लाख पुस्तकें"),
        ("December 3, 2017", "2017年12月3日"),
        ("October 3, 2017", "2017년 10월 3일"),
        ("December 13, 1987", "ngày 13 tháng 12 năm 1987"),
        ("November 3, 2018", "3. 11. 2018"),
        ("13 September 1987", "13 กันยายน 2530"),
    ],
)
def test_numbers_that_are_the_same(source, target):
    assert not are_different(source, target)
    assert not are_different(target, source)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("956.00€", "30.00€"),
        ("Users: 7", "Nutzer: 6"),
        ("10. April 2013", "27. Juli 2013"),
        ("In 2016 it rose", "Es stieg"),
        ("4x A2", "5x A2"),
        ("25 km", "२६ किमी"),
        ("the 20th century", "XIX век"),
        ("14:00", "15 p.m."),
        ("battery NJ1020", "Batterie NL2020"),
        ("1.5 million", "1 600 000"),
        ("15 people", "150 Leute"),
        ("13 September 1987", "13 กันยายน 2531"),
    ],
)
def test_numbers_that_differ(source, target):
    assert are_different(source, target)
    assert are_different(target, source)


def test_roman_numerals():
    assert [roman(numeral) for numeral in ("I", "IV", "XIX", "MCMXCVIII")] == [1, 4, 19, 1998]


def test_anchors():
    assert urls("HTTPS://User.Example.co.uk:80/x, www.test.org.") == ["example", "test"]
    assert urls("no link, a.b") == []
    assert emails("a.b+c@mail.example.org; @handle") == ["example"]
    assert placeholders("%1$s %(name)s ${x} {{y}} <g id='1'/> 100 %s 5%d'eau") == [
        "${x}",
        "%(name)s",
        "%1$s",
        "<g",
        "{{y}}",
    ]


def test_deviation_is_symmetric_and_knows_dense_scripts():
    english, german, chinese = language("en"), language("de"), language("zh")
    assert deviation(100, 150, english, german) == pytest.approx(1.28274, abs=1e-5)
    assert deviation(150, 100, german, english) == deviation(100, 150, english, german)
    assert deviation(100, 30, english, chinese) == 0
    assert deviation(100, 30, english, german) > 3


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", 1),
        ("No mark", 1),
        ("It rains. It pours!", 2),
        ("Mr. X, e.g. here, met her.", 1),
        ("雨。雪！", 2),
        ("Ok? Ok.", 1),
        ("What?????????????????????? It rains!", 2),
    ],
)
def test_sentences_are_counted_by_their_ends(text, sentences):
    assert count_sentences(text) == sentences


@pytest.mark.parametrize(
    ("text", "label", "kind"),
    [
        ("Ja.", "de", "statement"),
        ("「はい。」", "ja", "statement"),
        ("हाँ।", "hi", "statement"),
        ("Ναι;", "el", "question"),
        ("Ի՞նչ։", "hy", "question"),
        ("Ի՞նչ։ Այո։", "hy", "statement"),
        ("本ですか。", "ja", ""),
        ("本ですか？", "ja", "question"),
        ("本です。", "ja", "statement"),
        ("and so on;", "en", "list"),
        ("Wait...", "en", "unfinished"),
        ("Wait…", "en", "unfinished"),
        ("Title", "en", ""),
        ("", "en", ""),
    ],
)
def test_kinds_of_endings(text, label, kind):
    assert kind_of_ending(text, language(label)) == kind


@pytest.mark.parametrize(
    "module", [both_sides, anchors, cleaning, keys, language_id, languages, normalization, quantities, one_side]
)
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0
