"""How the workers of a training learn what the first of them read."""

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import tensorflow as tf

from model.checkpoints import Checkpoint
from model.launch import is_chief


def told(strategy: tf.distribute.Strategy, look: Callable[[], Checkpoint | None]) -> Checkpoint | None:
    """What the chief finds, on every worker: no other needs to see the chief's disk."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return look()
    found = look() if is_chief(strategy) else None
    data = broadcast(strategy, found.encode() if found else b"")
    return Checkpoint.decode(data) if data else None


def meet(strategy: tf.distribute.Strategy) -> None:
    """Returns when all workers have come here: none leaves before the first one's last checkpoint is written.

    They meet twice. Who leaves closes connections from which others may still have to learn that all have come; by the
    second time all know it, and that somebody is gone is no news.
    """
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        broadcast(strategy, b"")
        with suppress(tf.errors.OpError):
            broadcast(strategy, b"")


def broadcast(strategy: tf.distribute.Strategy, data: bytes) -> bytes:
    """The chief's bytes, on every worker; what the others bring does not count."""
    speaks = is_chief(strategy)
    (length,) = added_up(strategy, np.array([len(data) if speaks else 0], np.int32))
    if length == 0:  # TensorFlow does not survive adding up nothing
        return b""
    padded = np.zeros((length + 3) // 4, np.int32)
    if speaks:
        padded[:] = np.frombuffer(data + bytes(-len(data) % 4), np.int32)
    return added_up(strategy, padded).tobytes()[:length]


def added_up(
    strategy: tf.distribute.Strategy, values: np.ndarray[tuple[int], np.dtype[np.int32]]
) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """The sum of the workers' numbers; of a worker's replicas the first brings them."""

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def add(values: tf.Tensor) -> tf.Tensor:
        def of_replica(values: tf.Tensor) -> tf.Tensor:
            replica = tf.distribute.get_replica_context()
            first = replica.replica_id_in_sync_group % replicas == 0
            return replica.all_reduce(tf.distribute.ReduceOp.SUM, values * tf.cast(first, values.dtype))

        return strategy.experimental_local_results(strategy.run(of_replica, args=(values,)))[0]

    replicas = len(strategy.extended.worker_devices)
    summed: np.ndarray[tuple[int], np.dtype[np.int32]] = add(tf.constant(values)).numpy()
    return summed
