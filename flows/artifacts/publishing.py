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
from flows.artifacts.losses import losses_markdown, lowest_loss
from flows.artifacts.markdown import fenced, plain
from flows.artifacts.samples import samples_markdown
from flows.artifacts.scores import score_lines, scores_table
from flows.best_effort import best_effort
from flows.settings import RetrainConfig
from flows.summary import Night, as_text, report
from model import verdicts
from model.comparison import DECIDES, deciding_set, have_same_vocabulary, shown
from model.register import metrics_of
from model.registry import Registry
from model.report.champion import NOBODY, Champion
from model.report.gather_data import funnel, generations
from model.report.opening import headline
from model.rival import output_of
from model.verdicts import Verdict
from model.versions import Version
from pipeline.errors import InputError
from pipeline.frames import frame_size


class Part(NamedTuple):
    """One artifact.

    Args:
        name: last part of its key.
        about: the most important of it in a few words, for lists of artifacts.
        markdown: what it shows.
    """

    name: str
    about: str
    markdown: str


def publish(config: RetrainConfig, night: Night) -> None:
    """Makes the artifacts of a night, as far as it can be read and the server takes them: the version is registered."""
    with best_effort("artifacts", OSError, InputError):
        for part in parts(config, night):
            create_markdown_artifact(part.markdown, key_of(config.name, part.name), part.about)


def parts(config: RetrainConfig, night: Night) -> Iterator[Part]:
    """What a night shows, in the order of the module's description."""
    registry = Registry(config.registry, config.name)
    version = registry.get(night.version.facts["version"])
    yield Part("summary", f"{config.name}, version {version.number}", fenced(as_text(config, night)))
    if verdict := verdicts.latest(registry, version):
        yield from comparison(registry, version, verdict, night)
    picture, history = (night.model.path(name).read_bytes() for name in ("loss.png", "history.json"))
    yield Part("loss curve", lowest_loss(json.loads(history)), losses_markdown(picture))
    whole, chain = funnel(night.corpus, night.pairs), list(generations(night.corpus, night.pairs))
    yield Part("data", f"{whole.kept:,} of {whole.read:,} pairs kept", funnel_table(whole))
    yield Part("generations", f"{len(chain):,} so far", generations_table(chain, night.shards.chain()))
    where = report_markdown(report(config, night), version.number, model=config.name, registry=config.registry)
    yield Part("report", f"of version {version.number}, on one page", where)


def comparison(registry: Registry, version: Version, verdict: Verdict, night: Night) -> Iterator[Part]:
    """The version beside the champion that it met, which may be deleted since."""
    number, decision, metrics = version.number, verdict.decision, metrics_of(night.evaluation)
    name = deciding_set(metrics)
    champion = registry.peek(decision.champion) if decision.champion else None
    rival = Champion(champion.metrics, {}, have_same_vocabulary(version, champion)) if champion else NOBODY
    samples = samples_markdown(
        json.loads(night.evaluation.path("samples.json").read_bytes())[name],
        number,
        champion=decision.champion,
        theirs=champion_outputs(registry, version, verdict, name),
        are_frames=bool(frame_size(night.corpus.facts)),
    )
    lines = score_lines(metrics, rival, decision.reasons)
    yield Part("decision", plain(headline(decision, number)), decision_markdown(decision))
    yield Part("scores", f"{shown(DECIDES, metrics[name][DECIDES])} on {name}", scores_table(lines, number, decision))
    yield Part("samples", f"best, median and worst of {name}, by chrF", samples)


def champion_outputs(registry: Registry, version: Version, verdict: Verdict, name: str) -> list[str] | None:
    """The champion's translations of a set, in the order of the set; None where there was no champion to ask."""
    kept = output_of(name)
    if kept not in {file.path for file in verdict.files}:
        return None
    table = pq.read_table(io.BytesIO(verdicts.file_of(registry, version, kept)), columns=["hypothesis"])
    hypotheses: list[str] = table["hypothesis"].to_pylist()
    return hypotheses
