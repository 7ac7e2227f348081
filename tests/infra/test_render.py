"""Trainings for other machines, held against the schemas that Kubernetes and Vertex AI publish."""

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from flows.cli import cli
from flows.rendering import objects
from flows.settings import RetrainConfig, load
from infra.kubernetes import literal
from infra.order import order
from pipeline.errors import InputError

IMAGE = "registry.example.com:5000/nightshift/trainer:0.1.0"
KUBERNETES = "1.33"  # the first release in which all that is used is stable


def configured(*overrides: str) -> RetrainConfig:
    return load("weather", overrides=(f"cluster.image={IMAGE}", *overrides))


def on_kubernetes(*overrides: str) -> dict[str, Any]:
    """The objects by their kind."""
    return {made["kind"]: made for made in objects("kubernetes", configured(*overrides))}


def on_vertex(*overrides: str) -> dict[str, Any]:
    given = ("cluster.vertex.bucket=models", "cluster.vertex.service_account=trainer@p.iam.gserviceaccount.com")
    (made,) = objects("vertex", configured(*given, *overrides))
    return made


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("cluster.workers=64",),
        ("cluster.workers=4", "cluster.gpus=2", "cluster.kubernetes.node_selector={a.b/c: d}"),
    ],
)
def test_kubernetes_knows_every_key(overrides: tuple[str, ...]) -> None:
    for made in on_kubernetes(*overrides).values():
        kubernetes_validate.validate(made, KUBERNETES, strict=True)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "completions"), "four"),
        (("spec", "completionmode"), "Indexed"),
        (("spec", "podFailurePolicy", "rules", 0, "onExitCodes", "values"), 2),
        (("spec", "template", "spec", "containers", 0, "securityContext", "readonlyRootFilesystem"), True),
    ],
)
def test_the_schema_of_kubernetes_finds_a_mistake(path: tuple[str | int, ...], value: Any) -> None:
    job = copy.deepcopy(on_kubernetes()["Job"])
    place: Any = job
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, KUBERNETES, strict=True)


def test_pods_of_a_job_know_one_another() -> None:
    made = on_kubernetes("cluster.workers=3")
    job, service = made["Job"]["spec"], made["Service"]
    name = made["Job"]["metadata"]["name"]
    pod = job["template"]["spec"]
    (trainer,) = pod["containers"]
    assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 3, 3)
    assert trainer["env"] == [
        {"name": "NIGHTSHIFT_WORKERS", "value": f"{name}-0.{name}:2222,{name}-1.{name}:2222,{name}-2.{name}:2222"}
    ]
    assert trainer["command"] == ["python", "-m", "infra.pod", "nightshift"]
    # Kubernetes gives a pod of subdomain S and hostname H the name H.S where a headless service S selects it.
    assert pod["subdomain"] == service["metadata"]["name"] == name
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"].items() <= job["template"]["metadata"]["labels"].items()
    assert made["NetworkPolicy"]["spec"]["ingress"] == [
        {"from": [{"podSelector": {"matchLabels": service["spec"]["selector"]}}]}
    ]


def test_a_job_goes_on_after_what_passes_and_ends_with_bad_input() -> None:
    job = on_kubernetes("cluster.workers=3", "cluster.restarts=2", "cluster.hours=0.5")["Job"]["spec"]
    actions = {
        code: rule["action"]
        for rule in job["podFailurePolicy"]["rules"]
        for code in rule.get("onExitCodes", {}).get("values", ["evicted"])
    }
    assert actions == {2: "FailJob", 75: "Ignore", "evicted": "Ignore"}
    assert job["template"]["spec"]["restartPolicy"] == "Never"  # podFailurePolicy allows nothing else
    assert job["successPolicy"] == {"rules": [{"succeededIndexes": "0"}]}
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (6, 1800)


def test_one_worker_needs_no_cluster() -> None:
    made = on_kubernetes("cluster.gpus=1")
    (trainer,) = made["Job"]["spec"]["template"]["spec"]["containers"]
    assert sorted(made) == ["Job", "NetworkPolicy"]
    assert trainer["command"] == ["nightshift"]
    assert trainer["resources"]["limits"] == {"memory": "16Gi", "nvidia.com/gpu": 1}
    assert made["NetworkPolicy"]["spec"]["ingress"] == []  # nobody speaks to it


