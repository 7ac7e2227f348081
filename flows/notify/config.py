"""Who is told that a night failed, and where the address is found."""

import os
from typing import Final, cast
from urllib.parse import urlsplit

from pydantic import Field

from pipeline.config import Frozen
from pipeline.errors import InputError

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class NotifyConfig(Frozen):
    """What is done when a night fails."""

    webhook: str = Field(
        "",
        pattern="^(|(env|secret):[A-Za-z0-9_-]{1,200})$",
        description="Where the address is found that is told of a failed night, as whoever knows it can write there: "
        "env:NAME of an environment variable, secret:NAME of a Prefect Secret block; empty: nobody is told.",
    )


def address_of(config: NotifyConfig) -> str:
    """The address of the webhook, "" where nobody is to be told.

    Raises:
        InputError: it is not where the configuration says, or no address that can be written to safely; it is no part
            of the message.
    """
    kind, _, name = config.webhook.partition(":")
    if not kind:
        return ""
    address = os.environ.get(name, "") if kind == "env" else secret(name)
    if not address:
        cause = "not set where this runs" if kind == "env" else "prefect block create secret makes one"
        raise InputError("notify.webhook", config.webhook, "what it names to hold an address", cause)
    if not is_safe(address):
        raise InputError("notify.webhook", config.webhook, "what it names to hold an address that begins with https://")
    return address


def is_safe(address: str) -> bool:
    """Whether nobody on the way can read what is sent there."""
    try:
        parts = urlsplit(address)
    except ValueError:  # whose words hold the address
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def check_notify(config: NotifyConfig) -> None:
    """Raises `InputError` where a variable does not hold an address; blocks are looked up when they are needed."""
    if config.webhook.startswith("env:"):
        address_of(config)


def secret(name: str) -> str:
    """What a Secret block of Prefect's server holds, "" where there is none of that name."""
    from prefect.blocks.system import Secret

    try:
        return str(cast(Secret[str], Secret.load(name)).get())
    except ValueError:
        return ""
