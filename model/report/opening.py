"""The top of the report: what happened in one sentence, why, and the few numbers that people ask for first."""

from collections.abc import Iterator

from model.comparison import DECIDES
from model.decision import Decision, Reason
from model.report.content import Content
from model.report.markup import Html, element
from model.report.words import difference, minute, sentence


def headline(decision: Decision, version: int) -> str:
    """What happened, in one sentence.

    >>> headline(Decision(is_promoted=False, reason="...", champion=2), 3)
    'Version 3 was not promoted: version 2 stays champion.'
    """
    if decision.is_promoted:
        after = f"it takes over from version {decision.champion}" if decision.champion else "it is the first champion"
        return f"Version {version} was promoted: {after}."
    stays = f"version {decision.champion} stays champion" if decision.champion else "there is no champion"
    return f"Version {version} was not promoted: {stays}."


def opening(content: Content) -> Html:
    """The top of the page."""
    version, decision = content.version, content.decision
    reasons = decision.reasons if len(decision.reasons) > 1 else ()  # a single one is the sentence above
    again = "The champion was scored again on these sentences." if decision.was_scored_again else None
    return element(
        "header",
        element("p", f"{version.model} · registered {minute(version.created)} UTC", class_="name"),
        element("h1", headline(decision, version.number)),
        element("p", sentence(decision.reason), class_="lead"),
        element("dl", *figures(content), class_="figures"),
        element("ul", *map(reason, reasons), class_="reasons") if reasons else None,
        element("p", again, class_="quiet") if again else None,
    )


def reason(given: Reason) -> Html:
    """What one rule said."""
    sign = element("span", "✓" if given.is_met else "✗", class_=f"sign {'good' if given.is_met else 'bad'}")
    return element("li", sign, f"{given.rule}: {given.words}")


def figures(content: Content) -> Iterator[Html]:
    """The few numbers that people ask for first."""
    decides = next((one for one in content.lines if (one.set, one.metric) == (content.deciding, DECIDES)), None)
    if decides:
        yield figure(f"BLEU on {content.deciding}", f"{decides.ours:.2f}")
        if decides.theirs is not None:
            yield figure(f"against version {content.decision.champion}", difference(decides.ours - decides.theirs, 2))
    if content.data.funnel.kept:
        yield figure("pairs to learn from", f"{content.data.funnel.kept:,}")
    for name in ("steps", "time"):
        if name in content.training.facts:
            yield figure({"steps": "training steps", "time": "training time"}[name], content.training.facts[name])


def figure(name: str, value: str) -> Html:
    """One number with its name."""
    return element("div", element("dt", name), element("dd", value))
