"""A training as an Indexed Job on Kubernetes.

The Job's pods are the workers. A NetworkPolicy lets nobody else reach them, as TensorFlow's workers obey whoever does,
and where there are several, a headless Service lets them know one another as JOB-INDEX.JOB.

The first worker, of index 0, writes the model, and the Job succeeds with it. What a worker's end means is told by its
exit code: 75, it was asked to end and saved, costs nothing and it starts again; so does an eviction. 2, bad input, ends
the Job. Any other is counted: where one worker dies, the rest end too.
"""

import math
from typing import Any, Final

from infra.order import Order
from model.interruption import EXIT_CODE

WORKSPACE: Final = "/workspace"
HOME: Final = "/home/nightshift"  # of the image's user
USER: Final = 1000  # of the image, which is not root
PORT: Final = 2222
CONTAINER: Final = "trainer"
BAD_INPUT: Final = 2  # the exit code
GRACE_SECONDS: Final = 300  # for the step at work and a checkpoint
KEPT_SECONDS: Final = 7 * 24 * 3600  # that a finished Job can be looked at


def render(order: Order) -> list[dict[str, Any]]:
    """The objects, for `kubectl apply`."""
    name, given = order.name, order.cluster.kubernetes
    labels = {"app.kubernetes.io/name": "nightshift-train", "app.kubernetes.io/instance": name}
    about = {"name": name, "namespace": given.namespace, "labels": labels}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": about,
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,  # workers look for one another before they are at work
            "selector": labels,
            "ports": [{"name": "workers", "port": PORT}],
        },
    }
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": about,
        "spec": {
            "podSelector": {"matchLabels": labels},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": labels}}]}] if order.cluster.workers > 1 else [],
        },
    }
    training = {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": job(order, labels)}
    return [service, policy, training] if order.cluster.workers > 1 else [policy, training]


def job(order: Order, labels: dict[str, str]) -> dict[str, Any]:
    """The Job's specification."""
    cluster = order.cluster
    return {
        "completionMode": "Indexed",
        "completions": cluster.workers,
        "parallelism": cluster.workers,
        "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
        "backoffLimit": cluster.restarts * cluster.workers,  # each worker's failure counts, and they fail together
        "podReplacementPolicy": "Failed",  # not before the old pod is gone, and with it its hold on the workspace
        "podFailurePolicy": {
            "rules": [
                {"action": "FailJob", "onExitCodes": exit_code(BAD_INPUT)},
                {"action": "Ignore", "onExitCodes": exit_code(EXIT_CODE)},
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]
        },
        "activeDeadlineSeconds": math.ceil(cluster.hours * 3600),
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "template": {"metadata": {"labels": labels}, "spec": pod(order)},
    }


def exit_code(code: int) -> dict[str, Any]:
    """The condition that the trainer ended with a code."""
    return {"containerName": CONTAINER, "operator": "In", "values": [code]}


def pod(order: Order) -> dict[str, Any]:
    """A worker."""
    cluster, given = order.cluster, order.cluster.kubernetes
    needed: dict[str, Any] = {"cpu": f"{given.cpu:g}", "memory": f"{given.memory}Gi"}
    if cluster.gpus:
        needed["nvidia.com/gpu"] = cluster.gpus
    is_gpu_node = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    return {
        "subdomain": order.name,
        "serviceAccountName": given.service_account,
        "automountServiceAccountToken": False,  # it does not speak to Kubernetes
        "restartPolicy": "Never",  # a new pod instead, on whatever machine there is
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({"nodeSelector": given.node_selector} if given.node_selector else {}),
        **({"tolerations": [is_gpu_node]} if cluster.gpus else {}),
        "containers": [
            {
                "name": CONTAINER,
                "image": cluster.image,
                "command": ["python", "-m", "infra.pod", "nightshift"] if cluster.workers > 1 else ["nightshift"],
                "args": [literal(argument) for argument in order.arguments],
                **({"env": [{"name": "NIGHTSHIFT_WORKERS", "value": addresses(order)}]} if cluster.workers > 1 else {}),
                **({"ports": [{"name": "workers", "containerPort": PORT}]} if cluster.workers > 1 else {}),
                "resources": {"requests": needed, "limits": {name: needed[name] for name in needed if name != "cpu"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "workspace", "mountPath": WORKSPACE},
                    {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 -- the pod's own
                    {"name": "cache", "mountPath": f"{HOME}/.cache"},
                    *([{"name": "memory", "mountPath": "/dev/shm"}] if cluster.gpus > 1 else []),  # noqa: S108
                ],
            }
        ],
        "volumes": [
            {"name": "workspace", "persistentVolumeClaim": {"claimName": given.claim}},
            {"name": "scratch", "emptyDir": {}},
            {"name": "cache", "emptyDir": {}},
            # By it GPUs of one machine may exchange their gradients, for which a container's own 64 MB are too little.
            *([{"name": "memory", "emptyDir": {"medium": "Memory"}}] if cluster.gpus > 1 else []),
        ],
    }


def addresses(order: Order) -> str:
    """Of all workers, in the order of their indexes: a pod's host name is the Job's with its index."""
    return ",".join(f"{order.name}-{index}.{order.name}:{PORT}" for index in range(order.cluster.workers))


def literal(argument: str) -> str:
    """An argument in which Kubernetes finds no variable to put in: $(NAME) is written $$(NAME).

    >>> literal("pairs-$(date).tsv")
    'pairs-$$(date).tsv'
    """
    return argument.replace("$(", "$$(")
