"""Collects what the report shows from what a night made. Reads files; what draws the page from it reads none."""

import json
from collections.abc import Iterator
from typing import Final

from model.comparison import deciding_set
from model.config import EvaluateConfig
from model.decision import Decision
from model.promotion import RegisterConfig
from model.report.champion import champion_of
from model.report.content import Content, Picture, Training
from model.report.gather_data import data, picture
from model.report.scoring import alone, buckets, compared, lines, robustness
from model.rival import Meeting, columns_of, table_of
from model.versions import Version
from pipeline.frames import count_frames, frame_size
from pipeline.manifest import Manifest

MOST_PICTURES: Final = 6


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
