"""Search: the tokens a model finds most probable, one after the other.

Letters: B sentences, A of them that are still searched, K hypotheses kept for each (beams), N = A * K rows, T tokens
written, S source positions, V tokens of the vocabulary.

A search takes a step function and the state before the first step and knows no model. `step(tokens, state)` gets the
tokens `[N]` written last, `BOS` at first, and gives the next tokens' logits `[N, V]` and the state after. Any logits do
of which the softmax is what the model means; `PAD`, `UNK` and `BOS` have their share in it but are never chosen.

A state is a nest of tuples of tensors. The first dimension of a tensor is the row, N, which is A for greedy search and
sampling; the search puts the rows in the order of the hypotheses. What all hypotheses of a sentence have in common,
such as what an encoder made of the source, is wrapped in `model.hypotheses.Shared`: its first dimension is A and no
beam repeats it. Both lose the sentences that are done, a few at a time, so all that a step knows of sentences must be
in the state.

All searches run inside a graph and stop as soon as every answer has ended.

    model/walk.py         greedy search, sampling
    model/beam.py         beam search, for the best answer or the n best
    model/choice.py       from logits to the next tokens
    model/hypotheses.py   what all searches share

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
