"""TensorBoard's files, and the loss as a picture."""

import errno
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from model.loss_curve import draw_losses
from model.scalars import EventFile
from pipeline.examples import records_of

PNG = b"\x89PNG\r\n\x1a\n"


def events(path: Path) -> list[Any]:
    return [tf.compat.v1.Event.FromString(record) for record in records_of(path)]


def test_a_full_disk_is_told_as_by_any_other_file(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.000000001").symlink_to("/dev/full")
    with pytest.raises(OSError, match="no space for the events") as told:
        EventFile(tmp_path, 1)
    assert told.value.errno == errno.ENOSPC


def test_a_run_that_goes_on_tells_from_which_step_the_curve_counts(tmp_path: Path) -> None:
    for first in (1, 31):
        with EventFile(tmp_path / "tensorboard", first) as file:
            file.write(first + 19, {"train/loss": 2.5, "train/learning_rate": 0.25})
    paths = sorted((tmp_path / "tensorboard").iterdir())
    assert [path.name for path in paths] == ["events.out.tfevents.000000001", "events.out.tfevents.000000031"]
    version, start, point = events(paths[1])
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (31, tf.compat.v1.SessionLog.START)
    assert (point.step, {value.tag: value.simple_value for value in point.summary.value}) == (
        50,
        {"train/loss": 2.5, "train/learning_rate": 0.25},
    )


def test_what_was_written_can_be_read_while_the_training_goes_on(tmp_path: Path) -> None:
    with EventFile(tmp_path, 1) as file:
        file.write(20, {"train/loss": 2.5})
        assert len(events(tmp_path / "events.out.tfevents.000000001")) == 3


def test_equal_histories_give_equal_pictures() -> None:
    rows = [
        {"step": step, "loss": None if step == 1 else 1 / step, "dev_loss": 1.5 / step, "learning_rate": 0.1}
        for step in (1, 2, 3)
    ]
    assert draw_losses(rows) == draw_losses(rows)
    assert draw_losses(rows) != draw_losses(rows[:2])
    assert draw_losses(rows).startswith(PNG)
    assert draw_losses([row | {"dev_loss": None} for row in rows]).startswith(PNG)
