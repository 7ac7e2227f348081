"""Whole nights through the command line: real processes, a real Prefect server, a model too small to be any good."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli import cli
from flows.dag import STAGES
from flows.settings import load
from pipeline.manifest import complete_outputs, sha256_of_file

pytestmark = pytest.mark.slow

NIGHTSHIFT = str(Path(sys.executable).with_name("nightshift"))
NAMES = [stage.name for stage in STAGES]


def why(run, stage):
    return next(line for line in run.stderr.splitlines() if line.startswith(f"{stage} ")).split(None, 2)[2]


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


@pytest.fixture
def server(tmp_path, environment):
    """A Prefect server of its own, as `prefect server start` runs it; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    prefect = str(Path(sys.executable).with_name("prefect"))
    command = [prefect, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/api"
    own_home = {"PREFECT_HOME": str(tmp_path / "prefect")}
    given = {"env": environment | own_home, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, start_new_session=True, **given)
    try:
        deadline = time.monotonic() + 120
        while ask(f"{url}/health") is None:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


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


def test_a_server_that_is_named_gets_the_report(night, environment, server, retrain, happened):
    folder, _ = night
    run = retrain(folder, environment | {"PREFECT_API_URL": server})
    assert happened(run) == dict.fromkeys(NAMES, "reused")
    (flow_run,) = ask(f"{server}/flow_runs/filter", {})
    assert (flow_run["name"], flow_run["state_type"]) == ("retrain weather-en-fr", "COMPLETED")
    assert {task["name"].split("-")[0] for task in ask(f"{server}/task_runs/filter", {})} == set(NAMES)
    (artifact,) = ask(f"{server}/artifacts/filter", {})
    assert "weather-en-fr, version 1" in artifact["data"]
    deadline = time.monotonic() + 20
    while not any("reused" in line["message"] for line in ask(f"{server}/logs/filter", {})):
        assert time.monotonic() < deadline, "our lines did not reach the server"
        time.sleep(0.5)


def test_the_saved_model_in_the_registry_is_the_one_that_was_scored(night, outputs):
    folder, _ = night
    trained = outputs(folder)["train"]
    registered = folder / "workspace/registry/weather-en-fr/versions/0001/export/saved_model.pb"
    assert sha256_of_file(registered) == sha256_of_file(trained.path("export/saved_model.pb"))
    assert len(list(complete_outputs(folder / "workspace/weather-en-fr/clean"))) == 1


def test_the_nightly_deployment_runs_on_a_worker(night, environment, server, tmp_path, tiny):
    folder, _ = night
    here = Path(__file__).parents[2]
    # What `infra/README.md` says, with the configuration of the night that ran before instead of the preset's.
    config = load("weather", overrides=[*tiny, f"workspace={folder / 'workspace'}", f"registry={folder / 'registry'}"])
    prefect = [str(Path(sys.executable).with_name("prefect")), "--no-prompt"]
    for arguments in (
        ["work-pool", "create", "nights", "--type", "process"],
        ["deploy", "--prefect-file", "infra/prefect.yaml", "--all"],
        ["deployment", "run", "retrain/nightly", "--param", f"config={config.model_dump_json()}"],
        ["worker", "start", "--pool", "nights", "--run-once"],
    ):
        given = {"cwd": here, "env": environment | {"PREFECT_API_URL": server, "PWD": str(here)}}
        run = subprocess.run([*prefect, *arguments], check=False, capture_output=True, text=True, timeout=200, **given)
        assert run.returncode == 0, run.stderr
    runs = ask(f"{server}/flow_runs/filter", {})
    assert {run["name"]: run["state_type"] for run in runs if run["state_type"] != "SCHEDULED"} == {
        "retrain weather-en-fr": "COMPLETED"
    }
    assert (folder / "registry" / "weather-en-fr" / "versions" / "0001" / "manifest.json").exists()
