"""A training as a CustomJob on Vertex AI: its CustomJobSpec, for `gcloud ai custom-jobs create --config`.

Vertex AI tells each machine its place by TF_CONFIG and shows it Cloud Storage below /gcs. Of several machines the
first is a pool of its own, the chief, and the others are the second pool.
"""

import math
from typing import TYPE_CHECKING, Any

from infra.cluster import VertexConfig
from infra.order import Order
from pipeline.errors import InputError

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import CustomJobSpec


def workspace_of(given: VertexConfig) -> str:
    """The folder as which the machines see the workspace; raises `InputError` where no bucket is named."""
    if not given.bucket:
        raise InputError("cluster.vertex.bucket", None, "the bucket that holds the workspace")
    return f"/gcs/{given.bucket}/workspace"


def render(order: Order) -> dict[str, Any]:
    """The specification as JSON values; what it holds is what google-cloud-aiplatform knows, or it raises.

    Raises:
        InputError: no service account.
    """
    from google.protobuf.json_format import MessageToDict

    values = dict(MessageToDict(specification(order)._pb))
    for machines in values["workerPoolSpecs"]:
        machines["replicaCount"] = int(machines["replicaCount"])  # text to protobuf, as JSON has no 64 bits
    return values


def specification(order: Order) -> "CustomJobSpec":
    """The specification as google-cloud-aiplatform has it."""
    from google.cloud.aiplatform_v1.types import CustomJobSpec

    cluster, given = order.cluster, order.cluster.vertex
    if not given.service_account:
        cause = "without one it would run with more rights than it needs"
        raise InputError("cluster.vertex.service_account", None, "an e-mail address", cause)
    first, others = pool(order, 1), pool(order, cluster.workers - 1)
    return CustomJobSpec(
        worker_pool_specs=[first, others] if cluster.workers > 1 else [first],
        scheduling={
            "timeout": {"seconds": math.ceil(cluster.hours * 3600)},
            "strategy": "SPOT" if given.is_spot else "STANDARD",
            "restart_job_on_worker_restart": cluster.workers > 1,  # those that stayed have lost a worker
        },
        service_account=given.service_account,
    )


def pool(order: Order, machines: int) -> dict[str, Any]:
    """Some machines that do the same."""
    cluster, given = order.cluster, order.cluster.vertex
    gpus = {"accelerator_type": given.accelerator, "accelerator_count": cluster.gpus} if cluster.gpus else {}
    return {
        "machine_spec": {"machine_type": given.machine_type, **gpus},
        "replica_count": machines,
        "container_spec": {
            "image_uri": cluster.image,
            "command": ["nightshift"],
            "args": order.arguments,
        },
    }
