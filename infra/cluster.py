"""The section `cluster`: with what a training runs on machines that are not this one."""

from typing import Final, Literal

from pydantic import Field

from pipeline.config import Frozen

NAME: Final = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"  # of whatever Kubernetes gives a name to
TAG: Final = ":[A-Za-z0-9_][A-Za-z0-9._-]*"
IMAGE: Final = rf"^$|^[a-z0-9]([a-z0-9./_-]|:[0-9]+/)*({TAG}|({TAG})?@sha256:[0-9a-f]{{64}})$"

Accelerator = Literal[
    "NVIDIA_TESLA_T4",
    "NVIDIA_TESLA_V100",
    "NVIDIA_L4",
    "NVIDIA_TESLA_A100",
    "NVIDIA_A100_80GB",
    "NVIDIA_H100_80GB",
    "NVIDIA_H200_141GB",
]


class KubernetesConfig(Frozen):
    """A Job on Kubernetes."""

    namespace: str = Field("nightshift", pattern=NAME, max_length=63, description="Namespace of the Job.")
    service_account: str = Field("trainer", pattern=NAME, max_length=63, description="Service account of its pods.")
    claim: str = Field(
        "workspace",
        pattern=NAME,
        max_length=63,
        description="Volume claim that holds the workspace; several workers need one of the mode ReadWriteMany.",
    )
    cpu: float = Field(4, gt=0, le=1024, description="Cores of each worker.")
    memory: int = Field(16, ge=1, le=16_384, description="GiB of memory of each worker.")
    node_selector: dict[str, str] = Field(
        {}, description="Labels of the nodes that may run it, such as {cloud.google.com/gke-accelerator: nvidia-l4}."
    )


class VertexConfig(Frozen):
    """A CustomJob on Vertex AI."""

    bucket: str = Field(
        "",
        pattern="^$|^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$",
        description="Bucket that holds the workspace, which the job sees as the folder /gcs/BUCKET; needed.",
    )
    service_account: str = Field(
        "", pattern="^$|^[^@ ]+@[^@ ]+$", description="E-mail address of the job's service account; needed."
    )
    machine_type: str = Field(
        "n1-standard-8", pattern="^[a-z0-9-]+$", description="Machine of each worker, such as g2-standard-8 with an L4."
    )
    accelerator: Accelerator = Field("NVIDIA_TESLA_T4", description="Kind of the GPUs, where cluster.gpus is not 0.")
    is_spot: bool = Field(False, description="Whether its machines are cheap and may be taken away at any time.")


class ClusterConfig(Frozen):
    """Machines for a training, on which `nightshift render` writes the order. They decide the time, not the result."""

    image: str = Field(
        "",
        pattern=IMAGE,
        description="The trainer's image with its tag or digest, such as registry.example.com/trainer:0.1.0; needed.",
    )
    workers: int = Field(1, ge=1, le=64, description="Machines that train one model together.")
    gpus: int = Field(0, ge=0, le=16, description="GPUs of each.")
    shards: str = Field(
        "",
        description="Output of shard to learn from, a folder the machines see or gs://bucket/.../shard/FINGERPRINT; "
        "empty: what the workspace there holds of this configuration.",
    )
    hours: float = Field(24, gt=0, le=720, description="Time after which it is ended.")
    restarts: int = Field(6, ge=0, le=100, description="How often it may fail, other than by bad input, and go on.")
    join_seconds: int = Field(
        3600, ge=1, le=86_400, description="Time within which all workers must have found a machine and joined."
    )
    kubernetes: KubernetesConfig = Field(KubernetesConfig(), description="A Job on Kubernetes.")
    vertex: VertexConfig = Field(VertexConfig(), description="A CustomJob on Vertex AI.")
