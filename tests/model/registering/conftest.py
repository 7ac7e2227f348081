"""Nights without a training: the outputs of the stages before `register`, with scores as wanted."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.card import CardConfig
from model.config import EvaluateConfig
from model.promotion import RegisterConfig
from model.register import register
from pipeline import manifest as manifests
from pipeline.manifest import Manifest, input_record
from pipeline.records import SentencePair

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
MODEL_FILES = (
    "export/saved_model.pb",
    "export/variables/variables.index",
    "vocabulary.model",
    "history.json",
    "checkpoints/step-100.index",
)
HELD_OUT = [
    SentencePair(f"rain and fog until {hour} hours", f"pluie et brouillard pendant {hour} heures") for hour in range(12)
]
ANY_GAIN = RegisterConfig(max_p=1)
PART = {"split": "train", "location": "https://ada:secret@example.org/a.tsv?key=1", "digest": "a" * 64, "origin": "web"}


def write_output(
    directory: Path,
    stage: str,
    kind: str,
    files: dict[str, bytes],
    *,
    inputs: Sequence[Manifest] = (),
    facts: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
) -> Manifest:
    """A finished output with those files."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    records = {given.kind: input_record(given) for given in inputs}
    manifest = Manifest(
        kind=kind,
        stage=stage,
        stage_version=1,
        fingerprint=manifests.fingerprint(stage, 1, config or {}, records),
        config=config or {},
        inputs=records,
        files=manifests.file_records(directory),
        counts={},
        facts=facts or {},
        versions={"tensorflow": "2.21.0"},
        finished="2026-11-22T03:00:00+00:00",
        seconds=1.0,
        directory=directory,
    )
    manifests.write(manifest)
    return manifest


@dataclass(frozen=True)
class Night:
    """What a night's stages left behind, and where it is registered."""

    corpus: Manifest
    pairs: Manifest
    statistics: Manifest
    model: Manifest
    evaluation: Manifest
    workspace: Path
    registry: str

    def register(self, config: RegisterConfig = ANY_GAIN, **changes: Any) -> Manifest:
        """Runs the stage."""
        resources = {"registry": self.registry, "name": "weather", "who": "ada@host", "card": CardConfig()}
        return register(
            config,
            self.corpus,
            self.pairs,
            self.statistics,
            self.model,
            self.evaluation,
            output_dir=self.workspace / "register",
            **resources | {"licences": {"web": "CC0-1.0"}} | changes,
        )


def write_night(
    tmp_path: Path,
    bleu: float,
    *,
    seed: int = 1,
    digest: str = "d1",
    signature: str = SIGNATURE,
    held_out: str = "test",
    registry: str | None = None,
) -> Night:
    """A night whose model has that BLEU; models of different seeds differ."""
    workspace = tmp_path / f"night-{seed}-{bleu}-{digest}"
    facts = {"languages": ["en", "fr"], "parts": [PART | {"pairs": 1000}]}
    corpus = write_output(workspace / "corpus", "ingest", "corpus", {"train-000.parquet": b"..."}, facts=facts)
    pairs = write_output(workspace / "pairs", "clean", "pairs", {}, inputs=[corpus], config={"data": digest})
    statistics = write_output(workspace / "statistics", "inspect", "statistics", {}, inputs=[pairs])
    model = write_output(
        workspace / "model",
        "train",
        "model",
        dict.fromkeys(MODEL_FILES, b"[]") | {"export/saved_model.pb": f"graph {seed}".encode()},
        inputs=[pairs],
        config={"seed": seed},
    )
    # Each model knows half of the sentences, the second the other half and one more.
    hypotheses = [pair.target if (row + seed) % 2 or seed == row == 2 else "grêle" for row, pair in enumerate(HELD_OUT)]
    scores = {"bleu": bleu, "bleu_signature": signature, "sentences": 1000, "data_digest": digest}
    evaluation = write_output(
        workspace / "evaluation",
        "evaluate",
        "evaluation",
        {
            "evaluation.json": json.dumps(scores).encode(),
            f"hypotheses/{held_out}.parquet": table(hypotheses),
        },
        inputs=[model, pairs],
        facts={held_out: scores, "samples": ["no scores"]},
        config=EvaluateConfig().canonical(),
    )
    return Night(corpus, pairs, statistics, model, evaluation, workspace, registry or str(tmp_path / "registry"))


def table(hypotheses: Sequence[str]) -> bytes:
    """What a model made of the held-out sentences, as `evaluate` writes it."""
    columns = {
        "source": [pair.source for pair in HELD_OUT],
        "reference": [pair.target for pair in HELD_OUT],
        "hypothesis": list(hypotheses),
    }
    pq.write_table(pa.table(columns), file := io.BytesIO())
    return file.getvalue()


@dataclass
class Scorer:
    """Scores every model with the same BLEU on the data `d2` and remembers what it was asked."""

    bleu: float
    signature: str = SIGNATURE
    digest: str = "d2"
    asked: list[tuple[bytes, list[str], list[str], EvaluateConfig]] = field(default_factory=list)

    def __call__(
        self, saved_model: Path, sources: Sequence[str], references: Sequence[str], config: EvaluateConfig
    ) -> SimpleNamespace:
        graph = (saved_model / "saved_model.pb").read_bytes()
        self.asked.append((graph, list(sources), list(references), config))
        facts = {"bleu": self.bleu, "bleu_signature": self.signature, "data_digest": self.digest}
        return SimpleNamespace(facts=lambda: facts, hypotheses=tuple(f"again {source}" for source in sources))


@pytest.fixture
def night(tmp_path: Path) -> Callable[..., Night]:
    """Writes a night: `night(97.1, seed=2).register()`."""
    return partial(write_night, tmp_path)


@pytest.fixture
def made() -> Callable[..., Manifest]:
    """Writes one output."""
    return write_output


@pytest.fixture
def scorer() -> type[Scorer]:
    """What scores a champion again."""
    return Scorer


@pytest.fixture
def never() -> Callable[..., SimpleNamespace]:
    """What scores no champion again."""

    def fail(*_: object) -> SimpleNamespace:
        raise AssertionError("scores of the same sentences and metric need no second measurement")

    return fail
