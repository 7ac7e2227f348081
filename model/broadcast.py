"""How the workers of a training learn what the first of them read, and that all of them train the same."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256

import numpy as np
import tensorflow as tf

from model.checkpoints import Checkpoint
from model.cluster import TF_CONFIG
from model.launch import is_alone, is_chief
from pipeline.errors import InputError

PIECE = 2**28  # bytes that are sent at once: several copies of them are in memory meanwhile


def told(strategy: tf.distribute.Strategy, look: Callable[[], Checkpoint | None]) -> Checkpoint | None:
    """What the chief finds, on every worker: no other needs to see the chief's disk."""
    if is_alone(strategy):
        return look()
    if is_chief(strategy):
        found = look()
        broadcast(strategy, found.encode() if found else b"")
        return found
    data = broadcast(strategy, b"")
    said = Checkpoint.decode(data) if data else None
    if data and said is None:
        raise ConnectionError("what the first worker of the cluster sent did not arrive as it was")
    return said


def check_agreed(strategy: tf.distribute.Strategy, what: bytes) -> None:
    """Raises `InputError`, on all workers, unless all bring the same: gradients of two trainings can be added up, too.

    Variables have to be made after it: TensorFlow sends their first values, and waits where somebody makes others.

    Args:
        strategy: of this process.
        what: the training, its configuration and data.
    """
    if is_alone(strategy):
        return
    own = sha256(what).digest()
    differs = broadcast(strategy, own) != own
    others, workers = added_up(strategy, np.array([differs, 1], np.int32)).tolist()
    if others:
        meet(strategy)
        cause = f"{others} of them differ from the first in configuration, devices.batches_per_call, vocabulary or data"
        raise InputError(TF_CONFIG, f"{workers} workers", "workers that train the same", cause)


def meet(strategy: tf.distribute.Strategy) -> None:
    """Returns when all workers have come here: none leaves before the first one's last checkpoint is written.

    They meet twice. Who leaves closes connections from which others may still have to learn that all have come; by the
    second time all know it, and that somebody is gone is no news.
    """
    if not is_alone(strategy):
        broadcast(strategy, b"")
        with suppress(tf.errors.OpError):
            broadcast(strategy, b"")


def broadcast(strategy: tf.distribute.Strategy, data: bytes) -> bytes:
    """The chief's bytes, on every worker; what the others bring does not count."""
    if not is_chief(strategy):
        data = b""
    whole, rest = added_up(strategy, np.array(divmod(len(data), PIECE), np.int32)).tolist()
    received = bytearray()
    for size in [PIECE] * whole + [rest] * (rest > 0):  # TensorFlow does not survive adding up nothing
        piece = data[len(received) : len(received) + size]
        padded = np.frombuffer(piece + bytes(-(-size // 4) * 4 - len(piece)), np.int32)
        received += added_up(strategy, padded).tobytes()[:size]
    return bytes(received)


def added_up(
    strategy: tf.distribute.Strategy, values: np.ndarray[tuple[int], np.dtype[np.int32]]
) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """The sum of the workers' numbers; of a worker's replicas the first brings them."""
    summed: np.ndarray[tuple[int], np.dtype[np.int32]] = adder(strategy)(tf.constant(values)).numpy()
    return summed


@cache
def adder(strategy: tf.distribute.Strategy) -> Callable[[tf.Tensor], tf.Tensor]:
    """The sum in a graph, which is traced once for all lengths."""
    replicas = len(strategy.extended.worker_devices)

    def of_replica(values: tf.Tensor) -> tf.Tensor:
        replica = tf.distribute.get_replica_context()
        first = replica.replica_id_in_sync_group % replicas == 0
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, values * tf.cast(first, values.dtype))

    def add(values: tf.Tensor) -> tf.Tensor:
        return strategy.experimental_local_results(strategy.run(of_replica, args=(values,)))[0]

    compiled: Callable[[tf.Tensor], tf.Tensor] = tf.function(
        add, input_signature=[tf.TensorSpec([None], tf.int32)], autograph=False
    )
    return compiled
