"""The training of a night as a flow of its own, for machines with accelerators."""

from prefect import flow

from flows import stages
from flows.dag import inputs_of
from flows.labels import run_name
from flows.parameters import NO_PRESET, NOTHING, Overrides, Preset, configured
from model.stages import train as stage


@flow(name="train", flow_run_name=run_name, persist_result=False)
def train(preset: Preset = NO_PRESET, overrides: Overrides = NOTHING) -> None:
    """Train a model on shards that are there, or go on with its training.

    Args:
        preset: The configuration to begin with; none: the defaults.
        overrides: What is to be different; an empty field leaves what the preset says.
    """
    config = configured(preset, overrides)
    stages.train(config, *inputs_of(stage, config))
