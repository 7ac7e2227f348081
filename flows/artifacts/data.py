"""What became of the pairs that were read, and what each night brought: tables for the UI."""

from collections.abc import Iterator, Sequence
from typing import Final

from flows.artifacts.markdown import plain, table
from model.report.content import Funnel, Generation
from model.report.words import SHORT, minute
from pipeline.manifest import Manifest

ORIGINS_SHOWN: Final = 3  # of a generation, those that gave most
GENERATIONS_SHOWN: Final = 14  # the newest


def funnel_table(funnel: Funnel) -> str:
    """Read, each reason, held out, kept; they add up."""
    rows = [
        ("read", funnel.read),
        *((f"rejected: {plain(reason)}", number) for reason, number in funnel.rejected.items()),
        ("held out: shares a sentence with a set below", funnel.held_out),
        ("**kept to learn from**", funnel.kept),
    ]
    sets = [[plain(name), f"{number:,}"] for name, number in funnel.sets.items()]
    return "\n\n".join(
        [
            table(["what became of the pairs", "pairs", "share"], (row(*one, funnel.read) for one in rows)),
            table(["held-out set", "pairs"], sets),
        ]
    )


def row(name: str, number: int, of: int) -> list[str]:
    """A line of the funnel.

    >>> row("read", 22000, 22000)
    ['read', '22,000', '100.0 %']
    """
    return [name, f"{number:,}", f"{100 * number / of:.1f} %" if of else "–"]


def generations_table(generations: Sequence[Generation], shards: Sequence[Manifest]) -> str:
    """What each night brought, the newest first.

    Args:
        generations: all of them, the oldest first.
        shards: what `shard` made of each.
    """
    both = list(zip(generations, shards, strict=True))[: -GENERATIONS_SHOWN - 1 : -1]
    heads = ["generation", "origins", "made (UTC)", "digest", "read", "kept", "MB"]
    return table(heads, (list(cells(generation, made)) for generation, made in both), words=4)


def cells(generation: Generation, shards: Manifest) -> Iterator[str]:
    """One night."""
    yield str(generation.number)
    yield origins(generation) or "–"
    yield minute(generation.made)
    yield f"`{shards.digest[:SHORT]}`"
    yield f"{generation.read:,}"
    yield f"{generation.kept:,}"
    yield f"{sum(file.bytes for file in shards.files) / 1e6:.1f}"


def origins(generation: Generation) -> str:
    """Where the pairs that were kept came from, most first."""
    most = sorted(generation.origins.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{plain(name)} {number:,}" for name, number in most[:ORIGINS_SHOWN]]
    more = len(most) - ORIGINS_SHOWN
    return ", ".join([*shown, *([f"{more} more"] if more > 0 else [])])
