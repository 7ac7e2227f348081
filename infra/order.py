"""What every machine of a training is told to do: one `nightshift train` with the whole configuration in its arguments.

The configuration travels in the arguments, so an order needs no file beside it and can be read where it runs.
"""

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from infra.cluster import ClusterConfig
from model.config import DeviceConfig
from pipeline.errors import InputError

if TYPE_CHECKING:
    from flows.settings import RetrainConfig

LONGEST_NAME: Final = 60  # with an index of two digits it is the name of a host, of 63 characters


class Order(NamedTuple):
    """A training on other machines.

    Args:
        name: of the job: the model's name and a digest of what it is told, as a job cannot be changed.
        arguments: of `nightshift`.
        cluster: the machines.
    """

    name: str
    arguments: tuple[str, ...]
    cluster: ClusterConfig


def order(config: "RetrainConfig", workspace: str) -> Order:
    """What the machines are told.

    Args:
        config: of the night.
        workspace: the folder that the machines see it as.

    Raises:
        InputError: no image, devices that a cluster of workers does not have, or a registry that they cannot see.
    """
    cluster, devices = config.cluster, config.devices
    if not cluster.image:
        cause = "--image or --set cluster.image=... names it"
        raise InputError("cluster.image", "not given", "the trainer's image", cause)
    if devices.strategy == "tpu":
        cause = "a TPU VM runs nightshift train itself, see infra/README.md"
        raise InputError("devices.strategy", "tpu", "one, mirrored or multi_worker", cause)
    there = config.model_dump(mode="json", exclude_unset=True, exclude={"cluster"})
    there |= {
        "workspace": workspace,
        "registry": registry_there(config, workspace),
        "devices": devices_there(devices, cluster).model_dump(exclude_defaults=True),
    }
    arguments = ["train"]
    for name, section in there.items():
        if section != {}:
            arguments += ["--set", f"{name}={json.dumps(section, ensure_ascii=False)}"]
    if cluster.shards:
        arguments += ["--shards", cluster.shards]
    return Order(job_name(config.name, arguments), tuple(arguments), cluster)


def registry_there(config: "RetrainConfig", workspace: str) -> str:
    """Where the machines see the registry, from which a training may begin."""
    if "://" in config.registry:
        return config.registry
    with suppress(ValueError):
        return f"{workspace}/{Path(config.registry).expanduser().relative_to(config.workspace).as_posix()}"
    if not config.train.warm_start:
        return config.registry
    allowed = f"gs://bucket/prefix, or a folder in the workspace {config.workspace}"
    cause = f"the machines cannot see it, and train.warm_start={config.train.warm_start} begins with what is there"
    raise InputError("registry", config.registry, allowed, cause)


def devices_there(devices: DeviceConfig, cluster: ClusterConfig) -> DeviceConfig:
    """The devices of each machine.

    >>> devices_there(DeviceConfig(), ClusterConfig(workers=2)).strategy
    'multi_worker'
    >>> devices_there(DeviceConfig(), ClusterConfig(gpus=4)).strategy
    'mirrored'
    """
    strategy = "multi_worker" if cluster.workers > 1 else "mirrored" if cluster.gpus > 1 else "one"
    changes = {"strategy": strategy, "workers": 0, "replicas": 0, "join_seconds": cluster.join_seconds}
    return devices.model_copy(update=changes)


def job_name(model: str, arguments: list[str]) -> str:
    """The name of a job, which other orders do not have.

    >>> job_name("Weather_en-fr", ["train"])
    'train-weather-en-fr-59e1c69e'
    """
    readable = re.sub("[^a-z0-9]+", "-", model.lower()).strip("-")[: LONGEST_NAME - len("train--12345678")].strip("-")
    digest = hashlib.sha256(json.dumps(arguments).encode()).hexdigest()[:8]
    return "-".join(part for part in ("train", readable, digest) if part)
