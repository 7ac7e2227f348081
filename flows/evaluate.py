"""The last part of a night as a flow of its own: both its stages run models, the second one the champion."""

from prefect import State, flow

from flows import stages
from flows.alone import alone_in
from flows.dag import inputs_of
from flows.labels import run_name
from flows.parameters import NO_PRESET, NOTHING, Overrides, Preset, configured
from flows.settings import RetrainConfig
from model.register import register
from model.stages import evaluate as stage


@flow(name="evaluate", flow_run_name=run_name, persist_result=False)
def evaluate(preset: Preset = NO_PRESET, overrides: Overrides = NOTHING) -> State[None] | None:
    """Score a model that is trained, register it, and promote it if it is better than the champion.

    Args:
        preset: The configuration to begin with; none: the defaults.
        overrides: What is to be different; an empty field leaves what the preset says.
    """
    return alone_in("evaluate", configured(preset, overrides), evaluation_stages)


def evaluation_stages(config: RetrainConfig) -> None:
    """The stages of this part."""
    stages.evaluate(config, *inputs_of(stage, config))
    stages.register(config, *inputs_of(register, config))
