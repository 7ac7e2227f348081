"""What a night will cost, worked out from a sample of its text: steps, time, disk and memory.

Nothing is trained for it but a vocabulary on the sample. The time of a training is that of its matrix products, which
are counted, at the rate that this machine multiplies at, which is measured for a second: beside other work it is lower.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from flows.settings import RetrainConfig
from model import flops, size
from model.batches import Floats, Ints
from model.plan import Plan
from pipeline.beam_config import BeamConfig
from pipeline.errors import InputError
from pipeline.records import SentencePair
from pipeline.running.cores import usable_cores
from pipeline.sampling import Sample
from pipeline.vocabulary import Vocabulary, train_vocabulary

# Seconds that preparing a pair takes, and what language id adds, as `make bench SUITE=data` measures them.
PREPARED: Final = 50e-6
IDENTIFIED: Final = 30e-6
STARTED: Final = 6.0  # seconds until a Beam job has begun, and ended
# Share of that rate that training attains, as `make bench SUITE=train` measures it: small products are slower.
LEAST_SHARE, MOST_SHARE = 0.2, 0.6
LEAST_SHORT, MOST_SHORT = 1.2, 1.7  # how much faster 16 bits are where the processor has them
LEARNED_IN: Final = 30.0  # seconds for TensorFlow's start, the first step and the export
MATRIX: Final = 512
MEASURED: Final = 1.0  # seconds
PROCESS: Final = 1.6e9  # bytes that TensorFlow takes for itself, half a gigabyte of them for kernels it compiled
BEAM: Final = 0.6e9  # bytes of a process with Beam, and for each pair that it shuffles
BEAM_PAIR: Final = 310
KEY: Final = 16  # bytes of a pair's content hash
ID: Final = 1.6  # bytes of a token's id, most of which take one or two
GRAPH: Final = 1e6  # bytes of an exported model beside its weights
ROW: Final = 60  # bytes of a record in a shard, beside its ids: frame, keys, checksums, origin, lengths


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a night is about to take. Times in seconds, sizes in bytes.

    Args:
        pairs: to learn from, before anything is rejected.
        is_counted: whether that is exact.
        source_tokens: of all sources, the closing one included.
        target_tokens: of all targets.
        batches: of an epoch.
        steps: that the configuration asks for.
        epochs: that these are.
        prepare: fewest and most time of the data's stages.
        train: the same of the training.
        data: of the workspace, for a generation of this size.
        model: of the workspace and the registry, for the model.
        shuffle: of TMPDIR, while the text is sorted; 0 where that is done on other machines.
        memory: of the largest process on this machine; 0 where others do both the data and the training.
        parameters: of the network.
        longest: tokens of the longest source and target that are learned from.
    """

    pairs: float
    is_counted: bool
    source_tokens: float
    target_tokens: float
    batches: float
    steps: int
    epochs: float
    prepare: tuple[float, float]
    train: tuple[float, float]
    data: float
    model: float
    shuffle: float
    memory: float
    parameters: int
    longest: tuple[int, int]


def estimate(config: RetrainConfig, samples: Sequence[Sample]) -> Estimate:
    """Works it out.

    Args:
        config: of the night.
        samples: of its training text, with a pair at least.

    Raises:
        InputError: nothing of the sample can be learned from.
    """
    pairs = [pair for sample in samples for pair in sample.pairs]
    read = sum(sample.size for sample in samples)
    held_out = sum(
        number
        for number, given in (
            (config.clean.hold_out.dev, config.corpus.dev),
            (config.clean.hold_out.test, config.corpus.test),
        )
        if not given
    )
    total = max(1.0, read - held_out)
    weights = np.concatenate([np.full(len(one.pairs), one.size / len(one.pairs)) for one in samples if one.pairs])
    lengths, sizes = lengths_of(config, pairs)
    drawn = lengths[drawn_by(weights)]
    plan = Plan(
        drawn, config.train.max_length, config.train.batch_tokens, config.train.seed, shapes=config.train.shapes
    )
    if not len(plan.rows):
        allowed = f"at least {int(drawn.max(axis=1).min())} tokens"
        raise InputError("train.max_length", config.train.max_length, allowed, "all pairs of the sample are longer")
    grown = total / len(pairs)
    batches = max(1.0, plan.steps_per_epoch * grown)
    mean = np.average(lengths, axis=0, weights=weights)
    model, count = config.train.model, size.parameters(config.train.model, *sizes)
    epochs = config.train.steps * config.train.accumulate / batches
    work = flops.of_lengths(model, sizes[0], *drawn[plan.rows].T) * grown * epochs
    text = float(np.average([bytes_of(pair) for pair in pairs], weights=weights)) * read
    longest = lengths[lengths.max(axis=1) <= config.train.max_length].max(axis=0).tolist()
    tokens = (mean * total).tolist()
    kept = min(total, 2 * plan.window_pairs) * (float(mean.sum()) * 4 + 32)
    sorting = 0.0 if config.beam.is_elsewhere or config.deployments.prepare else BEAM + BEAM_PAIR * read
    learning = 0.0 if config.deployments.train else PROCESS + kept + size.training_bytes(config.train, count, *longest)
    return Estimate(
        pairs=total,
        is_counted=all(sample.is_counted for sample in samples),
        source_tokens=tokens[0],
        target_tokens=tokens[1],
        batches=batches,
        steps=config.train.steps,
        epochs=epochs,
        prepare=preparing(config, read),
        train=training(config, work),
        data=text * 2 * compressed(pairs) + read * (KEY + ROW + float(mean.sum()) * ID),
        model=size.stored_bytes(config.train, count) + 2 * 4 * count + 2 * GRAPH,
        shuffle=text if sorting else 0.0,
        memory=max(sorting, learning),
        parameters=count,
        longest=(int(longest[0]), int(longest[1])),
    )


