"""The parts of the report that look closer at BLEU: by the length of the source, and of disturbed sources."""

from collections.abc import Iterator, Sequence
from typing import Final

from model.report.charts import bar
from model.report.content import Bucket, Content, Robustness
from model.report.markup import Html, element, join, number, section, table
from model.report.words import difference

MOST: Final = 100.0  # BLEU


def by_length(content: Content) -> Html:
    """BLEU by the length of the source."""
    if not content.buckets:
        return Html()
    is_compared = any(bucket.theirs is not None for bucket in content.buckets)
    heads = ["words", "sentences", f"version {content.version.number}"]
    heads += [f"version {content.decision.champion}"] if is_compared else []
    rows = [bucket_row(bucket, is_compared=is_compared) for bucket in content.buckets]
    about = f"The {content.deciding} set by the number of words in the source. Few sentences make a BLEU unsure."
    return section("BLEU by length", element("p", about, class_="quiet"), table([*heads, ""], rows))


def bucket_row(bucket: Bucket, *, is_compared: bool) -> list[Html]:
    """One length."""
    row = [number(bucket.words.replace("-", "–")), number(f"{bucket.sentences:,}"), number(f"{bucket.ours:.1f}")]
    bars = [bar(bucket.ours / MOST)]
    if is_compared:
        row.append(number("–" if bucket.theirs is None else f"{bucket.theirs:.1f}"))
        bars += [] if bucket.theirs is None else [bar(bucket.theirs / MOST, "theirs")]
    return [*row, element("td", *bars, class_="drawn")]


def disturbed(robustness: Sequence[Robustness]) -> Html:
    """What disturbed sources do to BLEU; nothing where it was not measured."""
    return section("Robustness", *(join(disturbed_set(one)) for one in robustness))


def disturbed_set(given: Robustness) -> Iterator[Html]:
    """One set."""
    asked = f"{given.sentences:,} sentences of {given.set}, disturbed in one way at a time"
    about = f"{asked}. As they are their BLEU is {given.bleu:.2f}."
    yield element("p", about, class_="quiet")
    rows = [
        [one.name, number(f"{one.changed:,}"), number(f"{one.bleu:.2f}"), number(difference(-one.fall, 2))]
        for one in given.disturbances
    ]
    yield table(["disturbance", "changed", "BLEU", "difference"], rows)
