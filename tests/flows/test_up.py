"""The night shift of a machine: a server, a worker and their runs, all of them real, and an end that leaves nothing."""

import json

import pytest
import requests

pytestmark = pytest.mark.slow

PARTS = {"prepare": "prepare/nights", "train": "train/nights", "evaluate": "evaluate/nights"}


@pytest.fixture
def shift(tmp_path, environment, free_port, nightshift, options, processes_with):
    """Runs `nightshift up` with a tiny night, and whatever happens, nothing of it is left."""
    home = tmp_path / "prefect"
    plain = {name: value for name, value in environment.items() if name != "PREFECT_HOME"}

    def up(*more, **variables):
        night = ["--preset", "weather", *options(), "--cron", "0 3 1 1 *", "--timezone", "Europe/Berlin"]
        arguments = ["--port", str(free_port), "--home", str(home), *more]
        return nightshift(tmp_path, plain | variables, "up", *night, *arguments)

    def down():
        return nightshift(tmp_path, plain, "down", "--home", str(home))

    yield up, down, home, f"http://127.0.0.1:{free_port}"
    down()


def state_of(home):
    return json.loads((home / "up.json").read_text())


def test_a_night_whose_parts_are_deployments_and_an_end_in_the_midst_of_the_next(
    shift, tmp_path, night, outputs, server_at, processes_with, wait_until
):
    up, down, home, ui = shift
    started = up()
    assert started.returncode == 0, started.stderr
    assert f"  server      {ui}\n" in started.stdout
    assert "<title>" in requests.get(ui, timeout=20).text
    mark = f"NIGHTSHIFT_UP={state_of(home)['mark']}"
    again = up()
    assert (again.returncode, again.stdout) == (0, f"it is up already: {ui}\n")

    server = server_at(ui)
    deployments = {one["name"]: one for one in server.ask("deployments/filter", {})}
    (schedule,) = deployments["nightly"]["schedules"]
    assert schedule["schedule"] == {"cron": "0 3 1 1 *", "timezone": "Europe/Berlin", "day_or": True}
    assert deployments["nightly"]["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    given = deployments["nightly"]["parameters"]["overrides"]

    run = server.wait(server.trigger("retrain/nightly", overrides=given | {"deployments": PARTS}), seconds=500)
    assert run["state_type"] == "COMPLETED", run["state"]
    assert any("weather-en-fr, version 1" in one["data"] for one in server.of(run["id"], "artifacts"))
    runs = {one["name"]: one for one in server.ask("flow_runs/filter", {})}
    assert {runs[f"{part} none"]["state_type"] for part in PARTS} == {"COMPLETED"}
    assert all(runs[f"{part} none"]["parent_task_run_id"] for part in PARTS)
    there, here = outputs(tmp_path), outputs(night[0])
    for name, made in there.items():
        assert made.fingerprint == here[name].fingerprint, name
    for name in ("ingest", "clean", "build_vocabulary", "shard", "inspect"):
        assert there[name].digest == here[name].digest, name

    long = given | {"train": given["train"] | {"steps": 100_000}}
    number = server.trigger("retrain/nightly", overrides=long)
    wait_until(lambda: list(tmp_path.glob("workspace/*/train/*/checkpoints/step-00000010.npz")), seconds=200)
    assert server.ask(f"flow_runs/{number}")["state_type"] == "RUNNING"
    ended = down()
    assert ended.returncode == 0, ended.stderr
    assert [line.split()[:2] for line in ended.stdout.splitlines()[:2]] == [["server", "ended"], ["worker", "ended"]]
    assert ended.stdout.splitlines()[2].startswith("runs        ended, ")
    assert processes_with(mark) == []
    assert not (home / "up.json").exists()
    assert down().stdout.startswith("nothing is up: ")
