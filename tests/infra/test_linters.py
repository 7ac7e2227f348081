"""Each linter of `make check` passes what is here, and finds a mistake that is planted."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lint.terraform import mistakes, read

INFRA = Path(__file__).parents[2] / "infra"
PROGRAMS = Path(sys.executable).parent
FLOW = "docker/flow.Dockerfile"


def lint(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if not (PROGRAMS / program).exists():
        pytest.skip(f"{program} is not installed")
    command = [PROGRAMS / program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ("FROM python:3.11.14-slim-bookworm\n", "FROM python:latest\n", "DL3007"),
        ("USER 1000:1000", "USER root", "DL3002"),
        ('ENTRYPOINT ["nightshift"]', "ENTRYPOINT nightshift", "DL3025"),
        ("WORKDIR /home/nightshift/app\nCOPY", "WORKDIR app\nCOPY", "DL3000"),
    ],
)
def test_hadolint_finds_a_mistake(tmp_path: Path, right: str, wrong: str, rule: str) -> None:
    given = ("--failure-threshold", "info")
    text = (INFRA / FLOW).read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "Dockerfile").write_text(text.replace(right, wrong), encoding="utf-8")
    found = lint("hadolint", *given, tmp_path / "Dockerfile")
    assert found.returncode == 1
    assert rule in found.stdout
    done = lint("hadolint", *given, *(INFRA / "docker").glob("*.Dockerfile"))
    assert (done.returncode, done.stdout) == (0, "")


def test_the_schema_of_compose_files_finds_a_mistake(tmp_path: Path) -> None:
    given = ("--builtin-schema", "vendor.compose-spec")
    text = (INFRA / "compose.yaml").read_text(encoding="utf-8")
    assert lint("check-jsonschema", *given, INFRA / "compose.yaml").returncode == 0
    (tmp_path / "compose.yaml").write_text(text.replace("healthcheck:", "health_check:", 1), encoding="utf-8")
    found = lint("check-jsonschema", *given, tmp_path / "compose.yaml")
    assert found.returncode == 1
    assert "'health_check' was unexpected" in found.stdout


def test_the_schema_of_kubernetes_finds_a_mistake(tmp_path: Path) -> None:
    given = ("--strict", "--quiet", "--kubernetes-version", "1.33.1")
    assert lint("kubernetes-validate", *given, INFRA / "k8s/server.yaml").returncode == 0
    text = (INFRA / "k8s/server.yaml").read_text(encoding="utf-8")
    (tmp_path / "server.yaml").write_text(text.replace("runAsNonRoot:", "runAsNoRoot:"), encoding="utf-8")
    found = lint("kubernetes-validate", *given, tmp_path / "server.yaml")
    assert found.returncode == 1
    assert "runAsNoRoot" in found.stdout + found.stderr


@pytest.mark.parametrize(
    ("file", "right", "wrong", "said"),
    [
        ("storage.tf", "var.bucket", "var.buckets", "var.buckets is not declared"),
        ("storage.tf", "var.temporary_days", "7", "var.temporary_days is not used"),
        ("accounts.tf", "local.pods", "local.pod", "local.pod is not declared"),
        (
            "outputs.tf",
            "google_service_account.trainer.email",
            "google_service_account.train.email",
            "google_service_account.train is not declared",
        ),
        ("accounts.tf", "roles/dataflow.worker", "roles/editor", "roles/editor is a basic role"),
        ("accounts.tf", "roles/storage.objectUser", "roles/storage.admin", "roles/storage.admin is an administrator's"),
        ("accounts.tf", "google_service_account.flow.member", '"allUsers"', "allUsers is a right for everybody"),
        ("accounts.tf", '"google_project_iam_member" "da', '"aws_member" "da', "aws_member.dataflow_worker is of no"),
        ("variables.tf", '  description = "Region of', '  nullable = "Region of', "var.region has no description"),
        ("versions.tf", '      version = "~> 6.50"\n', "", "the version of google is not pinned"),
    ],
)
def test_terraform_that_is_wrong_is_found(tmp_path: Path, file: str, right: str, wrong: str, said: str) -> None:
    assert list(mistakes(read(INFRA / "terraform"))) == []
    folder = shutil.copytree(INFRA / "terraform", tmp_path / "terraform")
    text = (folder / file).read_text(encoding="utf-8")
    assert right in text
    (folder / file).write_text(text.replace(right, wrong), encoding="utf-8")
    assert any(line.startswith(said) for line in mistakes(read(folder)))


def test_terraform_that_is_no_hcl_is_found(tmp_path: Path) -> None:
    (tmp_path / "broken.tf").write_text('variable "a" {\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"^broken.tf: "):
        read(tmp_path)


@pytest.mark.skipif(not shutil.which("terraform"), reason="terraform is not installed")
def test_terraform_writes_it_in_the_same_way() -> None:
    command = ["terraform", "fmt", "-check", "-diff", str(INFRA / "terraform")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubectl_puts_the_manifests_together() -> None:
    import kubernetes_validate
    import yaml

    command = ["kubectl", "kustomize", str(INFRA / "k8s")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    made = list(yaml.safe_load_all(done.stdout))
    for one in made:
        kubernetes_validate.validate(one, "1.33", strict=True)
    images = {
        container["image"]
        for one in made
        if one["kind"] == "Deployment"
        for container in one["spec"]["template"]["spec"]["containers"]
    }
    assert images == {"nightshift/flow:0.1.0"}
