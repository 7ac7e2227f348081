"""Collects what the report shows from what a night made. Reads files; what draws the page from it reads none."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from model.comparison import deciding_set
from model.config import EvaluateConfig
from model.decision import Decision
from model.promotion import RegisterConfig
from model.report.champion import champion_of
from model.report.content import Content, Data, Distance, Funnel, Generation, Picture, Training
from model.report.scoring import alone, buckets, compared, lines, robustness
from model.rival import Meeting, columns_of, table_of
from model.versions import Version
from pipeline.frames import count_frames, frame_size
from pipeline.funnel import reasons
from pipeline.manifest import Manifest

MOST_PICTURES: Final = 6
LARGEST_PICTURE: Final = 400_000  # bytes
GENERATIONS_SHOWN: Final = 14  # the newest
HELD_OUT: Final = "held_out"


def gather(
    config: RegisterConfig,
    version: Version,
    decision: Decision,
    meeting: Meeting,
    *,
    corpus: Manifest,
    pairs: Manifest,
    statistics: Manifest,
    model: Manifest,
    evaluation: Manifest,
) -> Content:
    """What the report of a version shows.

    Args:
        config: the rules of promotion.
        version: what was registered.
        decision: what was decided about it.
        meeting: its comparison with the champion.
        corpus: what `ingest` made.
        pairs: what `clean` made.
        statistics: what `inspect` made.
        model: what `train` made.
        evaluation: what `evaluate` made.
    """
    scores, name = version.metrics, deciding_set(version.metrics)
    champion = champion_of(version, decision, meeting)
    there = {file.path for file in evaluation.files}
    tables = {one: columns_of(evaluation.path(table_of(one))) for one in scores if table_of(one) in there}
    if size := frame_size(corpus.facts):
        for columns in tables.values():
            columns["source"] = [f"{count_frames(text, size):,} frames" for text in columns["source"]]
    tokenizer = EvaluateConfig(**evaluation.config).bleu_tokenizer
    samples = []
    if name in tables:
        theirs = champion.hypotheses.get(name)
        samples = compared(tables[name], theirs) if theirs else alone(tables[name])
    return Content(
        version=version,
        decision=decision,
        rules=config.canonical(),
        deciding=name,
        lines=list(lines(scores, champion, tables, tokenizer=tokenizer, samples=config.samples)),
        buckets=buckets(scores[name], champion.metrics.get(name, {})),
        samples=samples,
        robustness=list(robustness(scores)),
        data=data(corpus, pairs, statistics),
        training=training(model),
        attention=list(pictures(evaluation, name)),
    )


def data(corpus: Manifest, pairs: Manifest, statistics: Manifest) -> Data:
    """What the model was made from."""
    counts, read = pairs.totals(), corpus.totals()
    unreadable = reasons(read, "train.unreadable.")
    rejected = reasons(counts, "train.rejected.")
    held_out = rejected.pop(HELD_OUT, 0)
    funnel = Funnel(
        read=counts.get("train.read", 0) + sum(unreadable.values()),
        rejected={f"not readable: {name}": number for name, number in unreadable.items()} | rejected,
        held_out=held_out,
        kept=counts.get("train.kept", 0),
        sets={name: number for name, number in pairs.chain()[0].counts.items() if "." not in name},
        samples=pairs.facts.get("samples", {}),
    )
    drawn = statistics.paths("lengths.png")
    source, target = corpus.facts["languages"]
    return Data(
        languages=(source, target),
        funnel=funnel,
        generations=list(generations(corpus, pairs))[-GENERATIONS_SHOWN:],
        drift=list(distances(statistics.facts.get("drift", []))),
        figures=statistics.facts.get("chain", {}),
        lengths=picture(drawn[0], "lengths of the sentences and ratios of target to source length") if drawn else None,
    )


def generations(corpus: Manifest, pairs: Manifest) -> Iterator[Generation]:
    """What each night brought, the oldest first."""
    for number, (read, cleaned) in enumerate(zip(corpus.chain(), pairs.chain(), strict=True), start=1):
        yield Generation(
            number=number,
            made=cleaned.finished,
            read=sum(count for name, count in read.counts.items() if name.partition(".")[0] == "train"),
            kept=cleaned.counts.get("train.kept", 0),
            origins=cleaned.facts.get("origins", {}),
            digest=cleaned.digest,
        )


def distances(drift: Sequence[Mapping[str, Any]]) -> Iterator[Distance]:
    """How far the newest pairs are from those before, of all and of each origin."""
    for comparison in drift:
        for found in comparison["distances"]:
            yield Distance(
                comparison["origin"],
                found["measure"],
                found["side"],
                found["value"],
                found["by_chance"],
                found["warn_above"],
                found["is_over"],
            )


def training(model: Manifest) -> Training:
    """How the model was made."""
    network, counts = model.config.get("model", {}), model.counts
    parts = [network.get("architecture", ""), f"{network['attention']} attention" if network.get("attention") else ""]
    facts = {
        "network": ", ".join(filter(None, parts)),
        "parameters": f"{counts['parameters']:,}" if "parameters" in counts else "",
        "steps": f"{counts['steps']:,}" if "steps" in counts else "",
        "epochs": f"{model.facts['epochs']:g}" if "epochs" in model.facts else "",
        "time": duration(model.seconds),
    }
    written = model.paths("history.json")
    history = json.loads(written[0].read_bytes()) if written else []
    return Training({name: value for name, value in facts.items() if value}, history)


def duration(seconds: float) -> str:
    """A time in words.

    >>> duration(59.6), duration(3_725)
    ('1 min', '1 h 2 min')
    """
    minutes = max(1, round(seconds / 60))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def pictures(evaluation: Manifest, name: str) -> Iterator[Picture]:
    """What translations of a set were written from, a few of them; none where the network has no attention."""
    for path in evaluation.paths(f"attention/{name}/*.png")[:MOST_PICTURES]:
        kind, _, row = path.stem.rpartition("-")
        found = picture(path, f"{kind}, sentence {int(row) + 1}" if row.isdecimal() else path.stem)
        if found:
            yield found


def picture(path: Path, caption: str) -> Picture | None:
    """A picture, None where it would make the page heavy."""
    return Picture(caption, path.read_bytes()) if path.stat().st_size <= LARGEST_PICTURE else None
