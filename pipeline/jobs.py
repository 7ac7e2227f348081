"""The stages that run as Beam jobs: clean, build_vocabulary, shard, inspect.

Beam and TFXIO take seconds to import, so the bodies import them: asking whether there is anything to do is free.
"""

import heapq
import json
from pathlib import Path

from pipeline import manifest as manifests
from pipeline.beam_config import BeamConfig
from pipeline.cleaning import CleanConfig
from pipeline.config import StageConfig
from pipeline.errors import InputError
from pipeline.keys import pair_key
from pipeline.manifest import Manifest
from pipeline.pairs import count_blocks, count_pairs, count_reasons, read_pairs
from pipeline.records import SentencePair
from pipeline.stage import Outcome, stage
from pipeline.statistics import StatisticsConfig
from pipeline.vocabulary import Vocabulary, VocabularyConfig, train_vocabulary


class ShardConfig(StageConfig):
    """Token ids are a function of the pairs and the vocabulary; there is nothing to set yet."""


@stage("clean", section="clean", version=1, takes=("corpus",), makes="pairs")
def clean(config: CleanConfig, corpus: Manifest, *, folder: Path, beam: BeamConfig) -> Outcome:
    """Normalises, judges, deduplicates and shards the pairs, and keeps held-out sentences out of training.

    One shuffle does it: a pair's content hash names its shard and its place there, so that the same pairs give the same
    bytes for every number of workers.

        nightshift clean --preset weather --set clean.max_words=60

        workspace/weather-en-fr/clean/3f9c2a7be01d/
            train/part-00000-of-00008.parquet       clean pairs in the order of their hashes
            rejects/part-00000-of-00008.parquet     the others, each with the reason
            dev.parquet
            test.parquet
            manifest.json
    """
    from apache_beam import Create, Reshuffle

    from pipeline import runners, transforms

    given = {split: given_pairs(corpus, split) for split in ("dev", "test")}
    files = corpus.paths("train-*.parquet")
    blocks = [(str(file), block) for file in files for block in range(count_blocks(file))]
    with runners.open_pipeline(beam) as pipeline:
        judged = pipeline | "list blocks" >> Create(blocks) | "spread blocks" >> Reshuffle() | transforms.Judge(config)
        held_out = judged | transforms.HoldOut(config, given["dev"], given["test"])
        _ = judged | transforms.WriteCleanShards(config, folder, held_out)
        _ = held_out | transforms.WriteHeldOut(folder)
    counts = count_clean(folder, corpus.counts["train"])
    check_clean(config, counts, given)
    return Outcome(counts)


@stage("build_vocabulary", section="vocabulary", version=1, takes=("pairs",), makes="vocabulary")
def build_vocabulary(config: VocabularyConfig, pairs: Manifest, *, folder: Path) -> Outcome:
    """Learns one SentencePiece vocabulary for both sides from a sample of the training pairs.

    The sample is chosen by content hash, so that the same pairs give the same vocabulary on every machine.

    nightshift build-vocabulary --preset weather

    workspace/weather-en-fr/build_vocabulary/91c0de5f2a17/
        vocabulary.model        SentencePiece model: nothing else is needed to encode and decode
        manifest.json
    """
    sample = sample_of(pairs, config.sample_pairs)
    model = train_vocabulary(config, (side for pair in sample for side in (pair.source, pair.target)))
    manifests.write_atomically(folder / "vocabulary.model", model)
    return Outcome({"pieces": Vocabulary(model).size, "sampled_pairs": len(sample)})


@stage("shard", section="shard", version=1, takes=("pairs", "vocabulary"), makes="shards")
def shard(config: ShardConfig, pairs: Manifest, vocabulary: Manifest, *, folder: Path, beam: BeamConfig) -> Outcome:
    """Writes the token ids of the training pairs and the dev set as TFRecord shards, each with a length index.

    No shuffle: a shard holds the pairs of one Parquet file in their order. The test set stays text.

    nightshift shard --preset weather

    workspace/weather-en-fr/shard/5b7e0c44d1a9/
        train/shard-00000-of-00008.tfrecord         tf.train.Examples: int64 lists "source" and "target"
        train/shard-00000-of-00008.lengths.npy      int32 [pairs, 2]
        dev/shard-00000-of-00001.tfrecord
        dev/shard-00000-of-00001.lengths.npy
        manifest.json
    """
    from apache_beam import Create, ParDo, Reshuffle

    from pipeline import examples, runners, transforms

    train = pairs.paths("train/part-*.parquet")
    shards = {file: folder / "train" / f"shard-{file.stem.removeprefix('part-')}.tfrecord" for file in train}
    shards[pairs.path("dev.parquet")] = folder / "dev" / "shard-00000-of-00001.tfrecord"
    proto = vocabulary.path("vocabulary.model").read_bytes()
    with runners.open_pipeline(beam) as pipeline:
        _ = (
            pipeline
            | "list files" >> Create([(str(file), str(shard)) for file, shard in shards.items()])
            | "spread files" >> Reshuffle()
            | "encode shards" >> ParDo(transforms.EncodeShard(proto))
        )
    counts = {"train.pairs": 0, "train.source_tokens": 0, "train.target_tokens": 0, "dev.pairs": 0}
    for file, written in shards.items():
        lengths = examples.read_lengths(written)
        if len(lengths) != count_pairs(file):
            raise RuntimeError(f"{written}: {len(lengths)} records for the {count_pairs(file)} pairs of {file}")
        counts[f"{written.parent.name}.pairs"] += len(lengths)
        if written.parent.name == "train":
            counts["train.source_tokens"] += int(lengths[:, 0].sum())
            counts["train.target_tokens"] += int(lengths[:, 1].sum())
    return Outcome(counts)


