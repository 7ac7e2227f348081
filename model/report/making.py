"""The part of the report about how the model was made: training, lineage, versions, rules."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from model.report.charts import legend, loss_curve
from model.report.content import Content, Training
from model.report.markup import Html, element, folded, join, number, section, table, written
from model.report.words import SHORT, digest
from model.versions import Version

NOT_STATED: Final = "not stated"
SECRET: Final = ("ingest",)  # stages whose configuration may hold addresses with keys


def training(given: Training) -> Html:
    """The curve of the losses and what was trained."""
    curve = loss_curve(given.history)
    known = [row["dev_loss"] for row in given.history if row.get("dev_loss") is not None]
    about = ", ".join(
        value if name == "network" else f"{value} {name}" for name, value in given.facts.items() if name != "time"
    )
    time = f" in {given.facts['time']}" if "time" in given.facts else ""
    best = f" Best dev loss {min(known):.3f}." if known else ""
    lines = [("ours", "training, with dropout and label smoothing"), ("theirs", "dev set")]
    return section(
        "Training",
        element("p", f"{about}{time}.{best}") if about else None,
        legend(*lines) if curve else None,
        element("figure", curve, element("figcaption", "cross-entropy per target token, nats")) if curve else None,
    )


def lineage(content: Content) -> Html:
    """What the version was made from, and by what."""
    version = content.version
    configs = {name: config for name, config in sorted(version.configs.items()) if name not in SECRET}
    return section(
        "Lineage",
        folded(f"Sources ({len(version.sources)})", sources(version)) if version.sources else None,
        folded("Digests, code and packages", table(["what", "which"], list(origins(version)))),
        *(folded(f"Configuration of {name}", as_json(config)) for name, config in configs.items()),
        folded("Rules of promotion", as_json(content.rules)),
    )


def sources(version: Version) -> Html:
    """The parts of the corpus."""
    rows = [
        [
            one.split,
            written(one.origin),
            element("code", one.location),
            number(f"{one.pairs:,}"),
            one.licence or NOT_STATED,
            digest(one.digest),
        ]
        for one in version.sources
    ]
    return table(["set", "origin", "location", "pairs", "licence", "SHA-256"], rows)


def origins(version: Version) -> Iterator[tuple[str, Html | str]]:
    """Digests of what it was made from, the champion of that time, code and packages."""
    size = sum(file.bytes for file in version.files)
    yield (
        f"version {version.number}",
        join([digest(version.digest), f", {len(version.files)} files, {size:,} bytes"]),
    )
    if version.parent:
        yield "champion when it was registered", f"version {version.parent}"
    for kind, record in sorted(version.lineage.items()):
        yield kind.replace("_", " "), digest(record.digest)
    if version.code:
        commit = f", commit {version.code.commit[:SHORT]}" if version.code.commit else ""
        yield f"nightshift {version.code.package}", join([digest(version.code.digest), commit])
    yield from sorted(version.versions.items())


def as_json(given: Mapping[str, Any]) -> Html:
    """Keys and values as people read them."""
    return element("pre", json.dumps(given, indent=2, ensure_ascii=False, sort_keys=True))
