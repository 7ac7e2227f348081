"""The transformer (Vaswani et al., 2017), each part reading what is normalised (pre-norm; Xiong et al., 2020).

Letters: B sentences, S source positions, T target positions, N real target tokens, or in a search hypotheses: K of each
sentence, next to each other; P = T * K positions written by them, D width, H heads.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from model.attention import MASKED, by_row, by_sentence
from model.dropout import Dropout, drop, inside
from model.heads import KeyValue
from model.hypotheses import Shared
from model.layers import DecoderLayer, EncoderLayer
from model.network import Network, shifted
from model.norm import Norm

ENCODER, DECODER = 2, 3  # parts of the network whose dropout is drawn apart; 0 and 1 are places outside of them


class Read(NamedTuple):
    """What a decoder needs to know of the sources."""

    layers: tuple[KeyValue, ...]  # what each layer of the decoder looks at
    hidden: tf.Tensor  # [B, S]: 0 at real positions, MASKED at padding


class Written(NamedTuple):
    """What the decoder remembers between two steps.

    Keys and values stay where they were written, whichever hypotheses go on from there: those of a step lie behind
    those of the step before, K each. A hypothesis knows at which of the K places each step before it was written.
    """

    layers: Shared  # KeyValue of each layer, [B, H, P, D/H]
    places: tf.Tensor  # int32 [N, T]
    asking: tf.Tensor  # [N, D]: with what the last layer looked at the sources in the step before


class Transformer(Network):
    """`config.encoder_layers` and `config.decoder_layers` layers of width `config.embedding_size`.

    As in the paper token vectors are multiplied by sqrt(D), positions are sinusoids added to them, and values are
    dropped from that sum and from what each part of a layer adds. What differs: normalisation comes before each part,
    and once more after the last layer, so that a deep network learns from the first step on.
    """

    def lay_out(self) -> None:
        """Makes the layers of the encoder and the decoder."""
        config = self.config
        self.encoder = [EncoderLayer(config, self.seeds, f"encoder_{layer}") for layer in range(config.encoder_layers)]
        self.decoder = [DecoderLayer(config, self.seeds, f"decoder_{layer}") for layer in range(config.decoder_layers)]
        self.encoder_norm = Norm(config.embedding_size, "encoder_norm")
        self.decoder_norm = Norm(config.embedding_size, "decoder_norm")

    def encode(self, sources: tf.Tensor, dropout: Dropout | None) -> tuple[Read, Written]:
        """Reads ids `[B, S]` or frames: what the decoder's layers can look at, and the state of nothing written."""
        vectors, real = self.read_sources(sources)
        hidden = tf.where(real, 0.0, MASKED)
        inner = inside(dropout, ENCODER)
        values = drop(self.placed(vectors, tf.constant(0)), dropout, 0)
        for number, layer in enumerate(self.encoder):
            values = layer.run(values, hidden[:, tf.newaxis, tf.newaxis], inside(inner, number))
        values = self.encoder_norm.apply(values, learns=dropout is not None)
        memory = Read(tuple(layer.sources.read(values) for layer in self.decoder), hidden)
        sentences = tf.shape(sources)[0]
        nothing = Shared(tuple(layer.itself.none(sentences) for layer in self.decoder))
        places = tf.zeros([sentences, 0 * sentences], tf.int32)
        return memory, Written(nothing, places, tf.zeros([sentences, self.config.embedding_size]))

    def decode(self, memory: Read, state: Written, targets: tf.Tensor, dropout: Dropout | None) -> tf.Tensor:
        """What the decoder knows before each target, having read those before it: `[B, T]` to `[B, T, D]`."""
        length = tf.shape(targets)[1]
        later = tf.where(tf.range(length) > tf.range(length)[:, tf.newaxis], MASKED, 0.0)  # [T, T]
        values = drop(self.placed(self.look_up("target", shifted(targets)), tf.constant(0)), dropout, 1)
        return self._run(values, memory, later, None, inside(dropout, DECODER))[0]

    def advance(self, memory: Read, state: Written, tokens: tf.Tensor) -> tuple[tf.Tensor, Written]:
        """One step of `decode`: the tokens just written, `[N]`, to what it knows, `[N, D]`, and the state after."""
        sentences, steps = tf.shape(memory.hidden)[0], tf.shape(state.places)[1]
        each = tf.size(tokens) // tf.maximum(sentences, 1)
        places = tf.concat([state.places, tf.tile(tf.range(each), [sentences])[:, tf.newaxis]], axis=1)  # [N, T]
        written = tf.one_hot(places, each, on_value=0.0, off_value=MASKED)  # [N, T, K], by whom it was not
        elsewhere = tf.reshape(written, [sentences, 1, each, (steps + 1) * each])  # [B, 1, K, P]
        # The hypotheses of a sentence stand where in training its target positions do.
        vectors = self.placed(self.look_up("target", tokens)[:, tf.newaxis], steps)
        values = by_sentence(vectors[:, 0], memory.hidden)
        decoded, layers, asking = self._run(values, memory, elsewhere, state.layers.parts, None)
        return by_row(decoded), Written(Shared(layers), places, by_row(asking))

    def _run(
        self,
        values: tf.Tensor,
        memory: Read,
        unseen: tf.Tensor,
        before: tuple[KeyValue, ...] | None,
        dropout: Dropout | None,
    ) -> tuple[tf.Tensor, tuple[KeyValue, ...], tf.Tensor]:
        """All layers of the decoder over `[B, T, D]`, after what is written before.

        `unseen` hides what is not written yet, or by others. It gives what the last layer gives, what of each layer can
        be seen by who comes next, and with what the last layer looked at the sources, `[B, T, D]`.
        """
        written, asking = [], values
        hidden = memory.hidden[:, tf.newaxis, tf.newaxis]
        for number, layer in enumerate(self.decoder):
            inner = inside(dropout, number)
            values, seen = layer.look_around(values, unseen, inner, before[number] if before else None)
            values, asking = layer.look_at_sources(values, memory.layers[number], hidden, inner)
            values = layer.feed(values, inner)
            written.append(seen)
        return values, tuple(written), asking

    def read_out(self, decoded: tf.Tensor, dropout: Dropout | None) -> tf.Tensor:
        """What the softmax sees: `[N, D]` to `[N, D]`."""
        return self.decoder_norm.apply(decoded, learns=dropout is not None)

    def attend(self, memory: Read, state: Written) -> tf.Tensor:
        """The share of each source position in the step that led to a state: `[N, S]`.

        It is the mean over the heads of the last layer.
        """
        hidden = memory.hidden[:, tf.newaxis, tf.newaxis]
        asking = by_sentence(state.asking, memory.hidden)
        weights = self.decoder[-1].sources.weights(asking, memory.layers[-1], hidden)  # [B, H, K, S]
        return by_row(tf.reduce_mean(weights, axis=1))

    def placed(self, vectors: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        """Token vectors `[B, T, D]` with the sinusoids of their places, the first of which is given."""
        size = self.config.embedding_size
        return vectors * size**0.5 + sinusoids(first + tf.range(tf.shape(vectors)[1]), size)


def sinusoids(places: tf.Tensor, size: int) -> tf.Tensor:
    """sin(place / 10000^(2i/D)) at 2i and the cosine of it at 2i + 1: `[T]` to `[T, D]`."""
    columns = np.arange(size)
    rates = (10000.0 ** (-2 * (columns // 2) / size)).astype(np.float32)
    angles = tf.cast(places, tf.float32)[:, tf.newaxis] * rates
    return tf.where(columns % 2 == 0, tf.sin(angles), tf.cos(angles))
