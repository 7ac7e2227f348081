"""The base of every stage's configuration."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable record that refuses keys it does not know; its errors do not quote what was given."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class StageConfig(Frozen):
    """What a stage computes. Everything in it is part of the stage's fingerprint.

    Where and on how many machines it is computed does not belong here: that is passed to a stage by keyword,
    because it must not change the result.
    """

    def canonical(self) -> dict[str, Any]:
        """The configuration as plain JSON values."""
        return self.model_dump(mode="json")
