"""The nightly flow."""

from prefect import State, flow

from flows.alone import alone
from flows.artifacts.publishing import publish
from flows.check import check
from flows.dispatch import (
    build_vocabulary,
    check_deployments,
    clean,
    evaluate,
    ingest,
    inspect,
    register,
    shard,
    train,
)
from flows.labels import data_tag, run_name, tag, version_tags
from flows.notify.hooks import tell
from flows.parameters import NO_PRESET, NOTHING, Overrides, Preset, configured
from flows.settings import RetrainConfig
from flows.summary import Night


@flow(name="retrain", flow_run_name=run_name, persist_result=False, on_failure=[tell], on_crashed=[tell])
def retrain(preset: Preset = NO_PRESET, overrides: Overrides = NOTHING) -> Night | State[Night]:
    """Clean, shard, train, score and register one sequence-to-sequence model.

    Args:
        preset: The configuration to begin with; none: the defaults.
        overrides: What is to be different; an empty field leaves what the preset says.

    Raises:
        InputError: something that was given cannot be used; nothing is tried again.
        Skipped: another night makes the same model; in Prefect a state of that name.
    """
    config = configured(preset, overrides)
    check(config)
    check_deployments(config.deployments)
    return alone(config, run_stages)


def run_stages(config: RetrainConfig) -> Night:
    """The stages of a night, each of which reads what those before it made."""
    corpus = ingest(config)
    pairs = clean(config, corpus)
    vocabulary = build_vocabulary(config, pairs)
    shards = shard(config, pairs, vocabulary)
    tag(data_tag(shards))
    statistics = inspect(config, shards, vocabulary)
    trained = train(config, shards, vocabulary)
    evaluation = evaluate(config, trained, pairs)
    version = register(config, corpus, pairs, statistics, trained, evaluation)
    tag(*version_tags(version))
    night = Night(corpus, pairs, vocabulary, shards, statistics, trained, evaluation, version)
    publish(config, night)
    return night
