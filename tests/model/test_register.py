"""The stage: what it stores, how a champion is scored again, and that a killed run is finished by the next."""

import io
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.card import CardConfig
from model.code_version import code_version
from model.config import EvaluateConfig
from model.promotion import RegisterConfig
from model.register import register
from model.registry import Registry
from model.verdicts import latest
from pipeline import manifest as manifests
from pipeline.errors import InputError
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


def made(
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
            self.model,
            self.evaluation,
            output_dir=self.workspace / "register",
            **resources | {"licences": {"web": "CC0-1.0"}} | changes,
        )


def night(
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
    corpus = made(workspace / "corpus", "ingest", "corpus", {"train-000.parquet": b"..."}, facts=facts)
    pairs = made(workspace / "pairs", "clean", "pairs", {}, inputs=[corpus], config={"data": digest})
    model = made(
        workspace / "model",
        "train",
        "model",
        dict.fromkeys(MODEL_FILES, b"...") | {"export/saved_model.pb": f"graph {seed}".encode()},
        inputs=[pairs],
        config={"seed": seed},
    )
    # Each model knows half of the sentences, the second the other half and one more.
    hypotheses = [pair.target if (row + seed) % 2 or seed == row == 2 else "grêle" for row, pair in enumerate(HELD_OUT)]
    scores = {"bleu": bleu, "bleu_signature": signature, "sentences": 1000, "data_digest": digest}
    evaluation = made(
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
    return Night(corpus, pairs, model, evaluation, workspace, registry or str(tmp_path / "registry"))


def table(hypotheses: Sequence[str]) -> bytes:
    """What a model made of the held-out sentences, as `evaluate` writes it."""
    columns = {
        "source": [pair.source for pair in HELD_OUT],
        "reference": [pair.target for pair in HELD_OUT],
        "hypothesis": list(hypotheses),
    }
    pq.write_table(pa.table(columns), file := io.BytesIO())
    return file.getvalue()


def registry_of(one: Night) -> Registry:
    """Where a night registers."""
    return Registry(one.registry, "weather")


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


def never(*_: object) -> SimpleNamespace:
    raise AssertionError("scores of the same sentences and metric need no second measurement")


def test_the_first_model_becomes_version_1_candidate_and_champion(tmp_path: Path) -> None:
    first = night(tmp_path, 97.1)

    result = first.register(score=never)

    registry = Registry(first.registry, "weather")
    version = registry.get("champion")
    assert result.facts == {
        "version": 1,
        "registered": version.fingerprint,
        "promoted": True,
        "reason": "BLEU 97.10 on 1,000 test sentences, and there was no champion",
        "reasons": [],
        "verdict": 1,
        "champion": 1,
    }
    assert registry.aliases() == {"candidate": 1, "champion": 1}
    assert [file.path for file in version.files] == [
        "evaluation.json",
        "export/saved_model.pb",
        "export/variables/variables.index",
        "history.json",
        "hypotheses/test.parquet",
        "model_card.md",
        "stages/evaluation.json",
        "stages/model.json",
        "stages/pairs.json",
        "vocabulary.model",
    ]
    assert list(version.metrics) == ["test"]
    all_made = (first.corpus, first.pairs, first.model, first.evaluation)
    assert version.lineage == {made.kind: input_record(made) for made in all_made}
    assert version.configs["train"] == {"seed": 1}
    assert registry.fetch(version, tmp_path / "cache").joinpath("export/saved_model.pb").read_bytes() == b"graph 1"


def test_a_version_says_what_it_was_made_from(tmp_path: Path) -> None:
    first = night(tmp_path, 97.1)
    first.register()
    night(tmp_path, 97.5, seed=2).register()

    registry = registry_of(first)
    old, version = registry.get(1), registry.get(2)
    [source] = version.sources
    assert source.model_dump() == {
        "split": "train",
        "origin": "web",
        "location": "https://example.org/a.tsv",
        "digest": "a" * 64,
        "pairs": 1000,
        "licence": "CC0-1.0",
    }
    assert (old.parent, version.parent) == (None, 1)
    assert version.code == code_version() == old.code
    assert "secret" not in "".join(
        path.read_text(errors="replace") for path in Path(first.registry).rglob("*") if path.is_file()
    )
    card = registry.fetch(version, tmp_path) / "model_card.md"
    signature = SIGNATURE.replace("|", "\\|")
    for line in (
        "# weather",
        "| train | https://example.org/a.tsv | 1,000 | CC0-1.0 | aaaaaaaaaaaa |",
        f"| test | BLEU | 97.50 | {signature} |",
        f"| model | {version.lineage['model'].digest} |",
    ):
        assert f"\n{line}\n" in f"\n{card.read_text()}"


def test_a_gain_has_to_be_more_than_chance(tmp_path: Path) -> None:
    night(tmp_path, 97.1).register(RegisterConfig())
    second = night(tmp_path, 97.5, seed=2)

    result = second.register(RegisterConfig())

    [gain, significance] = result.facts["reasons"]
    assert (gain["rule"], gain["is_met"]) == ("gain", True)
    assert (significance["rule"], significance["is_met"], significance["samples"]) == ("significance", False, 1000)
    p = significance["ours"]
    assert 0.05 < p <= 1
    assert result.facts["promoted"] is False
    assert result.facts["reason"] == (
        f"p {p:.3f} in 1,000 bootstrap samples, which is more than 0.05 (promotion.max_p): the gain may be chance"
    )
    registry = registry_of(second)
    verdict = latest(registry, registry.get(2))
    assert verdict is not None
    assert verdict.decision.model_dump(mode="json")["reasons"] == result.facts["reasons"]
    assert (verdict.who, verdict.decision.champion, verdict.version) == ("ada@host", 1, registry.get(2).digest)
    assert [move.who for move in registry.history("champion") + registry.history("candidate")] == ["ada@host"] * 3


def test_a_rule_about_a_set_that_was_not_scored_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"promotion.falls = news: expected one of the sets test"):
        night(tmp_path, 97.1).register(RegisterConfig(falls={"news": {"bleu": 1}}))

    assert not (tmp_path / "registry").exists()


@pytest.mark.parametrize(
    ("bleu", "champion", "reason"),
    [
        (97.5, 2, "BLEU 97.50 against 97.10 of version 1 on the same 1,000 test sentences"),
        (97.1, 1, "BLEU 97.10 against 97.10 of version 1 on the same 1,000 test sentences, which is not better"),
    ],
)
def test_a_second_model_has_to_be_better(tmp_path: Path, bleu: float, champion: int, reason: str) -> None:
    night(tmp_path, 97.1).register()

    result = night(tmp_path, bleu, seed=2).register(score=never)

    told = [result.facts[name] for name in ("version", "promoted", "reason", "champion")]
    assert told == [2, champion == 2, reason, champion]
    assert Registry(str(tmp_path / "registry"), "weather").aliases() == {"candidate": 2, "champion": champion}


def test_without_a_test_set_the_dev_set_decides(tmp_path: Path) -> None:
    night(tmp_path, 97.1, held_out="dev").register()

    result = night(tmp_path, 97.5, seed=2, held_out="dev").register(score=never)

    assert result.facts["reason"] == "BLEU 97.50 against 97.10 of version 1 on the same 1,000 dev sentences"


@pytest.mark.parametrize("changed", [{"digest": "d2"}, {"signature": "tok:char"}], ids=["data", "metric"])
@pytest.mark.parametrize(("again", "is_promoted"), [(90.0, True), (99.0, False)])
def test_a_champion_of_other_data_or_metric_is_scored_again(
    tmp_path: Path, changed: dict[str, str], again: float, is_promoted: bool
) -> None:
    night(tmp_path, 97.1).register()
    scorer = Scorer(again, changed.get("signature", SIGNATURE), changed.get("digest", "d1"))

    result = night(tmp_path, 95.0, seed=2, **changed).register(score=scorer)

    ending = "" if is_promoted else ", which is not better"
    assert result.facts["promoted"] is is_promoted
    assert result.facts["reason"] == (
        f"BLEU 95.00 against {again:.2f} of version 1 on the same 1,000 test sentences (it was scored again){ending}"
    )
    sources, references = [pair.source for pair in HELD_OUT], [pair.target for pair in HELD_OUT]
    assert scorer.asked == [(b"graph 1", sources, references, EvaluateConfig())]
    assert result.files == ()
    registry = Registry(str(tmp_path / "registry"), "weather")
    verdict = latest(registry, registry.get(2))
    assert verdict is not None
    assert verdict.decision.was_scored_again
    [kept] = verdict.files
    assert kept.path == "champion/test.parquet"
    path = tmp_path / "registry/weather/versions/0002/verdicts/0001/champion/test.parquet"
    assert pq.read_table(path).to_pydict() == {
        "source": sources,
        "reference": references,
        "hypothesis": [f"again {source}" for source in sources],
    }


def test_a_metric_of_another_release_is_refused(tmp_path: Path) -> None:
    night(tmp_path, 97.1).register()

    with pytest.raises(InputError, match=r"evaluation = .*: expected bleu by tok:char of data d2 "):
        night(tmp_path, 97.5, seed=2, digest="d2").register(score=Scorer(90.0, "tok:char"))

    assert Registry(str(tmp_path / "registry"), "weather").alias("champion") == 1


def test_a_damaged_champion_is_named_and_not_scored(tmp_path: Path) -> None:
    night(tmp_path, 97.1).register()
    graph = tmp_path / "registry" / "weather" / "versions" / "0001" / "export" / "saved_model.pb"
    graph.write_bytes(b"Graph 1")

    with pytest.raises(InputError, match=f"registry = {graph}: expected the 7 bytes"):
        night(tmp_path, 97.5, seed=2, digest="d2").register(score=never)


@pytest.mark.parametrize(
    ("other", "named"),
    [("model", "evaluation"), ("pairs", "evaluation"), ("corpus", "pairs"), ("evaluation", "evaluation")],
)
def test_manifests_that_do_not_belong_together_are_refused(tmp_path: Path, other: str, named: str) -> None:
    first, second = night(tmp_path, 97.1), night(tmp_path, 97.5, seed=2, digest="d2")
    foreign = made(tmp_path / "foreign", "ingest", "corpus", {}, facts={"parts": []}, config={"other": 1})
    mixed = replace(first, **{other: foreign if other == "corpus" else getattr(second, other)})

    with pytest.raises(InputError, match=f"register inputs = {getattr(mixed, named).directory}"):
        mixed.register()

    assert not Path(first.registry).exists()


@pytest.mark.parametrize("missing", ["export", "scores"])
def test_a_model_without_export_or_scores_is_not_stored(tmp_path: Path, missing: str) -> None:
    first = night(tmp_path, 97.1)
    model, facts = first.model, first.evaluation.facts
    if missing == "export":
        shutil.rmtree(model.directory / "export")
        model = made(model.directory, "train", "model", {}, inputs=[first.pairs])
    else:
        facts = {}
    config = first.evaluation.config
    evaluation = made(
        first.evaluation.directory,
        "evaluate",
        "evaluation",
        {},
        inputs=[model, first.pairs],
        facts=facts,
        config=config,
    )

    with pytest.raises(InputError, match=missing.removesuffix("s")):
        replace(first, model=model, evaluation=evaluation).register()

    assert not Path(first.registry).exists()


# --- again


def test_a_second_run_is_reused_until_the_registry_is_another_one(tmp_path: Path) -> None:
    first = night(tmp_path, 97.1)
    result = first.register()

    assert first.register() == result
    shutil.rmtree(first.registry)
    again = first.register()
    assert again.facts == result.facts
    assert again.finished != result.finished
    other = replace(first, registry=str(tmp_path / "other"))
    night(tmp_path, 50.0, seed=3, registry=other.registry).register()
    assert other.register().facts["version"] == 2


def test_a_version_whose_local_record_is_gone_is_not_stored_twice(tmp_path: Path) -> None:
    first = night(tmp_path, 97.1)
    result = first.register()
    shutil.rmtree(first.workspace / "register")

    assert first.register().facts == result.facts
    assert [version.number for version in Registry(first.registry, "weather").versions()] == [1]


def test_other_rules_decide_again_about_the_same_version(tmp_path: Path) -> None:
    first = night(tmp_path, 97.1)
    refused = first.register(RegisterConfig(min_bleu=99, max_p=1))
    assert (refused.facts["promoted"], refused.facts["champion"]) == (False, None)

    accepted = first.register(RegisterConfig(min_bleu=90, max_p=1))

    told = [accepted.facts[name] for name in ("version", "promoted", "champion", "verdict")]
    assert told == [1, True, 1, 2]
    verdict = latest(registry_of(first), registry_of(first).get(1))
    assert verdict is not None
    assert (verdict.number, verdict.rules["min_bleu"], verdict.decision.is_promoted) == (2, 90, True)


KILLED = """
import sys, time
from pathlib import Path
from model import register as stage
from model.card import CardConfig
from model.promotion import RegisterConfig
from pipeline import manifest
from pipeline.storage import LocalStorage

def hang(*_, **__):
    print("here", flush=True)
    time.sleep(60)

def write_all_but_the_manifest(storage, name, *data, **condition):
    return hang() if name.endswith(last) else write(storage, name, *data, **condition)

workspace, registry, where = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
inputs = [manifest.read(workspace / kind) for kind in ("corpus", "pairs", "model", "evaluation")]
last = "verdict.json" if where == "before the verdict is complete" else "0001/manifest.json"
write = LocalStorage.write
owner, name, instead = {
    "before the version is complete": (LocalStorage, "write", write_all_but_the_manifest),
    "before the candidate": (stage, "nominate", hang),
    "before the decision": (stage, "promote", hang),
    "before the verdict is complete": (LocalStorage, "write", write_all_but_the_manifest),
    "before the local manifest": (manifest, "write", hang),
}[where]
setattr(owner, name, instead)
stage.register(
    RegisterConfig(max_p=1), *inputs, output_dir=workspace / "register", registry=registry, name="weather",
    licences={}, card=CardConfig(), who="",
)
"""


@pytest.mark.parametrize(
    ("where", "number", "verdict"),
    [
        ("before the version is complete", 2, 1),
        ("before the candidate", 1, 1),
        ("before the decision", 1, 1),
        ("before the verdict is complete", 1, 2),
        ("before the local manifest", 1, 1),
    ],
)
def test_a_killed_run_is_finished_by_the_next(tmp_path: Path, where: str, number: int, verdict: int) -> None:
    first = night(tmp_path, 97.1)
    command = [sys.executable, "-c", KILLED, str(first.workspace), first.registry, where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "here\n"
        run.send_signal(signal.SIGKILL)

    result = first.register()

    registry = Registry(first.registry, "weather")
    assert result.facts | {"registered": ""} == {
        "version": number,
        "registered": "",
        "promoted": True,
        "reason": "BLEU 97.10 on 1,000 test sentences, and there was no champion",
        "reasons": [],
        "verdict": verdict,
        "champion": number,
    }
    assert [version.number for version in registry.versions()] == [number]
    assert registry.aliases() == {"candidate": number, "champion": number}
    assert [move.version for move in registry.history("champion")] == [number]


def test_a_registry_in_a_bucket_scores_a_downloaded_champion(tmp_path: Path, bucket: str) -> None:
    night(tmp_path, 97.1, registry=bucket).register()
    scorer = Scorer(90.0)

    result = night(tmp_path, 95.0, seed=2, digest="d2", registry=bucket).register(score=scorer)

    assert (result.facts["champion"], result.facts["promoted"]) == (2, True)
    assert [graph for graph, *_ in scorer.asked] == [b"graph 1"]
    assert result.files == ()
