"""What a service may be told, with ranges and units. Nothing heavy is imported here."""

import ipaddress
from typing import Any

import click
from pydantic import Field

from pipeline.config import Frozen
from pipeline.errors import InputError

TOKEN = "NIGHTSHIFT_TOKEN"  # noqa: S105 -- the name of the variable that holds it


class ServeConfig(Frozen):
    """Where a service listens, and how much it takes on."""

    host: str = Field("127.0.0.1", description="Address to listen on; others than loopback need a token.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0: any that is free.")
    watch_seconds: float = Field(5.0, ge=0.05, le=3600, description="Time between two looks at where the alias points.")
    batch: int = Field(32, ge=1, le=1024, description="Sentences translated at a time, and most of one request.")
    wait_ms: float = Field(2.0, ge=0, le=1000, description="Longest time a sentence waits for others to join it.")
    queue: int = Field(256, ge=1, le=100_000, description="Sentences that wait; beyond it the answer is 503 at once.")
    characters: int = Field(2000, ge=1, le=10_000_000, description="Longest sentence.")
    body_bytes: int = Field(1_000_000, ge=100, le=1_000_000_000, description="Largest body of a request.")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def check_guarded(self, token: str | None, *, without_token: bool) -> None:
        """Raises `InputError` for a service that strangers could use without anybody having said that they may."""
        if not (self.is_loopback or token or without_token):
            cause = f"set the variable {TOKEN}, or say --without-token"
            raise InputError("--host", self.host, "a loopback address, or a token that users must show", cause)


def options() -> list[click.Parameter]:
    """An option for each field."""
    made: list[click.Parameter] = []
    for name, field in ServeConfig.model_fields.items():
        limits = {type(limit).__name__.lower(): limit for limit in field.metadata}
        low, high = (getattr(limits[side], side) if side in limits else None for side in ("ge", "le"))
        kinds: dict[Any, Any] = {int: click.IntRange(low, high), float: click.FloatRange(low, high), str: click.STRING}
        option, kind = f"--{name.replace('_', '-')}", kinds[field.annotation]
        made.append(click.Option([option], type=kind, default=field.default, show_default=True, help=field.description))
    return made
