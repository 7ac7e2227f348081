"""A training by two machines of a cluster: processes that share nothing but the network."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from model.cluster import TF_CONFIG, described
from model.config import DeviceConfig, TrainConfig
from model.helper import helps
from model.stages import train
from pipeline.errors import InputError

MACHINE = """
import sys
from pathlib import Path
from model.helper import help_to_train, helps
from model.stages import train
from model.worker import Job
from pipeline import manifest as manifests
job = Job.model_validate_json(sys.argv[1])
work = help_to_train if helps(job.devices) else train
inputs = map(manifests.read, (job.shards, job.vocabulary))
work(job.config, *inputs, output_dir=job.folder, devices=job.devices)
"""
CLUSTER = DeviceConfig(strategy="multi_worker", threads=1, join_seconds=200)


@pytest.mark.slow
def test_the_first_machine_writes_the_model_and_the_other_helps(
    toy: Any, toy_config: Callable[..., TrainConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.worker import Job

    config = toy_config()
    folders = {"shards": toy.shards.directory, "vocabulary": toy.vocabulary.directory}
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        addresses = [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    machines = []
    for index in range(2):
        (tmp_path / str(index)).mkdir()
        job = Job(config=config, devices=CLUSTER, folder=tmp_path / str(index), **folders)
        command = [sys.executable, "-c", MACHINE, job.model_dump_json()]
        environment = os.environ | {TF_CONFIG: described(addresses, index)}
        machines.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    for machine in machines:
        _, errors = machine.communicate(timeout=300)
        assert machine.returncode == 0, errors
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
