"""The report of a version as one HTML page that needs nothing else: no network, no script, no other file.

What it shows was written by strangers in part, the sentences of a corpus above all. All of it is escaped where it
becomes HTML, in `model.report.markup`; beyond that the page's own policy forbids the browser to run or to load
anything, but the style that is in the page and pictures that are in it.
"""

import base64
import hashlib
from importlib import resources

from model.report.breakdown import by_length, disturbed
from model.report.content import Content
from model.report.data import funnel, generations, statistics
from model.report.making import lineage, training
from model.report.markup import Html, element, join
from model.report.opening import headline, opening
from model.report.scores import scores
from model.report.sentences import attention, samples


def render(content: Content) -> str:
    """The page; equal contents give equal pages."""
    version = content.version
    title = f"{version.model}, version {version.number}"
    style = resources.files("model.report").joinpath("style.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy(style)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="description", content=headline(content.decision, version.number)),
        element("title", title),
        element("style", Html(style)),
    )
    body = element(
        "body",
        opening(content),
        element(
            "main",
            scores(content),
            by_length(content),
            samples(content),
            disturbed(content.robustness),
            funnel(content.data.funnel),
            generations(content.data),
            statistics(content.data),
            training(content.training),
            attention(content.attention),
            lineage(content),
        ),
    )
    return join([Html("<!DOCTYPE html>\n"), element("html", head, body, lang="en"), Html("\n")])


def policy(style: str) -> str:
    """What the page may do: show this one style and pictures that are inside it."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    parts = (
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(parts)
