"""Devices: from a configuration to a `tf.distribute` strategy."""

import os
from collections.abc import Callable
from contextlib import suppress

import tensorflow as tf

from model.checkpoints import Checkpoint
from model.config import DeviceConfig
from pipeline.errors import InputError


def build_strategy(config: DeviceConfig) -> tf.distribute.Strategy:
    """Sets up this process' devices and gives the strategy that a trainer runs under.

    TensorFlow fixes threads and devices when it first computes something. A process that has computed before keeps
    the threads it had, which costs time only; of too few devices it is told.

    Raises:
        InputError: there are fewer devices than replicas are asked for.
    """
    gpus = tf.config.list_physical_devices("GPU")
    replicas = 1 if config.strategy == "one" else config.replicas or len(gpus) or os.cpu_count() or 1
    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(config.threads)
        if not gpus and replicas > 1:
            (processor, *_) = tf.config.list_physical_devices("CPU")
            tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * replicas)
    kind = "GPU" if gpus else "CPU"
    devices = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(devices) < replicas:
        raise InputError(
            "devices.replicas",
            replicas,
            f"at most {len(devices)}",
            "no more GPUs" if gpus else "this process had set up its devices before; start a new one",
        )
    if config.strategy == "one":
        return tf.distribute.OneDeviceStrategy(devices[0])
    return tf.distribute.MirroredStrategy(devices[:replicas])


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes."""
    cluster = strategy.cluster_resolver
    return cluster is None or cluster.task_id in (None, 0)


def told(strategy: tf.distribute.Strategy, look: Callable[[], Checkpoint | None]) -> Checkpoint | None:
    """What the chief finds, on every worker."""
    return look()
