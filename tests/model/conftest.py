"""A toy task for the models: words to the same words backwards, learned in some seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import manifest as manifests
from pipeline.manifest import InputRecord, Manifest
from pipeline.records import SentencePair

WORDS = ("rain", "snow", "wind", "fog", "hail", "sun", "heat", "frost")


@dataclass(frozen=True)
class Toy:
    """The toy corpus as the stages before training leave it."""

    folder: Path
    shards: Manifest
    vocabulary: Manifest
    pairs: Manifest


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    return write_toy(tmp_path_factory.mktemp("toy"), sentences(660, seed=1), held_out=30)


@pytest.fixture(scope="session")
def toy_config() -> Callable[..., Any]:
    """A training of a second; keywords change it."""
    from model.config import ModelConfig, TrainConfig

    network = ModelConfig(embedding_size=16, encoder_units=16, decoder_units=24, attention_units=12, dropout=0.1)
    usual = {"model": network, "steps": 12, "batch_tokens": 128, "warmup_steps": 4, "learning_rate": 0.01}
    usual |= {"checkpoint_every": 5, "evaluate_every": 4, "max_length": 20}
    return lambda **changes: TrainConfig(**(usual | changes))


@pytest.fixture(scope="session")
def trained(toy: Toy, toy_config: Callable[..., Any]) -> Manifest:
    """A model that has learned the task, by way of the stage."""
    from model.config import DeviceConfig
    from model.stages import train

    usual = {"learning_rate": 0.02, "checkpoint_every": 150, "evaluate_every": 200, "keep_optimizer": True}
    config = toy_config(steps=400, batch_tokens=256, **usual)
    made: Manifest = train(config, toy.shards, toy.vocabulary, output_dir=toy.folder / "train", devices=DeviceConfig())
    return made


@pytest.fixture(scope="session")
def toy_apart(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """The same task with targets in capitals, and a vocabulary for each side: 30 pieces and 40."""
    pairs = [SentencePair(pair.source, pair.target.upper()) for pair in sentences(660, seed=1)]
    own = {"separate": True, "source_size": 30}
    return write_toy(tmp_path_factory.mktemp("apart"), pairs, held_out=30, **own)


@pytest.fixture(scope="session")
def trained_apart(toy_apart: Toy, toy_config: Callable[..., Any]) -> Manifest:
    """A model that has learned it."""
    from model.config import DeviceConfig
    from model.stages import train

    config = toy_config(steps=400, batch_tokens=256, learning_rate=0.02, checkpoint_every=200, evaluate_every=200)
    given = config, toy_apart.shards, toy_apart.vocabulary
    made: Manifest = train(*given, output_dir=toy_apart.folder / "train", devices=DeviceConfig())
    return made


def sentences(count: int, seed: int) -> list[SentencePair]:
    """Distinct pairs of one to four words."""
    chance = np.random.default_rng(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        words = [WORDS[word] for word in chance.integers(len(WORDS), size=chance.integers(1, 5))]
        found[" ".join(words)] = " ".join(reversed(words))
    return [SentencePair(source, target) for source, target in found.items()]


def write_toy(folder: Path, pairs: list[SentencePair], held_out: int, **own: Any) -> Toy:
    """Writes shards, vocabulary and held-out pairs; keywords change the vocabulary's configuration."""
    from pipeline.build_vocabulary import learn
    from pipeline.examples import write_shard
    from pipeline.pairs import write_pairs
    from pipeline.vocabulary import VocabularyConfig

    for name in ("shards/train", "shards/dev", "vocabulary", "pairs"):
        (folder / name).mkdir(parents=True)
    vocabularies = learn(VocabularyConfig(size=40, character_coverage=1, **own), pairs)
    vocabularies.write(folder / "vocabulary")
    source, target = vocabularies.source, vocabularies.target
    splits = {"test": pairs[:held_out], "dev": pairs[held_out : 2 * held_out], "train": pairs[2 * held_out :]}
    for split, number in (("train", 2), ("dev", 1)):
        for shard in range(number):
            rows = splits[split][shard::number]
            path = folder / f"shards/{split}/shard-{shard:05d}-of-{number:05d}.tfrecord"
            write_shard(path, source.encode([p.source for p in rows]), target.encode([p.target for p in rows]))
    for split in ("dev", "test"):
        write_pairs(folder / f"pairs/{split}.parquet", splits[split])
    pieces = as_manifest("vocabulary", folder / "vocabulary")
    facts = {"origins": ["toy"], "unicode_form": "NFC"}
    shards = as_manifest("shards", folder / "shards", facts=facts, vocabulary=manifests.input_record(pieces))
    return Toy(folder, shards, pieces, as_manifest("pairs", folder / "pairs"))


def as_manifest(kind: str, folder: Path, facts: dict[str, Any] | None = None, **inputs: InputRecord) -> Manifest:
    """Makes a folder a complete output."""
    made = Manifest(
        kind=kind,
        stage=kind,
        stage_version=1,
        fingerprint=f"of-{kind}",
        config={},
        inputs=inputs,
        files=manifests.file_records(folder),
        counts={},
        facts=facts or {},
        versions={},
        finished="2026-01-01T00:00:00",
        seconds=0.0,
        directory=folder,
    )
    manifests.write(made)
    return made
