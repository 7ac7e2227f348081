"""What Prefect calls when a night fails or crashes."""

import logging
from typing import Any, Final

from prefect.client.schemas.objects import FlowRun, State
from prefect.utilities.urls import url_for

from flows.notify.config import address_of
from flows.notify.posting import post
from flows.settings import configure
from pipeline.errors import InputError

LONGEST: Final = 500  # characters of a state's message

log = logging.getLogger("nightshift")


def tell(flow: Any, flow_run: FlowRun, state: State[Any]) -> None:
    """Tells the webhook of `notify.webhook` that a run failed; whatever comes of it changes nothing about the run."""
    given = flow_run.parameters.get("overrides") or {}  # nobody has to fill in anything
    try:
        config = configure(None, {"notify": given.get("notify") or {}}).notify
        address = address_of(config)
    except InputError as error:
        log.warning("%-16s nobody was told: %s", "notify", error)
        return
    if address and (wrong := post(address, message_of(flow_run, state, url_for(flow_run) or ""))):
        log.warning("%-16s nobody was told: %s does not take it (%s)", "notify", config.webhook, wrong)


def message_of(run: FlowRun, state: State[Any], link: str) -> dict[str, str]:
    """What the webhook gets; chat programs show `text` and leave the rest to others."""
    message = (state.message or "").partition("\n")[0][:LONGEST]
    text = f"{run.name}: {state.name}. {message}"
    return {
        "text": f"{text}\n{link}" if link else text,
        "flow_run": run.name,
        "state": state.name or "",
        "message": message,
        "link": link,
    }
