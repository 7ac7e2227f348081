"""The stage that registers a trained and scored model, and puts it into service if it is better."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.card import CardConfig
from model.card import render as render_card
from model.code_version import code_version
from model.comparison import deciding_set
from model.decision import Decision
from model.lineage import sources_of
from model.promotion import RegisterConfig, check_rules
from model.race import nominate, promote
from model.registry import CHAMPION, EXPORT, Registry
from model.rival import Meeting, ScoreModel
from model.verdicts import conclude
from model.versions import Version
from pipeline import manifest as manifests
from pipeline.errors import InputError
from pipeline.manifest import Manifest, input_record, sha256_of_json
from pipeline.stage import Outcome, stage

CARD = "model_card.md"
REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class Made:
    """What a night made of one corpus, from the sources to the scores."""

    corpus: Manifest
    pairs: Manifest
    statistics: Manifest
    model: Manifest
    evaluation: Manifest

    @property
    def fingerprint(self) -> str:
        """Hash of what is registered: the model's bytes and how they were made and scored."""
        return sha256_of_json([self.model.fingerprint, self.model.digest, self.evaluation.fingerprint])

    @property
    def stages(self) -> tuple[Manifest, ...]:
        """Those that a version remembers, in their order."""
        return self.corpus, self.pairs, self.model, self.evaluation


def still_holds(made: Manifest, *, registry: str, name: str, **_: Any) -> bool:
    """Whether the version that a finished run registered is in this registry: it may be another one, or wiped."""
    number, fingerprint = made.facts["version"], made.facts["registered"]
    found = Registry(registry, name).peek(number)
    return found is not None and found.fingerprint == fingerprint


@stage(
    "register",
    section="promotion",
    version=3,
    takes=("corpus", "pairs", "statistics", "model", "evaluation"),
    makes="version",
    reads={  # of corpus and pairs what is known of them; the sentences themselves are in the evaluation
        "corpus": (),
        "pairs": (),
        "statistics": ("lengths.png",),
    },
    still_holds=still_holds,
)
def register(  # noqa: PLR0917  one manifest after the other, as every stage takes them
    config: RegisterConfig,
    corpus: Manifest,
    pairs: Manifest,
    statistics: Manifest,
    model: Manifest,
    evaluation: Manifest,
    *,
    folder: Path,
    registry: str,
    name: str,
    licences: Mapping[str, str],
    card: CardConfig,
    who: str,
    score: ScoreModel | None = None,
) -> Outcome:
    """Registers a model as the next version, makes it `candidate`, and `champion` if it has earned it.

    Called by the `retrain` flow after `evaluate`, and as

        nightshift register --set promotion.min_gain=0.5

    It writes into the registry, a folder or `gs://bucket/prefix`:

        weather-en-fr/
            versions/0003/
                export/...             the SavedModel: raw text in, raw text out
                vocabulary.model       and what else lies beside the export
                evaluation.json        the scores
                hypotheses/...         what it made of each set, so that a later candidate can be compared with it
                model_card.md          data, use, scores, limits, licences
                stages/model.json      manifests of the stages that made it
                manifest.json          files with digests, scores, sources, lineage, code; written last
                verdicts/0001/         the decision with its reasons
                    verdict.json
                    report.html        all of it on one page, for people
                    champion/...       what the champion made of the same sentences
            aliases/candidate.json     -> 3
            aliases/champion.json      -> 3, if it is better than the champion and keeps to all rules

    A champion whose stored scores are of other sentences or of another metric is scored again on these. Being better
    counts where paired bootstrap resampling says that it is hardly chance (Koehn, 2004). Killed at any moment and run
    again it ends with the same version: what was registered completely is found by its fingerprint and not stored
    twice.

    Args:
        config: when a candidate becomes champion.
        corpus: what `ingest` made, with the sources.
        pairs: what `clean` made.
        statistics: what `inspect` made of these pairs, shown in the report.
        model: what `train` made.
        evaluation: what `evaluate` made of that model and these pairs.
        folder: where a champion is kept while it is scored again; nothing stays there.
        registry: where the registry is.
        name: the model's name in it.
        licences: under which terms the text of each origin may be used.
        card: what people say about the model in its card.
        who: who registers it; kept in the histories of the aliases.
        score: what scores a champion again; `model.evaluate.score_model` unless a test brings its own.

    Raises:
        InputError: the registry cannot be used, the manifests do not belong together, or a rule is about a set or a
            metric that was not measured.
        Conflict: others moved the champion again and again while this one was compared with it.
    """
    made = Made(corpus, pairs, statistics, model, evaluation)
    check_lineage(made)
    to = Registry(registry, name)
    metrics = metrics_of(evaluation)
    deciding_set(metrics)  # before anything is stored: without scores there is nothing to decide
    check_rules(config, metrics)
    with tempfile.TemporaryDirectory(dir=folder) as room:
        version = to.find(made.fingerprint) or add(to, made, Path(room), licences=licences, card=card)
        nominate(to, version, who)
        meeting = Meeting(to, config, version.metrics, evaluation, Path(room), score)
        decision = promote(to, version, config, meeting, who)
        files = meeting.outputs | {REPORT: write_report(made, config, version, decision, meeting)}
        verdict = conclude(to, version, decision, config.canonical(), files=files, who=who)
    return Outcome(
        counts={
            "version": version.number,
            "files": len(version.files),
            "bytes": sum(file.bytes for file in version.files),
        },
        facts={
            "version": version.number,
            "registered": made.fingerprint,
            "promoted": decision.is_promoted,
            "reason": decision.reason,
            "reasons": [reason.model_dump(mode="json") for reason in decision.reasons],
            "verdict": verdict.number,
            "champion": to.alias(CHAMPION),
        },
    )


