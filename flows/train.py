"""The training of a night as a flow of its own, for machines with accelerators."""

from prefect import State, flow

from flows import stages
from flows.alone import alone_in
from flows.dag import inputs_of
from flows.labels import run_name
from flows.parameters import NO_PRESET, NOTHING, Overrides, Preset, configured
from flows.settings import RetrainConfig
from model.stages import train as stage


@flow(name="train", flow_run_name=run_name, persist_result=False)
def train(preset: Preset = NO_PRESET, overrides: Overrides = NOTHING) -> State[None] | None:
    """Train a model on shards that are there, or go on with its training.

    Args:
        preset: The configuration to begin with; none: the defaults.
        overrides: What is to be different; an empty field leaves what the preset says.
    """
    return alone_in("train", configured(preset, overrides), train_stage)


def train_stage(config: RetrainConfig) -> None:
    """The stage of this part."""
    stages.train(config, *inputs_of(stage, config))
