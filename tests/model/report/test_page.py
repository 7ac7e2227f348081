"""The page: what is on it, in which order, and what it makes of parts that are not there and of hostile text."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from model.decision import Decision
from model.report.content import Content, Data, Funnel, Training
from model.report.page import render

TITLES = ["Scores against the champion", "BLEU by length", "Samples", "Robustness", "Data", "Generations"]
TITLES += ["Statistics and drift", "Training", "Attention", "Lineage"]


class Elements(HTMLParser):
    """Counts the elements of a page, and reads its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"


def titles(page: str) -> list[str]:
    """The parts of the page."""
    return re.findall(r"<h2>([^<]*)</h2>", page)


def test_the_page_has_its_parts_in_order_and_every_element_ends(content: Content) -> None:
    page = render(content)
    read = Elements(page)

    assert titles(page) == TITLES
    assert read.open == []
    assert page.startswith('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">')
    assert "<title>weather-en-ar, version 3</title>" in page
    assert render(content) == page


def test_hostile_text_stays_text(content: Content) -> None:
    read = Elements(render(content))

    tags = {tag for tag, _ in read.found}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "form", "a", "base"})
    assert not [name for _, attributes in read.found for name in attributes if name.startswith("on") or name == "style"]
    assert [attributes["src"][:22] for tag, attributes in read.found if tag == "img"] == ["data:image/png;base64,"] * 2  # type: ignore[index]
    assert read.text.count("<script>document.title = 'taken'</script>") == 5  # sample, reject, two origins, source


def test_the_policy_lets_nothing_in_but_the_style_and_the_pictures_inside(content: Content) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', render(content)).group(1)  # type: ignore[union-attr]

    assert re.fullmatch(
        r"default-src &#x27;none&#x27;; style-src &#x27;sha256-[\w+/]{43}=&#x27;; img-src data:; "
        r"base-uri &#x27;none&#x27;; form-action &#x27;none&#x27;",
        policy,
    )


def test_scores_stand_beside_the_champions_the_deciding_set_first(content: Content) -> None:
    rows = re.findall(r"<tr>(.*?)</tr>", render(content).partition("<h2>BLEU by length")[0])
    texts = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]

    assert texts == [
        "set metric version 3 version 2 difference p 95 % confidence",
        "test 1,000 sentences BLEU 61.50 ± 1.20 60.00 ± 1.25 +1.50 0.200",
        "chrF 80.00 ± 0.70 80.50 ± 0.75 −0.50",
        "TER ↓ 30.00 31.00 −1.00",
        "dev 400 sentences BLEU 62.00 ± 1.50 –",
        "metric signature",
        "BLEU nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0",
        "TER ter|nrefs:1",
        "chrF chrF2|nrefs:1",
        "set loss empty",
        "test version 3 0.432 1.2%",
        "test version 2 – 0.0%",
    ]


@pytest.mark.parametrize(
    ("decision", "headline"),
    [
        (Decision(is_promoted=True, reason="r", champion=2), "Version 3 was promoted: it takes over from version 2."),
        (Decision(is_promoted=True, reason="r"), "Version 3 was promoted: it is the first champion."),
        (Decision(is_promoted=False, reason="r", champion=2), "Version 3 was not promoted: version 2 stays champion."),
        (Decision(is_promoted=False, reason="r"), "Version 3 was not promoted: there is no champion."),
    ],
)
def test_the_headline_says_what_happened(content: Content, decision: Decision, headline: str) -> None:
    assert f"<h1>{headline}</h1>" in render(replace(content, decision=decision))


def test_reasons_are_listed_where_there_are_several(content: Content) -> None:
    page = render(content)
    single = replace(content, decision=content.decision.model_copy(update={"reasons": content.decision.reasons[:1]}))

    assert '<p class="lead">P 0.200 may be chance.</p>' in page
    assert '<li><span class="sign good">✓</span>gain: BLEU 61.50 against 60.00</li>' in page
    assert '<li><span class="sign bad">✗</span>significance: p 0.200</li>' in page
    assert '<ul class="reasons">' not in render(single)


def test_samples_show_all_texts_with_their_differences(content: Content) -> None:
    page = render(content)

    assert (
        '<dt>reference</dt><dd><bdi lang="ar">مطر حتى <u>المساء</u></bdi></dd>'
        '<dt>version 3</dt><dd><bdi lang="ar">مطر حتى <mark>الصباح</mark></bdi><span class="quiet"> 70.0</span></dd>'
        '<dt>version 2</dt><dd><bdi lang="ar"><mark>ثلج</mark></bdi><span class="quiet"> 10.5</span></dd>'
    ) in page
    assert '<dt>version 3</dt><dd><span class="quiet">(nothing)</span><span class="quiet"> 0.0</span></dd>' in page
    assert "<h3>gained most, +59.5</h3>" in page


def test_the_funnel_adds_up(content: Content) -> None:
    rows = re.findall(r"<tr>(.*?)</tr>", render(content).partition("<h2>Data</h2>")[2].partition("<details>")[0])
    texts = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows[1:]]

    assert texts == [
        "read 1,200 100.0%",
        "too long −100 8.3%",
        "held out, or shares a sentence with what is −60 5.0%",
        "kept to learn from 1,040 86.7%",
    ]


def test_a_few_of_many_are_more_than_nothing(content: Content) -> None:
    funnel = replace(content.data.funnel, read=100_000, rejected={"too_long": 1, "copied": 50})
    page = render(replace(content, data=replace(content.data, funnel=funnel)))

    assert "&lt;0.1%" in page.partition("too long")[2].partition("</tr>")[0]
    assert ">0.1%" in page.partition("copied")[2].partition("</tr>")[0]


def test_what_may_hold_a_key_is_not_shown(content: Content) -> None:
    page = render(content)

    assert "secret" not in page
    assert "Configuration of train" in page


FIRST = {"decision": Decision(is_promoted=True, reason="there was no champion")}
NO_DATA = {"data": Data(("en", "ar"), Funnel(0, {}, 0, 0, {}), [])}


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"lines": []}, set()),
        ({"buckets": []}, {"BLEU by length"}),
        ({"samples": []}, {"Samples"}),
        ({"robustness": []}, {"Robustness"}),
        ({"attention": []}, {"Attention"}),
        ({"training": Training({}, [])}, {"Training"}),
        (NO_DATA, {"Data", "Generations", "Statistics and drift"}),
    ],
)
def test_a_part_that_is_not_there_leaves_no_heading(
    parts: dict[str, Any], changes: dict[str, Any], gone: set[str]
) -> None:
    page = render(Content(**parts | changes))

    assert [title for title in TITLES if title not in gone] == titles(page)
    assert Elements(page).open == []


def test_the_first_night_has_no_second_column(parts: dict[str, Any]) -> None:
    alone = {
        "version": parts["version"].model_copy(update={"parent": None}),
        "lines": [replace(line, theirs=None, their_interval=None, p=None) for line in parts["lines"]],
        "buckets": [replace(bucket, theirs=None) for bucket in parts["buckets"]],
        "samples": [replace(sample, theirs=None, their_score=None) for sample in parts["samples"]],
    }

    page = render(Content(**parts | FIRST | alone))

    assert titles(page)[0] == "Scores"
    assert "version 2" not in page
    assert "version None" not in page
    assert '<td class="number">61.50 ± 1.20</td></tr>' in page
