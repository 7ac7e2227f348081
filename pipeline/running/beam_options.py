"""Beam's options of a configuration, and what each runner must be told before it can start.

`check_beam` is asked before anything is started, so that a missing option costs seconds and not half a night.
"""

import argparse
import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.beam_config import BeamConfig, Option
from pipeline.errors import InputError

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

RUNNERS = {"flink": "FlinkRunner", "dataflow": "DataflowRunner", "portable": "PortableRunner"}
NEEDED = {
    "flink": ("flink_master",),
    "dataflow": ("project", "region", "temp_location"),
    "portable": ("job_endpoint", "environment_type"),
}
OURS = {
    "runner": "beam.runner says it",
    "direct_num_workers": "beam.workers says it",
    "direct_running_mode": "beam.workers says it",
    "save_main_session": "the jobs are modules, and no session is saved",
}


def check_beam(config: BeamConfig) -> None:
    """Raises `InputError` where the runner lacks an option that it needs, or an option is none of Beam's.

    A local runner without options is right as it is, and Beam is not imported to find that out.
    """
    for name in NEEDED.get(config.runner, ()):
        if not config.options.get(name):
            raise InputError(f"beam.options.{name}", None, f"a value, as beam.runner={config.runner} needs it")
    if config.runner == "flink":
        check_flink(config)
    if config.options:
        known = known_options()
        for name, value in config.options.items():
            check_option(name, value, known)


def check_flink(config: BeamConfig) -> None:
    """Raises `InputError` where Beam would fetch Flink's job server from the network."""
    jar = config.options.get("flink_job_server_jar")
    if config.options.get("job_endpoint"):
        return
    if not jar:
        allowed = "an address such as localhost:8099, or beam.options.flink_job_server_jar"
        raise InputError("beam.options.job_endpoint", None, allowed, "Beam would download a job server")
    if not Path(str(jar)).is_file():
        raise InputError("beam.options.flink_job_server_jar", jar, "a file on this machine", "nothing is downloaded")


def check_option(name: str, value: Option, known: dict[str, argparse.Action]) -> None:
    """Raises `InputError` where Beam has no such option, it is set elsewhere, or its value is of another kind."""
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


def pipeline_options(config: BeamConfig) -> "PipelineOptions":
    """What Beam is told. The command line of this process is never read."""
    from apache_beam.options.pipeline_options import PipelineOptions

    flags = [f"--runner={RUNNERS[config.runner]}"] if config.runner in RUNNERS else []
    for name, value in config.options.items():
        flags += as_flags(name, value)
    return PipelineOptions(flags)


def as_flags(name: str, value: Any) -> list[str]:
    """An option as Beam's command line has it.

    >>> as_flags("experiments", ["a", "b"]), as_flags("streaming", True), as_flags("streaming", False)
    (['--experiments=a', '--experiments=b'], ['--streaming'], [])
    """
    if isinstance(value, bool):
        return [f"--{name}"] * value
    return [f"--{name}={item}" for item in (value if isinstance(value, list) else [value])]
