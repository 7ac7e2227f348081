"""The stage that registers a trained and scored model, and puts it into service if it is better."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from model.config import EvaluateConfig
from model.promotion import CHAMPION, RegisterConfig, Scores, are_comparable, deciding_set, nominate, promote
from model.registry import Registry
from model.versions import Version
from pipeline import manifest as manifests
from pipeline.errors import InputError
from pipeline.manifest import Manifest, input_record, sha256_of_json
from pipeline.quiet import tensorflow_quietly
from pipeline.stage import Outcome, stage

EXPORT: Final = "export"

# (folder of a SavedModel, sources, references, how) -> an object whose facts() are like those of `evaluate` for one set
ScoreModel = Callable[[Path, Sequence[str], Sequence[str], EvaluateConfig], Any]


def default_score() -> ScoreModel:
    """What `evaluate` scores with; imported here because it brings TensorFlow, which most nights need not wait for."""
    with tensorflow_quietly():
        from model.evaluate import score_model
    return score_model


def still_holds(made: Manifest, *, registry: str, name: str, **_: Any) -> bool:
    """Whether the version that a finished run registered is in this registry: it may be another one, or wiped."""
    number, fingerprint = made.facts["version"], made.facts["registered"]
    found = Registry(registry, name).peek(number)
    return found is not None and found.fingerprint == fingerprint


@stage(
    "register",
    section="promotion",
    version=1,
    takes=("model", "evaluation", "pairs"),
    makes="version",
    reads={"pairs": ("dev.parquet", "test.parquet")},  # to score the champion again
    still_holds=still_holds,
)
def register(
    config: RegisterConfig,
    model: Manifest,
    evaluation: Manifest,
    pairs: Manifest,
    *,
    folder: Path,
    registry: str,
    name: str,
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
                stages/model.json      manifests of the stages that made it
                manifest.json          files with digests, scores, lineage; written last
            aliases/candidate.json     -> 3
            aliases/champion.json      -> 3, if no champion was there or its BLEU on the same sentences is lower

    A champion that was scored on other sentences or by another metric is scored again on these. Killed at any moment
    and run again it ends with the same version: what was registered completely is found by its fingerprint and not
    stored twice.

    Args:
        config: when a candidate becomes champion.
        model: what `train` made.
        evaluation: what `evaluate` made of that model and these pairs.
        pairs: what `clean` made, with the held-out sentences.
        folder: where a champion is kept while it is scored again; nothing stays there.
        registry: where the registry is.
        name: the model's name in it.
        score: what scores a champion again; `model.evaluate.score_model` unless a test brings its own.

    Raises:
        InputError: the registry cannot be used, or the manifests do not belong together.
        Conflict: others moved the champion again and again while this one was compared with it.
    """
    check_lineage(model, evaluation, pairs)
    to = Registry(registry, name)
    registered = fingerprint_of(model, evaluation)
    deciding_set(metrics_of(evaluation))  # before anything is stored: without scores there is nothing to decide
    version = to.find(registered) or add(to, registered, model, evaluation, pairs)
    nominate(to, version)

    def score_champion(champion: Version) -> Scores:
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            return score_again(to.fetch(champion, Path(cache)) / EXPORT, evaluation, pairs, score or default_score())

    decision = promote(to, version, config, score_champion)
    return Outcome(
        counts={
            "version": version.number,
            "files": len(version.files),
            "bytes": sum(file.bytes for file in version.files),
        },
        facts={
            "version": version.number,
            "registered": registered,
            "promoted": decision.is_promoted,
            "reason": decision.reason,
            "champion": to.alias(CHAMPION),
        },
    )


def score_again(saved_model: Path, evaluation: Manifest, pairs: Manifest, score: ScoreModel) -> Scores:
    """Scores a SavedModel as the evaluation's own model was scored: same sentences, same configuration, same metric.

    Raises:
        InputError: the metric of today is another one than the evaluation's.
    """
    from pipeline.pairs import read_pairs

    name = deciding_set(metrics_of(evaluation))
    ours = evaluation.facts[name]
    held_out = list(read_pairs(pairs.chain()[0].path(f"{name}.parquet")))
    sources, references = [pair.source for pair in held_out], [pair.target for pair in held_out]
    theirs: Scores = score(saved_model, sources, references, EvaluateConfig(**evaluation.config)).facts()
    if not are_comparable(ours, theirs):
        raise InputError(
            "evaluation",
            str(evaluation.directory),
            f"scores by {theirs['bleu_signature']} of data {theirs['data_digest'][:12]}",
            f"it is by {ours['bleu_signature']} of data {ours['data_digest'][:12]}: remove that folder and run again",
        )
    return theirs


def check_lineage(model: Manifest, evaluation: Manifest, pairs: Manifest) -> None:
    """Raises `InputError` unless the evaluation is one of this model on these pairs."""
    for given in (model, pairs):
        if evaluation.inputs.get(given.kind) != input_record(given):
            raise InputError(
                "register inputs",
                str(evaluation.directory),
                f"an evaluation of {given.directory}",
                "it scored another one",
            )


def fingerprint_of(model: Manifest, evaluation: Manifest) -> str:
    """Hash of what is registered: the model's bytes and how they were made and scored."""
    return sha256_of_json([model.fingerprint, model.digest, evaluation.fingerprint])


def add(to: Registry, registered: str, model: Manifest, evaluation: Manifest, pairs: Manifest) -> Version:
    """Stores the model with its scores and its lineage as a new version."""
    made = (model, evaluation, pairs)
    return to.add(
        files_of(model, evaluation) | {f"stages/{one.kind}.json": one.directory / manifests.NAME for one in made},
        fingerprint=registered,
        metrics=metrics_of(evaluation),
        lineage={one.kind: input_record(one) for one in made} | model.inputs,
        configs={one.stage: one.config for one in made},
        versions=model.versions,
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
