"""With what the Beam jobs run. Apart from `runners`, because it is read where Beam need not be imported."""

from typing import Literal

from pydantic import Field

from pipeline.config import Frozen
from pipeline.runner_config import Bucket, DataflowConfig, EnvironmentConfig, FlinkConfig, PortableConfig, SparkConfig
from pipeline.running.cores import usable_cores

Runner = Literal["local", "dataflow", "flink", "spark", "portable"]
Option = str | int | float | bool | list[str]

PAIRS_FOR_SEVERAL_PROCESSES = 50_000  # below that their start costs more than they save


class BeamConfig(Frozen):
    """How Beam jobs run; the result is the same for every value."""

    runner: Runner = Field(
        "local",
        description="local: this machine; dataflow, flink, spark: that service; portable: any Beam job server.",
    )
    workers: int = Field(
        0,
        ge=0,
        le=64,
        description="Processes of the local runner; 1: none but this one; 0: as few or many as suit the job.",
    )
    exchange: Bucket = Field(
        "",
        description="gs://bucket/prefix by which workers elsewhere get and give files; empty: they see the workspace, "
        "on a file system that they share with this machine.",
    )
    dataflow: DataflowConfig = Field(DataflowConfig(), description="What Dataflow is told.")
    flink: FlinkConfig = Field(FlinkConfig(), description="What Flink is told.")
    spark: SparkConfig = Field(SparkConfig(), description="What Spark is told.")
    portable: PortableConfig = Field(PortableConfig(), description="Where another runner's job server is.")
    environment: EnvironmentConfig = Field(
        EnvironmentConfig(), description="In what flink, spark and portable run our functions."
    )
    options: dict[str, Option] = Field(
        {}, description="Any other Beam option by its name, such as {experiments: [shuffle_mode=service]}."
    )
    decode_from: int = Field(
        20_000,
        ge=0,
        description="Sentences from which on a set is translated by a Beam job to be scored; fewer without one.",
    )

    @property
    def is_elsewhere(self) -> bool:
        """Whether jobs run on machines that may not see the files of this one."""
        return self.runner != "local"

    def processes(self, pairs: int) -> int:
        """With how many processes the local runner does a job of this many pairs.

        >>> BeamConfig().processes(1_000), BeamConfig(workers=3).processes(1_000)
        (1, 3)
        """
        if self.workers:
            return self.workers
        return 1 if pairs < PAIRS_FOR_SEVERAL_PROCESSES else usable_cores()
