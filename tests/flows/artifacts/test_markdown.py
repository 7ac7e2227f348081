import pytest

from flows.artifacts.keys import key_of
from flows.artifacts.markdown import fenced, plain, table, written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Light rain", "Light rain"),
        ("a | b", r"a \| b"),
        ("<img src=x onerror=alert(1)>", r"&lt;img src\=x onerror\=alert\(1\)&gt;"),
        ("&lt;b&gt;", r"&amp;lt\;b&amp;gt\;"),
        ("[click](javascript:alert(1))", r"\[click\]\(javascript\:alert\(1\)\)"),
        ("https://a.b", r"https\:<!-- -->\/\/a\.b"),
        ("WWW.a.b", r"WWW<!-- -->\.a\.b"),
        ("ada@a.b", r"ada\@<!-- -->a\.b"),
        ("`code` ``` $x$ ~~no~~", r"\`code\` \`\`\` \$x\$ \~\~no\~\~"),
        ("# one\n- two\r\n\t1. three", r"\# one \- two 1\. three"),
        ("backslash \\| pipe", r"backslash \\\| pipe"),
        ("雨から雪", "雨から雪"),
    ],
)
def test_what_people_write_means_only_itself(text, expected):
    assert plain(text) == expected


def test_text_keeps_its_direction_to_itself_and_emptiness_is_said():
    assert written("مطر") == '<span dir="auto">مطر</span>'
    assert written("\n") == "*(nothing)*"


def test_no_line_ends_a_fence():
    assert fenced("a\n```\nb") == "````\na\n```\nb\n````"
    assert fenced("a `b`") == "```\na `b`\n```"


def test_figures_stand_below_each_other():
    assert table(["set", "metric", "score"], [["test", "BLEU", "61.5"], ["dev", "chrF", "7.0"]], words=2) == (
        "| set | metric | score |\n|:--|:--|--:|\n| test | BLEU | 61.5 |\n| dev | chrF | 7.0 |"
    )


def test_keys_are_what_prefect_takes():
    assert key_of("weather-zh_TW-en", "train progress") == "weather-zh-tw-en-train-progress"
    assert key_of("_A_", "x") == "a-x"
