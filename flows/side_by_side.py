"""Two versions beside each other: only what was measured on the same sentences in the same way."""

from collections.abc import Iterator
from pathlib import Path

from model.bootstrap import Significance, paired_bootstrap
from model.comparison import BY_VOCABULARY, DECIDES, SHOWN, Scores, are_comparable, have_same_vocabulary
from model.registry import Registry
from model.rival import columns_of, table_of
from model.versions import Version
from pipeline.errors import InputError

SAMPLES = 1000


def side_by_side(registry: Registry, one: Version, other: Version, cache: Path) -> str:
    """The scores of two versions, with the significance of the difference in BLEU.

    Args:
        registry: where both are.
        one: the first.
        other: the second; differences are from the first to it.
        cache: where files of a registry in the cloud are kept.

    Raises:
        InputError: nothing about the two can be compared.
    """
    heads = (f"version {one.number}", f"version {other.number}")
    lines = [f"{'set':<10}{'metric':<18}{heads[0]:>12}{heads[1]:>12}{'difference':>12}  signature"]
    refused = []
    for name in dict.fromkeys([*one.metrics, *other.metrics]):
        ours, theirs = one.metrics.get(name, {}), other.metrics.get(name, {})
        there = list(rows(name, ours, theirs, is_same_vocabulary=have_same_vocabulary(one, other)))
        lines += there
        if difference := why_not(ours, theirs):
            refused.append(f"{name}: {difference}")
        elif are_comparable(ours, theirs, DECIDES) and (found := significance(registry, one, other, name, cache)):
            lines.append(f"{name:<10}p {found.p:.3f} of the difference in BLEU, {found.signature}")
    if len(lines) == 1:
        asked = f"{one.number} and {other.number}"
        raise InputError(
            "versions", asked, "two that were scored on the same data by the same metrics", "; ".join(refused)
        )
    return "\n".join([*lines, *(f"not compared: {line}" for line in refused)])


def rows(name: str, ours: Scores, theirs: Scores, *, is_same_vocabulary: bool) -> Iterator[str]:
    """A line for each metric of a set that can be compared."""
    for metric, score in ours.items():
        if not isinstance(score, float) or not are_comparable(ours, theirs, metric):
            continue
        if metric in BY_VOCABULARY and not is_same_vocabulary:
            continue
        digits = 2 if f"{metric}_signature" in ours else 3
        figures = f"{score:>12.{digits}f}{theirs[metric]:>12.{digits}f}{theirs[metric] - score:>+12.{digits}f}"
        signature = ours.get(f"{metric}_signature", "")
        yield f"{name:<10}{SHOWN.get(metric, metric):<18}{figures}  {signature}".rstrip()


def why_not(ours: Scores, theirs: Scores) -> str:
    """Why the scores of a set cannot be compared, "" where they can."""
    if not ours or not theirs:
        return "only one of them was scored on it"
    if ours["data_digest"] != theirs["data_digest"]:
        return f"other sentences, {ours['data_digest'][:12]} and {theirs['data_digest'][:12]}"
    signatures = [key for key in ours if key.endswith("_signature") and key in theirs and ours[key] != theirs[key]]
    return ", ".join(f"{ours[key]} and {theirs[key]}" for key in signatures)


def significance(registry: Registry, one: Version, other: Version, name: str, cache: Path) -> Significance | None:
    """Of the difference in BLEU; None where a version does not hold its translations."""
    table = table_of(name)
    if any(table not in {file.path for file in version.files} for version in (one, other)):
        return None
    first, second = (columns_of(registry.fetch(version, cache, only=[table]) / table) for version in (one, other))
    tokenizer = one.configs.get("evaluate", {}).get("bleu_tokenizer", "13a")
    return paired_bootstrap(
        second["hypothesis"], first["hypothesis"], first["reference"], tokenizer=tokenizer, samples=SAMPLES
    )
