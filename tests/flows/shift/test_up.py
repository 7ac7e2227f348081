"""The night shift of a machine: a server, a worker and their runs, all of them real, and an end that leaves nothing."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest
import requests

from flows.up import Place, check_port
from pipeline.errors import InputError

pytestmark = pytest.mark.slow

PARTS = {"prepare": "prepare/nights", "train": "train/nights", "evaluate": "evaluate/nights"}


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
    assert deployments["nightly"]["global_concurrency_limit"] is None
    queues = {one["name"]: one["concurrency_limit"] for one in server.ask("work_pools/nights/queues/filter", {})}
    assert queues == {"default": None, deployments["nightly"]["work_queue_name"]: 2}
    given = deployments["nightly"]["parameters"]["overrides"]

    run = server.wait(server.trigger("retrain/nightly", overrides=given | {"deployments": PARTS}), seconds=500)
    assert run["state_type"] == "COMPLETED", run["state"]
    assert any("weather-en-fr, version 1" in str(one["data"]) for one in server.of(run["id"], "artifacts"))
    flows = {one["id"]: one["name"] for one in server.ask("flows/filter", {})}
    parts = [one for one in server.ask("flow_runs/filter", {"sort": "START_TIME_ASC"}) if one["parent_task_run_id"]]
    assert [(flows[one["flow_id"]], one["state_type"]) for one in parts] == [(part, "COMPLETED") for part in PARTS]
    there, here = outputs(tmp_path), outputs(night[0])
    for name in ("ingest", "clean", "build_vocabulary", "shard", "inspect"):
        assert there[name].digest == here[name].digest, name
    # From here on a fingerprint covers the training's log, which holds times.
    assert there["train"].fingerprint == here["train"].fingerprint
    assert there["evaluate"].facts == here["evaluate"].facts

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


def everything_printed(home):
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_postgresql_as_the_database_and_a_worker_that_was_killed(shift, postgres, server_at, processes_with):
    up, down, home, ui = shift
    url, password = postgres
    started = up("--database", url, NIGHTSHIFT_DB_PASSWORD=password)
    assert started.returncode == 0, started.stderr
    assert not list(home.glob("*.db"))
    assert {one["name"] for one in server_at(ui).ask("deployments/filter", {})} == {"nightly", "nights"}

    state = state_of(home)
    pids = {one["name"]: one["pid"] for one in state["processes"]}
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes_with(f"NIGHTSHIFT_UP={state['mark']}")]
    assert len(commands) >= 2
    assert password.encode() not in b"".join(commands) + everything_printed(home)
    assert password not in started.stdout + started.stderr
    assert password.encode() not in Path(f"/proc/{pids['worker']}/environ").read_bytes()

    os.kill(pids["worker"], signal.SIGKILL)
    again = up()
    assert again.returncode == 2
    line = f"nightshift: up = {ui}: expected all of it to be there, or nothing (the worker has ended; nightshift down)"
    assert again.stderr.splitlines() == [line]
    assert down().stdout.splitlines() == ["server      ended", "worker      was gone"]
    assert processes_with(f"NIGHTSHIFT_UP={state['mark']}") == []


def test_a_database_that_does_not_let_us_in_ends_all_and_says_why(shift, postgres, processes_with):
    up, _, home, _ = shift
    url, _ = postgres
    refused = up("--database", url, NIGHTSHIFT_DB_PASSWORD="wrong-one")
    assert refused.returncode == 1
    assert refused.stderr.startswith("nightshift: Prefect's server does not answer at ")
    assert "password authentication failed" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "wrong-one" not in refused.stderr + everything_printed(home).decode(errors="replace")
    assert not (home / "up.json").exists()


def test_a_port_that_is_taken_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = Place(tmp_path, "127.0.0.1", taken.getsockname()[1], None)
        with pytest.raises(InputError, match="--host, --port = 127.0.0.1:[0-9]+: expected an address of this machine"):
            check_port(place)
