"""How nights keep out of each other's way, and how long their stages may take."""

from typing import Literal

from pydantic import Field

from pipeline.config import Frozen


def hours(default: float, what: str) -> float:
    """A field of hours."""
    field: float = Field(default, gt=0, le=1000, description=f"Hours that {what} may take.")
    return field


class StageHours(Frozen):
    """After how long a stage is ended. What it has finished is kept, and a training goes on from there."""

    ingest: float = hours(12, "reading the sources")
    clean: float = hours(12, "cleaning")
    build_vocabulary: float = hours(6, "making the vocabulary")
    shard: float = hours(12, "sharding")
    inspect: float = hours(6, "the statistics")
    train: float = hours(168, "the training")
    evaluate: float = hours(6, "scoring")
    register: float = hours(2, "the registration")


class NightConfig(Frozen):
    """When a night begins and when it ends; none of it changes what the night makes."""

    overlap: Literal["skip", "wait", "replace"] = Field(
        "skip",
        description="What a night does while another one makes the same model. skip: it does not run; wait: it waits "
        "for the other to end; replace: it has the other one save its work and end.",
    )
    wait_hours: float = Field(
        12, gt=0, le=168, description="Hours that it waits at most, for wait and replace; after that it does not run."
    )
    lease: str = Field(
        "",
        description="Folder or gs://bucket/prefix where nights tell each other that they are at work; for machines "
        "that share no disk, one that all of them can write. Empty: the workspace.",
    )
    lease_seconds: float = Field(
        120,
        ge=4,
        le=3600,
        description="Seconds without a sign of life after which a night on another machine is taken for dead. "
        "It gives one four times as often.",
    )
    hours: StageHours = Field(StageHours(), description="Hours that each stage may take.")
