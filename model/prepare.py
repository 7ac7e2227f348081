"""What a training learns from: the pairs, how often each is seen, and the plan of all steps."""

from typing import NamedTuple

import numpy as np

from model.batches import Floats, Form, FrameForm, Ints, Pairs
from model.config import TrainConfig
from model.plan import Plan, copies_of
from pipeline.errors import InputError
from pipeline.frames import frame_size
from pipeline.manifest import Manifest, input_record
from pipeline.vocabularies import Vocabularies


class Data(NamedTuple):
    """What is learned from."""

    pieces: Vocabularies
    pairs: Pairs
    dev: Pairs
    plan: Plan
    digest: str  # of the shards and the vocabulary, wherever they lie


def prepare(config: TrainConfig, shards: Manifest, vocabulary: Manifest) -> Data:
    """Reads the data; raises `InputError` where it does not go together or nothing is left to learn from."""
    if shards.inputs.get("vocabulary") != input_record(vocabulary):
        cause = "its token ids are of another one"
        raise InputError("vocabulary", vocabulary.directory, f"the one that {shards.directory} was made with", cause)
    pieces = Vocabularies.read(vocabulary)
    size = frame_size(shards.facts)
    frames = FrameForm(size, config.model.frame_stride) if size else None
    pairs, dev = (Pairs.read(shards.paths_of_all(f"{split}/*.tfrecord*"), frames) for split in ("train", "dev"))
    copies = copies_of(weights_of(config, pairs, shards), config.seed) if config.weights else None
    return Data(pieces, pairs, dev, make_plan(config, pairs, copies), f"{shards.digest} {vocabulary.digest}")


def make_plan(config: TrainConfig, pairs: Pairs, copies: Ints | None = None) -> Plan:
    """The schedule of the training; raises `InputError` where there is nothing to learn from."""
    plan = plan_of(config, pairs, copies)
    if not len(pairs.lengths):
        raise InputError("shards", "no pairs", "at least one training pair")
    if plan.left_out < len(pairs.lengths) and not len(plan.rows):
        raise InputError(
            "corpus.train.weight", config.weights, "weights that leave a pair", "all of them are very small"
        )
    if not len(plan.rows):
        shortest = int(pairs.lengths.max(axis=1).min())
        cause = f"all {plan.left_out:,} training pairs are longer"
        raise InputError("train.max_length", config.max_length, f"at least {shortest} tokens", cause)
    return plan


def plan_of(config: TrainConfig, pairs: Pairs, copies: Ints | None = None) -> Plan:
    """The plan for a set of pairs."""
    return Plan(
        pairs.lengths,
        config.max_length,
        config.batch_tokens,
        config.seed,
        copies,
        pairs.sizes,
        pairs.window_pairs,
        config.shapes,
    )


def forms_of(plan: Plan, frames: FrameForm | None = None) -> list[Form]:
    """The shapes that a plan's batches have where they are fixed, none where they are not."""
    stride = frames.stride if frames else 1
    shapes = plan.fixed_shapes if plan.shapes == "fixed" else []
    return [(shape.rows, shape.sources * stride, shape.targets) for shape in shapes]


def weights_of(config: TrainConfig, pairs: Pairs, shards: Manifest) -> Floats:
    """The weight of each pair's origin, `[N]`; a generation's records number its own list of origins."""
    chain = shards.chain()
    ends = np.cumsum([made.counts["train.pairs"] for made in chain])
    tables = [np.array([config.weights.get(name, 1.0) for name in made.facts["origins"]]) for made in chain]
    parts = zip(tables, np.split(pairs.origins, ends[:-1]), strict=True)
    return np.concatenate([table[numbers] for table, numbers in parts])
