"""What comes next: from a step's logits to tokens and their log-probabilities.

`PAD`, `UNK` and `BOS` take part in the softmax, as they do in training, but never come next.

Letters: N rows, V tokens of the vocabulary, K tokens wanted.
"""

import tensorflow as tf

from model.blocks import largest
from model.hypotheses import IMPOSSIBLE
from pipeline.vocabulary import EOS

FIRST = EOS  # the tokens before it stand neither for text nor for the end


def most_probable(logits: tf.Tensor, count: tf.Tensor | int) -> tuple[tf.Tensor, tf.Tensor]:
    """The K most probable tokens of each row and their log-probabilities, falling, both `[N, K]`.

    Where there are fewer tokens, the others have the log-probability IMPOSSIBLE.
    """
    columns = tf.shape(logits)[1] - FIRST
    best, tokens = largest(logits, tf.minimum(count, columns), FIRST)
    missing = [[0, 0], [0, tf.maximum(0, count - columns)]]
    gains = tf.maximum(best - normalizer(logits), IMPOSSIBLE)
    return tf.pad(gains, missing, constant_values=IMPOSSIBLE), tf.pad(tokens, missing)


def log_probabilities(logits: tf.Tensor) -> tf.Tensor:
    """Those of all tokens, `[N, V]`."""
    return tf.where(tf.range(tf.shape(logits)[1]) < FIRST, IMPOSSIBLE, logits - normalizer(logits))


def normalizer(logits: tf.Tensor) -> tf.Tensor:
    """log(sum(exp(logits))) of each row, `[N, 1]`, which is what its softmax divides by.

    With m the largest logit, the largest probability is exp(m) / sum(exp(logits)). The softmax is one kernel that looks
    at each row while it is in the cache; TensorFlow's own `reduce_logsumexp` passes over all rows three times.
    """
    highest = tf.reduce_max(logits, axis=1, keepdims=True)
    return highest - tf.math.log(tf.reduce_max(tf.nn.softmax(logits), axis=1, keepdims=True))
