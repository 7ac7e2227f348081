"""What a flow run is called and tagged with, so that people find the night they look for."""

from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from flows.best_effort import best_effort
from flows.parameters import configured
from pipeline.errors import InputError
from pipeline.manifest import Manifest

SHORT = 12  # characters of a digest


def run_name() -> str:
    """The name of the flow run that is about to begin: `retrain weather-en-fr 2026-11-23 02:00`.

    The time is the one that it was scheduled for, in UTC as all times of versions and outputs.
    """
    given = flow_run.parameters
    try:
        model = configured(given["preset"], given["overrides"]).name
    except InputError:  # which the run itself will tell
        model = given["preset"]
    return name_of(flow_run.flow_name, model, flow_run.scheduled_start_time)


def name_of(flow: str, model: str, scheduled: datetime) -> str:
    """Flow, model and minute.

    >>> name_of("retrain", "weather-en-fr", datetime(2026, 11, 23, 2, 0, 59))
    'retrain weather-en-fr 2026-11-23 02:00'
    """
    return f"{flow} {model} {scheduled:%Y-%m-%d %H:%M}"


def tag(*tags: str) -> None:
    """Adds tags to the flow run that this is called in."""
    with best_effort("tags"), get_client(sync_client=True) as client:
        run = UUID(flow_run.id)
        there = client.read_flow_run(run).tags
        client.update_flow_run(run, tags=[*there, *(one for one in tags if one not in there)])


def data_tag(shards: Manifest) -> str:
    """The tag of what was learned from: equal tags mean equal bytes.

    `nightshift data` prints the same digest.
    """
    return f"data {shards.digest[:SHORT]}"


def version_tags(version: Manifest) -> list[str]:
    """The tags of what was registered, and whether it was promoted."""
    number = f"version {version.facts['version']}"
    return [number, "promoted"] if version.facts["promoted"] else [number]
