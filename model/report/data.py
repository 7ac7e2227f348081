"""The part of the report about the data: what was read and kept, what each night brought, how far it moved."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from model.report.charts import bar
from model.report.content import Data, Distance, Funnel, Generation
from model.report.markup import Html, element, folded, number, section, table, written
from model.report.sentences import figure
from model.report.words import digest, minute

FIGURES: Final = {  # of a side, by their names in the statistics; where sources are frames it has others
    "tokens": ("tokens", "{:,}"),
    "tokens_per_sentence": ("tokens a sentence", "{:.1f}"),
    "frames": ("frames", "{:,}"),
    "frames_per_sequence": ("frames a sequence", "{:.1f}"),
    "distinct_sentences": ("distinct sentences", "{:,}"),
    "distinct_sequences": ("distinct sequences", "{:,}"),
    "unknown_share": ("unknown tokens", "{:.3%}"),
    "vocabulary_coverage": ("vocabulary that occurs", "{:.1%}"),
}


def funnel(given: Funnel) -> Html:
    """What became of the pairs that were read."""
    if not given.read:
        return Html()
    rows = [("read", given.read, "ours")]
    rows += [(reason.replace("_", " "), count, "bad") for reason, count in given.rejected.items()]
    rows += [("held out, or shares a sentence with what is", given.held_out, "bad")] if given.held_out else []
    rows += [("kept to learn from", given.kept, "ours")]
    sets = ", ".join(f"{name} {count:,}" for name, count in given.sets.items())
    return section(
        "Data",
        table(
            ["pairs", "", "share", ""], [funnel_row(name, count, given.read, class_) for name, count, class_ in rows]
        ),
        element("p", f"Held out: {sets} pairs.", class_="quiet") if sets else None,
        folded("Some of the pairs that were left out", *rejects(given)) if given.samples else None,
    )


def funnel_row(name: str, count: int, read: int, class_: str) -> list[Html]:
    """One line of the funnel; what was left out stands with a minus."""
    sign = "−" if class_ == "bad" else ""
    share = count / read
    cells = [element("td", name), number(f"{sign}{count:,}"), number(percent(share))]
    return [*cells, element("td", bar(share, class_), class_="drawn")]


def percent(share: float) -> str:
    """A share, of which not a little is told as nothing.

    >>> percent(0.333), percent(0.0002), percent(0)
    ('33.3%', '<0.1%', '0.0%')
    """
    return "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def rejects(given: Funnel) -> Iterator[Html]:
    """Some pairs for each reason."""
    for reason, rows in given.samples.items():
        yield element("h3", reason.replace("_", " "))
        yield table(["source", "target", "origin"], [[written(text) for text in row] for row in rows])


def generations(data: Data) -> Html:
    """What each night brought; nothing where one brought it all, which the funnel says already."""
    if len(data.generations) < 2:
        return Html()
    heads = ["generation", "made", "read", "kept", "origins of what was kept", "digest"]
    return section("Generations", table(heads, [generation_row(one) for one in reversed(data.generations)]))


def generation_row(given: Generation) -> list[Html | str]:
    """One night."""
    origins = ", ".join(f"{name} {count:,}" for name, count in given.origins.items())
    return [
        number(given.number),
        minute(given.made),
        number(f"{given.read:,}"),
        number(f"{given.kept:,}"),
        written(origins),
        digest(given.digest),
    ]


def statistics(data: Data) -> Html:
    """Lengths and coverage of all pairs, and how far the newest are from those before."""
    parts = [figures(data.figures, data.languages) if data.figures else None]
    parts += [figure(data.lengths)] if data.lengths else []
    parts += [*drift(data.drift)] if data.drift else []
    return section("Statistics and drift" if data.drift else "Statistics", *parts)


def figures(given: Mapping[str, Any], languages: Sequence[str]) -> Html:
    """The sides beside each other."""
    sides = [given["source"], given["target"]]
    rows = [
        [name, *(number(style.format(side[key]) if key in side else "–") for side in sides)]
        for key, (name, style) in FIGURES.items()
        if any(key in side for side in sides)
    ]
    longest = (number(f"{side['lengths'].get('100%', 0):,}") for side in sides)
    rows.append(["longest", *longest])
    return table(
        ["", *(f"{name}, {language}" for name, language in zip(("source", "target"), languages, strict=True))], rows
    )


def drift(given: Sequence[Distance]) -> Iterator[Html]:
    """The distances that are above their limits, and all of them for those who want to know."""
    over = [one for one in given if one.is_over]
    said = (
        f"{len(over)} of {len(given)} distances are above their limits." if over else "no distance is above its limit."
    )
    yield element("p", f"The newest pairs against those before: {said}")
    heads = ["pairs", "measure", "distance", "by chance", "limit"]
    if over:
        yield table(heads, map(drift_row, over))
    yield folded("All distances", table(heads, map(drift_row, given)))


def drift_row(given: Distance) -> list[Html | str]:
    """One distance; what goes beyond chance is held against the limit."""
    measure = " ".join(filter(None, (given.side, given.measure.replace("_", " "))))
    value = element("strong", f"{given.value:.3f}", class_="bad") if given.is_over else f"{given.value:.3f}"
    figures = [number(f"{given.by_chance:.3f}"), number(f"{given.limit:g}")]
    return [written(given.origin) if given.origin else "all", measure, number(value), *figures]
