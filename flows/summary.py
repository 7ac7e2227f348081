"""What a person reads in the morning: the data, the scores, the decision, and how to try the model."""

import shlex
from dataclasses import dataclass
from itertools import islice

from flows.settings import RetrainConfig
from pipeline.manifest import Manifest
from pipeline.pairs import read_pairs


@dataclass(frozen=True, slots=True)
class Night:
    """The manifests of all that a night made or found unchanged."""

    corpus: Manifest
    pairs: Manifest
    vocabulary: Manifest
    shards: Manifest
    statistics: Manifest
    model: Manifest
    evaluation: Manifest
    version: Manifest


def as_text(config: RetrainConfig, night: Night, program: str = "nightshift") -> str:
    """The summary, about ten lines."""
    counts = night.pairs.counts
    prefix = "train.rejected."
    rejected = {key.removeprefix(prefix): number for key, number in counts.items() if key.startswith(prefix)}
    decided = night.version.facts
    state = "promoted to champion" if decided["promoted"] else "not promoted"
    lines = [
        f"{config.name}, version {decided['version']}",
        "",
        row("read", f"{counts['train.read']:,} pairs"),
        row("kept", f"{counts['train.kept']:,}"),
        row("rejected", f"{sum(rejected.values()):,}"),
        *(row("", f"  {number:,} {reason}") for reason, number in rejected.items()),
        row("held out", f"dev {counts['dev']:,}   test {counts['test']:,}"),
        row("vocabulary", f"{night.vocabulary.counts['pieces']:,} pieces"),
        *(line for split in ("dev", "test") if split in night.evaluation.facts for line in scores(night, split)),
        row("version", f"{decided['version']}, {state}: {decided['reason']}"),
        "",
        row("try it", command(config, night, program)),
    ]
    return "\n".join(lines)


def scores(night: Night, split: str) -> list[str]:
    """The scores of one set, and the signature without which a BLEU cannot be compared."""
    of = night.evaluation.facts[split]
    figures = f"BLEU {of['bleu']:.1f}   chrF {of['chrf']:.1f}   loss {of['loss']:.3f} per token"
    lines = [row(split, f"{figures}   {of['sentences']:,} sentences")]
    return [*lines, row("", of["bleu_signature"])] if split == "test" else lines


def command(config: RetrainConfig, night: Night, program: str) -> str:
    """The command that translates a sentence the model never learned from, a short one of the test set."""
    held_out = islice(read_pairs(night.pairs.path("test.parquet")), 100)
    example = min((pair.source for pair in held_out if pair.source.strip()), key=len, default="")
    where = [] if config.registry == RetrainConfig().registry else ["--registry", config.registry]
    return shlex.join([program, "translate", *where, "--name", config.name, example])


def row(title: str, text: str) -> str:
    """A line of the summary."""
    return f"  {title:<12}{text}"
