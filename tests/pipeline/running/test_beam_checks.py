import subprocess
import sys
from importlib import metadata

import pytest
from pydantic import ValidationError

from pipeline.beam_config import BeamConfig
from pipeline.errors import InputError
from pipeline.running.beam_checks import check_beam

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
IMAGE = "europe-docker.pkg.dev/p/images/nightshift:1.4.0"
CLOUD = {
    "project": "translation-1",
    "region": "europe-west1",
    "temp_location": "gs://bucket/tmp",
    "container_image": IMAGE,
}
DATAFLOW = {"runner": "dataflow", "exchange": "gs://bucket/exchange", "dataflow": CLOUD}
EXTERNAL = {"kind": "external", "address": "localhost:50000"}
PORTABLE = {"runner": "portable", "portable": {"job_endpoint": "localhost:8099"}, "environment": EXTERNAL}
FLINK = {"runner": "flink", "flink": {"master": "localhost:8081"}, "environment": EXTERNAL}
SPARK = {"runner": "spark", "spark": {"master": "spark://localhost:7077"}, "environment": EXTERNAL}


def refused(**fields) -> str:
    with pytest.raises(InputError) as caught:
        check_beam(BeamConfig(**fields))
    return str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"options": {"job_name": "clean"}},
        DATAFLOW,
        DATAFLOW | {"options": {"experiments": ["shuffle_mode=service"], "dataflow_service_options": "enable_prime"}},
        DATAFLOW | {"dataflow": CLOUD | {"container_image": ""}, "options": {"setup_file": "setup.py"}},
        FLINK | {"flink": {"master": "localhost:8081", "job_endpoint": "localhost:8099"}},
        SPARK | {"spark": {"master": "yarn", "job_endpoint": "localhost:8099"}},
        PORTABLE,
    ],
)
def test_what_is_complete_is_accepted(fields):
    check_beam(BeamConfig(**fields))


@pytest.mark.parametrize(
    ("given", "key"),
    [
        *((DATAFLOW, f"dataflow.{key}") for key in ("project", "region", "temp_location")),
        (FLINK, "flink.master"),
        (SPARK, "spark.master"),
        (PORTABLE, "portable.job_endpoint"),
    ],
)
def test_a_runner_says_what_it_lacks(given, key):
    runner, name = key.split(".")
    section = {other: value for other, value in given[runner].items() if other != name}
    assert refused(**given | {runner: section}) == (
        f"beam.{key} = not given: expected a value, as beam.runner={runner} needs it"
    )


@pytest.mark.parametrize("name", ["s3_secret_access_key", "s3_session_token", "azure_connection_string", "my_password"])
def test_a_secret_is_no_option(name):
    said = refused(options={name: "planted"})
    assert said.startswith(
        f"beam.options.{name} = (not shown): expected no such key (configurations are stored and shown"
    )
    assert "planted" not in said


def test_workers_of_dataflow_need_files_and_code():
    assert refused(**DATAFLOW | {"exchange": ""}) == (
        "beam.exchange = not given: expected gs://bucket/prefix, as beam.runner=dataflow needs it "
        "(its workers see no folder of this machine)"
    )
    assert refused(**DATAFLOW | {"dataflow": CLOUD | {"container_image": ""}}) == (
        "beam.dataflow.container_image = not given: expected an image with nightshift in it, or "
        "beam.options.setup_file (workers need our code and its packages)"
    )
    assert refused(**DATAFLOW | {"dataflow": CLOUD | {"autoscaling": False}}) == (
        "beam.dataflow.max_workers = 0: expected how many workers, as autoscaling is off"
    )


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (
            "apache/beam_python3.9_sdk:" + metadata.version("apache-beam"),
            f"expected an image of Python {HERE} and Beam",
        ),
        (f"apache/beam_python{HERE}_sdk:2.50.0", f"expected an image of Python {HERE} and Beam 2.77.0, as here"),
        (
            f"gcr.io/x/beam_python{HERE}_sdk:{metadata.version('apache-beam')}",
            "expected an image with nightshift in it",
        ),
    ],
)
def test_an_image_of_beam_alone_is_not_enough(image, message):
    for given in (
        DATAFLOW | {"dataflow": CLOUD | {"container_image": image}},
        PORTABLE | {"environment": {"kind": "docker", "container_image": image}},
    ):
        assert message in refused(**given)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "beam.environment.kind = not given: expected docker, process, external or loopback"),
        ({"kind": "docker"}, "beam.environment.container_image = not given: expected a value"),
        ({"kind": "process"}, "beam.environment.command = not given: expected a value"),
        ({"kind": "external"}, "beam.environment.address = not given: expected a value"),
    ],
)
def test_a_job_server_is_told_where_our_functions_run(environment, message):
    assert refused(**PORTABLE | {"environment": environment}).startswith(message)


