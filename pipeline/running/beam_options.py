"""A configuration as Beam's options: the one place where its keys get Beam's names."""

import json
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from pipeline.beam_config import BeamConfig, Option

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

RUNNERS: Final = {
    "dataflow": "DataflowRunner",
    "flink": "FlinkRunner",
    "spark": "SparkRunner",
    "portable": "PortableRunner",
}
# What Beam calls the keys of a runner's section that it takes as they are.
NAMES: Final = {
    "dataflow": {
        "project": "project",
        "region": "region",
        "temp_location": "temp_location",
        "staging_location": "staging_location",
        "container_image": "sdk_container_image",
        "worker_type": "worker_machine_type",
        "max_workers": "max_num_workers",
        "disk_gb": "disk_size_gb",
        "service_account": "service_account_email",
        "network": "network",
        "subnetwork": "subnetwork",
    },
    "flink": {
        "master": "flink_master",
        "job_endpoint": "job_endpoint",
        "job_server_jar": "flink_job_server_jar",
        "parallelism": "parallelism",
    },
    "spark": {"master": "spark_master_url", "job_endpoint": "job_endpoint", "job_server_jar": "spark_job_server_jar"},
    "portable": {"job_endpoint": "job_endpoint"},
}
# Of each kind of environment: which key says where or what it is.
ENVIRONMENTS: Final = {"docker": "container_image", "process": "command", "external": "address"}
# Beam would send a list of this machine's packages along, with the paths that some were installed from.
NO_PACKAGE_LIST: Final = "disable_logging_submission_environment"


def pipeline_options(config: BeamConfig, stage: str) -> "PipelineOptions":
    """What Beam is told of a stage's job. The command line of this process is never read."""
    from apache_beam.options.pipeline_options import PipelineOptions

    flags = flags_of(config)
    if config.is_elsewhere and "job_name" not in config.options:
        flags.append(f"--job_name={job_name(stage, uuid4().hex[:8])}")  # a service refuses two of one name at a time
    return PipelineOptions(flags)


def job_name(stage: str, suffix: str) -> str:
    """What a service calls a stage's job; Beam's own name would tell who is logged in here.

    >>> job_name("build_vocabulary", "5b7e0c44")
    'nightshift-build-vocabulary-5b7e0c44'
    """
    return f"nightshift-{stage.replace('_', '-')}-{suffix}"


def flags_of(config: BeamConfig) -> list[str]:
    """The same without the job's name, as Beam's command line has it; known without importing Beam."""
    options = runner_options(config) | {name: value for name, value in config.options.items() if name != "experiments"}
    experiments: list[Any] = [NO_PACKAGE_LIST] if config.is_elsewhere else []
    given = config.options.get("experiments", [])
    experiments += given if isinstance(given, list) else [given]
    return [flag for name, value in (options | {"experiments": experiments}).items() for flag in as_flags(name, value)]


def runner_options(config: BeamConfig) -> dict[str, Option]:
    """The sections of a runner as options of Beam."""
    if not config.is_elsewhere:
        return {}
    section = getattr(config, config.runner)
    options: dict[str, Option] = {"runner": RUNNERS[config.runner]}
    options |= {name: getattr(section, key) for key, name in NAMES[config.runner].items() if getattr(section, key)}
    if config.runner != "dataflow":
        return options | environment_options(config)
    if config.dataflow.autoscaling:
        options["autoscaling_algorithm"] = "THROUGHPUT_BASED"
    else:
        options |= {"autoscaling_algorithm": "NONE", "num_workers": config.dataflow.max_workers}
    return options | ({} if config.dataflow.public_addresses else {"no_use_public_ips": True})


def environment_options(config: BeamConfig) -> dict[str, Option]:
    """In what a job server runs our functions, as options of Beam."""
    given = config.environment
    options: dict[str, Option] = {"environment_type": given.kind.upper(), "sdk_worker_parallelism": given.processes}
    if given.kind in ENVIRONMENTS:
        value = getattr(given, ENVIRONMENTS[given.kind])
        options["environment_config"] = json.dumps({"command": value}) if given.kind == "process" else value
    return options


def as_flags(name: str, value: Any) -> list[str]:
    """An option as Beam's command line has it.

    >>> as_flags("experiments", ["a", "b"]), as_flags("streaming", True), as_flags("streaming", False)
    (['--experiments=a', '--experiments=b'], ['--streaming'], [])
    """
    if isinstance(value, bool):
        return [f"--{name}"] * value
    return [f"--{name}={item}" for item in (value if isinstance(value, list) else [value])]
