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
def exported(trained: Manifest) -> Any:
    """That model as it is served."""
    from model.export import Exported

    return Exported.load(trained.directory / "export")


@pytest.fixture(scope="session")
def sources(toy: Toy) -> list[str]:
    """Sentences that it has not seen."""
    from pipeline.pairs import read_pairs

    return [pair.source for pair in read_pairs(toy.pairs.path("test.parquet"))]


@pytest.fixture(scope="session")
def untrained(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """The export of a configuration's first weights; each is made once, since that takes seconds."""
    from model.architectures import build_model
    from model.export import Exported, save
    from pipeline.vocabularies import Vocabularies

    pieces = Vocabularies.read(toy.vocabulary)

    made: dict[tuple[str, str], Exported] = {}

    def of(config: Any, form: str = "NFC") -> Exported:
        key = config.model_dump_json(), form
        if key not in made:
            model = build_model(config.model, pieces.target.size, config.seed)
            folder = tmp_path_factory.mktemp("untrained") / "export"
            save({weight.path: weight.numpy() for weight in model.trainable_variables}, config, pieces, form, folder)
            made[key] = Exported.load(folder)
        return made[key]

    return of


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


FRAME = 6  # numbers
SOUNDS = np.random.default_rng(7).normal(size=(12, 2, FRAME)).astype(np.float32)  # of each token two frames


def speak(chance: np.random.Generator, pairs: int) -> tuple[list[np.ndarray], list[list[int]]]:
    """Noisy frames `[S, F]` of one to three tokens, and those tokens, as often as there are to be pairs."""
    spoken = [chance.integers(4, 12, length).tolist() for length in chance.integers(1, 4, pairs)]
    frames = [SOUNDS[tokens].reshape(-1, FRAME) for tokens in spoken]
    return [each + chance.normal(scale=0.1, size=each.shape).astype(np.float32) for each in frames], spoken


@pytest.fixture(scope="session")
def spoken() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Noisy frames and what was spoken, as batches have them: `[B, 6, 6]` and `[B, 4]`, from `(chance, pairs)`."""
    from model.batches import PADDING

    def batch(chance: np.random.Generator, pairs: int) -> tuple[np.ndarray, np.ndarray]:
        sources, targets = np.full((pairs, 6, FRAME), PADDING, np.float32), np.zeros((pairs, 4), np.int32)
        for row, (frames, tokens) in enumerate(zip(*speak(chance, pairs), strict=True)):
            sources[row, : len(frames)] = frames
            targets[row, : len(tokens) + 1] = [*tokens, 3]
        return sources, targets

    return batch


@pytest.fixture(scope="session")
def toy_frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with shards of frames and what was spoken, for training and as a dev set."""
    import pyarrow as pa

    from pipeline.examples import ShardWriter
    from pipeline.frames import VALUES
    from pipeline.vocabulary import IDS

    folder = tmp_path_factory.mktemp("frames")
    for split, pairs, seed in (("train", 200, 1), ("dev", 30, 2)):
        frames, spoken = speak(np.random.default_rng(seed), pairs)
        with ShardWriter(folder / f"{split}/shard-00000-of-00001.tfrecord", FRAME) as writer:
            sources = pa.array([each.ravel() for each in frames], VALUES)
            writer.write(sources, pa.array(spoken, IDS), [0] * pairs)
    return folder


@pytest.fixture(scope="session")
def share_learned() -> Callable[..., float]:
    """The share of new sequences that a network writes without a mistake after 200 steps on batches of 64."""
    import keras
    import tensorflow as tf

    from model.losses import summed_cross_entropy
    from model.search import greedy
    from pipeline.vocabulary import EOS, PAD

    def learned(model: Any, draw: Callable[..., tuple[np.ndarray, np.ndarray]], rate: float) -> float:
        optimizer, chance = keras.optimizers.Adam(rate), np.random.default_rng(1)
        sources, targets = draw(chance, 100)
        shapes = [tf.TensorSpec([None] * 2 + list(side.shape[2:]), side.dtype) for side in (sources, targets)]

        @tf.function(input_signature=shapes)
        def learn(sources: tf.Tensor, targets: tf.Tensor) -> None:
            with tf.GradientTape() as tape:
                features, tokens, _ = model.features(sources, targets, None)
                loss = summed_cross_entropy(features, *model.softmax, tokens) / tf.cast(tf.size(tokens), tf.float32)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

        optimizer.build(model.trainable_variables)
        for _ in range(200):
            learn(*draw(chance, 64))
        longest = targets.shape[1]
        found = greedy(model.step, model.begin(tf.constant(sources)), tf.constant(100), max_length=longest)
        written = np.pad(found.tokens.numpy(), [(0, 0), (0, longest - found.tokens.shape[1])])
        return float((written == np.where(targets == EOS, PAD, targets)).all(axis=1).mean())

    return learned


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
