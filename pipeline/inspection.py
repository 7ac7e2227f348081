"""The stage `inspect`: what a generation of the data looks like, and how far it is from those before it.

Beam and TFXIO take seconds to import, so the job imports them: asking whether there is anything to do is free.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import drift, histograms, statistics, summaries
from pipeline import manifest as manifests
from pipeline.beam_config import BeamConfig
from pipeline.drift import Comparison, Distance
from pipeline.errors import InputError
from pipeline.exchange import open_exchange
from pipeline.frames import frame_size
from pipeline.manifest import Manifest
from pipeline.piece_table import PieceTables
from pipeline.running.worker_pool import prepare
from pipeline.stage import Outcome, log, stage, verify
from pipeline.statistics import StatisticsConfig
from pipeline.summaries import Sizes, Summary
from pipeline.vocabularies import Vocabularies

CHAIN = "chain.npz"
SHOWN_PIECES = 5
REMEDIES = {
    "pieces": "text of another kind or language?",
    "lengths": "other lengths than before",
    "ratio": "sides that do not belong together?",
    "unknown_share": "characters that the vocabulary does not have",
    "single_character_share": "text that the vocabulary does not know",
    "swapped_sides": "source and target look swapped; set reverse on that source",
}


@stage(
    "inspect",
    section="statistics",
    version=2,
    takes=("shards", "vocabulary"),
    makes="statistics",
    grows=True,
)
def inspect(
    config: StatisticsConfig,
    shards: Manifest,
    vocabulary: Manifest,
    *,
    folder: Path,
    beam: BeamConfig,
    earlier: Manifest | None,
    is_newest: bool,
) -> Outcome:
    """Describes the training pairs of a generation and of the chain so far, and measures how far the new ones moved.

    Lengths, ratios, shares of unknown and single-character tokens, coverage of the vocabulary, frequent pieces,
    distinct sentences and pairs, of each origin and of all. A distance above its limit in statistics.warn is told, one
    above its limit in statistics.stop ends the night, before anything is trained on these pairs.

    Read a vocabulary that is too small by its long sentences, and text of another language by its unknown share.

    nightshift inspect --preset weather

    workspace/weather-en-fr/inspect/c2a91f30b6d8/
        statistics.json     figures of the generation and of the chain, distances between them
        lengths.png         lengths and ratios, the generation over those before it
        generation.npz      counts and sketches of the generation, by origin
        chain.npz           the same of the chain; the next generation adds to them
        manifest.json
    """
    if earlier:
        verify([earlier], CHAIN)
    tables = PieceTables.of(Vocabularies.read(vocabulary), are_frames=frame_size(shards.facts) > 0)
    summarise(shards, tables.sizes, folder / "generation.npz", beam)
    generation = summaries.load(folder / "generation.npz")
    before = summaries.load(earlier.path(CHAIN)) if earlier else {}
    comparisons = drift.compare(generation, before, tables, config.min_pairs)
    names = list(before | generation)
    parts = {name: [given[name] for given in (before, generation) if name in given] for name in names}
    chain = {name: summaries.total(parts[name], tables.sizes) for name in names}
    summaries.save(folder / CHAIN, chain)
    manifests.write_atomically(folder / "lengths.png", histograms.draw_lengths(generation, before))
    report = {
        "generation": statistics.report(generation, tables, config),
        "chain": statistics.report(chain, tables, config),
        "drift": statistics.drift_report(comparisons, config),
    }
    text = json.dumps(report, indent=2, ensure_ascii=False)
    manifests.write_atomically(folder / "statistics.json", (text + "\n").encode())
    if is_newest:  # older ones were taken, whatever is thought of them now
        raise_alarms(config, comparisons, generation, folder)
    return Outcome({"pairs": sum(summary.pairs for summary in generation.values())}, facts_of(report))


def summarise(shards: Manifest, sizes: Sizes, written: Path, beam: BeamConfig) -> None:
    """Runs the Beam job, which writes the summaries of the generation's training shards.

    Raises:
        RuntimeError: not all pairs were summarised.
    """
    pairs = shards.counts["train.pairs"]
    prepare(beam, pairs)
    from apache_beam import Map

    from pipeline import runners
    from pipeline.sketching import Sketch, write_summaries

    exchange = open_exchange(beam, written.parent)
    exchange.give(shards.paths("train/*.tfrecord*"))
    files = [exchange.location(path) for path in shards.paths("train/*.tfrecord*")]
    with runners.open_pipeline(beam, stage="inspect", pairs=pairs) as job:
        found = job | Sketch(files, sizes, frame_size(shards.facts))
        _ = found | "write summaries" >> Map(write_summaries, exchange.location(written), shards.facts["origins"])
    exchange.fetch()
    summarised = sum(summary.pairs for summary in summaries.load(written).values())
    if summarised != pairs:
        raise RuntimeError(f"{summarised} pairs were summarised of {pairs}")


def raise_alarms(
    config: StatisticsConfig, comparisons: Sequence[Comparison], generation: Mapping[str, Summary], folder: Path
) -> None:
    """Logs the distances that are to be warned of, one a line.

    A night that stops leaves no output, so the picture and the figures are put beside it, for people to look at.

    Raises:
        InputError: a distance is above the limit that stops the night.
    """
    for comparison in comparisons:
        for distance in comparison.over(config.warn):
            limit = getattr(config.warn, distance.measure)
            log.warning("%-16s drift     %s, limit %g", "inspect", sentence(comparison, distance), limit)
    for comparison in comparisons:
        for distance in comparison.over(config.stop):
            brought = ", ".join(f"{name} {summary.pairs:,}" for name, summary in generation.items())
            found = f"{subject(comparison, distance)} against the {comparison.pairs_before:,} before"
            shown = folder.with_name(f"{folder.name}-stopped")
            shutil.copytree(folder, shown, dirs_exist_ok=True)
            remedy = f"{REMEDIES[distance.measure]}; see {shown}, leave it out, or raise the limit to take it"
            raise InputError(
                f"statistics.stop.{distance.measure}",
                round(distance.beyond_chance, 3),
                f"at most {getattr(config.stop, distance.measure):g}",
                f"{found}{risen(comparison, distance)}: {remedy}; the night brought {brought}",
            )


def sentence(comparison: Comparison, distance: Distance) -> str:
    """One distance in words.

    >>> sentence(Comparison("web", 800, 29_000, (), {}), Distance("lengths", "source", 0.5, 0.0625))
    'source lengths of the 800 new pairs of web: 0.438 from the 29,000 before, chance aside'
    """
    figures = f"{distance.beyond_chance:.3f} from the {comparison.pairs_before:,} before, chance aside"
    return f"{subject(comparison, distance)}: {figures}{risen(comparison, distance)}"


def subject(comparison: Comparison, distance: Distance) -> str:
    """What was measured, of which pairs."""
    measure = distance.measure.replace("_", " ")
    what = f"{distance.side} {measure}" if distance.side else measure
    whose = f"the {comparison.pairs:,} new pairs of {comparison.origin}" if comparison.origin else ""
    return f"{what} of {whose or f'all {comparison.pairs:,} new pairs'}"


def risen(comparison: Comparison, distance: Distance) -> str:
    """What there is more of than before, where it is the pieces that moved."""
    pieces = comparison.risen.get(distance.side, ())[:SHOWN_PIECES] if distance.measure == "pieces" else ()
    return f", with more {' '.join(pieces)}" if pieces else ""


def facts_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """What later stages and people want to know without opening the report."""
    return {
        "generation": report["generation"]["all"],
        "chain": report["chain"]["all"],
        "origins": {name: figures["pairs"] for name, figures in report["generation"]["origins"].items()},
        "drift": report["drift"],
    }
