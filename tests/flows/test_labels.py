from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from flows import labels


def test_a_run_is_named_by_flow_model_and_minute():
    moment = datetime(2026, 11, 23, 2, 0, 59, tzinfo=UTC)
    assert labels.name_of("retrain", "weather-en-fr", moment) == "retrain weather-en-fr 2026-11-23 02:00"


@pytest.mark.parametrize(
    ("preset", "overrides", "name"),
    [
        ("weather", {}, "train weather-en-fr 2026-11-23 02:00"),
        ("weather", {"corpus": {"reverse": True}, "task": "sky"}, "train sky-fr-en 2026-11-23 02:00"),
        ("weather", {"train": {"steps": 0}}, "train weather 2026-11-23 02:00"),  # the run itself tells why it fails
    ],
)
def test_a_run_that_cannot_work_has_a_name_too(monkeypatch, preset, overrides, name):
    scheduled = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    parameters = {"preset": preset, "overrides": overrides}
    run = SimpleNamespace(flow_name="train", parameters=parameters, scheduled_start_time=scheduled)
    monkeypatch.setattr(labels, "flow_run", run)
    assert labels.run_name() == name
