"""Whole nights through the command line: real processes, a real Prefect server, a model too small to be any good."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli import cli
from flows.dag import STAGES
from flows.settings import given
from pipeline.manifest import complete_outputs, sha256_of_file

pytestmark = pytest.mark.slow

NIGHTSHIFT = str(Path(sys.executable).with_name("nightshift"))
NAMES = [stage.name for stage in STAGES]
PARTS = ("summary", "decision", "scores", "samples", "loss-curve", "data", "generations", "report")


def why(run, stage):
    return next(line for line in run.stderr.splitlines() if line.startswith(f"{stage} ")).split(None, 2)[2]


def test_a_night_runs_every_stage_and_says_what_came_out(night, happened):
    _, run = night
    assert happened(run) == dict.fromkeys(NAMES, "started")
    assert {why(run, name) for name in NAMES} == {"for the first time"}
    assert "train            begins with random weights, as " in run.stderr
    for expected in (
        "read        1,500 pairs",
        "held out    100 that",
        "kept        1,400",
        "chrF",
        "promoted to champion",
    ):
        assert expected in run.stdout
    assert run.stdout.splitlines()[-1].startswith(f"  try it      {NIGHTSHIFT} translate --name weather-en-fr '")


def test_a_good_run_prints_nothing_but_our_own_lines(night):
    _, run = night
    assert [line for line in run.stderr.splitlines() if line.split(None, 1)[0] not in NAMES] == []


def test_a_night_with_nothing_new_does_nothing(night, environment, retrain, happened):
    folder, first = night
    again = retrain(folder, environment, "train.warm_start=champion")  # which is the night's own model by now
    assert happened(again) == dict.fromkeys(NAMES, "reused")
    assert again.stdout == first.stdout + "\n  nothing was new: every stage found its output finished\n"


def test_a_training_parameter_runs_training_evaluation_and_registration_again(second_night, happened):
    _, run, _ = second_night
    assert happened(run) == dict.fromkeys(NAMES[:5], "reused") | dict.fromkeys(NAMES[5:], "started")
    assert why(run, "train") == "because of train.seed 1 -> 2"
    assert why(run, "evaluate") == "because of new model"
    assert why(run, "register") == "because of new model, new evaluation"
    assert "weather-en-fr, version 2" in run.stdout


def test_the_model_can_be_used(night, environment, nightshift, monkeypatch):
    folder, _ = night
    piped = nightshift(folder, environment, "translate", input="Clear tonight.\nLight rain in the evening.\n")
    assert piped.returncode == 0, piped.stderr
    monkeypatch.chdir(folder)
    given = ["translate", "", "  ", "Light rain in the evening.", "Clear tonight."]
    answers = CliRunner().invoke(cli, given, catch_exceptions=False).stdout.splitlines()
    assert answers == ["", "", *reversed(piped.stdout.splitlines())]
    assert nightshift(folder, environment, "translate", input="").stdout == ""
    given = {"cwd": folder, "env": environment, "input": b"ja\xfc\n", "capture_output": True}
    latin = subprocess.run([NIGHTSHIFT, "translate"], check=False, **given)
    assert latin.returncode == 2
    assert latin.stderr.decode().startswith(r"nightshift: sentence 1 = ja\udcfc")
    assert "expected UTF-8" in latin.stderr.decode()
    long = nightshift(folder, environment, "translate", input="a" * 10_001)
    assert long.stderr == "nightshift: sentence 1 = 10,001 characters: expected at most 10,000\n"
    models = nightshift(folder, environment, "models")
    assert models.stdout.splitlines()[1].split()[:2] == ["weather-en-fr", "1"]
    assert "champion" in models.stdout


def test_a_server_that_is_named_gets_the_report(night, environment, prefect, retrain, happened, wait_until):
    folder, _ = night
    before = [run["id"] for run in prefect.ask("flow_runs/filter", {})]
    run = retrain(folder, environment | {"PREFECT_API_URL": prefect.url})
    assert happened(run) == dict.fromkeys(NAMES, "reused")
    (flow_run,) = (run for run in prefect.ask("flow_runs/filter", {}) if run["id"] not in before)
    assert (flow_run["name"][:-16], flow_run["state_type"]) == ("retrain weather-en-fr ", "COMPLETED")
    number = flow_run["id"]
    assert {task["name"].split("-")[0] for task in prefect.of(number, "task_runs")} == set(NAMES)
    assert {one["key"] for one in prefect.of(number, "artifacts")} == {f"weather-en-fr-{part}" for part in PARTS}
    wait_until(lambda: any("reused" in line["message"] for line in prefect.of(number, "logs")))


def test_the_saved_model_in_the_registry_is_the_one_that_was_scored(night, outputs):
    folder, _ = night
    trained = outputs(folder)["train"]
    registered = folder / "workspace/registry/weather-en-fr/versions/0001/export/saved_model.pb"
    assert sha256_of_file(registered) == sha256_of_file(trained.path("export/saved_model.pb"))
    assert len(list(complete_outputs(folder / "workspace/weather-en-fr/clean"))) == 1


def test_the_nightly_deployment_runs_on_a_worker(night, worker, tiny):
    folder, _ = night
    # What the night that ran before was given goes over the preset.
    fields = given(None, [*tiny, f"workspace={folder / 'workspace'}", f"registry={folder / 'registry'}"])
    run = worker.wait(worker.trigger("retrain/nightly", preset="weather", overrides=fields))
    assert (run["name"][:-16], run["state_type"]) == ("retrain weather-en-fr ", "COMPLETED"), run["state"]
    assert (folder / "registry" / "weather-en-fr" / "versions" / "0001" / "manifest.json").exists()
