import sys

import pytest
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PortableOptions,
    SetupOptions,
    SparkRunnerOptions,
    StandardOptions,
    WorkerOptions,
)

from pipeline.beam_config import BeamConfig
from pipeline.running.beam_options import flags_of, pipeline_options

DATAFLOW = {
    "project": "translation-1",
    "region": "europe-west1",
    "temp_location": "gs://bucket/tmp",
    "staging_location": "gs://bucket/staging",
    "container_image": "europe-docker.pkg.dev/translation-1/images/nightshift:1.4.0",
    "worker_type": "n2-standard-4",
    "max_workers": 20,
    "disk_gb": 50,
    "service_account": "workers@translation-1.iam.gserviceaccount.com",
    "network": "jobs",
    "subnetwork": "regions/europe-west1/subnetworks/jobs",
    "public_addresses": False,
}
DOCKER = {"kind": "docker", "container_image": "registry:5000/nightshift@sha256:" + "0" * 64}


def flags(runner: str, **fields) -> list[str]:
    return flags_of(BeamConfig(runner=runner, **fields))


def test_a_section_for_dataflow_becomes_its_options():
    assert flags("dataflow", dataflow=DATAFLOW, options={"experiments": "a", "labels": ["x=1", "y=2"]}) == [
        "--runner=DataflowRunner",
        "--project=translation-1",
        "--region=europe-west1",
        "--temp_location=gs://bucket/tmp",
        "--staging_location=gs://bucket/staging",
        "--sdk_container_image=europe-docker.pkg.dev/translation-1/images/nightshift:1.4.0",
        "--worker_machine_type=n2-standard-4",
        "--max_num_workers=20",
        "--disk_size_gb=50",
        "--service_account_email=workers@translation-1.iam.gserviceaccount.com",
        "--network=jobs",
        "--subnetwork=regions/europe-west1/subnetworks/jobs",
        "--autoscaling_algorithm=THROUGHPUT_BASED",
        "--no_use_public_ips",
        "--labels=x=1",
        "--labels=y=2",
        "--experiments=disable_logging_submission_environment",
        "--experiments=a",
    ]


def test_beam_reads_these_options_as_they_are_meant():
    config = BeamConfig(runner="dataflow", dataflow=DATAFLOW | {"autoscaling": False}, options={"experiments": ["a"]})
    options = pipeline_options(config, "build_vocabulary")
    workers, cloud = options.view_as(WorkerOptions), options.view_as(GoogleCloudOptions)
    assert options.view_as(StandardOptions).runner == "DataflowRunner"
    assert (cloud.region, cloud.service_account_email) == ("europe-west1", DATAFLOW["service_account"])
    assert cloud.job_name.startswith("nightshift-build-vocabulary-")
    assert (workers.machine_type, workers.disk_size_gb, workers.use_public_ips) == ("n2-standard-4", 50, False)
    assert (workers.autoscaling_algorithm, workers.num_workers, workers.max_num_workers) == ("NONE", 20, 20)
    assert options.view_as(DebugOptions).experiments == ["disable_logging_submission_environment", "a"]
    assert not options.view_as(SetupOptions).save_main_session


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"runner": "flink", "flink": {"master": "flink:8081", "job_endpoint": "jobs:8099", "parallelism": 8}},
            ["FlinkRunner", "flink_master=flink:8081", "job_endpoint=jobs:8099", "parallelism=8"],
        ),
        (
            {"runner": "spark", "spark": {"master": "spark://host:7077", "job_server_jar": "spark.jar"}},
            ["SparkRunner", "spark_master_url=spark://host:7077", "spark_job_server_jar=spark.jar"],
        ),
        (
            {"runner": "portable", "portable": {"job_endpoint": "jobs:8099"}},
            ["PortableRunner", "job_endpoint=jobs:8099"],
        ),
    ],
)
def test_sections_of_job_servers_become_their_options(fields, expected):
    runner, *others = expected
    assert flags(**fields, environment=DOCKER) == [
        f"--runner={runner}",
        *(f"--{other}" for other in others),
        "--environment_type=DOCKER",
        "--sdk_worker_parallelism=1",
        f"--environment_config={DOCKER['container_image']}",
        "--experiments=disable_logging_submission_environment",
    ]


@pytest.mark.parametrize(
    ("environment", "config"),
    [
        ({"kind": "external", "address": "pool:50000"}, "pool:50000"),
        ({"kind": "process", "command": "/opt/apache/beam/boot"}, '{"command": "/opt/apache/beam/boot"}'),
        ({"kind": "loopback"}, None),
    ],
)
def test_workers_are_started_in_one_of_four_ways(environment, config):
    given = BeamConfig(runner="spark", spark={"master": "local[4]"}, environment=environment | {"processes": 0})
    options = pipeline_options(given, "clean").view_as(PortableOptions)
    assert (options.environment_type, options.environment_config) == (environment["kind"].upper(), config)
    assert options.sdk_worker_parallelism == "0"
    assert options.view_as(SparkRunnerOptions).spark_master_url == "local[4]"


def test_the_local_runner_is_told_only_what_was_asked_for():
    assert flags("local", dataflow=DATAFLOW, environment=DOCKER) == []
    assert flags("local", options={"streaming": True}) == ["--streaming"]


def test_the_command_line_of_this_process_is_no_option(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["nightshift", "--job_endpoint=elsewhere:1", "--streaming"])
    options = pipeline_options(BeamConfig(), "clean")
    assert options.view_as(PortableOptions).job_endpoint is None
    assert not options.view_as(StandardOptions).streaming
