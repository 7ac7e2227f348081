"""Search: the tokens a model finds most probable, one after the other.

Letters: B sentences, K hypotheses kept for each (beams), N rows, T tokens written, S source positions, V tokens of the
vocabulary.

A search takes a step function and the state before the first step and knows no model. `step(tokens, state)` gets the
tokens `[N]` written last, `BOS` at first, and gives the next tokens' log-probabilities `[N, V]`, `PAD` being
impossible, and the state after; a state is any nest of tensors whose first dimension is N, which is B for greedy search
and sampling and B * K for a beam. All searches run inside a graph and stop as soon as every answer has ended.

    model/walk.py      greedy search, sampling
    model/beam.py      beam search, for the best answer or the n best

Who wants to know what the model looked at gives `observe(state)`, which gets the state after each step and finds the
attention weights `[N, S]` in it.
"""

import tensorflow as tf

from model.beam import beam
from model.config import SearchConfig
from model.hypotheses import Found, Observe, State, Step
from model.walk import greedy


def search(
    step: Step, state: State, sentences: tf.Tensor, config: SearchConfig, observe: Observe | None = None
) -> Found:
    """Greedy or beam search, as configured; `state` is that of `sentences` rows."""
    if config.beams == 1:
        return greedy(
            step,
            state,
            sentences,
            max_length=config.max_length,
            length_penalty=config.length_penalty,
            observe=observe,
        )
    return beam(
        step,
        state,
        sentences,
        beams=config.beams,
        max_length=config.max_length,
        length_penalty=config.length_penalty,
        observe=observe,
    )
