"""The last part of a night as a flow of its own: both its stages run models, the second one the champion."""

from prefect import flow

from flows import stages
from flows.dag import inputs_of
from flows.labels import run_name
from flows.parameters import NO_PRESET, NOTHING, Overrides, Preset, configured
from model.register import register
from model.stages import evaluate as stage


@flow(name="evaluate", flow_run_name=run_name, persist_result=False)
def evaluate(preset: Preset = NO_PRESET, overrides: Overrides = NOTHING) -> None:
    """Score a model that is trained, register it, and promote it if it is better than the champion.

    Args:
        preset: The configuration to begin with; none: the defaults.
        overrides: What is to be different; an empty field leaves what the preset says.
    """
    config = configured(preset, overrides)
    stages.evaluate(config, *inputs_of(stage, config))
    stages.register(config, *inputs_of(register, config))
