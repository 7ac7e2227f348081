"""How nights keep out of each other's way, and how long their stages may take."""

from typing import Final, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from pipeline.config import Frozen

HOURS: Final = {
    "ingest": 12.0,
    "clean": 12.0,
    "build_vocabulary": 6.0,
    "shard": 12.0,
    "inspect": 6.0,
    "train": 168.0,
    "evaluate": 6.0,
    "register": 2.0,
}
LONGEST: Final = 1000.0  # hours


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
    hours: dict[str, float] = Field(
        {},
        description="Hours that a stage may take, by its name, such as {train: 48}; what it has finished by then is "
        f"kept, and a training goes on from there. Otherwise {', '.join(f'{n} {h:g}' for n, h in HOURS.items())}.",
    )

    @field_validator("hours")
    @classmethod
    def _are_of_stages(cls, hours: dict[str, float]) -> dict[str, float]:
        for name, number in hours.items():
            if name not in HOURS or not 0 < number <= LONGEST:
                allowed = f"above 0 and at most {LONGEST:g} hours, by stage: {', '.join(HOURS)}"
                raise PydanticCustomError("hours", "{allowed}", {"allowed": allowed})
        return hours

    def hours_of(self, stage: str) -> float:
        """Hours that a stage may take.

        >>> NightConfig(hours={"train": 48}).hours_of("train"), NightConfig().hours_of("clean")
        (48.0, 12.0)
        """
        return self.hours.get(stage, HOURS[stage])
