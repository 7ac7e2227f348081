"""Using what was registered: translate with a version, list the versions."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from model.registry import Registry, names, resolve_name
from model.versions import Version
from pipeline.quiet import tensorflow_quietly

BATCH = 64  # sentences translated at a time


def translate(sentences: Iterable[str], registry: str, name: str | None, model: str) -> Iterator[str]:
    """Translates sentences in their order with a registered version.

    Args:
        sentences: what to translate.
        registry: folder or `gs://bucket/prefix`.
        name: the model's name, None for the only one there is.
        model: a version's number or an alias.

    Raises:
        InputError: there is no such model, or its files are not what was registered.
    """
    models = Registry(registry, resolve_name(registry, name))
    folder = models.fetch(models.get(int(model) if model.isdigit() else model), downloads())
    with tensorflow_quietly():
        from model.export import Exported

    exported = Exported.load(folder / "export")
    remaining = iter(sentences)
    while block := list(islice(remaining, BATCH)):
        yield from exported.translate(block)


def table_of_versions(registry: str, name: str | None) -> str:
    """A line for each version: number, aliases, scores on the test set, when it was registered."""
    lines = [f"{'model':<24}{'version':>8}  {'BLEU':>6}{'chrF':>7}{'loss':>8}  {'registered':<18}alias"]
    for model in [resolve_name(registry, name)] if name else names(registry) or [resolve_name(registry, None)]:
        versions = Registry(registry, model)
        aliases: dict[int, list[str]] = {}
        for alias, number in versions.aliases().items():
            aliases.setdefault(number, []).append(alias)
        lines += [row(version, aliases.get(version.number, [])) for version in versions.versions()]
    return "\n".join(lines)


def row(version: Version, aliases: list[str]) -> str:
    """One version's line."""
    scores = version.metrics.get("test") or version.metrics["dev"]
    figures = f"{scores['bleu']:>6.1f}{scores['chrf']:>7.1f}{scores['loss']:>8.3f}"
    created = version.created[:16].replace("T", " ")
    return f"{version.model:<24}{version.number:>8}  {figures}  {created:<18}{' '.join(sorted(aliases))}".rstrip()


def downloads() -> Path:
    """Where versions of a registry in the cloud are kept on this machine."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "nightshift"
