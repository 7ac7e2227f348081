"""What `nightshift train` does on a worker of a cluster that is not the first one."""

from typing import cast

from flows.settings import RetrainConfig
from model.config import TrainConfig
from model.helper import help_to_train
from model.stages import train
from pipeline.manifest import Manifest


def help_with(config: RetrainConfig, shards: Manifest, vocabulary: Manifest) -> None:
    """Takes part in the training whose first worker runs the stage, unless its output is there already."""
    if not config.find(train, shards, vocabulary):
        section = cast(TrainConfig, config.section(train))
        help_to_train(section, shards, vocabulary, output_dir=config.folder(train), devices=config.devices)
