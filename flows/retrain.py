"""The nightly flow."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.check import check
from flows.settings import RetrainConfig
from flows.stages import build_vocabulary, clean, evaluate, ingest, inspect, register, shard, train
from flows.summary import Night, as_text


@flow(name="retrain", flow_run_name="retrain {config.name}", persist_result=False)
def retrain(config: RetrainConfig) -> Night:
    """Clean, shard, train, score and register one sequence-to-sequence model.

    Raises:
        InputError: something that was given cannot be used; nothing is tried again.
    """
    check(config)
    corpus = ingest(config)
    pairs = clean(config, corpus)
    vocabulary = build_vocabulary(config, pairs)
    shards = shard(config, pairs, vocabulary)
    statistics = inspect(config, shards, vocabulary)
    trained = train(config, shards, vocabulary)
    evaluation = evaluate(config, trained, pairs)
    version = register(config, corpus, pairs, statistics, trained, evaluation)
    night = Night(corpus, pairs, vocabulary, shards, statistics, trained, evaluation, version)
    create_markdown_artifact(f"```\n{as_text(config, night)}\n```", key="summary")
    return night
