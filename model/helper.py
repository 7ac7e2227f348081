"""A worker of a cluster that is not its first: it computes with the others, and the first one writes the model."""

import os
from pathlib import Path

from model.cluster import TF_CONFIG, is_helper
from model.config import DeviceConfig, TrainConfig
from model.devices import check_devices
from pipeline.manifest import Manifest
from pipeline.quiet import tensorflow_quietly


def helps(devices: DeviceConfig) -> bool:
    """Whether this process is such a worker; raises `InputError` where a cluster is meant and none is described."""
    is_one_of_a_cluster = devices.strategy == "multi_worker" and not devices.workers
    return is_one_of_a_cluster and is_helper(os.environ.get(TF_CONFIG, ""))


def help_to_train(
    config: TrainConfig, shards: Manifest, vocabulary: Manifest, *, output_dir: Path, devices: DeviceConfig
) -> None:
    """Takes part in all steps of a training and returns when the last checkpoint is written, by the first worker.

    Args:
        config: as that of the stage `train`, on all workers.
        shards: what is learned from; each worker reads its own copy or all the same.
        vocabulary: of the shards' ids.
        output_dir: the stage's folder. Nothing is written there.
        devices: the cluster.

    Raises:
        InputError: as the stage does.
        Interrupted: one of the workers was asked to end.
        ConnectionError: another worker did not come, or is gone.
    """
    check_devices(config, devices)
    with tensorflow_quietly():
        from model.launch import build_strategy
        from model.prepare import prepare
        from model.training import train_on
    data = prepare(config, shards, vocabulary)
    train_on(build_strategy(devices), config, data, output_dir, devices)
