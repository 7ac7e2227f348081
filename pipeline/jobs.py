"""The stages that run as Beam jobs: clean and shard.

Beam takes seconds to import, so the bodies import it: asking whether there is anything to do is free.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pipeline.beam_config import BeamConfig
from pipeline.cleaning import CleanConfig
from pipeline.config import StageConfig
from pipeline.exchange import open_exchange
from pipeline.frames import frame_fact, frame_size
from pipeline.funnel import check_clean, check_rejected, count_clean, count_origins, sample_rejects
from pipeline.manifest import Manifest
from pipeline.pairs import count_blocks, count_pairs, read_pairs
from pipeline.records import SentencePair
from pipeline.rules.languages import language
from pipeline.running.worker_pool import prepare
from pipeline.stage import Outcome, log, stage, verify
from pipeline.vocabularies import Vocabularies

HELD_OUT_FILES = "*.parquet"  # the training pairs that are to be kept out of them lie deeper


class ShardConfig(StageConfig):
    """How token ids are written."""

    compression: Literal["none", "gzip"] = Field("none", description="Of the TFRecord files.")


@stage("clean", section="clean", version=3, takes=("corpus",), makes="pairs", grows=True)
def clean(
    config: CleanConfig, corpus: Manifest, *, folder: Path, beam: BeamConfig, earlier: Manifest | None
) -> Outcome:
    """Normalises, judges, deduplicates and shards the pairs, and keeps held-out sentences out of training.

    One shuffle does it: a pair's content hash names its shard and its place there, so that the same pairs give the same
    bytes for every number of files and workers. A later generation is held against the keys of those before it, and
    against the held-out sets of the first.

        nightshift clean --preset weather --set clean.max_words=60

        workspace/weather-en-fr/clean/3f9c2a7be01d/
            train/part-00000-of-00008.parquet       clean pairs in the order of their hashes, with their origin
            rejects/part-00000-of-00008.parquet     the others, each with the reason
            keys/part-00000-of-00008.npy            what later generations must not bring again, uint8 [pairs, 16]
            dev.parquet                             of the first generation only
            test.parquet                            and each set of `corpus.sets` by its name
            manifest.json
    """
    read = corpus.counts["train"]
    prepare(beam, read)
    from apache_beam import Create, ParDo, Reshuffle

    from pipeline import runners, transforms

    generations = earlier.chain() if earlier else []
    verify(generations, "keys/*")
    verify(generations[:1], HELD_OUT_FILES)
    given = given_sets(generations[0] if generations else corpus)
    origins = origins_of(corpus)
    size = frame_size(corpus.facts)
    exchange = open_exchange(beam, folder)
    parts = [(corpus.path(part["file"]), origins.index(part["origin"])) for part in training_parts(corpus)]
    blocks = [(exchange.location(file), block, rank) for file, rank in parts for block in range(count_blocks(file))]
    exchange.give([file for file, _ in parts])
    exchange.give([file for generation in generations for file in generation.paths("keys/*")])
    for label in unknown_languages(config, languages_of(corpus)[1 if size else 0 :]):
        log.warning("%-16s language  nothing is known of %s: its side is not checked for it", "clean", label)
    with runners.open_pipeline(beam, stage="clean", pairs=read) as job:
        held_out = transforms.HoldOut(config, given)
        judge = ParDo(transforms.JudgeBlock(config, languages_of(corpus), held_out.candidates, read, size))
        judge = judge.with_output_types(transforms.ShardRows, **{transforms.CANDIDATES: bytes})
        listed = job | "list blocks" >> Create(blocks) | "spread blocks" >> Reshuffle()
        judged = listed | "judge pairs" >> judge.with_outputs(transforms.CANDIDATES, main="judged")
        sets = judged[transforms.CANDIDATES] | held_out
        _ = judged["judged"] | transforms.WriteCleanShards(
            config,
            exchange.location(folder),
            sets,
            origins,
            [exchange.location(generation.directory) for generation in generations],
        )
        if not generations:
            _ = sets | transforms.WriteHeldOut(exchange.location(folder))
    exchange.fetch()
    counts = count_clean(folder, read)
    check_rejected(config, counts)
    if not generations:
        check_clean(config, counts, given)
    facts = {
        "unicode_form": config.normalize.form,
        "origins": count_origins(folder),
        "samples": sample_rejects(folder, size),
    }
    return Outcome(counts, facts | frame_fact(size))


@stage("shard", section="shard", version=2, takes=("pairs", "vocabulary"), makes="shards", grows=True)
def shard(
    config: ShardConfig,
    pairs: Manifest,
    vocabulary: Manifest,
    *,
    folder: Path,
    beam: BeamConfig,
    earlier: Manifest | None,
) -> Outcome:
    """Writes the token ids of the training pairs and the dev set as TFRecord shards, each with a length index.

    No shuffle: a shard holds the pairs of one Parquet file in their order. The test set stays text.

    nightshift shard --preset weather

    workspace/weather-en-fr/shard/5b7e0c44d1a9/
        train/shard-00000-of-00008.tfrecord         tf.train.Examples: int64 lists "source", "target" and "origin";
                                                    where sources are frames, "source" is a list of their floats
        train/shard-00000-of-00008.lengths.npy      int32 [pairs, 2]
        dev/shard-00000-of-00001.tfrecord           of the first generation only
        dev/shard-00000-of-00001.lengths.npy
        manifest.json
    """
    train = pairs.paths("train/part-*.parquet")
    total = sum(map(count_pairs, train))
    prepare(beam, total)
    from apache_beam import Create, ParDo, Reshuffle

    from pipeline import examples, runners, transforms

    suffix = f".tfrecord{examples.GZIP_SUFFIX if config.compression == 'gzip' else ''}"
    shards = {file: folder / "train" / f"shard-{file.stem.removeprefix('part-')}{suffix}" for file in train}
    if not earlier:
        shards[pairs.path("dev.parquet")] = folder / "dev" / f"shard-00000-of-00001{suffix}"
    models = Vocabularies.read(vocabulary).models
    origins = sorted({transforms.HELD_OUT, *pairs.facts["origins"]})
    size = frame_size(pairs.facts)
    read = "source_frames" if size else "source_tokens"
    exchange = open_exchange(beam, folder)
    exchange.give(shards)
    listed = [(exchange.location(file), exchange.location(written)) for file, written in shards.items()]
    with runners.open_pipeline(beam, stage="shard", pairs=total) as job:
        _ = (
            job
            | "list files" >> Create(listed)
            | "spread files" >> Reshuffle()
            | "encode shards" >> ParDo(transforms.EncodeShard(models, origins, size))
        )
    exchange.fetch()
    counts = {"train.pairs": 0, f"train.{read}": 0, "train.target_tokens": 0}
    for file, written in shards.items():
        lengths = examples.read_lengths(written)
        if len(lengths) != count_pairs(file):
            raise RuntimeError(f"{written}: {len(lengths)} records for the {count_pairs(file)} pairs of {file}")
        split = written.parent.name
        counts[f"{split}.pairs"] = counts.get(f"{split}.pairs", 0) + len(lengths)
        if split == "train":
            counts[f"train.{read}"] += int(lengths[:, 0].sum())
            counts["train.target_tokens"] += int(lengths[:, 1].sum())
    return Outcome(counts, {"origins": origins, "unicode_form": pairs.facts["unicode_form"]} | frame_fact(size))


def languages_of(corpus: Manifest) -> tuple[str, str]:
    """Labels of the source and the target side."""
    source, target = corpus.facts["languages"]
    return source, target


def unknown_languages(config: CleanConfig, labels: Sequence[str]) -> list[str]:
    """Labels that language id was to look at and cannot."""
    return [label for label in labels if config.language_id.is_on and not language(label).is_known]


def training_parts(corpus: Manifest) -> list[dict[str, Any]]:
    """What a generation's training pairs were read from, in the order of the configuration."""
    return [part for part in corpus.facts["parts"] if part["split"] == "train"]


def origins_of(corpus: Manifest) -> list[str]:
    """The origins of a generation, those named earlier in the configuration first."""
    return list(dict.fromkeys(part["origin"] for part in training_parts(corpus)))


def given_sets(made: Manifest) -> dict[str, list[SentencePair]]:
    """The sets that a corpus brings or the first generation held out, by name: of `test-000.parquet` it is "test"."""
    sets: dict[str, list[SentencePair]] = {}
    for file in made.paths(HELD_OUT_FILES):
        name = file.stem.partition("-")[0]
        if name != "train":
            sets.setdefault(name, []).extend(read_pairs(file))
    return sets
