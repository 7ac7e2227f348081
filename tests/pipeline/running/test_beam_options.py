import subprocess
import sys

import pytest
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)

from pipeline.beam_config import BeamConfig
from pipeline.errors import InputError
from pipeline.running.beam_options import check_beam, pipeline_options

GCP = {"project": "p", "region": "europe-west1", "temp_location": "gs://b/tmp"}
PORTABLE = {"job_endpoint": "localhost:8099", "environment_type": "EXTERNAL"}


def refused(runner: str, /, **options) -> str:
    with pytest.raises(InputError) as caught:
        check_beam(BeamConfig(runner=runner, options=options))
    return str(caught.value)


@pytest.mark.parametrize(
    ("runner", "options"),
    [
        ("local", {}),
        ("local", {"job_name": "clean"}),
        ("dataflow", GCP),
        ("dataflow", {**GCP, "num_workers": 4, "experiments": ["shuffle_mode=service"], "no_use_public_ips": True}),
        ("flink", {"flink_master": "localhost:8081", "job_endpoint": "localhost:8099"}),
        ("portable", {**PORTABLE, "environment_config": "localhost:50000"}),
    ],
)
def test_what_is_complete_is_accepted(runner, options):
    check_beam(BeamConfig(runner=runner, options=options))


@pytest.mark.parametrize("name", sorted(GCP))
def test_dataflow_says_what_it_lacks(name):
    given = {key: value for key, value in GCP.items() if key != name}
    assert refused("dataflow", **given) == (
        f"beam.options.{name} = None: expected a value, as beam.runner=dataflow needs it"
    )


@pytest.mark.parametrize("name", sorted(PORTABLE))
def test_a_job_server_says_what_it_lacks(name):
    given = {key: value for key, value in PORTABLE.items() if key != name}
    assert refused("portable", **given).startswith(f"beam.options.{name} = None: expected a value")


def test_flink_never_fetches_a_job_server(tmp_path):
    assert refused("flink", flink_master="localhost:8081") == (
        "beam.options.job_endpoint = None: expected an address such as localhost:8099, or "
        "beam.options.flink_job_server_jar (Beam would download a job server)"
    )
    address = "https://example.org/flink.jar"
    assert refused("flink", flink_master="localhost:8081", flink_job_server_jar=address) == (
        f"beam.options.flink_job_server_jar = {address}: expected a file on this machine (nothing is downloaded)"
    )
    jar = tmp_path / "flink.jar"
    jar.touch()
    check_beam(BeamConfig(runner="flink", options={"flink_master": "a:1", "flink_job_server_jar": str(jar)}))


def test_an_option_that_beam_does_not_know_names_close_ones():
    assert refused("local", temp_locaton="x") == (
        "beam.options.temp_locaton = x: expected the name of a Beam option "
        "(close to it: temp_location, template_location, profile_temp_location)"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": "many"}, "beam.options.num_workers = many: expected a value of its kind"),
        ({"num_workers": True}, "beam.options.num_workers = True: expected a value, not true or false"),
        ({"streaming": "yes"}, "beam.options.streaming = yes: expected true or false"),
        ({"pickle_library": "x"}, "beam.options.pickle_library = x: expected "),
        ({"runner": "DirectRunner"}, "beam.options.runner = DirectRunner: expected no such key (beam.runner says it)"),
        ({"direct_num_workers": 3}, "beam.options.direct_num_workers = 3: expected no such key (beam.workers says it)"),
        ({"save_main_session": True}, "beam.options.save_main_session = True: expected no such key"),
    ],
)
def test_values_are_checked_before_beam_sees_them(options, message):
    assert refused("local", **options).startswith(message)


def test_options_reach_beam_as_they_are():
    config = BeamConfig(runner="dataflow", options={**GCP, "num_workers": 4, "experiments": ["a", "b"]})
    options = pipeline_options(config)
    assert options.view_as(StandardOptions).runner == "DataflowRunner"
    assert options.view_as(GoogleCloudOptions).region == "europe-west1"
    assert options.view_as(WorkerOptions).num_workers == 4
    assert options.get_all_options()["experiments"] == ["a", "b"]
    assert not options.view_as(SetupOptions).save_main_session


def test_the_command_line_of_this_process_is_no_option(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["nightshift", "--job_endpoint=elsewhere:1", "--streaming"])
    options = pipeline_options(BeamConfig())
    assert options.view_as(PortableOptions).job_endpoint is None
    assert not options.view_as(StandardOptions).streaming


def test_a_local_runner_is_checked_without_importing_beam():
    code = (
        "import sys; from pipeline.running.beam_options import check_beam; from pipeline.beam_config import BeamConfig;"
        "check_beam(BeamConfig()); assert 'apache_beam' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
