"""The part of the report about scores: beside the champion's, with intervals, p and signatures."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from model.bootstrap import Interval
from model.comparison import ERRORS, SHOWN
from model.report.charts import legend, scale_of, whisker
from model.report.content import Content, Line
from model.report.markup import Html, element, folded, join, number, section, table
from model.report.words import difference

SHARES: Final = ("empty", "repeating", "unknown_rate")  # of the outputs, 0 to 1
DOWN: Final = " ↓"
FINE: Final = ("loss", "perplexity", "length_ratio")  # told apart by their third decimal


def scores(content: Content) -> Html:
    """The scores by set, the deciding one first, with intervals where there are any."""
    champion = content.decision.champion
    lines = sorted(content.lines, key=lambda line: line.set != content.deciding)
    signed, others = ([line for line in lines if bool(line.signature) is are_signed] for are_signed in (True, False))
    is_compared = any(line.theirs is not None for line in lines)
    has_intervals = any(line.our_interval for line in signed)
    is_drawn = is_compared and has_intervals
    heads = ["set", "metric", f"version {content.version.number}"]
    heads += [f"version {champion}", "difference", "p"] if is_compared else []
    heads += ["95 % confidence"] if is_drawn else []
    rows = [row for of in by_set(signed) for row in rows_of(of, is_compared=is_compared, is_drawn=is_drawn)]
    about = "What is served was scored: raw text in, raw text out, each sentence once."
    if has_intervals:
        about += " ± is the 95 % confidence interval, by bootstrap resampling."
    if any(line.metric in ERRORS for line in signed):
        about += f" Less is better where a{DOWN} stands."
    if champion is not None and not all(line.theirs is not None for line in signed):
        about += " Where the champion has no figure, it was not measured on the same sentences in the same way."
    colours = [("ours", f"version {content.version.number}"), ("theirs", f"version {champion}, the champion then")]
    signatures = sorted({(shown(line.metric), line.signature) for line in signed})
    how = table(["metric", "signature"], [(name, element("code", signature)) for name, signature in signatures])
    return section(
        "Scores" if champion is None else "Scores against the champion",
        element("p", about, class_="quiet"),
        legend(*colours) if is_drawn else None,
        table(heads, rows),
        folded("Signatures: how each metric was computed", how) if signatures else None,
        outputs(others, content) if others else None,
    )


def by_set(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines of one set after the other."""
    return [list(of) for _, of in groupby(lines, key=lambda line: line.set)]


def rows_of(lines: Sequence[Line], *, is_compared: bool, is_drawn: bool) -> Iterator[list[Html]]:
    """The rows of one set."""
    for place, line in enumerate(lines):
        name = join([line.set, element("small", f"{line.sentences:,} sentences")]) if place == 0 else ""
        score = number(value(line.metric, line.ours, line.our_interval))
        row = [
            element("th", name, scope="row"),
            element("td", f"{shown(line.metric)}{DOWN if line.metric in ERRORS else ''}"),
            score,
        ]
        if is_compared:
            row += comparison(line)
        if is_drawn:
            pairs = [("ours", line.our_interval), ("theirs", line.their_interval)]
            known = [(class_, one) for class_, one in pairs if one]
            scale = scale_of([one for _, one in known]) if known else (0.0, 1.0)
            row.append(element("td", *(whisker(one, scale, class_) for class_, one in known), class_="drawn"))
        yield row


def outputs(lines: Sequence[Line], content: Content) -> Html:
    """What says something about outputs but is no score: a row for each set and model, a column for each figure."""
    names = list(dict.fromkeys(line.metric for line in lines))
    rows = []
    for of in by_set(lines):
        ours = {line.metric: value(line.metric, line.ours) for line in of}
        theirs = {line.metric: value(line.metric, line.theirs) for line in of if line.theirs is not None}
        whose = [(content.version.number, ours), (content.decision.champion, theirs)]
        for number_of, values in whose if theirs else whose[:1]:
            rows.append([of[0].set, f"version\u00a0{number_of}", *(number(values.get(name, "–")) for name in names)])
    return join([element("h3", "Outputs"), table(["set", "", *map(shown, names)], rows)])


def comparison(line: Line) -> list[Html]:
    """The champion's score, the difference to it, and whether that may be chance."""
    if line.theirs is None:
        return [number("–"), number(""), number("")]
    p = "" if line.p is None else f"{line.p:.3f}"
    theirs = value(line.metric, line.theirs, line.their_interval)
    return [number(theirs), number(difference(line.ours - line.theirs, digits(line.metric))), number(p)]


def value(metric: str, score: float, interval: Interval | None = None) -> str:
    """A score as it stands in the table, with half the width of its interval."""
    if metric in SHARES:
        return f"{score:.1%}"
    text = f"{score:.{digits(metric)}f}"
    return f"{text} ± {interval.half_width:.2f}" if interval else text


def digits(metric: str) -> int:
    """Decimals that mean something."""
    return 3 if metric in FINE else 2


def shown(metric: str) -> str:
    """A metric's name for people.

    >>> shown("bleu"), shown("length_ratio")
    ('BLEU', 'length ratio')
    """
    return SHOWN.get(metric, metric.replace("_", " "))
