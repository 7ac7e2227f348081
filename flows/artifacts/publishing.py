"""What a night leaves in Prefect's UI: one artifact for each question that people ask in the morning.

    weather-en-fr-summary        what `nightshift retrain` prints
    weather-en-fr-decision       promoted or not, and what each rule said
    weather-en-fr-scores         the version beside the champion
    weather-en-fr-samples        sentences and what both made of them
    weather-en-fr-loss-curve     a picture
    weather-en-fr-data           the funnel: read, rejected by reason, held out, kept
    weather-en-fr-generations    what each night brought
    weather-en-fr-report         how to open report.html

A night with nothing new leaves them too: they describe the version that stands.
"""

import io
import json
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow.parquet as pq
from prefect.artifacts import create_markdown_artifact

from flows.artifacts.data import funnel_table, generations_table
from flows.artifacts.decision import decision_markdown, report_markdown
from flows.artifacts.keys import key_of
from flows.artifacts.losses import losses_markdown
from flows.artifacts.markdown import fenced
from flows.artifacts.samples import samples_markdown
from flows.artifacts.scores import score_lines, scores_table
from flows.best_effort import best_effort
from flows.settings import RetrainConfig
from flows.summary import Night, as_text, report
from model import verdicts
from model.comparison import deciding_set, have_same_vocabulary
from model.register import metrics_of
from model.registry import Registry
from model.report.champion import NOBODY, Champion
from model.report.gather_data import funnel, generations
from model.rival import output_of
from model.verdicts import Verdict
from model.versions import Version
from pipeline.frames import frame_size


class Part(NamedTuple):
    """One artifact.

    Args:
        name: last part of its key.
        about: one line above it.
        markdown: what it shows.
    """

    name: str
    about: str
    markdown: str


def publish(config: RetrainConfig, night: Night) -> None:
    """Makes the artifacts of a night; the version is registered by now, whether or not the server takes them."""
    with best_effort("artifacts"):
        for part in parts(config, night):
            create_markdown_artifact(part.markdown, key_of(config.name, part.name), part.about)


def parts(config: RetrainConfig, night: Night) -> Iterator[Part]:
    """What a night shows, in the order of the module's description."""
    registry = Registry(config.registry, config.name)
    version = registry.get(night.version.facts["version"])
    yield Part("summary", "What came of the night.", fenced(as_text(config, night)))
    if verdict := verdicts.latest(registry, version):
        yield from comparison(registry, version, verdict, night)
    picture, history = night.model.path("loss.png"), night.model.path("history.json")
    yield Part(
        "loss curve",
        "Cross-entropy per target token, in nats.",
        losses_markdown(picture.read_bytes(), json.loads(history.read_bytes())),
    )
    yield Part(
        "data",
        "What became of all pairs that were read, those of earlier nights included.",
        funnel_table(funnel(night.corpus, night.pairs)),
    )
    chain = list(generations(night.corpus, night.pairs))
    yield Part("generations", "What each night brought.", generations_table(chain, night.shards.chain()))
    where = report_markdown(report(config, night), version.number, model=config.name, registry=config.registry)
    yield Part("report", "All of it on one page, with more.", where)


def comparison(registry: Registry, version: Version, verdict: Verdict, night: Night) -> Iterator[Part]:
    """The version beside the champion that it met, which may be deleted since."""
    decision, metrics = verdict.decision, metrics_of(night.evaluation)
    champion = registry.peek(decision.champion) if decision.champion else None
    rival = Champion(champion.metrics, {}, have_same_vocabulary(version, champion)) if champion else NOBODY
    lines = score_lines(metrics, rival, decision.reasons)
    name = deciding_set(metrics)
    samples = samples_markdown(
        json.loads(night.evaluation.path("samples.json").read_bytes())[name],
        version.number,
        champion=decision.champion,
        theirs=champion_outputs(registry, version, verdict, name),
        are_frames=bool(frame_size(night.corpus.facts)),
    )
    about = "Whether the version was put into service, and why."
    yield Part("decision", about, decision_markdown(version.number, decision))
    about = "What is served was scored: raw text in, raw text out."
    yield Part("scores", about, scores_table(lines, version.number, decision))
    yield Part("samples", f"The best, the median and the worst translations of the {name} set, by chrF.", samples)


def champion_outputs(registry: Registry, version: Version, verdict: Verdict, name: str) -> list[str] | None:
    """The champion's translations of a set, in the order of the set; None where there was no champion to ask."""
    kept = output_of(name)
    if kept not in {file.path for file in verdict.files}:
        return None
    table = pq.read_table(io.BytesIO(verdicts.file_of(registry, version, kept)), columns=["hypothesis"])
    hypotheses: list[str] = table["hypothesis"].to_pylist()
    return hypotheses
