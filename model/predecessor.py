"""Which model a training begins with. Nothing heavy is imported here: it is asked whenever outputs are looked up."""

from pathlib import Path

from model.config import TrainConfig
from pipeline import manifest as manifests
from pipeline.errors import InputError
from pipeline.manifest import Manifest

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