@stage("inspect", section="statistics", version=1, takes=("shards", "vocabulary"), makes="statistics")
def inspect(
    config: StatisticsConfig, shards: Manifest, vocabulary: Manifest, *, folder: Path, beam: BeamConfig
) -> Outcome:
    """Summarises the training shards: lengths, ratios, unknown share, distinct sentences, frequent pieces.

    Read a vocabulary that is too small by its long sentences, and text of another language by its unknown share.

    nightshift inspect --preset weather

    workspace/weather-en-fr/inspect/c2a91f30b6d8/
        statistics.json
        manifest.json
    """
    from apache_beam import Map

    from pipeline import runners, statistics, transforms

    pieces = Vocabulary.load(vocabulary.path("vocabulary.model"))
    written = folder / "statistics.json"

    def write_report(summary: statistics.Summary) -> None:
        text = json.dumps(statistics.report(summary, config, pieces.piece), indent=2, ensure_ascii=False)
        manifests.write_atomically(written, (text + "\n").encode())

    files = [str(path) for path in shards.paths("train/*.tfrecord")]
    with runners.open_pipeline(beam) as pipeline:
        _ = pipeline | transforms.Sketch(files) | "write statistics" >> Map(write_report)
    facts = json.loads(written.read_bytes())
    if facts["pairs"] != shards.counts["train.pairs"]:
        raise RuntimeError(f"{facts['pairs']} pairs were summarised of {shards.counts['train.pairs']}")
    return Outcome({"pairs": facts["pairs"]}, facts)


def given_pairs(corpus: Manifest, split: str) -> list[SentencePair] | None:
    """The pairs of a set that the corpus brings, None where it has no such set."""
    files = corpus.paths(f"{split}-*.parquet")
    return [pair for file in files for pair in read_pairs(file)] if files else None


def count_clean(folder: Path, read: int) -> dict[str, int]:
    """What cleaning made of the pairs it read, counted in the files it wrote.

    Raises:
        RuntimeError: the counts do not add up to the pairs that were read, so some were lost.
    """
    kept = sum(count_pairs(path) for path in (folder / "train").glob("*.parquet"))
    rejected: dict[str, int] = {}
    for path in (folder / "rejects").glob("*.parquet"):
        for reason, number in count_reasons(path).items():
            rejected[reason] = rejected.get(reason, 0) + number
    if kept + sum(rejected.values()) != read:
        raise RuntimeError(f"{read} pairs were read, but {kept} kept and {rejected} rejected: some were lost")
    reasons = {f"train.rejected.{reason}": rejected[reason] for reason in sorted(rejected)}
    held_out = {split: count_pairs(folder / f"{split}.parquet") for split in ("dev", "test")}
    return {"train.read": read, "train.kept": kept, **reasons, **held_out}


def check_clean(config: CleanConfig, counts: dict[str, int], given: dict[str, list[SentencePair] | None]) -> None:
    """Raises `InputError` where cleaning left nothing to train on, or less to hold out than was asked for."""
    usable = counts["train.kept"] + counts.get("train.rejected.held_out", 0)
    if not usable:
        reasons = ", ".join(f"{key.split('.')[-1]} {n:,}" for key, n in counts.items() if ".rejected." in key)
        cause = f"{reasons}; the rules are keys of the section clean"
        shown = f"{counts['train.read']:,} pairs, all rejected"
        raise InputError("corpus.train", shown, "at least one pair that survives cleaning", cause)
    for split in ("test", "dev"):
        wanted = getattr(config.hold_out, split)
        if given[split] is None and counts[split] < wanted:
            allowed = f"fewer, as {counts[split]:,} were found among {usable:,} clean pairs"
            cause = f"few pairs share no sentence with another; or give a set of your own with corpus.{split}"
            raise InputError(f"clean.hold_out.{split}", wanted, allowed, cause)
    if not counts["train.kept"]:
        cause = f"all {usable:,} clean pairs share a side with the dev or test set"
        raise InputError("clean.hold_out", "nothing left", "fewer pairs than the corpus has", cause)


def sample_of(pairs: Manifest, number: int) -> list[SentencePair]:
    """The training pairs with the smallest content hashes, all of them where there are no more than asked for."""
    keyed = ((pair_key(pair), pair) for file in pairs.paths("train/part-*.parquet") for pair in read_pairs(file))
    if pairs.counts["train.kept"] <= number:
        return [pair for _, pair in keyed]
    return [pair for _, pair in heapq.nsmallest(number, keyed, key=lambda row: row[0])]
