import logging
from types import SimpleNamespace

import httpx
import pytest
from prefect.exceptions import PrefectException

from flows.artifacts.publishing import publish
from flows.best_effort import best_effort
from flows.settings import load


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (httpx.ConnectError("Connection refused\nand more"), "ConnectError: Connection refused"),
        (httpx.ReadTimeout(""), "ReadTimeout: "),
        (PrefectException("gone"), "PrefectException: gone"),
    ],
)
def test_a_server_that_is_away_is_told_and_passed_over(caplog, said, error, told):
    caplog.set_level(logging.WARNING, "nightshift")
    with best_effort("tags"):
        raise error
    assert said() == [f"tags             passed over: {told}"]


def test_a_registry_that_cannot_be_read_costs_a_registered_night_its_picture_alone(tmp_path, caplog, said):
    caplog.set_level(logging.WARNING, "nightshift")
    manifest = tmp_path / "weather-en-fr/versions/0001/manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{")
    night = SimpleNamespace(version=SimpleNamespace(facts={"version": 1}))
    publish(load("weather", overrides=[f"registry={tmp_path}"]), night)
    (message,) = said()
    assert message.startswith("artifacts        passed over: InputError: ")
    assert f"{manifest}: expected " in message


def test_what_else_is_passed_over_is_said_where_it_is(said):
    with best_effort("artifacts", OSError):
        raise ConnectionError("reset")
    assert said() == ["artifacts        passed over: ConnectionError: reset"]
    with pytest.raises(ConnectionError), best_effort("tags"):
        raise ConnectionError("reset")


def test_a_defect_is_not_passed_over():
    with pytest.raises(KeyError), best_effort("tags"):
        raise KeyError("x")
