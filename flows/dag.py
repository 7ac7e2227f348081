"""The order of the stages, worked out from what each reads and makes. For running one stage alone."""

from typing import Any

from flows.settings import RetrainConfig
from model.register import register
from model.stages import evaluate, train
from pipeline.build_vocabulary import build_vocabulary
from pipeline.errors import InputError
from pipeline.ingest import ingest
from pipeline.inspection import inspect
from pipeline.jobs import clean, shard
from pipeline.manifest import Manifest
from pipeline.stage import Stage

STAGES: tuple[Stage[Any], ...] = (ingest, clean, build_vocabulary, shard, inspect, train, evaluate, register)


def stage_named(name: str) -> Stage[Any]:
    """The stage of that name."""
    return next(stage for stage in STAGES if stage.name == name)


def maker_of(kind: str) -> Stage[Any]:
    """The stage that makes manifests of a kind."""
    return next(stage for stage in STAGES if stage.makes == kind)


def inputs_of(stage: Stage[Any], config: RetrainConfig) -> list[Manifest]:
    """The finished outputs that a stage reads under a configuration.

    Raises:
        InputError: one of them is not there yet; names the command that makes it.
    """
    return [finished(maker_of(kind), config) for kind in stage.takes]


def finished(stage: Stage[Any], config: RetrainConfig) -> Manifest:
    """A stage's finished output under a configuration."""
    found = config.find(stage, *inputs_of(stage, config))
    if found is None:
        command = f"nightshift {stage.name.replace('_', '-')}"
        cause = f"run {command} first with the same options, or nightshift retrain for all stages"
        allowed = f"a finished output of {stage.name} in {config.folder(stage)}"
        raise InputError(stage.makes, "not there", allowed, cause)
    return found