def write_report(made: Made, config: RegisterConfig, version: Version, decision: Decision, meeting: Meeting) -> Path:
    """Writes the page about a version beside the champion's outputs."""
    from model.report.gather import gather  # with sacreBLEU, which nights without anything new need not wait for
    from model.report.page import render

    path = meeting.folder / REPORT
    content = gather(config, version, decision, meeting, **{one.kind: one for one in (*made.stages, made.statistics)})
    path.write_text(render(content), encoding="utf-8")
    return path


def check_lineage(made: Made) -> None:
    """Raises `InputError` unless the evaluation is one of this model on these pairs, and they are of this corpus."""
    for output, given in (
        (made.evaluation, made.model),
        (made.evaluation, made.pairs),
        (made.pairs, made.corpus),
    ):
        if output.inputs.get(given.kind) != input_record(given):
            wanted = f"an output of {output.stage} for {given.directory}"
            raise InputError("register inputs", str(output.directory), wanted, "it was made of another one")


def add(to: Registry, made: Made, room: Path, *, licences: Mapping[str, str], card: CardConfig) -> Version:
    """Stores the model with its scores, its card and its lineage as a new version; the card is written in `room`."""
    metrics, sources, code = metrics_of(made.evaluation), sources_of(made.corpus, licences), code_version()
    page = render_card(
        to.name,
        card,
        corpus=made.corpus,
        model=made.model,
        pairs=made.pairs,
        metrics=metrics,
        sources=sources,
        code=code,
    )
    (room / CARD).write_text(page, encoding="utf-8")
    # Not the corpus's manifest: addresses in it may hold a key, and its sources are in the version's own.
    stages = {f"stages/{one.kind}.json": one.directory / manifests.NAME for one in made.stages[1:]}
    return to.add(
        files_of(made.model, made.evaluation) | stages | {CARD: room / CARD},
        fingerprint=made.fingerprint,
        metrics=metrics,
        lineage={one.kind: input_record(one) for one in made.stages} | made.model.inputs,
        configs={one.stage: one.config for one in made.stages},
        versions=made.model.versions,
        sources=sources,
        parent=to.alias(CHAMPION),
        code=code,
    )


def files_of(model: Manifest, evaluation: Manifest) -> dict[str, Path]:
    """What goes into a version: the export, what lies beside it, and the evaluation.

    Not the checkpoints, which are there for going on with training.
    """
    exported = [file.path for file in model.files if file.path.startswith(f"{EXPORT}/")]
    if not exported:
        raise InputError("manifest", str(model.directory / manifests.NAME), f"a SavedModel in {EXPORT}/")
    beside = [file.path for file in model.files if "/" not in file.path]
    return {path: model.directory / path for path in exported + beside} | {
        file.path: evaluation.directory / file.path for file in evaluation.files
    }


def metrics_of(evaluation: Manifest) -> dict[str, dict[str, Any]]:
    """The scores by set from an evaluation's facts."""
    return {
        name: dict(facts) for name, facts in evaluation.facts.items() if isinstance(facts, Mapping) and "bleu" in facts
    }
