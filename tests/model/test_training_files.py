"""What a training leaves for people to look at."""

from pathlib import Path

import tensorflow as tf

from pipeline.examples import records_of
from pipeline.manifest import Manifest


def test_the_curves_of_a_training_are_in_its_output(trained: Manifest) -> None:
    assert trained.path("loss.png").read_bytes().startswith(b"\x89PNG")
    (path,) = trained.paths("tensorboard/*")
    steps: dict[str, list[int]] = {}
    for record in records_of(Path(path)):
        event = tf.compat.v1.Event.FromString(record)
        for value in event.summary.value:
            steps.setdefault(value.tag, []).append(event.step)
    assert steps.pop("dev/loss") == [200, 400]
    assert sorted(steps) == [
        "train/flops_utilisation",
        "train/gradient_norm",
        "train/input_wait",
        "train/learning_rate",
        "train/loss",
        "train/tokens_per_second",
    ]
    assert set(map(tuple, steps.values())) == {tuple(range(20, 401, 20))}
