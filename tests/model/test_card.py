"""The card says what is known of a model, and what nobody said."""

from pathlib import Path
from typing import Any

from model.card import CardConfig, render
from model.versions import Code, SourceRecord
from pipeline.manifest import InputRecord, Manifest


def manifest(kind: str, **given: Any) -> Manifest:
    """A manifest without files."""
    usual: dict[str, Any] = {"config": {}, "inputs": {}, "counts": {}, "facts": {}}
    return Manifest(
        kind=kind,
        stage=kind,
        stage_version=1,
        fingerprint=kind,
        files=(),
        versions={},
        finished="",
        seconds=0,
        directory=Path(kind),
        **usual | given,
    )


CORPUS = manifest("corpus", facts={"languages": ["en", "fr"], "parts": []})
PAIRS = manifest("pairs", counts={"train.read": 1200, "train.kept": 1000})
MODEL = manifest(
    "model",
    config={"model": {"architecture": "gru"}, "max_length": 150},
    counts={"parameters": 12345},
    inputs={"shards": InputRecord(kind="shards", fingerprint="s", digest="5" * 64)},
)
SOURCES = (
    SourceRecord(split="train", origin="news", location="a.en | a.fr", digest="a" * 64, pairs=1200, licence="CC0-1.0"),
    SourceRecord(split="train", origin="web", location="b.tsv", digest="b" * 64, pairs=7),
)
METRICS = {"test": {"bleu": 40.0, "bleu_signature": "tok:13a", "loss": 1.5, "sentences": 1000, "by_length": []}}


def card(config: CardConfig, code: Code) -> str:
    return render(
        "news-en-fr",
        config,
        corpus=CORPUS,
        model=MODEL,
        pairs=PAIRS,
        metrics=METRICS,
        sources=SOURCES,
        code=code,
    )


def test_a_card_is_rendered_from_facts() -> None:
    page = card(CardConfig(), Code(package="0.1.0", digest="c" * 64, commit="d" * 40))

    for line in (
        "# news-en-fr",
        "A sequence-to-sequence model from `en` to `fr`, `gru`, 12,345 parameters.",
        "Sentences of the kind it learned from, in `en`, to `fr`. Nothing else was measured.",
        "| train | a.en \\| a.fr | 1,200 | CC0-1.0 | aaaaaaaaaaaa |",
        "| train | b.tsv | 7 | not stated | bbbbbbbbbbbb |",
        "| test | BLEU | 40.00 | tok:13a |",
        "| test | loss | 1.500 |  |",
        "- Nobody stated the licence of web.",
        "- It learned from sentences of at most 150 pieces a side; longer ones were left out.",
        "Not stated. The terms of the sources above apply to what was made from them.",
        f"| training shards | {'5' * 64} |",
        f"| nightshift 0.1.0 | {'c' * 64} |",
        f"| git commit | {'d' * 40} |",
    ):
        assert line in page.splitlines()


def test_what_people_say_stands_in_it() -> None:
    config = CardConfig(intended_use="Captions only.", limits="It cannot count.", licence="CC-BY-4.0")

    page = card(config, Code(package="0.1.0", digest="c" * 64, commit=""))

    lines = page.splitlines()
    assert {"Captions only.", "- It cannot count."} <= set(lines)
    assert "CC-BY-4.0. The terms of the sources above apply to what was made from them." in lines
    assert "git commit" not in page
