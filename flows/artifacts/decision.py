"""What was decided about a version and why, and where its report lies: for the UI."""

import shlex
from pathlib import Path
from typing import Final
from urllib.parse import quote

from flows.artifacts.markdown import fenced, plain
from model.decision import Decision
from model.report.words import sentence

CLOUD: Final = "gs://"
CONSOLE: Final = "https://storage.cloud.google.com/"  # asks who wants to read, and whether they may


def decision_markdown(decision: Decision) -> str:
    """Why it was decided so, and what each rule said."""
    parts = [plain(sentence(decision.reason))]
    rules = [f"- {'✓' if one.is_met else '✗'} {one.rule}: {plain(one.words)}" for one in decision.reasons]
    if len(rules) > 1:  # a single one is the sentence above
        parts.append("\n".join(rules))
    if decision.was_scored_again:
        parts.append("The champion was scored again on these sentences.")
    return "\n\n".join(parts)


def report_markdown(place: str, version: int, *, model: str, registry: str) -> str:
    """How to open a version's report.

    A bucket has an address that browsers can open. A file has none: browsers refuse to go from a page of a server to
    `file://`, and Prefect shows no HTML of ours, so there is the path, and the command that fetches the page.

    Args:
        place: of the report, a path or `gs://bucket/...`.
        version: its number.
        model: its name in the registry.
        registry: where the registry is.
    """
    if place.startswith(CLOUD):
        return f"[Report of version {version}]({CONSOLE}{quote(place.removeprefix(CLOUD))})"
    command = ["nightshift", "report", str(version), "--registry", str(Path(registry).resolve()), "--name", model]
    lines = ["The page, on the machine that ran the night:", fenced(str(Path(place).resolve()))]
    return "\n\n".join([*lines, "Or, where the registry can be reached:", fenced(shlex.join(command))])
