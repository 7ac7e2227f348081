"""What a training begins with. Nothing heavy is imported here: it is asked whenever outputs are looked up."""

from pathlib import Path

from model.config import TrainConfig
from pipeline import manifest as manifests
from pipeline.errors import InputError
from pipeline.manifest import InputRecord, Manifest
from pipeline.reading.digests import digest_of

PARAMETER = "train.warm_start"


def predecessor_of(config: TrainConfig) -> Manifest | None:
    """The output of `train` that a training begins with, None where it begins with random weights."""
    if not config.warm_start:
        return None
    try:
        found = manifests.read(Path(config.warm_start))
    except InputError as error:
        raise InputError(PARAMETER, config.warm_start, "folder of a finished output of train", str(error)) from error
    if found.kind != "model":
        cause = f"this is one of {found.stage}"
        raise InputError(PARAMETER, config.warm_start, "folder of a finished output of train", cause)
    return found


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
