"""What searching costs: sentences per CPU second of an untrained model, and against searches with `tf.math.top_k`.

    make bench SUITE=search

The model is the reference R of the training bench: bi-LSTM 256+256, LSTM 512, embeddings 256, vocabulary 8,000; first
weights hardly ever write the closing token, so that all answers are cut off at the same length. Encoding is left out.
All in one process on one thread; the quickest of some runs counts, those of both kinds taking turns.
"""

import time
from collections.abc import Callable
from unittest import mock

import tensorflow as tf

from model import blocks
from model.architectures import build_model
from model.config import ModelConfig, SearchConfig
from model.network import Network
from model.search import search
from tests.bench.report import merge, show

VOCABULARY = 8000
SENTENCES, SOURCE_TOKENS, TOKENS = 64, 14, 14
RUNS = 5
MEANINGS = {
    "search.greedy_per_cpu_s": "sentences of 14 tokens, greedy",
    "search.beam_5_per_cpu_s": "the same, beam 5",
    "search.beam_5_top_k_per_cpu_s": "beam 5 with tf.math.top_k over the whole vocabulary",
    "search.beam_5_gain": "how many times quicker blocks make beam 5",
    "search.top_5_ms": "the 5 largest of 8,000 values, 320 rows",
    "search.top_5_top_k_ms": "the same with tf.math.top_k",
    "search.top_5_gain": "how many times quicker blocks are",
}


def cpu_seconds(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The least CPU time of each, taking turns; what is traced before is not counted."""
    for run in runs.values():
        run()
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(RUNS):
        for name, run in runs.items():
            before = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - before)
    return best


def searching(model: Network, beams: int, wide: int) -> Callable[[], object]:
    """A search in a graph that cuts rows into blocks from `wide` columns on."""
    config = SearchConfig(beams=beams, max_length=TOKENS)
    chance = tf.random.stateless_uniform([SENTENCES, SOURCE_TOKENS], [1, 2], 4, VOCABULARY, tf.int32)
    memory, state = model.encode(chance, None)
    memory = tf.nest.map_structure(lambda part: tf.repeat(part, beams, axis=0), memory)
    graph = tf.function(
        lambda state: search(lambda tokens, state: model.step(memory, state, tokens), state, SENTENCES, config)[:2]
    )
    with mock.patch.object(blocks, "WIDE", wide):
        graph(state)
    return lambda: graph(state)


def choosing(wide: int) -> Callable[[], object]:
    """The largest values of the rows that a beam of 5 has at each step."""
    values = tf.random.stateless_normal([5 * SENTENCES, VOCABULARY], [1, 2])
    graph = tf.function(lambda values: blocks.largest(values, 5))
    with mock.patch.object(blocks, "WIDE", wide):
        graph(values)
    return lambda: graph(values)


def main() -> None:
    """Measures and prints."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    network = ModelConfig(embedding_size=256, encoder_units=256, decoder_units=512, attention="multiplicative")
    model = build_model(network, VOCABULARY, 1)
    never = VOCABULARY + 1
    seconds = cpu_seconds(
        {
            "greedy": searching(model, 1, blocks.WIDE),
            "beam": searching(model, 5, blocks.WIDE),
            "beam_top_k": searching(model, 5, never),
            "top": choosing(blocks.WIDE),
            "top_k": choosing(never),
        }
    )
    figures = {
        "search.greedy_per_cpu_s": SENTENCES / seconds["greedy"],
        "search.beam_5_per_cpu_s": SENTENCES / seconds["beam"],
        "search.beam_5_top_k_per_cpu_s": SENTENCES / seconds["beam_top_k"],
        "search.beam_5_gain": seconds["beam_top_k"] / seconds["beam"],
        "search.top_5_ms": 1000 * seconds["top"],
        "search.top_5_top_k_ms": 1000 * seconds["top_k"],
        "search.top_5_gain": seconds["top_k"] / seconds["top"],
    }
    show(f"search, {SENTENCES} sentences at a time", figures, MEANINGS)
    merge(figures)


if __name__ == "__main__":
    main()
