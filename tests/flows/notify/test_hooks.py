import logging
from uuid import UUID

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed

from flows.notify.hooks import message_of, tell

RUN = UUID(int=7)


@pytest.fixture
def run():
    """A run as the hooks get it; its parameters are as the server keeps them."""

    def of(webhook):
        parameters = {"preset": "weather", "overrides": {"notify": {"webhook": webhook}}}
        return FlowRun(id=RUN, flow_id=UUID(int=8), name="retrain weather-en-fr", parameters=parameters)

    return of


def test_a_message_is_one_line_and_a_link(run):
    state = Crashed(message="Flow run process exited with non-zero status code 9.\nTraceback ...")
    message = "Flow run process exited with non-zero status code 9."
    assert message_of(run(""), state, "http://ui/runs/flow-run/7") == {
        "text": f"retrain weather-en-fr: Crashed. {message}\nhttp://ui/runs/flow-run/7",
        "flow_run": "retrain weather-en-fr",
        "state": "Crashed",
        "message": message,
        "link": "http://ui/runs/flow-run/7",
    }
    assert message_of(run(""), state, "")["text"] == f"retrain weather-en-fr: Crashed. {message}"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "notify.webhook = env:HOOK: expected what it names to hold an address (not set where this runs)"),
        ("http://127.0.0.1:1/T0abcdef", "env:HOOK does not take it (ConnectionError)"),
    ],
)
def test_a_webhook_that_does_not_work_is_told_in_the_log(run, monkeypatch, caplog, said, address, why):
    monkeypatch.setenv("HOOK", address)
    with caplog.at_level(logging.WARNING, "nightshift"):
        tell(None, run("env:HOOK"), Crashed(message="gone"))
    assert said() == [f"notify           nobody was told: {why}"]


def test_an_address_that_was_given_by_mistake_is_not_told_in_the_log(run, said):
    tell(None, run("https://hooks.example.org/T0abcdef"), Crashed(message="gone"))
    (message,) = said()
    assert message.startswith("notify           nobody was told: notify.webhook = (not shown): expected ")


def test_nobody_is_told_unless_it_was_asked_for(run, said):
    tell(None, run(""), Crashed(message="gone"))
    unset = run("").model_copy(update={"parameters": {"preset": "weather", "overrides": {"notify": None}}})
    tell(None, unset, Crashed(message="gone"))
    assert said() == []
