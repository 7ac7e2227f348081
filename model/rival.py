"""The champion as a candidate meets it: stored scores where they are comparable, and scored again where not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from model.bootstrap import paired_bootstrap
from model.comparison import Scores, are_comparable, deciding_set
from model.config import EvaluateConfig
from model.promotion import RegisterConfig, Rival, needed
from model.registry import EXPORT, EXPORTED, Registry
from model.versions import Version
from pipeline.errors import InputError
from pipeline.manifest import Manifest
from pipeline.quiet import tensorflow_quietly

COLUMNS: Final = ("source", "reference", "hypothesis")

# (folder of a SavedModel, sources, references, how) -> an object with the `hypotheses`, and `facts()` like those of
# `evaluate` for one set
ScoreModel = Callable[[Path, Sequence[str], Sequence[str], EvaluateConfig], Any]


def default_score() -> ScoreModel:
    """What `evaluate` scores with; imported here because it brings TensorFlow, which most nights need not wait for."""
    with tensorflow_quietly():
        from model.evaluate import score_model
    return score_model


@dataclass
class Meeting:
    """Compares a candidate with champions; the sentences are those of its own evaluation.

    Args:
        registry: where champions are.
        config: the rules, which say what is needed of a champion.
        metrics: the candidate's scores by set.
        evaluation: what `evaluate` made of the candidate.
        folder: where champions are kept while they are scored; `outputs` lie below it.
        score: what scores a champion again; `model.evaluate.score_model` unless a test brings its own.
        outputs: the champion's translations beside the candidate's sources and references, by the name they get in a
            verdict.
        rival: the champion that was met last.
    """

    registry: Registry
    config: RegisterConfig
    metrics: Mapping[str, Scores]
    evaluation: Manifest
    folder: Path
    score: ScoreModel | None = None
    outputs: dict[str, Path] = field(default_factory=dict)
    rival: Rival | None = None

    def __call__(self, champion: Version) -> Rival:
        """A champion's scores, on this evaluation's sentences by its metrics.

        Raises:
            InputError: the metric of today is another one than the evaluation's, or the champion is damaged.
        """
        self.outputs.clear()
        there = {file.path for file in champion.files}
        theirs: dict[str, Scores] = {}
        was_scored_again = False
        for name, metrics in needed(self.config, self.metrics).items():
            ours, stored = self.metrics[name], champion.metrics.get(name, {})
            table = table_of(name)
            if table in there and all(are_comparable(ours, stored, metric) for metric in metrics):
                theirs[name] = stored
                folder = self.registry.fetch(champion, self.folder, only=[table])
                self._keep(name, columns_of(folder / table)["hypothesis"])
            else:
                theirs[name] = self._score_again(champion, name, metrics)
                was_scored_again = True
        significance = None
        if self.config.max_p < 1:
            name = deciding_set(self.metrics)
            columns = columns_of(self.evaluation.path(table_of(name)))
            significance = paired_bootstrap(
                columns["hypothesis"],
                columns_of(self.outputs[output_of(name)])["hypothesis"],
                columns["reference"],
                tokenizer=EvaluateConfig(**self.evaluation.config).bleu_tokenizer,
                samples=self.config.samples,
            )
        self.rival = Rival(champion.number, theirs, significance, was_scored_again)
        return self.rival

    def _score_again(self, champion: Version, name: str, metrics: set[str]) -> Scores:
        saved_model = self.registry.fetch(champion, self.folder, only=EXPORTED) / EXPORT
        columns = columns_of(self.evaluation.path(table_of(name)))
        score = self.score or default_score()
        scored = score(saved_model, columns["source"], columns["reference"], EvaluateConfig(**self.evaluation.config))
        theirs: Scores = scored.facts()
        for metric in sorted(metrics):
            if not are_comparable(self.metrics[name], theirs, metric):
                raise self._incomparable(name, theirs, metric)
        self._keep(name, list(scored.hypotheses))
        return theirs

    def _keep(self, name: str, hypotheses: list[str]) -> None:
        columns = columns_of(self.evaluation.path(table_of(name))) | {"hypothesis": hypotheses}
        path = self.folder / output_of(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({column: columns[column] for column in COLUMNS}), path, compression="zstd")
        self.outputs[output_of(name)] = path

    def _incomparable(self, name: str, theirs: Scores, metric: str) -> InputError:
        ours, signature = self.metrics[name], f"{metric}_signature"
        return InputError(
            "evaluation",
            str(self.evaluation.directory),
            f"{metric} by {theirs.get(signature)} of data {theirs['data_digest'][:12]}",
            f"it is by {ours.get(signature)} of data {ours['data_digest'][:12]}: remove that folder and run again",
        )


def table_of(name: str) -> str:
    """Where an evaluation keeps the translations of a set, and a version those of its evaluation.

    >>> table_of("test")
    'hypotheses/test.parquet'
    """
    return f"hypotheses/{name}.parquet"


def output_of(name: str) -> str:
    """Where a verdict keeps what the champion made of a set.

    >>> output_of("test")
    'champion/test.parquet'
    """
    return f"champion/{name}.parquet"


def columns_of(path: Path) -> dict[str, list[str]]:
    """Sources, references and hypotheses of a table of translations."""
    found: dict[str, list[str]] = pq.read_table(path, columns=list(COLUMNS)).to_pydict()
    return found
