"""With what the Beam jobs run. Apart from `runners`, because it is read where Beam need not be imported."""

from typing import Literal

from pydantic import Field

from pipeline.config import Frozen
from pipeline.running.cores import usable_cores

Option = str | int | float | bool | list[str]

PAIRS_FOR_SEVERAL_PROCESSES = 50_000  # below that their start costs more than they save


class BeamConfig(Frozen):
    """How Beam jobs run; the result is the same for every value."""

    runner: Literal["local", "flink", "dataflow", "portable"] = Field(
        "local",
        description="local: this machine; flink, dataflow: that service; portable: a job server that options names.",
    )
    workers: int = Field(
        0,
        ge=0,
        le=64,
        description="Processes of the local runner; 1: none but this one; 0: as few or many as suit the job.",
    )
    options: dict[str, Option] = Field(
        {},
        description="Any other Beam option by its name, such as {region: europe-west1, temp_location: 'gs://bucket/tmp'}.",
    )

    decode_from: int = Field(
        20_000,
        ge=0,
        description="Sentences from which on a set is translated by a Beam job to be scored; fewer without one.",
    )

    def processes(self, pairs: int) -> int:
        """With how many processes the local runner does a job of this many pairs.

        >>> BeamConfig().processes(1_000), BeamConfig(workers=3).processes(1_000)
        (1, 3)
        """
        if self.workers:
            return self.workers
        return 1 if pairs < PAIRS_FOR_SEVERAL_PROCESSES else usable_cores()
