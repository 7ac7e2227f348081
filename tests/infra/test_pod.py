"""From a pod's index to TF_CONFIG, by a process as in a pod."""

import json
import os
import subprocess
import sys

import pytest

from infra.pod import wait_for_name

SHOW = "import os; print(os.getpid(), os.environ['TF_CONFIG'])"


def pod(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.pod", *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_takes_the_place_of_the_first_process() -> None:
    workers = "localhost:2222,train-1.train:2222,train-2.train:2222"
    started = subprocess.Popen(
        [sys.executable, "-m", "infra.pod", sys.executable, "-c", SHOW],
        env=os.environ | {"JOB_COMPLETION_INDEX": "0", "NIGHTSHIFT_WORKERS": workers},
        stdout=subprocess.PIPE,
        text=True,
    )
    process, _, described = started.communicate(timeout=60)[0].partition(" ")
    assert int(process) == started.pid  # so that SIGTERM reaches the trainer
    assert json.loads(described) == {
        "cluster": {"worker": workers.split(",")},
        "task": {"type": "worker", "index": 0},
    }


@pytest.mark.parametrize(
    ("index", "workers", "said"),
    [
        ("", "a:1,b:1", "JOB_COMPLETION_INDEX = None: expected a whole number from 0 to 1"),
        ("2", "a:1,b:1", "JOB_COMPLETION_INDEX = 2: expected a whole number from 0 to 1"),
        ("-1", "a:1", "JOB_COMPLETION_INDEX = -1: expected a whole number from 0 to 0"),
        ("0", "", "TF_CONFIG = "),
        ("0", "a,b", "TF_CONFIG = "),
    ],
)
def test_a_pod_of_no_cluster_is_refused(index: str, workers: str, said: str) -> None:
    done = pod("true", JOB_COMPLETION_INDEX=index, NIGHTSHIFT_WORKERS=workers)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"nightshift: {said}")
    assert done.stderr.count("\n") == 1


def test_a_name_that_nobody_knows_is_given_up() -> None:
    with pytest.raises(ConnectionError, match=r"^train-0\.invalid of NIGHTSHIFT_WORKERS is a name that nobody knows"):
        wait_for_name("train-0.invalid:2222", 0)
