"""`nightshift report`: the page about a version as a file."""

import pytest
from click.testing import CliRunner

from flows.cli import cli
from model.decision import Decision
from model.registry import Registry
from model.verdicts import conclude
from pipeline.errors import InputError


@pytest.fixture
def registry(tmp_path):
    """Two versions of one model, of which the second is the candidate and has a report."""
    registry = Registry(str(tmp_path / "registry"), "weather-en-fr")
    (tmp_path / "page").write_bytes(b"<!DOCTYPE html>\n")
    for number, files in ((1, {}), (2, {"report.html": tmp_path / "page"})):
        version = registry.add(
            {"vocabulary.model": tmp_path / "page"},
            fingerprint=f"f{number}",
            metrics={"test": {"bleu": 1.0}},
            lineage={},
            configs={},
            versions={},
        )
        conclude(registry, version, Decision(is_promoted=False, reason="too low"), {}, files=files)
    registry.move_alias("candidate", 2, expected=None, why="the newest version")
    return registry


def run(registry, *arguments):
    """What the command says; raises what it raises."""
    return CliRunner().invoke(
        cli, ["report", *arguments, "--registry", registry.location], catch_exceptions=False, standalone_mode=False
    )


def test_the_newest_version_is_what_people_want_to_see(registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert run(registry).output == "weather-en-fr-2.html\n"
    assert (tmp_path / "weather-en-fr-2.html").read_bytes() == b"<!DOCTYPE html>\n"


def test_the_file_may_have_another_name_in_a_folder_that_is_not_there_yet(registry, tmp_path):
    path = tmp_path / "monday/report.html"

    assert run(registry, "2", "--output", str(path)).output == f"{path}\n"
    assert path.read_bytes() == b"<!DOCTYPE html>\n"


def test_a_version_without_a_report_is_told(registry, tmp_path):
    with pytest.raises(InputError, match=r"version = 1: expected a version whose decision has a report\.html"):
        run(registry, "1", "--output", str(tmp_path / "report.html"))
    assert not (tmp_path / "report.html").exists()