def drawn_by(weights: Floats) -> Ints:
    """As many places as there are weights, each as often as its weight says: a large source is more than its sample.

    >>> drawn_by(np.array([1.0, 1.0, 1.0])).tolist(), drawn_by(np.array([1.0, 1.0, 4.0])).tolist()
    ([0, 1, 2], [0, 2, 2])
    """
    ends = np.cumsum(weights) / weights.sum()
    return np.searchsorted(ends, (np.arange(len(weights)) + 0.5) / len(weights)).astype(np.int64)


def lengths_of(config: RetrainConfig, pairs: Sequence[SentencePair]) -> tuple[Ints, tuple[int, int | None]]:
    """Tokens of both sides of each pair as the model sees them, and the sizes of the vocabularies.

    The vocabulary is learned from the sample; where that is too small for its size, pieces are as long as they can be.
    """
    sides = [[pair.source for pair in pairs], [pair.target for pair in pairs]]
    sides = sides[::-1] if config.corpus.reverse else sides
    given = config.vocabulary
    texts = [[side] for side in sides] if given.separate else [sides, sides]
    numbers = [given.source_size or given.size, given.size]
    learned = [
        vocabulary_of(config, [text for side in of for text in side], number)
        for of, number in zip(texts, numbers, strict=True)
    ]
    counts = [[len(ids) + 1 for ids in one.encode(side)] for one, side in zip(learned, sides, strict=True)]
    return np.array(counts).T, (given.size, numbers[0] if given.separate else None)


def vocabulary_of(config: RetrainConfig, texts: list[str], number: int) -> Vocabulary:
    """A vocabulary of at most so many pieces: as many as the texts have."""
    while True:
        wanted = config.vocabulary.model_copy(update={"size": number, "separate": False, "source_size": 0})
        try:
            return Vocabulary(train_vocabulary(wanted, texts))
        except InputError:
            if number < 64:
                raise
            number = number * 3 // 4


def bytes_of(pair: SentencePair) -> int:
    """Bytes of a pair's text."""
    return len(pair.source.encode()) + len(pair.target.encode())


def compressed(pairs: Sequence[SentencePair]) -> float:
    """To which share of itself Parquet compresses the text."""
    import pyarrow as pa

    columns = ["".join(pair.source for pair in pairs).encode(), "".join(pair.target for pair in pairs).encode()]
    small = sum(len(pa.compress(column, codec="zstd", asbytes=True)) for column in columns)
    return float(small / max(1, sum(map(len, columns))))


def preparing(config: RetrainConfig, pairs: float) -> tuple[float, float]:
    """Fewest and most seconds of the data's stages on this machine."""
    each = PREPARED + (IDENTIFIED if config.clean.language_id.is_on else 0)
    processes = processes_of(config.beam, pairs)
    alone = each * pairs
    return STARTED / 2 + alone / processes / 1.5, 2 * STARTED + 2 * alone / max(1, 0.8 * processes)


def processes_of(config: BeamConfig, pairs: float) -> int:
    """Processes that share the work on this machine's cores."""
    return min(config.processes(int(pairs)), usable_cores())


def training(config: RetrainConfig, work: float) -> tuple[float, float]:
    """Fewest and most seconds of so many operations on this machine's processor."""
    rate = product_rate()
    is_short = config.train.precision == "bfloat16" and has_short_products()
    fewest = work / rate / MOST_SHARE / (MOST_SHORT if is_short else 1)
    most = work / rate / LEAST_SHARE / (LEAST_SHORT if is_short else 1)
    return LEARNED_IN / 2 + fewest, 2 * LEARNED_IN + most


def product_rate() -> float:
    """Operations a second of float32 products on all cores of this machine; NumPy's products, which need no start."""
    generator = np.random.default_rng(0)
    left, right = (generator.random((MATRIX, MATRIX), np.float32) for _ in range(2))
    best, ends = 0.0, time.perf_counter() + MEASURED
    while time.perf_counter() < ends:
        started = time.perf_counter()
        left @ right
        best = max(best, 2 * MATRIX**3 / (time.perf_counter() - started))
    return best


def has_short_products() -> bool:
    """Whether the processor multiplies bfloat16 faster than float32."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return any(flag in told for flag in ("avx512_bf16", "amx_bf16"))