@pytest.mark.parametrize(("given", "name"), [(FLINK, "flink"), (SPARK, "spark")])
def test_a_job_server_is_never_fetched(given, name, tmp_path):
    assert refused(**given) == (
        f"beam.{name}.job_endpoint = not given: expected an address such as localhost:8099, or "
        f"beam.{name}.job_server_jar (Beam would download a job server)"
    )
    address = "https://example.org/server.jar"
    assert refused(**given | {name: given[name] | {"job_server_jar": address}}) == (
        f"beam.{name}.job_server_jar = {address}: expected a file on this machine (nothing is downloaded)"
    )
    jar = tmp_path / "server.jar"
    jar.touch()
    check_beam(BeamConfig(**given | {name: given[name] | {"job_server_jar": str(jar)}}))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("region", "europe-west1-b", "a region such as europe-west1, no zone"),
        ("region", "Europe", "a region such as europe-west1, no zone"),
        ("project", "P", "a project's id, such as translation-1"),
        ("temp_location", "/tmp", "gs://bucket/prefix with a bucket's name in lower case"),
        ("temp_location", "gs://Bucket/tmp", "gs://bucket/prefix with a bucket's name in lower case"),
        ("container_image", "nightshift", "an image with a digest or with a tag other than latest"),
        ("container_image", "registry:5000/nightshift", "an image with a digest or with a tag other than latest"),
        ("container_image", "nightshift:latest", "an image with a digest or with a tag other than latest"),
        ("worker_type", "big", "a type such as n2-standard-4"),
        ("service_account", "me@example.org", "a service account's address"),
        ("subnetwork", "jobs", "regions/REGION/subnetworks/NAME or its full address"),
        ("max_workers", 5000, "Input should be less than or equal to 4000"),
    ],
)
def test_a_value_of_another_form_is_refused_as_it_is_read(key, value, words):
    with pytest.raises(ValidationError) as caught:
        BeamConfig(**DATAFLOW | {"dataflow": CLOUD | {key: value}})
    (error,) = caught.value.errors()
    assert error["loc"] == ("dataflow", key)
    assert error["msg"].startswith(words)


def test_an_option_that_beam_does_not_know_names_close_ones():
    assert refused(options={"temp_locaton": "x"}) == (
        "beam.options.temp_locaton = x: expected the name of a Beam option "
        "(close to it: temp_location, template_location, profile_temp_location)"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"job_server_timeout": "long"}, "beam.options.job_server_timeout = long: expected a value of its kind"),
        ({"job_server_timeout": True}, "beam.options.job_server_timeout = True: expected a value, not true or false"),
        ({"streaming": "yes"}, "beam.options.streaming = yes: expected true or false"),
        ({"pickle_library": "x"}, "beam.options.pickle_library = x: expected "),
        ({"runner": "DirectRunner"}, "beam.options.runner = DirectRunner: expected no such key (beam.runner says it)"),
        ({"direct_num_workers": 3}, "beam.options.direct_num_workers = 3: expected no such key (beam.workers says it)"),
        ({"save_main_session": True}, "beam.options.save_main_session = True: expected no such key"),
        ({"region": "x"}, "beam.options.region = x: expected no such key (beam.dataflow.region says it)"),
        (
            {"job_endpoint": "x"},
            "beam.options.job_endpoint = x: expected no such key (job_endpoint in the runner's own",
        ),
    ],
)
def test_values_are_checked_before_beam_sees_them(options, message):
    assert refused(options=options).startswith(message)


def test_a_runner_without_further_options_is_checked_without_importing_beam():
    code = (
        "import sys; from pipeline.running.beam_checks import check_beam; from pipeline.beam_config import BeamConfig;"
        f"check_beam(BeamConfig()); check_beam(BeamConfig(**{DATAFLOW!r})); assert 'apache_beam' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
