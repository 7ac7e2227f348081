"""The layers of a transformer (Vaswani et al., 2017), each part reading what is normalised (pre-norm).

Letters: B sentences, S source positions, T target positions, D width, H heads.
"""

from collections.abc import Iterator

import keras
import tensorflow as tf

from model.config import ModelConfig
from model.dropout import Dropout, drop
from model.heads import Heads, KeyValue
from model.linear import Linear
from model.norm import Norm


class EncoderLayer(keras.layers.Layer):  # type: ignore[misc]
    """Positions look at each other, then each passes a feed-forward network."""

    def __init__(self, config: ModelConfig, seeds: Iterator[int], name: str) -> None:
        super().__init__(name=name)
        size, hidden = config.embedding_size, config.feedforward_units
        self.itself_norm = Norm(size, f"{name}_itself_norm")
        self.itself = Heads(size, config.heads, next(seeds), f"{name}_itself")
        self.forward_norm = Norm(size, f"{name}_forward_norm")
        self.wide = Linear(size, hidden, next(seeds), f"{name}_wide")
        self.narrow = Linear(hidden, size, next(seeds), f"{name}_narrow")
        self.built = True

    def run(self, values: tf.Tensor, hidden: tf.Tensor, dropout: Dropout | None) -> tf.Tensor:
        """`[B, S, D]` to the same shape; `hidden`, `[B, 1, 1, S]`, is MASKED at padding."""
        values, _ = self.look_around(values, hidden, dropout)
        return self.feed(values, dropout)

    def look_around(
        self, values: tf.Tensor, hidden: tf.Tensor, dropout: Dropout | None, before: KeyValue | None = None
    ) -> tuple[tf.Tensor, KeyValue]:
        """Self-attention over `[B, T, D]` and the positions before these; gives all that can be seen after it too."""
        normed = self.itself_norm.apply(values, learns=dropout is not None)
        seen = self.itself.read(normed)
        seen = before.then(seen) if before else seen
        return values + drop(self.itself.attend(normed, seen, hidden), dropout, 0), seen

    def feed(self, values: tf.Tensor, dropout: Dropout | None) -> tf.Tensor:
        """The feed-forward network."""
        widened = tf.nn.relu(self.wide.apply(self.forward_norm.apply(values, learns=dropout is not None)))
        return values + drop(self.narrow.apply(widened), dropout, 1)


class DecoderLayer(EncoderLayer):
    """Positions look at those before them, then at the sources, then pass a feed-forward network."""

    def __init__(self, config: ModelConfig, seeds: Iterator[int], name: str) -> None:
        super().__init__(config, seeds, name)
        self.sources_norm = Norm(config.embedding_size, f"{name}_sources_norm")
        self.sources = Heads(config.embedding_size, config.heads, next(seeds), f"{name}_sources")

    def look_at_sources(
        self, values: tf.Tensor, sources: KeyValue, hidden: tf.Tensor, dropout: Dropout | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Attention over the sources, `[B, T, D]`; gives what they were asked with too."""
        asking = self.sources_norm.apply(values, learns=dropout is not None)
        return values + drop(self.sources.attend(asking, sources, hidden), dropout, 2), asking
