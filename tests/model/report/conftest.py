"""What a report shows, with everything there is to show, and hostile text where people write text; and a browser."""

import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.bootstrap import Interval
from model.decision import Decision, Reason
from model.report.content import (
    Bucket,
    Content,
    Data,
    Distance,
    Disturbance,
    Funnel,
    Generation,
    Line,
    Picture,
    Robustness,
    Sample,
    Training,
)
from model.versions import Code, SourceRecord, Version
from pipeline.manifest import FileRecord, InputRecord

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
HOSTILE = "<script>document.title = 'taken'</script><img src=x onerror=alert(1)>"


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.fixture(scope="session")
def png() -> bytes:
    """One red point."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.fixture(scope="session")
def version() -> Version:
    """Version 3 of a model; one of its sources has a hostile name."""
    return Version(
        model="weather-en-ar",
        number=3,
        fingerprint="f" * 64,
        created="2026-11-22T03:10:59+00:00",
        files=(FileRecord(path="export/saved_model.pb", bytes=1_000_000, sha256="a" * 64),),
        metrics={},
        lineage={"vocabulary": InputRecord(kind="vocabulary", fingerprint="v" * 64, digest="b" * 64)},
        configs={"ingest": {"train": "https://example.org/a.tsv?key=secret"}, "train": {"steps": 300, "seed": 7}},
        versions={"tensorflow": "2.21.0"},
        sources=(SourceRecord(split="train", origin=HOSTILE, location="a.tsv", digest="c" * 64, pairs=1200),),
        parent=2,
        code=Code(package="0.1.0", digest="d" * 64, commit="e" * 40),
    )


@pytest.fixture(scope="session")
def parts(version: Version, png: bytes) -> dict[str, Any]:
    """The fields of a `Content` with nothing left out; tests change or leave out what they are about."""
    words = "BLEU 61.50 against 60.00"
    gain = Reason(rule="gain", set="test", metric="bleu", ours=61.5, theirs=60, limit=0, is_met=True, words=words)
    chance = Reason(
        rule="significance", set="test", metric="bleu", ours=0.2, theirs=None, limit=0.05, is_met=False, words="p 0.200"
    )
    decision = Decision(is_promoted=False, reason="p 0.200 may be chance", champion=2, reasons=(gain, chance))
    lines = [
        Line("dev", 400, "bleu", 62.0, None, SIGNATURE, Interval(62.0, 1.5)),
        Line("test", 1000, "bleu", 61.5, 60.0, SIGNATURE, Interval(61.5, 1.2), Interval(60.0, 1.25), 0.2),
        Line("test", 1000, "chrf", 80.0, 80.5, "chrF2|nrefs:1", Interval(80.0, 0.7), Interval(80.5, 0.75)),
        Line("test", 1000, "ter", 30.0, 31.0, "ter|nrefs:1"),
        Line("test", 1000, "loss", 0.4321, None),
        Line("test", 1000, "empty", 0.012, 0.0),
    ]
    rejects = {"too_long": [[HOSTILE, "x", "web"]]}
    figures = {"tokens": 5000, "tokens_per_sentence": 4.8, "lengths": {"100%": 31}}
    data = Data(
        languages=("en", "ar"),
        funnel=Funnel(1200, {"too_long": 100}, 60, 1040, {"dev": 400, "test": 1000}, rejects),
        generations=[
            Generation(1, "2026-11-21T03:00:00+00:00", 1000, 900, {"web": 900}, "1" * 64),
            Generation(2, "2026-11-22T03:00:00+00:00", 200, 140, {HOSTILE: 140}, "2" * 64),
        ],
        drift=[
            Distance("", "pieces", "source", 0.31, 0.05, 0.2, is_over=True),
            Distance(HOSTILE, "ratio", "", 0.1, 0.09, 0.15, is_over=False),
        ],
        figures={"source": figures, "target": figures},
        lengths=Picture("lengths", png),
    )
    return {
        "version": version,
        "decision": decision,
        "rules": {"max_p": 0.05},
        "deciding": "test",
        "lines": lines,
        "buckets": [Bucket("1-10", 900, 63.0, 61.0), Bucket("11-20", 100, 50.0)],
        "samples": [
            Sample("gained most", HOSTILE, "مطر حتى المساء", "مطر حتى الصباح", 70.0, "ثلج", 10.5),
            Sample("worst", "Fog.", "ضباب", "", 0.0, "ضباب", 100.0),
        ],
        "robustness": [Robustness("test", 100, 61.0, [Disturbance("typos", 90, 50.25, 10.75)])],
        "data": data,
        "training": Training(
            {"network": "lstm", "steps": "300", "time": "3 min"},
            [{"step": step, "loss": 6 - step / 100, "dev_loss": 5 - step / 100} for step in (100, 200, 300)],
        ),
        "attention": [Picture("best, sentence 18", png)],
    }


@pytest.fixture
def content(parts: dict[str, Any]) -> Content:
    """All of them."""
    return Content(**parts)


@pytest.fixture
def chromium(tmp_path: Path) -> Callable[..., str]:
    """Opens a file in headless Chromium with some options, and returns what it says on standard error."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("Chromium is not installed")
    options = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run --disable-sync"

    def open_(page: Path, *more: str) -> str:
        command = [program, *options.split(), "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"]
        command += ["--hide-scrollbars", *more, page.as_uri()]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stderr

    return open_
