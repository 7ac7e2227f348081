"""Which parts of a night are deployments of their own, on machines of their own."""

from pydantic import Field

from pipeline.config import Frozen


class DeploymentsConfig(Frozen):
    """Deployments of the server PREFECT_API_URL names that do a part of the night; the workspace must be shared."""

    prepare: str = Field(
        "",
        pattern="^(prepare/[^/]+)?$",
        description="Deployment for the stages from ingest to inspect, such as prepare/data; none: in this process.",
    )
    train: str = Field(
        "",
        pattern="^(train/[^/]+)?$",
        description="Deployment for the training, such as train/gpu; none: in this process.",
    )
    evaluate: str = Field(
        "",
        pattern="^(evaluate/[^/]+)?$",
        description="Deployment that evaluates and registers, such as evaluate/gpu; none: in this process.",
    )
    start_within: float = Field(
        3600, gt=0, le=604_800, description="Seconds that a part waits for a worker to begin it; then the night fails."
    )
    finish_within: float = Field(
        604_800, gt=0, le=5_184_000, description="Seconds that a part may take from then on; then the night fails."
    )
