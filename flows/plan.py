"""What a night would do, before it does anything: `nightshift plan`."""

from collections.abc import Iterator, Mapping
from typing import Any

from flows.check import check_without_writing
from flows.dag import STAGES, maker_of
from flows.settings import RetrainConfig
from model.config import DeviceConfig
from pipeline.beam_config import PAIRS_FOR_SEVERAL_PROCESSES, BeamConfig
from pipeline.ingest import ingest
from pipeline.manifest import Manifest
from pipeline.reading.locations import Location
from pipeline.reading.places import places_of
from pipeline.redaction import redacted
from pipeline.running.beam_options import flags_of, job_name
from pipeline.running.packages import packages_here
from pipeline.sources import origin_of, package_of, version_of
from pipeline.stage import Stage, describe


def describe_plan(config: RetrainConfig) -> str:
    """The stages that would run and why, Beam's options, the workers' packages, what is read and written, the devices.

    Raises:
        InputError: what a night would refuse before it starts, places that cannot be written aside.
    """
    check_without_writing(config)
    sections = {
        "stages": stages(config),
        "reads": sources(config),
        "writes": places(config),
        "Beam": beam(config.beam),
        "workers need": workers(config.beam),
        "training": training(config.devices),
    }
    lines = [f"{config.name} on {config.beam.runner}: what a night would do; nothing is started"]
    for title, rows in sections.items():
        lines += ["", title, *(f"  {row}".rstrip() for row in rows)]
    return "\n".join(lines)


def stages(config: RetrainConfig) -> Iterator[str]:
    """What becomes of each stage."""
    made: dict[str, Manifest] = {}
    absent = [file.shown for files in files_of(config).values() for file in files if not file.is_here]
    for stage in STAGES:
        before = [maker_of(kind).name for kind in stage.takes if kind not in made]
        if before:
            yield row(stage.name, "depends", f"on what {' and '.join(before)} will make")
        elif stage is ingest and absent:
            yield row(stage.name, "unknown", f"{absent[0]} is not on this machine; a night fetches it and then sees")
        else:
            inputs = [made[kind] for kind in stage.takes]
            found = config.find(stage, *inputs)
            if found:
                made[stage.makes] = found
                yield row(stage.name, "finished", f"{describe(found.totals())}  {found.directory}")
            else:
                yield row(stage.name, "runs", reason(config, stage, inputs))


def reason(config: RetrainConfig, stage: Stage[Any], inputs: list[Manifest]) -> str:
    """Why a stage would run, in its own words."""
    given = config.resources(stage)
    return stage.pending(config.section(stage), *inputs, output_dir=config.folder(stage), **given)


def files_of(config: RetrainConfig) -> Mapping[str, list[Location]]:
    """The files of each source, by its dotted name."""
    return {
        name: [file for files in places_of(name, source) for file in files]
        for _, name, source in config.corpus.sources()
    }


def sources(config: RetrainConfig) -> Iterator[str]:
    """What would be read, with sizes where they are known."""
    files = files_of(config)
    for split, name, source in config.corpus.sources():
        what = origin_of(source) if split == "train" else split
        if package := package_of(source):
            yield row(what, f"package {package} {version_of(name, package)}")
        for file in files[name]:
            yield row(what, f"{file.shown}, {megabytes(file.size)}{'' if file.is_here else ', to be fetched'}")


def megabytes(size: int | None) -> str:
    """A size for people.

    >>> megabytes(1_250_000), megabytes(None)
    ('1.2 MB', 'size not known')
    """
    return "size not known" if size is None else f"{size / 1e6:,.1f} MB"


def places(config: RetrainConfig) -> Iterator[str]:
    """Where something would be written."""
    for stage in STAGES:
        yield row(stage.name, str(config.folder(stage)))
    yield row("versions", f"{config.registry.rstrip('/')}/{config.name}")
    given = config.beam
    if given.is_elsewhere and given.exchange:
        prefix = f"{given.exchange.rstrip('/')}/{config.name}"
        yield row("exchange", f"{prefix}: copies of what workers read and write")
    elif given.is_elsewhere:
        yield row("exchange", f"none: workers must see {config.workspace.absolute()} as this machine does")
    if given.runner == "dataflow":
        yield row("Dataflow", given.dataflow.temp_location)
        if given.dataflow.staging_location:
            yield row("", given.dataflow.staging_location)


def beam(config: BeamConfig) -> Iterator[str]:
    """What Beam would be told, with nothing secret in it."""
    if config.is_elsewhere:
        yield f"--job_name={job_name('STAGE', '...')}"
    elif config.workers > 1:
        yield f"in {config.workers} worker processes of this machine"
    elif config.processes(PAIRS_FOR_SEVERAL_PROCESSES) > 1:
        number = config.processes(PAIRS_FOR_SEVERAL_PROCESSES)
        yield f"in this process, from {PAIRS_FOR_SEVERAL_PROCESSES:,} pairs on in {number} worker processes"
    else:
        yield "in this process"
    for flag in flags_of(config):
        yield redacted(flag)


def workers(config: BeamConfig) -> Iterator[str]:
    """With what workers must be set up."""
    if not config.is_elsewhere:
        yield "nothing: they are processes of this machine"
        return
    image = config.dataflow.container_image if config.runner == "dataflow" else config.environment.container_image
    if image:
        yield f"the image {image}"
    if setup := config.options.get("setup_file"):
        yield f"what {setup} installs when a worker starts, which takes minutes each time"
    if not image and not setup:
        yield f"our code where they run: {config.environment.kind}"
    yield "these versions, which each job compares before it begins:"
    for name, version in packages_here().items():
        yield row(name, version)


def training(devices: DeviceConfig) -> Iterator[str]:
    """On what would be trained."""
    what = {
        "one": "the first GPU of this machine, or its CPU",
        "mirrored": f"{devices.replicas or 'all'} devices of this machine",
        "multi_worker": f"{devices.workers} processes of this machine"
        if devices.workers
        else "the cluster that TF_CONFIG describes",
        "tpu": f"the TPU {devices.tpu}",
    }
    yield f"{devices.strategy}: {what[devices.strategy]}"
    if devices.compile:
        yield "compiled by XLA"


def row(name: str, *cells: str) -> str:
    """A name, and what is said of it."""
    first, *rest = cells
    return f"{name:<19} {f'{first:<9} {rest[0]}' if rest else first}"
