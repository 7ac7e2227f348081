"""What a person reads in the morning: the data, the scores, the decision, and how to try the model."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from flows.settings import RetrainConfig
from model import verdicts
from model.register import REPORT
from model.registry import Registry
from pipeline.funnel import reasons
from pipeline.manifest import Manifest
from pipeline.pairs import read_pairs

LONGEST_EXAMPLE = 2000  # characters
FURTHER = {"ter": "TER", "exact_match": "exact", "token_error_rate": "token errors", "rouge_l": "ROUGE-L"}


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

    def is_older_than(self, moment: str) -> bool:
        """Whether everything was finished before a moment, given as UTC in ISO 8601."""
        return all(made.finished < moment for made in (self.model, self.evaluation, self.version, self.statistics))


def as_text(config: RetrainConfig, night: Night, program: str = "nightshift") -> str:
    """The summary, about ten lines."""
    counts = night.pairs.totals()
    unreadable = reasons(night.corpus.totals(), "train.unreadable.")
    rejected = unreadable | reasons(counts, "train.rejected.")
    held_out = rejected.pop("held_out", 0)
    read = counts["train.read"] + sum(unreadable.values())
    decided = night.version.facts
    champion = Registry(config.registry, config.name).alias("champion")
    lines = [
        f"{config.name}, version {decided['version']}",
        "",
        row("read", f"{read:,} pairs"),
        row("rejected", f"{sum(rejected.values()):,}"),
        *(row("", f"  {number:,} {reason}") for reason, number in rejected.items()),
        row("held out", f"{held_out:,} that share a sentence with {either(night.evaluation.counts)}"),
        row("kept", f"{counts['train.kept']:,} to learn from"),
        *newest(night),
        row("vocabulary", pieces(night.vocabulary)),
        *(line for split in night.evaluation.facts for line in scores(night, split)),
        row("version", f"{decided['version']}, {standing(decided, champion)}: {decided['reason']}"),
        *other_reasons(decided),
        row("report", report(config, night)),
        "",
        row("try it", command(config, night, program)),
    ]
    return "\n".join(lines)


def report(config: RetrainConfig, night: Night) -> str:
    """Where the page about the version lies, which any browser shows."""
    decided = night.version.facts
    registry = Registry(config.registry, config.name)
    folder = verdicts.folder_of(registry.get(decided["version"]), decided["verdict"])
    return f"{registry.location}/{folder}/{REPORT}"


def pieces(vocabulary: Manifest) -> str:
    """How many pieces the vocabulary has, or those of the two sides."""
    counts = vocabulary.totals()
    own = [
        f"{counts[name]:,} {name.partition('.')[0]}" for name in ("source.pieces", "target.pieces") if name in counts
    ]
    return f"{' and '.join(own) or format(counts['pieces'], ',')} pieces"


def newest(night: Night) -> list[str]:
    """What the newest generation brought, where there are several, and how far it is from those before."""
    generations = len(night.pairs.chain())
    if generations == 1:
        return []
    origins = ", ".join(f"{number:,} of {name}" for name, number in night.pairs.facts["origins"].items())
    distances = [each for comparison in night.statistics.facts["drift"] for each in comparison["distances"]]
    over = sorted({f"{each['side']} {each['measure']}".strip() for each in distances if each["is_over"]})
    lines = [row("newest", f"generation {generations}: {origins or 'nothing that was not known'}")]
    return [*lines, row("drift", f"{', '.join(over)}: see {night.statistics.directory}")] if over else lines


def standing(decided: Mapping[str, Any], champion: int | None) -> str:
    """What became of a version; others may have moved the alias since it was decided on.

    >>> standing({"version": 1, "promoted": True}, champion=2)
    'promoted, but version 2 is champion since'
    """
    if not decided["promoted"]:
        return f"not promoted, version {champion} stays champion" if champion else "not promoted"
    if champion == decided["version"]:
        return "promoted to champion"
    return f"promoted, but version {champion} is champion since"


def other_reasons(decided: Mapping[str, Any]) -> list[str]:
    """What the rules said beyond the decision's own words."""
    others = [one for one in decided["reasons"] if one["words"] not in decided["reason"]]
    return [row("", f"{'met' if one['is_met'] else 'not met'}: {one['words']}") for one in others]


def scores(night: Night, split: str) -> list[str]:
    """The scores of one set, and the signature without which a BLEU cannot be compared."""
    of = night.evaluation.facts[split]
    further = [f"{FURTHER[name]} {of[name]:.1f}" for name in FURTHER if name in of]
    figures = [f"BLEU {of['bleu']:.1f}", f"chrF {of['chrf']:.1f}", *further, f"loss {of['loss']:.3f} per token"]
    lines = [row(split, "   ".join([*figures, f"{of['sentences']:,} sentences"]))]
    if split == "test":
        lines.append(row("", of["bleu_signature"]))
    return [*lines, row("", disturbed(of["robustness"]))] if split == "test" and "robustness" in of else lines


def disturbed(of: Mapping[str, Any]) -> str:
    """What became of sources that were disturbed.

    >>> disturbed({"sentences": 100, "bleu": 97.0, "typos": {"changed": 100, "bleu": 60.5, "fall": 36.5}})
    'BLEU on 100 disturbed sources: 97.0 -> typos 60.5'
    """
    kinds = [f"{name.replace('_', ' ')} {of[name]['bleu']:.1f}" for name in of if isinstance(of[name], Mapping)]
    return f"BLEU on {of['sentences']:,} disturbed sources: {of['bleu']:.1f} -> {', '.join(kinds)}"


def either(sets: Mapping[str, int]) -> str:
    """Sets and how many pairs they have.

    >>> either({"dev": 1000, "test": 1000, "coco": 20})
    'dev (1,000), test (1,000) or coco (20)'
    """
    *others, last = (f"{name} ({number:,})" for name, number in sets.items())
    return f"{', '.join(others)} or {last}" if others else last


def command(config: RetrainConfig, night: Night, program: str) -> str:
    """The command that translates a sentence the model never learned from, a short one of the test set."""
    held_out = islice(read_pairs(night.pairs.chain()[0].path("test.parquet")), 100)
    example = min((pair.source for pair in held_out if pair.source.strip()), key=len, default="")
    where = [] if config.registry == RetrainConfig().registry else ["--registry", config.registry]
    options = [*where, "--name", config.name, *(["--"] if example.startswith("-") else [])]
    if len(example) > LONGEST_EXAMPLE:  # frames: more than anybody types
        return shlex.join([program, "translate", *options])
    return shlex.join([program, "translate", *options, example])


def row(title: str, text: str) -> str:
    """A line of the summary."""
    return f"  {title:<12}{text}"
