"""The first part of a night as a flow of its own, for machines that are good with text."""

from prefect import State, flow

from flows.alone import alone_in
from flows.labels import run_name
from flows.parameters import NO_PRESET, NOTHING, Overrides, Preset, configured
from flows.settings import RetrainConfig
from flows.stages import build_vocabulary, clean, ingest, inspect, shard


@flow(name="prepare", flow_run_name=run_name, persist_result=False)
def prepare(preset: Preset = NO_PRESET, overrides: Overrides = NOTHING) -> State[None] | None:
    """Read what is new, clean it, build the vocabulary, shard and inspect.

    Args:
        preset: The configuration to begin with; none: the defaults.
        overrides: What is to be different; an empty field leaves what the preset says.
    """
    return alone_in("prepare", configured(preset, overrides), data_stages)


def data_stages(config: RetrainConfig) -> None:
    """The stages of this part."""
    corpus = ingest(config)
    pairs = clean(config, corpus)
    vocabulary = build_vocabulary(config, pairs)
    shards = shard(config, pairs, vocabulary)
    inspect(config, shards, vocabulary)
