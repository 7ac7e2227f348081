"""Registered versions as text: the list of them, one of them, and the moves of an alias."""

from collections.abc import Mapping
from typing import Any

from model import verdicts
from model.comparison import SHOWN, deciding_set
from model.registry import Registry, names, resolve_name
from model.versions import Version

NO_FIGURE = "-"


def table_of_versions(registry: str, name: str | None) -> str:
    """A line for each version: number, scores on the deciding set, when it was registered, aliases."""
    lines = [f"{'model':<24}{'version':>8}  {'BLEU':>6}{'chrF':>7}{'loss':>8}  {'registered':<18}alias"]
    for model in [resolve_name(registry, name)] if name else names(registry) or [resolve_name(registry, None)]:
        versions = Registry(registry, model)
        aliases = by_version(versions)
        lines += [line_of(version, aliases.get(version.number, [])) for version in versions.versions()]
    return "\n".join(lines)


def by_version(registry: Registry) -> dict[int, list[str]]:
    """The aliases of each version that has any."""
    found: dict[int, list[str]] = {}
    for alias, number in sorted(registry.aliases().items()):
        found.setdefault(number, []).append(alias)
    return found


def line_of(version: Version, aliases: list[str]) -> str:
    """One version's line."""
    scores = version.metrics[deciding_set(version.metrics)]
    figures = f"{figure(scores, 'bleu', 1):>6}{figure(scores, 'chrf', 1):>7}{figure(scores, 'loss', 3):>8}"
    return (
        f"{version.model:<24}{version.number:>8}  {figures}  {minute(version.created):<18}{' '.join(aliases)}".rstrip()
    )


def figure(scores: Mapping[str, Any], metric: str, digits: int) -> str:
    """A score as it stands in a table."""
    return f"{scores[metric]:.{digits}f}" if metric in scores else NO_FIGURE


def minute(moment: str) -> str:
    """A moment to the minute.

    >>> minute("2026-11-22T03:00:59+00:00")
    '2026-11-22 03:00'
    """
    return moment[:16].replace("T", " ")


def describe(registry: Registry, version: Version) -> str:
    """One version: what it is, what was decided about it, how well it does and what it was made from."""
    aliases = ", ".join(by_version(registry).get(version.number, [])) or "none"
    size = sum(file.bytes for file in version.files)
    lines = [
        f"{version.model}, version {version.number}",
        "",
        row("registered", minute(version.created)),
        row("aliases", aliases),
        row("files", f"{len(version.files)}, {size:,} bytes, digest {version.digest[:12]}"),
        row("parent", f"version {version.parent}, the champion of that time" if version.parent else "none"),
        "",
        *decision(registry, version),
        "",
        *(line for name in version.metrics for line in scores_of(name, version.metrics[name])),
        "",
        *(row(kind.replace("_", " "), record.digest[:12]) for kind, record in sorted(version.lineage.items())),
        "",
        *(source_line(source) for source in version.sources),
        *code_lines(version),
        row("packages", ", ".join(f"{name} {number}" for name, number in sorted(version.versions.items()))),
    ]
    return "\n".join(lines)


def decision(registry: Registry, version: Version) -> list[str]:
    """What was decided about a version last, and why."""
    verdict = verdicts.latest(registry, version)
    if not verdict:
        return [row("decision", "none yet")]
    outcome = "promoted" if verdict.decision.is_promoted else "not promoted"
    lines = [row("decision", f"{outcome}: {verdict.decision.reason}")]
    lines += [row("", f"{'met' if one.is_met else 'not met'}: {one.words}") for one in verdict.decision.reasons]
    return [*lines, row("", f"{minute(verdict.when)} by {verdict.who}")]


def scores_of(name: str, scores: Mapping[str, Any]) -> list[str]:
    """All figures of a set, those with a signature on a line of their own."""
    signed = [metric for metric in scores if f"{metric}_signature" in scores]
    others = [metric for metric, value in scores.items() if isinstance(value, float) and metric not in signed]
    figures = "   ".join(f"{SHOWN.get(metric, metric)} {scores[metric]:.3f}" for metric in others)
    lines = [row(name, f"{scores['sentences']:,} sentences, digest {scores['data_digest'][:12]}   {figures}".rstrip())]
    return [
        *lines,
        *(row("", f"{SHOWN.get(one, one)} {scores[one]:.2f}   {scores[f'{one}_signature']}") for one in signed),
    ]


def source_line(source: Any) -> str:
    """One source with its licence."""
    licence = source.licence or "licence not stated"
    return row(source.split, f"{source.location}   {source.pairs:,} pairs   {licence}   {source.digest[:12]}")


def code_lines(version: Version) -> list[str]:
    """What registered a version."""
    if not version.code:
        return []
    commit = f", commit {version.code.commit[:12]}" if version.code.commit else ""
    return [row("code", f"nightshift {version.code.package}, digest {version.code.digest[:12]}{commit}")]


def table_of_moves(registry: Registry, alias: str) -> str:
    """A line for each move of an alias, the newest last."""
    lines = []
    for move in registry.history(alias):
        moved = f"{move.previous or '':>7} -> {move.version:<7}{move.how:<10}"
        lines.append(f"{minute(move.when)}{moved}{move.who or 'unknown'}: {move.why}")
    return "\n".join(lines or [f"{alias} of {registry.name} was never set"])


def row(title: str, text: str) -> str:
    """A line of a description."""
    return f"  {title:<12}{text}".rstrip()
