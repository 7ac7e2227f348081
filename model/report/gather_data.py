"""Collects what the report and the UI show of the data from what a night made."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from model.report.content import Data, Distance, Funnel, Generation, Picture
from pipeline.funnel import reasons
from pipeline.manifest import Manifest

LARGEST_PICTURE: Final = 400_000  # bytes
GENERATIONS_SHOWN: Final = 14  # the newest
HELD_OUT: Final = "held_out"


def data(corpus: Manifest, pairs: Manifest, statistics: Manifest) -> Data:
    """What the model was made from."""
    drawn = statistics.paths("lengths.png")
    source, target = corpus.facts["languages"]
    return Data(
        languages=(source, target),
        funnel=funnel(corpus, pairs),
        generations=list(generations(corpus, pairs))[-GENERATIONS_SHOWN:],
        drift=list(distances(statistics.facts.get("drift", []))),
        figures=statistics.facts.get("chain", {}),
        lengths=picture(drawn[0], "lengths of the sentences and ratios of target to source length") if drawn else None,
    )


def funnel(corpus: Manifest, pairs: Manifest) -> Funnel:
    """What became of the pairs that were read."""
    counts = pairs.totals()
    unreadable = reasons(corpus.totals(), "train.unreadable.")
    rejected = reasons(counts, "train.rejected.")
    held_out = rejected.pop(HELD_OUT, 0)
    return Funnel(
        read=counts.get("train.read", 0) + sum(unreadable.values()),
        rejected={f"not readable: {name}": number for name, number in unreadable.items()} | rejected,
        held_out=held_out,
        kept=counts.get("train.kept", 0),
        sets={name: number for name, number in pairs.chain()[0].counts.items() if "." not in name},
        samples=pairs.facts.get("samples", {}),
    )


def generations(corpus: Manifest, pairs: Manifest) -> Iterator[Generation]:
    """What each night brought, the oldest first."""
    for number, (read, cleaned) in enumerate(zip(corpus.chain(), pairs.chain(), strict=True), start=1):
        yield Generation(
            number=number,
            made=cleaned.finished,
            read=sum(count for name, count in read.counts.items() if name.partition(".")[0] == "train"),
            kept=cleaned.counts.get("train.kept", 0),
            origins=cleaned.facts.get("origins", {}),
            digest=cleaned.digest,
        )


def distances(drift: Sequence[Mapping[str, Any]]) -> Iterator[Distance]:
    """How far the newest pairs are from those before, of all and of each origin."""
    for comparison in drift:
        for found in comparison["distances"]:
            yield Distance(
                comparison["origin"],
                found["measure"],
                found["side"],
                found["value"],
                found["by_chance"],
                found["warn_above"],
                found["is_over"],
            )


def picture(path: Path, caption: str) -> Picture | None:
    """A picture, None where it would make the page heavy."""
    return Picture(caption, path.read_bytes()) if path.stat().st_size <= LARGEST_PICTURE else None
