"""Stages under Prefect's own engine and a real server: new tries, the end of their time, nights that meet."""

import threading
import time
from contextlib import contextmanager

import pytest
from prefect import flow
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import stages
from flows.alone import NIGHT, alone, alone_in, lease_of
from flows.holder import this_process
from flows.lease import Lease
from flows.overlap import Replaced, Skipped
from flows.settings import load
from flows.waiting import acquire
from pipeline import stage as stage_module
from pipeline.errors import InputError
from pipeline.stage import Outcome
from pipeline.stopping import Request


@pytest.fixture
def reporting(prefect):
    """Flows of this process report to the session's server."""
    with temporary_settings({PREFECT_API_URL: prefect.url}):
        yield prefect


@pytest.fixture
def config(tmp_path):
    return lambda *more: load("weather", overrides=[f"workspace={tmp_path}", *more])


def night_of(body):
    """A night of one stage."""
    made = stage_module.stage("clean", section="clean", version=1, takes=(), makes="pairs")(body)

    @flow(name="short", persist_result=False)
    def short(config):
        return alone(config, stages.as_step(made))

    return short


@contextmanager
def replaceable(lease):
    """A night in a thread that is at work until it is asked to end."""
    request = Request()

    def work():
        with lease.kept(request):
            while not request.is_made:
                time.sleep(0.02)

    acquire(lease, "skip", 0)
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join(30)
    assert isinstance(request.reason, Replaced)


@pytest.mark.usefixtures("reporting")
def test_what_can_pass_is_tried_again_and_bad_input_is_not(config, monkeypatch, tmp_path):
    monkeypatch.setattr(stages, "WAITS", [0.1, 0.1])
    failures = [ConnectionError("reset"), OSError(5, "input/output error")]

    def clean(config, *, folder):
        if failures:
            raise failures.pop()
        (folder / "kept").write_text("1")
        return Outcome({"kept": 1})

    assert night_of(clean)(config()).counts == {"kept": 1}
    assert failures == []

    tries = []

    def refuse(config, *, folder):
        tries.append(folder)
        raise InputError("clean.shards", 0, "at least 1")

    with pytest.raises(InputError, match="clean.shards = 0: expected at least 1"):
        night_of(refuse)(config("clean.shards=7"))
    assert len(tries) == 1
    assert not tries[0].exists()


@pytest.mark.usefixtures("reporting")
def test_when_its_time_is_over_a_stage_ends_and_leaves_nothing_half_written(config, tmp_path):
    ended = []

    def clean(config, *, folder):
        (folder / "half").write_text("1")
        try:
            for _ in range(3000):
                time.sleep(0.01)
        finally:
            ended.append(time.monotonic())
        return Outcome()

    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"clean took longer than night.hours.clean = 0.0005 hours"):
        night_of(clean)(config("night.hours.clean=0.0005"))
    assert 1.8 < ended[0] - began < 20
    assert not list(tmp_path.glob("*/clean/*/half"))


def test_a_night_that_meets_another_one_is_skipped_or_takes_its_place(config, reporting, tmp_path):
    other = Lease(config().lease_storage(), "weather-en-fr/lease.json", this_process("retrain other"), 4)
    acquire(other, "skip", 0)
    night = night_of(lambda config, *, folder: Outcome({"kept": 1}))
    request = Request()
    with other.kept(request):
        with pytest.raises(Skipped, match=r"this night does not run, as retrain other \(process") as reason:
            night(config("night.lease_seconds=4"))
        (run,) = reporting.ask("flow_runs/filter", {"flow_runs": {"state": {"name": {"any_": ["Skipped"]}}}})
        assert (run["state_type"], run["state"]["message"]) == ("CANCELLED", str(reason.value))
    with replaceable(other):
        assert night(config("night.overlap=replace")).counts == {"kept": 1}


@pytest.mark.usefixtures("reporting")
def test_a_part_that_is_done_elsewhere_already_waits_for_that_and_not_for_the_night(config):
    night, other = lease_of(config(), NIGHT), lease_of(config("night.lease_seconds=4"), "train")
    assert [acquire(one, "skip", 0) for one in (night, other)] == [None, None]
    done = []

    @flow(name="part", persist_result=False)
    def part(config):
        return alone_in("train", config, lambda _: done.append("here"))

    def work():
        with other.kept(Request()):
            time.sleep(2)
            done.append("elsewhere")

    thread = threading.Thread(target=work)
    thread.start()
    part(config("night.lease_seconds=4"))
    thread.join()
    assert done == ["elsewhere", "here"]
    assert other.read()[0].holder is None


def test_a_run_that_is_started_again_goes_on_and_does_not_bury_itself(config, reporting):
    def state(_):
        return reporting.ask(f"flow_runs/{flow_run.id}")["state_type"]

    @flow(name="again", persist_result=False)
    def again(config):
        gone = this_process("again", flow_run.id).model_copy(update={"born": "1"})
        assert acquire(Lease(config.lease_storage(), "weather-en-fr/lease.json", gone, 4), "skip", 0) is None
        return alone(config, state)

    assert again(config()) == "RUNNING"
