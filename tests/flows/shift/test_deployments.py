"""Deployments on a real server: what its form shows, what it refuses, and parts of a night that go wrong elsewhere."""

import threading
import time
from types import SimpleNamespace

import httpx
import pytest
from prefect import flow
from prefect.deployments import run_deployment
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import dispatch, ending, pulse, stages, use
from flows.alone import lease_of
from flows.deploying import nightly_queue
from flows.deployments import DeploymentsConfig
from flows.dispatch import check_deployments, patiently, run_there
from flows.holder import this_process
from flows.parameters import configured, parameters_of
from flows.settings import given, load, preset_names
from flows.waiting import acquire
from pipeline.errors import InputError
from pipeline.stopping import Request

pytestmark = pytest.mark.slow


@pytest.fixture
def here(prefect):
    """This process talks to the session's server."""
    with temporary_settings({PREFECT_API_URL: prefect.url}):
        yield prefect


@pytest.fixture(scope="module")
def idle(prefect, nightshift, tmp_path_factory):
    """A deployment `train/idle` whose pool has no worker, made by `nightshift deploy`; gives what that printed."""
    prefect.run("work-pool", "create", "idle", "--type", "process")
    folder = tmp_path_factory.mktemp("idle")
    arguments = ["deploy", "--pool", "idle", "--flow", "train", "--preset", "weather", "--set", "train.seed=3"]
    runs = [nightshift(folder, prefect.environment, *arguments) for _ in range(2)]  # the second one changes the first
    assert [run.returncode for run in runs] == [0, 0], runs
    return folder, runs


@pytest.fixture
def made(here, idle, wait_until):
    """Waits for a run of `train/idle` made since the test began, each time for another one."""

    def runs():
        return here.ask("flow_runs/filter", {"deployments": {"name": {"any_": ["idle"]}}})

    seen = {run["id"] for run in runs()}

    def next_run():
        (run,) = wait_until(lambda: [run for run in runs() if run["id"] not in seen])
        seen.add(run["id"])
        return run

    return next_run


@pytest.fixture
def nights(here):
    """The queue of the nights of a pool without a worker, and the deployment `retrain/places` whose runs wait in it."""
    here.run("work-pool", "create", "places", "--type", "process")
    place = {"work_pool_name": "places", "work_queue_name": nightly_queue("places")}
    here.ask("deployments/", place | {"flow_id": here.ask("flows/", {"name": "retrain"})["id"], "name": "places"})
    return here


def test_a_killed_night_keeps_a_place_in_the_queue_until_the_next_one_notes_its_end(nights):
    def for_a_worker():
        return [one["flow_run"]["id"] for one in nights.ask("work_pools/places/get_scheduled_flow_runs", {})]

    def begin(run):
        nights.ask(f"flow_runs/{run}/set_state", {"state": {"type": "RUNNING"}, "force": True})

    killed, second, third = (nights.trigger("retrain/places") for _ in range(3))
    assert for_a_worker() == [killed, second]
    begin(killed)
    assert for_a_worker() == [second]
    begin(second)
    assert for_a_worker() == []  # the third one waits, and is not cancelled
    ending.bury(this_process("killed", killed))
    assert nights.ask(f"flow_runs/{killed}")["state_type"] == "CRASHED"
    assert for_a_worker() == [third]
    # What somebody made of the limit stays; a queue that `prefect deploy` made has none.
    nights.run("work-queue", "set-concurrency-limit", "nightly", "3", "--pool", "places")
    assert nightly_queue("places") == "nightly"
    assert nights.ask("work_pools/places/queues/nightly")["concurrency_limit"] == 3
    nights.run("work-queue", "clear-concurrency-limit", "nightly", "--pool", "places")
    nightly_queue("places")
    assert nights.ask("work_pools/places/queues/nightly")["concurrency_limit"] == 2


def ask_for(server, deployment, **parameters):
    """What the server says to a run that it refuses."""
    number = server.ask(f"deployments/name/{deployment}")["id"]
    answer = server.post(f"deployments/{number}/create_flow_run", {"parameters": parameters})
    assert answer.status_code == 409, answer.text
    return answer.json()["detail"].partition("Failure reason: ")[0].split("field ")[1], answer.json()["detail"]


def test_a_deployment_is_made_once_and_then_changed(prefect, idle):
    folder, runs = idle
    assert [run.stdout for run in runs] == ["train/idle\n"] * 2
    made = prefect.ask("deployments/name/train/idle")
    assert made["parameters"] == {"preset": "weather", "overrides": {"train": {"seed": 3}}}
    assert made["job_variables"]["working_dir"] == str(folder)
    assert (made["work_pool_name"], made["entrypoint"]) == ("idle", "flows.train.train")
    assert made["enforce_parameter_schema"] is True


