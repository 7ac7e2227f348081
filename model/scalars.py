"""Scalars for TensorBoard, in its event files.

    workspace/weather-en-fr/train/5b7e0c44d1a9/tensorboard/events.out.tfevents.000000001
                                                                               |
                                                the first step of the run that wrote it

An event file is a TFRecord file of `Event` messages. A run that goes on after a kill writes a file of its own, whose
first event tells TensorBoard to forget the steps that the killed run took after its last checkpoint.
"""

import errno
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import tensorflow as tf

VERSION = "brain.Event:2"  # of the format; from it on TensorBoard heeds the sign that a run starts again


class EventFile:
    """Writes scalars; use it in a `with` statement.

    Args:
        folder: of all event files of a training.
        first: the first step of this run, from 1 on.

    Raises:
        OSError: the disk is full, as any other file tells it.
    """

    def __init__(self, folder: Path, first: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"events.out.tfevents.{first:09}"
        self._file = tf.io.TFRecordWriter(str(self._path))
        self._add(tf.compat.v1.Event(file_version=VERSION))
        start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        self._add(tf.compat.v1.Event(step=first, session_log=start))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Adds what is known of a step; a name such as `train/loss` goes under the heading `train`."""
        values = [tf.compat.v1.Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._add(tf.compat.v1.Event(step=step, summary=tf.compat.v1.Summary(value=values)))

    def _add(self, event: tf.compat.v1.Event) -> None:
        event.wall_time = time.time()
        try:
            self._file.write(event.SerializeToString())
            self._file.flush()  # people look on while it trains
        except tf.errors.ResourceExhaustedError as error:
            raise OSError(errno.ENOSPC, "no space for the events", str(self._path)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