def test_what_a_machine_is_told_is_the_configuration() -> None:
    config = configured("cluster.workers=2", "train.steps=7", "train.warm_start=champion", "workspace=night")
    told = order(config.model_copy(update={"registry": "night/registry"}), "/workspace").arguments
    assert told[0] == "train"
    there = load(overrides=told[2::2])
    assert {*told[1::2]} == {"--set"}
    assert there.registry == "/workspace/registry"
    assert there.devices.model_dump(exclude_defaults=True) == {
        "strategy": "multi_worker",
        "join_seconds": 3600,
        "threads": 1,
    }
    same = ("task", "corpus", "clean", "vocabulary", "shard", "train", "evaluate")
    assert [getattr(there, name) for name in same] == [getattr(config, name) for name in same]


def test_another_order_has_another_name() -> None:
    names = {order(configured(f"train.steps={steps}"), "/workspace").name for steps in (1, 1, 2)}
    assert len(names) == 2
    assert all(len(f"{name}-63") <= 63 for name in names)


def test_kubernetes_puts_nothing_into_an_argument() -> None:
    given = r"corpus.train=[{kind: table, path: pairs-$(date).tsv, source: 1, target: 2}]"
    (trainer,) = on_kubernetes(given)["Job"]["spec"]["template"]["spec"]["containers"]
    (corpus,) = (argument for argument in trainer["args"] if argument.startswith("corpus="))
    assert "pairs-$$(date).tsv" in corpus
    assert literal("$$(A)") == "$$$(A)"  # of which Kubernetes makes $$(A)


def test_vertex_knows_every_key() -> None:
    from google.cloud.aiplatform_v1.types import CustomJobSpec
    from google.protobuf.json_format import ParseDict, ParseError

    made = on_vertex("cluster.workers=3", "cluster.gpus=2", "cluster.vertex.is_spot=true", "cluster.hours=1")
    parsed = CustomJobSpec(ParseDict(made, CustomJobSpec()._pb))
    assert [pool.replica_count for pool in parsed.worker_pool_specs] == [1, 2]
    assert {pool.machine_spec.accelerator_type.name for pool in parsed.worker_pool_specs} == {"NVIDIA_TESLA_T4"}
    assert parsed.scheduling.strategy.name == "SPOT"
    assert parsed.scheduling.timeout.total_seconds() == 3600
    assert 'workspace="/gcs/models/workspace"' in parsed.worker_pool_specs[1].container_spec.args
    for key, value in (("workerPool", []), ("serviceAccount", 7), ("scheduling", {"strategy": "CHEAP"})):
        with pytest.raises(ParseError):
            ParseDict(made | {key: value}, CustomJobSpec()._pb)


def test_vertex_knows_the_accelerators() -> None:
    from typing import get_args

    from google.cloud.aiplatform_v1.types import AcceleratorType

    from infra.cluster import Accelerator

    assert {*get_args(Accelerator)} <= {*AcceleratorType.__members__}


@pytest.mark.parametrize(
    ("place", "overrides", "said"),
    [
        ("kubernetes", ("cluster.image=''",), "cluster.image = not given: expected the trainer's image"),
        ("vertex", (), "cluster.vertex.bucket = None: expected the bucket"),
        ("vertex", ("cluster.vertex.bucket=models",), "cluster.vertex.service_account = None: expected an e-mail"),
        ("kubernetes", ("devices.strategy=tpu",), "devices.strategy = tpu: expected one, mirrored or multi_worker"),
        (
            "kubernetes",
            ("train.warm_start=champion", "registry=elsewhere"),
            "registry = elsewhere: expected gs://bucket/prefix, or a folder in the workspace workspace",
        ),
    ],
)
def test_what_cannot_be_rendered_is_one_line(place: str, overrides: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError) as caught:
        objects(place, configured(*overrides))
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("image", ["Upper:1", "a b", "a:", "a@sha256:12", "-a:1", "a:1;x", "host:5000/a"])
def test_an_image_that_is_none_is_refused(image: str) -> None:
    with pytest.raises(InputError, match=r"^cluster.image = "):
        load("weather", overrides=(f"cluster.image='{image}'",))


def test_the_command_writes_yaml(tmp_path: Path) -> None:
    command = ["render", "kubernetes", "--preset", "weather", "--image", IMAGE, "--workers", "2"]
    printed = CliRunner().invoke(cli, command, catch_exceptions=False).output
    assert [made["kind"] for made in yaml.safe_load_all(printed)] == ["Service", "NetworkPolicy", "Job"]
    assert [*yaml.safe_load_all(printed)] == objects("kubernetes", configured("cluster.workers=2"))
    CliRunner().invoke(cli, [*command, "--output", str(tmp_path / "job.yaml")], catch_exceptions=False)
    assert (tmp_path / "job.yaml").read_text() == printed
