"""With what the Beam jobs run. Apart from `runners`, because it is read where Beam need not be imported."""

from pydantic import Field

from pipeline.config import Frozen


class BeamConfig(Frozen):
    """How Beam jobs run; the result is the same for every value."""

    workers: int = Field(1, ge=1, le=64, description="Processes; 1: none but this one, best below 100,000 pairs.")
