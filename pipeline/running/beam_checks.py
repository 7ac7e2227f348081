"""What each runner must be told before it can start, asked before anything is: a mistake costs no half night."""

import argparse
import difflib
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

from pipeline.beam_config import BeamConfig, Option
from pipeline.errors import InputError
from pipeline.running.beam_options import ENVIRONMENTS, NAMES

NEEDED: Final = {
    "dataflow": ("project", "region", "temp_location"),
    "flink": ("master",),
    "spark": ("master",),
    "portable": ("job_endpoint",),
}
# Options that are refused because a key of ours says them.
OURS: Final = {
    name: f"beam.{runner}.{key} says it" for runner, names in NAMES.items() for key, name in names.items()
} | {
    "job_endpoint": "job_endpoint in the runner's own section says it",
    "runner": "beam.runner says it",
    "direct_num_workers": "beam.workers says it",
    "direct_running_mode": "beam.workers says it",
    "save_main_session": "the jobs are modules, and no session is saved",
    "autoscaling_algorithm": "beam.dataflow.autoscaling says it",
    "num_workers": "beam.dataflow.max_workers says it, with beam.dataflow.autoscaling=false",
    "machine_type": "beam.dataflow.worker_type says it",
    "use_public_ips": "beam.dataflow.public_addresses says it",
    "no_use_public_ips": "beam.dataflow.public_addresses says it",
    "environment_type": "beam.environment.kind says it",
    "environment_config": "beam.environment says it",
    "sdk_worker_parallelism": "beam.environment.processes says it",
}
SECRET: Final = re.compile("secret|passw|token|api_key|connection_string", re.IGNORECASE)
BEAM_IMAGE: Final = re.compile(r"(?:.*/)?beam_python(?P<python>\d+\.\d+)_sdk(?::(?P<beam>[\w.-]+))?(?:@.*)?")


def check_beam(config: BeamConfig) -> None:
    """Raises `InputError` where the runner lacks something that it needs, or an option is none of Beam's.

    A local runner without options is right as it is, and Beam is not imported to find that out.
    """
    if config.is_elsewhere:
        section = getattr(config, config.runner)
        for key in NEEDED[config.runner]:
            if not getattr(section, key):
                raise lacks(config, f"{config.runner}.{key}")
        if config.runner == "dataflow":
            check_dataflow(config)
        else:
            check_environment(config)
        if config.runner in ("flink", "spark"):
            check_job_server(config)
    if config.options:
        known = known_options()
        for name, value in config.options.items():
            check_option(name, value, known)


def lacks(config: BeamConfig, key: str) -> InputError:
    """What is to be said where a runner is not told what it needs."""
    return InputError(f"beam.{key}", "not given", f"a value, as beam.runner={config.runner} needs it")


def check_dataflow(config: BeamConfig) -> None:
    """Raises `InputError` where workers of Dataflow would have no files, no code or no number."""
    if not config.exchange:
        allowed = "gs://bucket/prefix, as beam.runner=dataflow needs it"
        raise InputError("beam.exchange", "not given", allowed, "its workers see no folder of this machine")
    image, setup = config.dataflow.container_image, config.options.get("setup_file")
    if not image and not setup:
        allowed = "an image with nightshift in it, or beam.options.setup_file"
        raise InputError(
            "beam.dataflow.container_image", "not given", allowed, "workers need our code and its packages"
        )
    check_image("beam.dataflow.container_image", image, has_code=bool(setup))
    if not config.dataflow.autoscaling and not config.dataflow.max_workers:
        raise InputError("beam.dataflow.max_workers", 0, "how many workers, as autoscaling is off")


def check_environment(config: BeamConfig) -> None:
    """Raises `InputError` where a job server would not know in what to run our functions."""
    given = config.environment
    if not given.kind:
        allowed = f"docker, process, external or loopback, as beam.runner={config.runner} needs it"
        raise InputError("beam.environment.kind", "not given", allowed, "Beam's own image does not hold our code")
    key = ENVIRONMENTS.get(given.kind)
    if key and not getattr(given, key):
        raise InputError(
            f"beam.environment.{key}", "not given", f"a value, as beam.environment.kind={given.kind} needs it"
        )
    check_image("beam.environment.container_image", given.container_image, has_code="setup_file" in config.options)


def check_image(parameter: str, image: str, *, has_code: bool) -> None:
    """Raises `InputError` for an image of Beam's own that is not of this Beam and Python, or comes without our code.

    What is in another image cannot be seen from here; each job compares it with this machine before it begins.
    """
    found = BEAM_IMAGE.fullmatch(image)
    if not found:
        return
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}", metadata.version("apache-beam")
    if found["python"] != ours[0] or found["beam"] not in (ours[1], None):
        allowed = f"an image of Python {ours[0]} and Beam {ours[1]}, as here"
        raise InputError(parameter, image, allowed, "workers of another version cannot read the job")
    if not has_code:
        raise InputError(parameter, image, "an image with nightshift in it", "this one holds nothing but Beam")


def check_job_server(config: BeamConfig) -> None:
    """Raises `InputError` where Beam would fetch a job server from the network."""
    section, key = getattr(config, config.runner), f"beam.{config.runner}.job_server_jar"
    if section.job_endpoint:
        return
    if not section.job_server_jar:
        allowed = f"an address such as localhost:8099, or {key}"
        raise InputError(f"beam.{config.runner}.job_endpoint", "not given", allowed, "Beam would download a job server")
    if not Path(section.job_server_jar).is_file():
        raise InputError(key, section.job_server_jar, "a file on this machine", "nothing is downloaded")


def check_option(name: str, value: Option, known: dict[str, argparse.Action]) -> None:
    """Raises `InputError` where Beam has no such option, a key of ours says it, it is secret, or its value is wrong."""
    if SECRET.search(name):
        cause = "configurations are stored and shown; credentials come by the environment or the machine's own account"
        raise InputError(f"beam.options.{name}", "(not shown)", "no such key", cause)
    if name in OURS:
        raise InputError(f"beam.options.{name}", value, "no such key", OURS[name])
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3)
        cause = f"close to it: {', '.join(close)}" if close else "see the pipeline options of Apache Beam"
        raise InputError(f"beam.options.{name}", value, "the name of a Beam option", cause)
    is_switch = known[name].nargs == 0
    if is_switch != isinstance(value, bool):
        raise InputError(f"beam.options.{name}", value, "true or false" if is_switch else "a value, not true or false")
    if not is_switch:
        kind, choices = known[name].type, known[name].choices
        for item in value if isinstance(value, list) else [value]:
            try:
                converted = kind(str(item)) if callable(kind) else str(item)
            except (TypeError, ValueError, argparse.ArgumentTypeError) as error:
                raise InputError(f"beam.options.{name}", item, "a value of its kind", str(error)) from error
            if choices is not None and converted not in choices:
                raise InputError(f"beam.options.{name}", item, " or ".join(map(str, choices)))


def known_options() -> dict[str, argparse.Action]:
    """Every option of every runner and service that Beam knows, by its name."""
    from apache_beam.options import pipeline_options

    parser = argparse.ArgumentParser(add_help=False, conflict_handler="resolve")
    for options in pipeline_options.PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)  # type: ignore[arg-type] # Beam's own parser refuses duplicates
    return {flag.removeprefix("--"): action for flag, action in parser._option_string_actions.items()}