@pytest.mark.parametrize(
    ("overrides", "field", "reason"),
    [
        ({"train": {"steps": 0}}, "'overrides.train.steps'", "0 is less than the minimum of 1"),
        ({"train": {"stesp": 9}}, "'overrides.train'", "Additional properties are not allowed ('stesp' was unexp"),
        ({"train": {"model": {"architecture": "cnn"}}}, "'overrides.train.model.architecture'", "'cnn' is not one of"),
        ({"corpus": {"train": [{"kind": "tabel"}]}}, "'overrides.corpus.train[0]'", "is not valid under any of"),
        ({"task": "a/b"}, "'overrides.task'", "'a/b' does not match '^[A-Za-z0-9_-]*$'"),
    ],
)
def test_a_wrong_value_is_refused_before_the_run_starts(prefect, idle, overrides, field, reason):
    where, message = ask_for(prefect, "train/idle", overrides=overrides)
    assert where.strip(" .") == field
    assert reason in message


def test_a_preset_that_is_none_is_refused(prefect, idle):
    _, message = ask_for(prefect, "train/idle", preset="wether")
    assert f"'wether' is not one of {['none', *preset_names()]}" in message


def page_at(browser, wait_until, url):
    """The text of the form of a run as soon as it is drawn to its end."""
    browser.do("Page.navigate", url=url)
    wait_until(lambda: "then the night fails." in browser.see("document.body?.innerText ?? ''"))
    return browser.see("document.body.innerText")


def filled_in(section):
    """The form sends sections in which nothing was filled in as empty ones."""
    if not isinstance(section, dict):
        return section
    return {key: value for key, inside in section.items() if (value := filled_in(inside)) not in ({}, None)}


def test_the_form_describes_every_key_and_sends_what_was_filled_in(prefect, made, browser, wait_until):
    place = f"deployments/deployment/{prefect.ask('deployments/name/train/idle')['id']}/run"
    # The older of the two UIs has the choices of closed lists in its page too.
    assert "\n".join(["none", *preset_names()]) in page_at(browser, wait_until, f"{prefect.ui}/{place}")
    page = page_at(browser, wait_until, f"{prefect.ui}/v2/{place}")
    for expected in (
        "The configuration to begin with; none: the defaults.",
        "What is to be different; an empty field leaves what the preset says.",
        "Sources of the training pairs.",
        "Steps in which the step size rises from zero to its highest.",
        "Deployment for the training, such as train/gpu; none: in this process.",
    ):
        assert expected in page
    browser.see("[...document.querySelectorAll('button')].find(one => one.innerText.trim() == 'Submit').click()")
    run = made()
    assert filled_in(run["parameters"]["overrides"]) == {"train": {"seed": 3}}
    assert configured(**run["parameters"]) == load("weather", overrides=["train.seed=3"])


def test_a_deployment_that_is_not_there_is_told_at_once(here):
    with pytest.raises(InputError, match=r"^deployments\.train = train/gpu: expected a deployment of the Prefect serv"):
        check_deployments(DeploymentsConfig(train="train/gpu"))


def night_with(**limits):
    config = load("weather")
    return config.model_copy(update={"deployments": DeploymentsConfig(train="train/idle", **limits)})


def test_a_part_that_no_worker_begins_ends_the_night_and_is_cancelled(made):
    with pytest.raises(ChildProcessError, match=r"^train/idle: no worker began it within 0\.5 s$"):
        run_there("train/idle", night_with(start_within=0.5), "train")
    run = made()
    assert run["state_type"] in ("CANCELLED", "CANCELLING")
    assert configured(**run["parameters"]) == configured(**parameters_of(load("weather")))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"type": "CANCELLED", "message": "by hand"}, r"the run \S+ is cancelled: by hand$"),
        ({"type": "FAILED", "message": "out of\nmemory"}, r"the run \S+ is failed: out of memory$"),
        ({"type": "RUNNING"}, r"it did not end within 0\.5 s$"),
    ],
)
def test_a_part_that_goes_wrong_elsewhere_is_one_line(here, made, monkeypatch, state, message):
    monkeypatch.setattr(ending, "ENDS_WITHIN", 0.5)  # nobody is there who would end it

    def change():
        here.ask(f"flow_runs/{made()['id']}/set_state", {"state": state, "force": True})

    thread = threading.Thread(target=change)
    thread.start()
    with pytest.raises(ChildProcessError, match=f"^train/idle: {message}"):
        run_there("train/idle", night_with(finish_within=0.5), "train")
    thread.join()


