"""A champion of other data or of another metric is scored again on these, and a damaged one is not used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from model.config import EvaluateConfig
from model.registry import Registry
from model.verdicts import latest
from pipeline.errors import InputError

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
MakeNight = Callable[..., Any]


@pytest.mark.parametrize("changed", [{"digest": "d2"}, {"signature": "tok:char"}], ids=["data", "metric"])
@pytest.mark.parametrize(("again", "is_promoted"), [(90.0, True), (99.0, False)])
def test_a_champion_of_other_data_or_metric_is_scored_again(
    night: MakeNight,
    scorer: Callable[..., Any],
    tmp_path: Path,
    changed: dict[str, str],
    again: float,
    is_promoted: bool,
) -> None:
    night(97.1).register()
    scoring = scorer(again, changed.get("signature", SIGNATURE), changed.get("digest", "d1"))

    result = night(95.0, seed=2, **changed).register(score=scoring)

    ending = "" if is_promoted else ", which is not better"
    assert result.facts["promoted"] is is_promoted
    assert result.facts["reason"] == (
        f"BLEU 95.00 against {again:.2f} of version 1 on the same 1,000 test sentences (it was scored again){ending}"
    )
    sources = [f"rain and fog until {hour} hours" for hour in range(12)]
    references = [f"pluie et brouillard pendant {hour} heures" for hour in range(12)]
    assert scoring.asked == [(b"graph 1", sources, references, EvaluateConfig())]
    assert result.files == ()
    registry = Registry(str(tmp_path / "registry"), "weather")
    verdict = latest(registry, registry.get(2))
    assert verdict is not None
    assert verdict.decision.was_scored_again
    assert [file.path for file in verdict.files] == ["champion/test.parquet", "report.html"]
    path = tmp_path / "registry/weather/versions/0002/verdicts/0001/champion/test.parquet"
    assert pq.read_table(path).to_pydict() == {
        "source": sources,
        "reference": references,
        "hypothesis": [f"again {source}" for source in sources],
    }


def test_a_metric_of_another_release_is_refused(night: MakeNight, scorer: Callable[..., Any], tmp_path: Path) -> None:
    night(97.1).register()

    with pytest.raises(InputError, match=r"evaluation = .*: expected bleu by tok:char of data d2 "):
        night(97.5, seed=2, digest="d2").register(score=scorer(90.0, "tok:char"))

    assert Registry(str(tmp_path / "registry"), "weather").alias("champion") == 1


def test_a_damaged_champion_is_named_and_not_scored(
    night: MakeNight, never: Callable[..., Any], tmp_path: Path
) -> None:
    night(97.1).register()
    graph = tmp_path / "registry" / "weather" / "versions" / "0001" / "export" / "saved_model.pb"
    graph.write_bytes(b"Graph 1")

    with pytest.raises(InputError, match=f"registry = {graph}: expected the 7 bytes"):
        night(97.5, seed=2, digest="d2").register(score=never)


def test_a_registry_in_a_bucket_scores_a_downloaded_champion(
    night: MakeNight, scorer: Callable[..., Any], bucket: str
) -> None:
    night(97.1, registry=bucket).register()
    scoring = scorer(90.0)

    result = night(95.0, seed=2, digest="d2", registry=bucket).register(score=scoring)

    assert (result.facts["champion"], result.facts["promoted"]) == (2, True)
    assert [graph for graph, *_ in scoring.asked] == [b"graph 1"]
    assert result.files == ()
