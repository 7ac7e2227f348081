"""Compose file and manifests: who reaches whom, with what rights, and that no secret is written down."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.cluster import KubernetesConfig
from infra.kubernetes import USER, render
from infra.order import Order

ROOT = Path(__file__).parents[2]
K8S = ROOT / "infra/k8s"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Of the compose file."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "infra/compose.yaml").read_text(encoding="utf-8"))["services"]
    return found


@pytest.fixture(scope="module")
def manifests() -> dict[tuple[str, str], Any]:
    """The objects by kind and name."""
    paths = [path for path in sorted(K8S.glob("*.yaml")) if path.name != "kustomization.yaml"]
    made = [one for path in paths for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    return {(one["kind"], one["metadata"]["name"]): one for one in made}


def pods(manifests: dict[tuple[str, str], Any]) -> dict[str, Any]:
    """Of the deployments."""
    return {name: one["spec"]["template"]["spec"] for (kind, name), one in manifests.items() if kind == "Deployment"}


def test_the_services_are_reached_from_this_machine_alone(services: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"server": ["127.0.0.1:4200:4200"]}
    assert services["database"]["networks"] == ["inside"]


def test_a_service_waits_until_what_it_needs_is_healthy(services: dict[str, Any]) -> None:
    for service in services.values():
        assert service["healthcheck"]["test"]
        for needed, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in services[needed]


def test_no_password_is_written_down(services: dict[str, Any]) -> None:
    environments = [service["environment"] for service in services.values()]
    passwords = [value for given in environments for name, value in given.items() if "PASSWORD" in name]
    assert len(passwords) == 2
    assert all(password.startswith("${NIGHTSHIFT_DB_PASSWORD:?") for password in passwords)
    for path in K8S.glob("*.yaml"):
        assert not re.search(r"^kind: Secret$", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_ui_is_unpacked_where_the_server_may_write(manifests: dict[tuple[str, str], Any]) -> None:
    text = (ROOT / "infra/docker/flow.Dockerfile").read_text(encoding="utf-8")
    folders = re.findall(r"PREFECT_SERVER_UI_STATIC_DIRECTORY=(\S+)", text)
    assert "PREFECT_SERVER_UI_API_URL=/api" in text  # whatever address a browser comes by
    (server,) = pods(manifests)["prefect-server"]["containers"]
    mounted = {mount["mountPath"] for mount in server["volumeMounts"]}
    assert [str(Path(folder).parent) in mounted for folder in folders] == [True]


def test_all_manifests_are_applied() -> None:
    listed = yaml.safe_load((K8S / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    assert {*listed} | {"kustomization.yaml"} == {path.name for path in K8S.iterdir()}


def test_what_an_object_names_is_there(manifests: dict[tuple[str, str], Any]) -> None:
    namespaces = {one["metadata"].get("namespace", name) for (_, name), one in manifests.items()}
    assert namespaces == {KubernetesConfig().namespace}
    for pod in [*pods(manifests).values(), *training()]:
        assert ("ServiceAccount", pod["serviceAccountName"]) in manifests
        claims = [volume["persistentVolumeClaim"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
        assert all(("PersistentVolumeClaim", claim["claimName"]) in manifests for claim in claims)
    (server,) = manifests["Deployment", "prefect-server"]["spec"]["template"]["spec"]["containers"]
    (port,) = manifests["Service", "prefect-server"]["spec"]["ports"]
    assert port["targetPort"] in {one["name"] for one in server["ports"]}
    (worker,) = manifests["Deployment", "worker"]["spec"]["template"]["spec"]["containers"]
    assert {"name": "PREFECT_API_URL", "value": f"http://prefect-server:{port['port']}/api"} in worker["env"]


def training() -> list[Any]:
    """The pod of a rendered training."""
    from infra.cluster import ClusterConfig

    made = render(Order("train-a", ("train",), ClusterConfig(image="a:1", workers=2)))
    return [one["spec"]["template"]["spec"] for one in made if one["kind"] == "Job"]


def test_pods_are_what_the_restricted_standard_asks_for(manifests: dict[tuple[str, str], Any]) -> None:
    labels = manifests["Namespace", "nightshift"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in [*pods(manifests).values(), *training()]:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == USER
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        mounted = set()
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]
            mounted |= {mount["mountPath"] for mount in container["volumeMounts"]}
        assert "/tmp" in mounted  # all else cannot be written


def test_rights_are_few_and_of_one_account(manifests: dict[tuple[str, str], Any]) -> None:
    assert not [kind for kind, _ in manifests if kind.startswith("Cluster")]
    (binding,) = (one for (kind, _), one in manifests.items() if kind == "RoleBinding")
    assert [subject["name"] for subject in binding["subjects"]] == ["dispatcher"]
    (role,) = (one for (kind, _), one in manifests.items() if kind == "Role")
    assert role["metadata"]["name"] == binding["roleRef"]["name"]
    asked = [word for rule in role["rules"] for word in [*rule["resources"], *rule["verbs"], *rule["apiGroups"]]]
    assert not {"*", "secrets", "serviceaccounts", "roles", "pods/exec"} & {*asked}
    # What `kubectl apply` of a rendered training asks for: of each object to look, to make and to change it.
    may = {(group, name, verb) for rule in role["rules"] for group in rule["apiGroups"]
           for name in rule["resources"] for verb in rule["verbs"]}  # fmt: skip
    for group, name in (("", "services"), ("networking.k8s.io", "networkpolicies"), ("batch", "jobs")):
        assert {(group, name, verb) for verb in ("get", "create", "patch", "delete")} <= may


def test_nobody_is_reached_but_the_server_by_the_worker(manifests: dict[tuple[str, str], Any]) -> None:
    policies = {name: one["spec"] for (kind, name), one in manifests.items() if kind == "NetworkPolicy"}
    assert policies["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    (rule,) = policies["prefect-server"]["ingress"]
    (source,) = rule["from"]
    template = manifests["Deployment", "worker"]["spec"]["template"]["metadata"]["labels"]
    assert source["podSelector"]["matchLabels"].items() <= template.items()
    assert [port["port"] for port in rule["ports"]] == [4200]
