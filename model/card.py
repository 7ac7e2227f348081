"""The model card: one Markdown page about a model, rendered from what is known of it (Mitchell et al., 2019)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field

from model.comparison import SHOWN, Scores
from model.versions import Code, SourceRecord
from pipeline.config import Frozen
from pipeline.manifest import Manifest

UNKNOWN = "not stated"


class CardConfig(Frozen):
    """What people say about a model in its card; everything else in it is taken from what was made."""

    intended_use: str = Field("", max_length=4000, description="What the model is for, and what not.")
    limits: str = Field("", max_length=4000, description="What it is known to do badly.")
    licence: str = Field("", max_length=200, description="Under which terms the model itself may be used.")


def render(
    name: str,
    config: CardConfig,
    *,
    corpus: Manifest,
    model: Manifest,
    pairs: Manifest,
    metrics: Mapping[str, Scores],
    sources: Sequence[SourceRecord],
    code: Code,
) -> str:
    """The card of a model as Markdown. Nothing in it depends on the time.

    Args:
        name: the model's name.
        config: what people say about it.
        corpus: what `ingest` made.
        model: what `train` made.
        pairs: what `clean` made.
        metrics: scores by set.
        sources: the parts of the corpus.
        code: what registered it.
    """
    source, target = corpus.facts["languages"]
    counts = pairs.totals()
    use = config.intended_use or (
        f"Sentences of the kind it learned from, in `{source}`, to `{target}`. Nothing else was measured."
    )
    parts = [
        f"# {name}",
        f"A sequence-to-sequence model from `{source}` to `{target}`, {network(model)}.",
        "## Intended use\n\n" + use,
        "## Data\n\n" + table(("set", "source", "pairs", "licence", "SHA-256"), map(row_of, sources)),
        f"{counts.get('train.kept', 0):,} training pairs were kept of {counts.get('train.read', 0):,} that were read. "
        "Training pairs that share a sentence with a dev or test set were removed.",
        "## Scores\n\n" + scores(metrics),
        "## Limits\n\n" + limits(config, model, counts, sources),
        f"## Licence\n\n{config.licence or UNKNOWN.capitalize()}. "
        "The terms of the sources above apply to what was made from them.",
        "## Lineage\n\n" + table(("what", "digest"), lineage(model, pairs, code)),
    ]
    return "\n\n".join(parts) + "\n"


def network(model: Manifest) -> str:
    """The network in words."""
    architecture = model.config.get("model", {}).get("architecture", "an encoder-decoder")
    parameters = model.counts.get("parameters")
    return f"`{architecture}`, {parameters:,} parameters" if parameters else f"`{architecture}`"


def row_of(source: SourceRecord) -> tuple[str, ...]:
    """A source as a row of the card."""
    return (source.split, source.location, f"{source.pairs:,}", source.licence or UNKNOWN, source.digest[:12])


def scores(metrics: Mapping[str, Scores]) -> str:
    """Each figure with the signature without which it cannot be compared."""
    rows = [
        (name, SHOWN.get(metric, metric), f"{score:.2f}" if metric != "loss" else f"{score:.3f}", signature)
        for name, facts in metrics.items()
        for metric, score in facts.items()
        if isinstance(score, float)
        for signature in [facts.get(f"{metric}_signature", "")]
    ]
    sizes = ", ".join(f"{facts['sentences']:,} sentences in {name}" for name, facts in metrics.items())
    measured = "Measured on the exported model, raw text in and raw text out"
    return f"{measured}: {sizes}.\n\n{table(('set', 'metric', 'score', 'signature'), rows)}"


def limits(config: CardConfig, model: Manifest, counts: Mapping[str, int], sources: Sequence[SourceRecord]) -> str:
    """What is known of what the model cannot do."""
    lines = [config.limits] if config.limits else []
    longest = model.config.get("max_length")
    if longest:
        lines.append(f"It learned from sentences of at most {longest:,} pieces a side; longer ones were left out.")
    if counts.get("train.kept", 0) < 100_000:
        lines.append("It learned from few pairs: expect it to fail on words and constructions that are not in them.")
    unstated = sorted({source.origin for source in sources if not source.licence and source.split == "train"})
    if unstated:
        lines.append(f"Nobody stated the licence of {', '.join(unstated)}.")
    lines.append("A score says how near the model's words are to one reference, not whether what it says is true.")
    return "\n".join(f"- {line}" for line in lines)


def lineage(model: Manifest, pairs: Manifest, code: Code) -> list[tuple[str, str]]:
    """Digests of what the model was made from."""
    rows = [("training shards", model.inputs["shards"].digest)] if "shards" in model.inputs else []
    rows += [("clean pairs", pairs.digest)]
    rows += [(name.replace("_", " "), record.digest) for name, record in model.inputs.items() if name != "shards"]
    rows += [("model", model.digest), (f"nightshift {code.package}", code.digest)]
    return [*rows, ("git commit", code.commit)] if code.commit else rows


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; what is in a cell cannot leave it."""
    lines = [list(heads), ["---"] * len(heads), *([cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: object) -> str:
    r"""A value as it stands in a Markdown table.

    >>> cell("a.en | a.de")
    'a.en \\| a.de'
    """
    return " ".join(str(value).split()).replace("|", "\\|")
