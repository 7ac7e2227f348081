"""What a dataset consists of: `nightshift data`."""

from typing import Any

from flows.dag import finished
from flows.settings import RetrainConfig
from pipeline.build_vocabulary import build_vocabulary
from pipeline.funnel import reasons
from pipeline.generations import Plan
from pipeline.ingest import ingest
from pipeline.jobs import clean, shard
from pipeline.manifest import Manifest
from pipeline.sources import SPLITS
from pipeline.stage import Stage

SHOWN = 60  # characters of a rejected side


def describe_data(config: RetrainConfig, *, with_rejects: bool = False) -> str:
    """The generations of a dataset with their sizes, digests and origins, and what was left out of them.

    Where sources are new or gone since the last night, it is the dataset as far as it stays.

    Raises:
        InputError: a stage has not run yet.
    """
    tonight: Plan = ingest.look_outside(config.corpus, config.folder(ingest)).given["tonight"]
    corpus = tonight.earlier or finished(ingest, config)
    cleaned_head = found(clean, config, corpus)
    sharded_head = found(shard, config, cleaned_head, found(build_vocabulary, config, cleaned_head))
    corpora, pairs, shards = (made.chain() for made in (corpus, cleaned_head, sharded_head))
    tokens = [tokens_of(made) for made in shards]
    size = f"{shards[-1].totals()['train.pairs']:,} pairs, {sum(tokens):,} tokens"
    lines = [
        f"{config.name}: {count(len(shards), 'generation')}, {size}",
        f"digest {shards[-1].digest}",
        "",
        f"{'':>10}  {'made':<16}{'read':>12}{'kept':>12}{'tokens':>14}{'MB':>9}  {'digest':<12}  origins",
    ]
    for number, (corpus, cleaned, sharded) in enumerate(zip(corpora, pairs, shards, strict=True), start=1):
        read = sum(n for name, n in corpus.counts.items() if name.partition(".")[0] == "train")
        figures = f"{read:>12,}{cleaned.counts['train.kept']:>12,}{tokens[number - 1]:>14,}{megabytes(sharded):>9.1f}"
        made = sharded.finished[:16].replace("T", " ")
        origins = ", ".join(f"{name} {kept:,}" for name, kept in cleaned.facts["origins"].items())
        lines.append(f"{number:>10}  {made:<16}{figures}  {sharded.digest[:12]}  {origins}")
    if tonight.new:
        lines.append(f"{'next':>10}  {tonight.reason}")
    lines += ["", *sources(corpora), "", *left_out(corpora, pairs)]
    return "\n".join([*lines, *(["", *samples(pairs)] if with_rejects else [])])


def found(stage: Stage[Any], config: RetrainConfig, *inputs: Manifest) -> Manifest:
    """A stage's finished output for some inputs; raises `InputError` where there is none."""
    made = config.find(stage, *inputs)
    return made if made else finished(stage, config)


def tokens_of(shards: Manifest) -> int:
    """Tokens of a generation's training pairs: of both sides, or of the targets where sources are frames."""
    return shards.counts.get("train.source_tokens", 0) + shards.counts["train.target_tokens"]


def megabytes(made: Manifest) -> float:
    """Size of an output's files."""
    return sum(file.bytes for file in made.files) / 1e6


def sources(corpora: list[Manifest]) -> list[str]:
    """What each generation was read from."""
    lines = ["sources"]
    for number, corpus in enumerate(corpora, start=1):
        for part in corpus.facts["parts"]:
            origin = part["origin"] if part["split"] == "train" else part["split"]
            lines.append(
                f"{number:>10}  {origin:<24}{part['pairs']:>12,} pairs  {part['digest'][:12]}  {part['location']}"
            )
    return lines


def left_out(corpora: list[Manifest], pairs: list[Manifest]) -> list[str]:
    """How many records of all generations were not kept, by reason."""
    rejected = reasons(pairs[-1].totals(), "train.rejected.")
    rows = list(rejected.items())
    for split in dict.fromkeys([*SPLITS, *(part["split"] for part in corpora[0].facts["parts"])]):
        unreadable = reasons(corpora[-1].totals(), f"{split}.unreadable.")
        rows += [(f"{name}, could not be read in {split}", number) for name, number in unreadable.items()]
    if not rows:
        return ["left out: nothing"]
    return ["left out", *(f"{number:>12,}  {name}" for name, number in rows)]


def samples(pairs: list[Manifest]) -> list[str]:
    """Rejected pairs of the newest generation, a few for each reason."""
    lines = [f"rejected in generation {len(pairs)}; all of them are in {pairs[-1].directory / 'rejects'}"]
    for reason, rows in pairs[-1].facts["samples"].items():
        lines.append(f"  {reason}")
        lines += [f"    {source[:SHOWN]!r}  |  {target[:SHOWN]!r}  ({origin})" for source, target, origin in rows]
    return lines


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "generation"), count(2, "generation")
    ('1 generation', '2 generations')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"
