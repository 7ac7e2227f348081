"""What a training begins with. Nothing heavy is imported here: it is asked whenever outputs are looked up.

An earlier model is named by the folder of a finished output of `train`, or by a version of a registry:

    workspace/weather-en-fr/train/3f9c2a7be01d
    workspace/registry/weather-en-fr@3             or @champion
    gs://models/nightshift/weather-en-fr@champion

Within a night `champion` or `3` is enough: it is of the registry and the name that the night registers as.

An alias moves, to the very model of a night among others, and a night with nothing new must not train again for that.
So an alias stands for the version that it stood for when the same data were first learned with the same configuration:
it is looked up among what is registered, and only where nothing is found, the alias is followed.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from model.config import TrainConfig
from model.registry import CHAMPION, WEIGHTS, Registry
from model.versions import Version
from pipeline import manifest as manifests
from pipeline.errors import InputError
from pipeline.manifest import InputRecord
from pipeline.reading.cache import cache_folder
from pipeline.reading.digests import digest_of
from pipeline.vocabularies import MODELS

PARAMETER: Final = "train.warm_start"
WITHIN_A_NIGHT: Final = re.compile(r"[a-z][a-z0-9-]{0,49}|\d{1,9}")
REFERENCE: Final = re.compile(rf"(.+)/([^/@]+)@({WITHIN_A_NIGHT.pattern})")


class Predecessor(NamedTuple):
    """The model that a training begins with.

    Args:
        record: of the output of `train` that it is, wherever it lies now.
        fetch: gives the folder on this machine with its weights and vocabularies, verified.
    """

    record: InputRecord
    fetch: Callable[[], Path]


def within(config: TrainConfig, registry: str, name: str) -> TrainConfig:
    """The configuration with the registry and the model's name where it names a version alone."""
    if not WITHIN_A_NIGHT.fullmatch(config.warm_start):
        return config
    return config.model_copy(update={"warm_start": f"{registry}/{name}@{config.warm_start}"})


def predecessor_of(config: TrainConfig, given: Mapping[str, InputRecord]) -> Predecessor | None:
    """The model that a training begins with, None where it begins with random weights.

    Those are the beginning too where `champion` is asked for and there is none yet.

    Args:
        config: of the training.
        given: what else is learned from, by kind.

    Raises:
        InputError: there is no such model.
    """
    wanted = config.warm_start
    if not wanted:
        return None
    if WITHIN_A_NIGHT.fullmatch(wanted):
        raise InputError(PARAMETER, wanted, f"REGISTRY/NAME@{wanted}, or a folder with a slash in it")
    found = REFERENCE.fullmatch(wanted)
    if not found:
        return in_folder(Path(wanted))
    location, name, version = found.groups()
    return in_registry(Registry(location, name), version, config, given)


def in_folder(folder: Path) -> Predecessor:
    """An output of `train`."""
    allowed = "folder of a finished output of train"
    try:
        made = manifests.read(folder)
    except InputError as error:
        raise InputError(PARAMETER, folder, allowed, str(error)) from error
    if made.kind != "model":
        raise InputError(PARAMETER, folder, allowed, f"this is one of {made.stage}")

    def fetch() -> Path:
        made.verify(WEIGHTS, MODELS)
        return folder

    return Predecessor(manifests.input_record(made), fetch)


def in_registry(
    registry: Registry, wanted: str, config: TrainConfig, given: Mapping[str, InputRecord]
) -> Predecessor | None:
    """A registered version, by its number or an alias."""
    if not wanted.isdecimal():
        canonical = config.canonical()
        for version in reversed(registry.versions()):
            if version.configs.get("train") == canonical and given.items() <= version.lineage.items():
                return predecessor_of_version(registry, version)
        if wanted == CHAMPION and registry.alias(CHAMPION) is None:
            return None
    try:
        version = registry.get(wanted)
    except InputError as error:
        raise InputError(PARAMETER, config.warm_start, error.allowed, error.cause) from error
    record = version.lineage["model"]
    return Predecessor(record, lambda: fetch(registry, version))


def predecessor_of_version(registry: Registry, version: Version) -> Predecessor | None:
    """What a version began with, None for random weights."""
    record = version.lineage.get("warm_start")
    return Predecessor(record, lambda: fetched(registry, record)) if record else None


def fetched(registry: Registry, record: InputRecord) -> Path:
    """The folder of the version that is a certain output of `train`."""
    for version in registry.versions():
        if version.lineage.get("model") == record:
            return fetch(registry, version)
    cause = f"what it began with, {record.fingerprint[:12]}, is no longer there; name a version by its number"
    raise InputError(PARAMETER, f"{registry.location}/{registry.name}", "the versions that models began with", cause)


def fetch(registry: Registry, version: Version) -> Path:
    """The folder of a version's files; raises `InputError` where weights are not among them."""
    if WEIGHTS not in {file.path for file in version.files}:
        shown = f"{registry.location}/{registry.name}@{version.number}"
        raise InputError(PARAMETER, shown, f"a version with {WEIGHTS}", "registered long ago?")
    return registry.fetch(version, cache_folder(), only=[WEIGHTS, MODELS])


def vectors_records(config: TrainConfig) -> dict[str, InputRecord]:
    """The content of the files with token vectors, `vectors.source` and `vectors.target`."""
    records = {}
    for side, given in config.vectors.given.items():
        try:
            digest = digest_of(Path(given.path).absolute())
        except OSError as error:
            allowed = "a text file of token vectors"
            raise InputError(f"train.vectors.{side}.path", given.path, allowed, str(error.strerror)) from error
        records[f"vectors.{side}"] = InputRecord(kind="vectors", fingerprint="", digest=digest)
    return records
