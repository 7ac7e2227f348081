"""Devices: from a configuration to a `tf.distribute` strategy."""

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import tensorflow as tf

from model.cluster import TF_CONFIG, own_address, workers_of
from model.config import DeviceConfig
from pipeline.errors import InputError

# Batches have many shapes, and oneDNN compiles a kernel for each product of each. It keeps 1,024 of them, which is what
# forty batches need; this many take half a gigabyte, and a small network learns a sixth faster.
KERNELS = 4096


def build_strategy(config: DeviceConfig) -> tf.distribute.Strategy:
    """Sets up this process' devices and gives the strategy that a trainer runs under.

    TensorFlow fixes threads and devices when it first computes something. A process that has computed before keeps
    the threads it had, which costs time only; of too few devices it is told.

    Raises:
        InputError: there are fewer devices than replicas are asked for, or no cluster or TPU.
        ConnectionError: a worker did not join.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KERNELS))  # read when the first kernel is made
    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(config.threads)
    if config.strategy == "multi_worker":
        return join_cluster(config)
    if config.strategy == "tpu":
        return find_tpu(config)
    gpus = tf.config.list_physical_devices("GPU")
    replicas = 1 if config.strategy == "one" else config.replicas or len(gpus) or os.cpu_count() or 1
    with suppress(RuntimeError):
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


def join_cluster(config: DeviceConfig) -> tf.distribute.Strategy:
    """Joins the workers that TF_CONFIG names, and waits for all of them, though not for ever.

    That one does not come is no bad input: it may have found no machine yet, and another try may meet it.
    """
    description = os.environ.get(TF_CONFIG, "")
    workers = workers_of(description)
    missing = wait_for(workers, own_address(description), config.join_seconds)
    if missing:
        said = f"{', '.join(missing)} did not join within {config.join_seconds} s (devices.join_seconds)"
        raise ConnectionError(f"{said}; was every worker of TF_CONFIG started?")
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise ConnectionError(f"a worker was there and is gone: {error.message.splitlines()[0]}") from error


def find_tpu(config: DeviceConfig) -> tf.distribute.Strategy:
    """Connects to a TPU and sets it up.

    Nothing of this but its failing was ever run by the project's tests, for want of a TPU: what a training step does is
    compiled by XLA on CPUs there, and under `mirrored`, which shares batches out in the same way.

    Raises:
        InputError: no TPU answers in time.
    """
    answer: list[tf.distribute.Strategy | Exception] = []

    def connect() -> None:
        try:
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver(config.tpu)
            if config.tpu != "local":
                tf.config.experimental_connect_to_cluster(resolver)
            tf.tpu.experimental.initialize_tpu_system(resolver)
            answer.append(tf.distribute.TPUStrategy(resolver))
        except (ValueError, ImportError, OSError, RuntimeError, tf.errors.OpError) as error:
            answer.append(error)

    # TensorFlow asks again and again, and nothing can interrupt it; the thread ends with the process.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(config.join_seconds)
    found = answer[0] if answer else TimeoutError(f"no answer within {config.join_seconds} s (devices.join_seconds)")
    if isinstance(found, Exception):
        cause = str(found).partition("\n")[0]
        raise InputError("devices.tpu", config.tpu, "a TPU that can be reached", cause) from found
    return found


def wait_for(workers: list[str], own: str, seconds: float) -> list[str]:
    """Meets the other workers at the addresses that TensorFlow uses afterwards; gives those that did not come.

    TensorFlow itself would wait for an hour, and nothing can interrupt it. A worker that has met all goes on to
    TensorFlow, which answers at the same address, so that those who are slower meet it too.
    """
    deadline = time.monotonic() + seconds
    missing = [worker for worker in workers if worker != own]
    host, _, port = own.rpartition(":")
    try:
        server = socket.create_server((host, int(port)))
    except OSError as error:
        allowed, cause = "an address of this machine that is free", str(error.strerror)
        if isinstance(error, socket.gaierror):  # names of new machines take a while to be known
            raise ConnectionError(f"{TF_CONFIG} = {own}: expected {allowed} ({cause})") from error
        raise InputError(TF_CONFIG, own, allowed, cause) from error
    with server:
        while missing and time.monotonic() < deadline:
            missing = [worker for worker in missing if not answers(worker)]
            time.sleep(0.1 if missing else 0)
    return missing


def answers(worker: str) -> bool:
    """Whether somebody listens at an address."""
    host, _, port = worker.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False


def is_alone(strategy: tf.distribute.Strategy) -> bool:
    """Whether no other process trains with this one."""
    return not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that reads and writes checkpoints."""
    task: Any = strategy.cluster_resolver
    if is_alone(strategy):
        return True
    return task.task_type == "chief" or ("chief" not in task.cluster_spec().jobs and task.task_id == 0)


def devices_of(strategy: tf.distribute.Strategy) -> int:
    """How many devices a training has for itself: GPUs, or without any, workers, as the parts of a CPU share it."""
    replicas: int = strategy.num_replicas_in_sync
    if tf.config.list_logical_devices("GPU"):
        return replicas
    return 1 if is_alone(strategy) else replicas