def test_a_part_whose_machine_was_taken_away_is_tried_again(here, made, monkeypatch):
    monkeypatch.setattr(stages, "WAITS", [0.0])
    crashed = []

    def crash():
        for _ in range(2):
            crashed.append(made()["id"])
            here.ask(f"flow_runs/{crashed[-1]}/set_state", {"state": {"type": "CRASHED"}, "force": True})

    thread = threading.Thread(target=crash)
    thread.start()
    with pytest.raises(ChildProcessError, match=r"^train/idle: the run \S+ is crashed: without a word$"):
        run_there("train/idle", night_with(), "train")
    thread.join()
    assert len(set(crashed)) == 2


def test_a_part_whose_machine_vanished_is_done_again_and_one_that_gives_signs_of_life_is_not(
    here, made, monkeypatch, tmp_path
):
    monkeypatch.setattr(stages, "WAITS", [0.1])
    monkeypatch.setattr(pulse, "MARGIN", 0.5)
    night = load("weather", overrides=[f"workspace={tmp_path}", "night.lease_seconds=4"])
    night = night.model_copy(update={"deployments": DeploymentsConfig(train="train/idle")})
    took = []

    def begin():
        run = made()["id"]
        here.ask(f"flow_runs/{run}/set_state", {"state": {"type": "RUNNING"}, "force": True})
        return run

    def work():
        vanishing = begin()
        lease, over = lease_of(night, "train"), Request()
        acquire(lease, "skip", 0)
        with lease.kept(over):
            over.is_ignored = True  # a machine that vanishes gives nothing back
            time.sleep(6)
            took.append(here.ask(f"flow_runs/{vanishing}")["state_type"])
        again = begin()
        took.append(here.ask(f"flow_runs/{vanishing}")["state"]["type"])
        here.ask(f"flow_runs/{again}/set_state", {"state": {"type": "COMPLETED"}, "force": True})

    thread = threading.Thread(target=work)
    thread.start()
    run_there("train/idle", night, "train")
    thread.join()
    assert took == ["RUNNING", "CRASHED"]


def test_a_night_that_is_gone_takes_the_parts_with_it_that_it_waited_for(here, idle):
    @flow(name="gone", persist_result=False)
    def gone():
        part = run_deployment("train/idle", parameters=parameters_of(load("weather")), timeout=0)
        return flow_run.id, str(part.id)

    night, part = gone()
    ending.bury(this_process("gone", night))
    assert here.ask(f"flow_runs/{part}")["state_type"] == "CANCELLED"
    assert here.ask(f"flow_runs/{night}")["state_type"] == "COMPLETED"


def test_a_server_that_is_away_costs_no_part_until_it_has_been_for_long(monkeypatch):
    class Restarting:
        """A server's client as `patiently` sees it: without an answer for two questions."""

        left = 2

        def read_flow_run(self, run):
            self.left -= 1
            if self.left >= 0:
                raise httpx.ConnectError("Connection refused")
            return run

    monkeypatch.setattr(dispatch, "SILENT_PAUSE", 0.01)
    assert patiently(Restarting(), SimpleNamespace(state="running")) == "running"
    monkeypatch.setattr(dispatch, "SILENT_WITHIN", 0)
    with pytest.raises(httpx.ConnectError):
        patiently(Restarting(), SimpleNamespace(state="running"))


def test_what_no_type_can_say_fails_the_run_at_once(worker, tiny):
    fields = given(None, [*tiny, "train.ema=0.9", "train.average_checkpoints=3"])
    run = worker.wait(worker.trigger("retrain/nightly", preset="weather", overrides=fields))
    assert run["state_type"] == "FAILED"
    line = "InputError: train.average_checkpoints = 3: expected 1 beside train.ema"
    assert line in run["state"]["message"]
    assert run["run_count"] == 1
    assert worker.of(run["id"], "task_runs") == []


def test_a_file_is_translated_by_a_deployment(worker, two_versions, tmp_path):
    (tmp_path / "a.txt").write_text("rain snow\n\nwind\n")
    given = {"source": str(tmp_path / "a.txt"), "target": str(tmp_path / "b.txt"), "registry": str(two_versions)}
    run = worker.wait(worker.trigger("translate-batch/nights", **given))
    assert run["state_type"] == "COMPLETED", run["state"]
    champion = use.Chosen(str(two_versions), "tiny", "champion")
    found = use.translate(["rain snow", "", "wind"], champion, use.Wanted())
    expected = [hypotheses[0].text if hypotheses else "" for hypotheses in found]
    assert (tmp_path / "b.txt").read_text().splitlines() == expected
    assert expected[1] == ""
