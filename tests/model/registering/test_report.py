"""The report of a registered version: made from what the stages left, kept with the decision, the same every time."""

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.promotion import RegisterConfig
from model.registry import Registry
from model.verdicts import file_of, latest
from pipeline.errors import InputError

MakeNight = Callable[..., Any]


def report_of(one: Any, number: int) -> str:
    """The report of a version."""
    registry = Registry(one.registry, "weather")
    return file_of(registry, registry.get(number), "report.html").decode()


def rows_of(page: str, title: str) -> list[str]:
    """The texts of the rows of a part's first table."""
    part = page.partition(f"<h2>{title}</h2>")[2].partition("</table>")[0]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in re.findall(r"<tr>(.*?)</tr>", part)]


def test_the_first_version_is_shown_alone(night: MakeNight) -> None:
    first = night(97.1)
    first.register()

    page = report_of(first, 1)

    assert "<h1>Version 1 was promoted: it is the first champion.</h1>" in page
    assert rows_of(page, "Scores") == ["set metric version 1", "test 1,000 sentences BLEU 97.10 ± 29.38"]
    assert re.findall(r"<h3>(\w+)</h3>", page) == [*["best"] * 3, *["median"] * 3, *["worst"] * 3]
    assert re.findall(r"<h2>([^<]*)</h2>", page) == ["Scores", "Samples", "Lineage"]
    assert "secret" not in page


def test_a_second_version_stands_beside_the_champion_it_met(night: MakeNight) -> None:
    night(97.1).register()
    second = night(97.5, seed=2)
    second.register(RegisterConfig(samples=100))

    page = report_of(second, 2)

    assert "<h1>Version 2 was not promoted: version 1 stays champion.</h1>" in page
    head, scores = rows_of(page, "Scores against the champion")
    assert head == "set metric version 2 version 1 difference p 95 % confidence"
    assert re.fullmatch(r"test 1,000 sentences BLEU 97\.50 ± \d+\.\d\d 97\.10 ± \d+\.\d\d \+0\.40 0\.\d\d\d", scores)
    assert (
        re.findall(r"<h3>([a-z ]+), ([−+])[\d.]+</h3>", page)[:6]
        == [("gained most", "+")] * 3 + [("lost most", "−")] * 3
    )


def test_the_page_belongs_to_the_verdict_and_is_the_same_every_time(night: MakeNight) -> None:
    night(97.1).register()
    second = night(97.5, seed=2)
    result = second.register()
    page = report_of(second, 2)
    shutil.rmtree(second.workspace / "register")

    assert second.register().facts == result.facts
    assert report_of(second, 2) == page
    registry = Registry(second.registry, "weather")
    verdict = latest(registry, registry.get(2))
    assert verdict is not None
    digests = {file.path: file.sha256 for file in verdict.files}
    assert digests["report.html"] == hashlib.sha256(page.encode()).hexdigest()


def test_a_report_that_was_changed_is_refused(night: MakeNight) -> None:
    first = night(97.1)
    first.register()
    [path] = Path(first.registry).rglob("report.html")
    path.write_text(path.read_text(encoding="utf-8").replace("97.10", "99.10"), encoding="utf-8")

    with pytest.raises(InputError, match=r"report\.html: .*damaged after it was registered"):
        report_of(first, 1)


def test_pictures_and_figures_of_the_data_are_shown(night: MakeNight, made: Callable[..., Any]) -> None:
    first = night(97.1)
    drawn = made(
        first.workspace / "drawn",
        "inspect",
        "statistics",
        {"lengths.png": b"\x89PNG..."},
        inputs=[first.pairs],
        facts={
            "drift": [],
            "chain": {"source": {"frames": 700, "lengths": {}}, "target": {"tokens": 90, "lengths": {}}},
        },
    )

    replace(first, statistics=drawn).register()

    page = report_of(first, 1)
    assert rows_of(page, "Statistics") == ["source, en target, fr", "tokens – 90", "frames 700 –", "longest 0 0"]
    assert 'src="data:image/png;base64,iVBORy4uLg=="' in page
