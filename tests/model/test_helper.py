"""A training by two machines of a cluster: processes that share nothing but the network."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from model.cluster import TF_CONFIG, described
from model.config import DeviceConfig, TrainConfig
from model.helper import helps
from model.stages import train
from model.worker import Job
from model.workers import free_addresses
from pipeline.errors import InputError

MACHINE: Final = """
import sys
from pathlib import Path
from model import broadcast
from model.helper import help_to_train, helps
from model.stages import train
from model.worker import Job
from pipeline import manifest as manifests
broadcast.PIECE = 100_000  # so that what the first machine tells takes several pieces
job = Job.model_validate_json(sys.argv[1])
work = help_to_train if helps(job.devices) else train
inputs = map(manifests.read, (job.shards, job.vocabulary))
work(job.config, *inputs, output_dir=job.folder, devices=job.devices)
"""
CLUSTER: Final = DeviceConfig(strategy="multi_worker", threads=1, join_seconds=200)


def machines(
    toy: Any,
    configs: Sequence[TrainConfig],
    addresses: Sequence[str],
    folder: Path,
    batches_per_call: tuple[int, int] = (1, 1),
) -> list[subprocess.Popen[str]]:
    """A process for each configuration, with a folder of its own."""
    found = []
    for index, config in enumerate(configs):
        own = folder / str(index)
        own.mkdir()
        job = Job(
            config=config,
            devices=CLUSTER.model_copy(update={"batches_per_call": batches_per_call[index]}),
            shards=toy.shards.directory,
            vocabulary=toy.vocabulary.directory,
            folder=own,
        )
        command = [sys.executable, "-c", MACHINE, job.model_dump_json()]
        environment = os.environ | {TF_CONFIG: described(addresses, index)}
        found.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "batches_per_call"),
    [({"learning_rate": 0.5}, (1, 1)), ({"ema": 0.5}, (1, 1)), ({}, (1, 3))],  # of equal and of other variables, calls
)
def test_machines_that_were_told_different_things_train_nothing(
    toy: Any,
    toy_config: Callable[..., TrainConfig],
    tmp_path: Path,
    other: dict[str, float],
    batches_per_call: tuple[int, int],
) -> None:
    configs = [toy_config(), toy_config(**other)]
    for machine in machines(toy, configs, free_addresses(2), tmp_path, batches_per_call):
        _, errors = machine.communicate(timeout=300)
        assert machine.returncode == 1
        expected = "InputError: TF_CONFIG = 2 workers: expected workers that train the same (1 of them differ from"
        assert expected in errors
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.slow
def test_the_first_machine_writes_the_model_and_the_other_helps(
    toy: Any, toy_config: Callable[..., TrainConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = toy_config()
    addresses = free_addresses(2)
    for machine in machines(toy, [config, config], addresses, tmp_path):
        _, errors = machine.communicate(timeout=300)
        assert machine.returncode == 0, errors
        assert "retracing" not in errors
    assert list((tmp_path / "1").iterdir()) == []
    made = train.find(config, toy.shards, toy.vocabulary, output_dir=tmp_path / "0", devices=CLUSTER)
    assert made
    assert made.counts["steps"] == config.steps

    # Killed while it exports, when the other one has gone: it goes on alone and waits for nobody.
    (made.directory / "manifest.json").unlink()
    monkeypatch.setenv(TF_CONFIG, described(addresses, 0))
    impatient = CLUSTER.model_copy(update={"join_seconds": 1})
    again = train(config, toy.shards, toy.vocabulary, output_dir=tmp_path / "0", devices=impatient)
    weights = {file.path: file.sha256 for file in made.files if file.path == "weights.npz"}
    assert weights == {file.path: file.sha256 for file in again.files if file.path in weights}


@pytest.mark.parametrize(
    ("devices", "description", "expected"),
    [
        (CLUSTER, described(["a:1", "b:1"], 0), False),
        (CLUSTER, described(["a:1", "b:1"], 1), True),
        # Vertex AI has a chief, and all workers help it.
        (CLUSTER, '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "chief", "index": 0}}', False),
        (CLUSTER, '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}', True),
        (DeviceConfig(), described(["a:1", "b:1"], 1), False),
        (DeviceConfig(strategy="multi_worker", workers=2), described(["a:1", "b:1"], 1), False),
    ],
)
def test_who_helps(monkeypatch: pytest.MonkeyPatch, devices: DeviceConfig, description: str, *, expected: bool) -> None:
    monkeypatch.setenv(TF_CONFIG, description)
    assert helps(devices) is expected


def test_a_cluster_that_nobody_describes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TF_CONFIG, raising=False)
    with pytest.raises(InputError, match="^TF_CONFIG = "):
        helps(CLUSTER)
