"""The scores of a version beside the champion's: a table for the UI."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from flows.artifacts.markdown import plain, table
from model.comparison import ERRORS, Scores
from model.decision import Decision, Reason
from model.report.champion import Champion
from model.report.content import Line
from model.report.scores import digits, shown
from model.report.scoring import lines
from model.report.words import difference

UNSIGNED: Final = ("loss",)  # shown although no signature says how it was computed
DOWN: Final = " ↓"  # less is better


def score_lines(metrics: Mapping[str, Scores], champion: Champion, reasons: Sequence[Reason]) -> list[Line]:
    """A line for each metric of each set that people compare models by.

    What the rules found out goes in: scores of a champion that was scored again, and how likely its gain is chance.
    """
    found = [
        one for one in lines(metrics, champion, {}, tokenizer="", samples=0) if one.signature or one.metric in UNSIGNED
    ]
    return [with_reasons(line, reasons) for line in found]


def with_reasons(line: Line, reasons: Sequence[Reason]) -> Line:
    """A line with what the rules say of this metric of this set."""
    for one in reasons:
        if (one.set, one.metric) != (line.set, line.metric):
            continue
        if one.rule == "significance":
            line = replace(line, p=one.ours)
        elif one.theirs is not None:
            line = replace(line, theirs=one.theirs)
    return line


def scores_table(found: Sequence[Line], version: int, decision: Decision) -> str:
    """Candidate, champion, difference and p of each set; without a champion the scores alone."""
    is_compared = decision.champion is not None
    heads = ["set", "metric", "sentences", f"version {version}"]
    heads += [f"version {decision.champion}", "difference", "p"] if is_compared else []
    return table(heads, (cells(line, is_compared=is_compared) for line in found), words=2)


def cells(line: Line, *, is_compared: bool) -> list[str]:
    """One metric of one set."""
    places = digits(line.metric)
    name = f"{shown(line.metric)}{DOWN * (line.metric in ERRORS)}"
    row = [plain(line.set), name, f"{line.sentences:,}", f"{line.ours:.{places}f}"]
    if not is_compared:
        return row
    if line.theirs is None:
        return [*row, "–", "–", "–"]
    p = "–" if line.p is None else f"{line.p:.3f}"
    return [*row, f"{line.theirs:.{places}f}", difference(line.ours - line.theirs, places), p]
