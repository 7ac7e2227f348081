"""The part of the report about sentences: samples side by side, and what they were written from."""

import base64
from collections.abc import Iterator, Sequence

from model.report.content import Content, Picture, Sample
from model.report.marks import marked
from model.report.markup import Html, element, section
from model.report.words import difference


def samples(content: Content) -> Html:
    """Sources, references and outputs below each other, with their differences marked."""
    about = [
        "Scores are chrF of the sentence",
        f", differences are to version {content.decision.champion}. " if content.decision.champion else ". ",
        element("mark", "Marked"),
        ": what the reference does not say. ",
        element("u", "Underlined"),
        f": what version {content.version.number} does not say.",
    ]
    shown = (article(one, content) for one in content.samples)
    return section("Samples", element("p", *about, class_="quiet"), *shown) if content.samples else Html()


def article(sample: Sample, content: Content) -> Html:
    """One sentence."""
    source, target = content.data.languages
    moved = ""
    if sample.their_score is not None:
        moved = f", {difference(sample.our_score - sample.their_score, 1)}"
    rows = [
        ("source", text(sample.source, source), None),
        ("reference", text(marked(sample.reference, sample.ours, as_="u"), target), None),
        (f"version {content.version.number}", output(sample.ours, sample, target), sample.our_score),
    ]
    if sample.theirs is not None:
        theirs = output(sample.theirs, sample, target)
        rows.append((f"version {content.decision.champion}", theirs, sample.their_score))
    return element(
        "article",
        element("h3", f"{sample.kind}{moved}"),
        element("dl", *(part for name, words, score in rows for part in row(name, words, score))),
    )


def output(words: str, sample: Sample, language: str) -> Html:
    """What a model said, with what the reference does not say."""
    return text(marked(words, sample.reference, as_="mark"), language)


def row(name: str, words: Html, score: float | None) -> Iterator[Html]:
    """One text with what it is, and its score if it has one."""
    yield element("dt", name)
    yield element("dd", words, None if score is None else element("span", f" {score:.1f}", class_="quiet"))


def text(words: Html | str, language: str) -> Html:
    """A sentence in its language and direction; one that is empty is said to be."""
    return element("bdi", words, lang=language) if words else element("span", "(nothing)", class_="quiet")


def attention(pictures: Sequence[Picture]) -> Html:
    """What translations were written from; nothing where the network has no attention, or no picture was drawn."""
    about = "A row is a piece of the output: the stronger a field, the more was taken from the source's piece above it."
    drawn = element("div", *map(figure, pictures), class_="pictures")
    return section("Attention", element("p", about, class_="quiet"), drawn) if pictures else Html()


def figure(picture: Picture) -> Html:
    """A picture with its caption, inside the page."""
    data = base64.b64encode(picture.png).decode()
    image = element("img", src=f"data:image/png;base64,{data}", alt=picture.caption)
    return element("figure", image, element("figcaption", picture.caption), class_="picture")
