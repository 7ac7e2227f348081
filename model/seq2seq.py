"""The network: reads a source sentence, writes a target sentence.

Letters: B sentences, S source positions, T target positions, E width of a token vector, M width of the memory (both
directions of the encoder side by side), H units of the decoder, V tokens of the vocabulary.

    sources    how  are  you  </s>            ids, padded at the end
    inputs     <s>  wie  geht  es  dir        what the decoder has read before it writes the target at that position
    targets    wie  geht es   dir  </s>
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from model import decoder, recurrent
from model.attention import MASKED, AdditiveAttention, Attention, Memory, MultiplicativeAttention
from model.config import ModelConfig
from model.decoder import DecoderState
from pipeline.vocabulary import BOS, PAD, UNK


class Dropout(NamedTuple):
    """Dropout that a step can repeat: its masks depend on the seed alone (Srivastava et al., 2014)."""

    rate: float
    seed: tf.Tensor  # int32 [2]


def drop(values: tf.Tensor, dropout: Dropout | None, place: int) -> tf.Tensor:
    """Sets a share of the values to zero and enlarges the others; each place in the network has masks of its own."""
    if dropout is None or dropout.rate == 0:
        return values
    seed = tf.random.experimental.stateless_fold_in(dropout.seed, place)
    return tf.nn.experimental.stateless_dropout(values, dropout.rate, seed)


class Seq2Seq(keras.layers.Layer):  # type: ignore[misc]
    """A bidirectional encoder and a decoder with attention (Bahdanau et al., 2015).

    Five things differ from the paper. The cell is the one of `config.cell`. The decoder starts from the last states of
    both directions, not of the backward one alone. Attention is asked with the state of the present step, its answer
    being fed to the cell at the next one (input feeding; Luong et al., 2015), so that the readout sees a context chosen
    with the newest state. The readout is a tanh layer over state and context, not a maxout layer that sees the last
    token too. Source, target and output share one table of token vectors, since they share one vocabulary (Press &
    Wolf, 2017).

    Where a method takes `dropout`, None says that nothing is learned: no values are dropped, no gradient is prepared.
    """

    def __init__(self, config: ModelConfig, vocabulary: int, seed: int) -> None:
        super().__init__(name="seq2seq")
        size, units = config.embedding_size, config.decoder_units
        cell, memory = recurrent.CELLS[config.cell], 2 * config.encoder_units
        seeds = iter(range(1000 * seed, 1000 * seed + 1000, 10))
        self.table = self.add_weight(
            name="table",
            shape=(vocabulary, size),
            initializer=keras.initializers.RandomNormal(stddev=size**-0.5, seed=next(seeds)),
        )
        self.forward = cell(config.encoder_units, size, 0, next(seeds), name="forward")
        self.backward = cell(config.encoder_units, size, 0, next(seeds), name="backward")
        self.bridges = [
            keras.layers.Dense(
                units, "tanh", kernel_initializer=keras.initializers.GlorotUniform(next(seeds)), name=f"bridge_{part}"
            )
            for part in range(cell.states)
        ]
        self.decoder = cell(units, size, memory, next(seeds), name="decoder")
        self.attention: Attention = (
            AdditiveAttention(config.attention_units, units, memory, next(seeds), name="attention")
            if config.attention == "additive"
            else MultiplicativeAttention(memory, units, next(seeds), name="attention")
        )
        self.readout = keras.layers.Dense(
            size, "tanh", kernel_initializer=keras.initializers.GlorotUniform(next(seeds)), name="readout"
        )
        self.output_bias = self.add_weight(name="output_bias", shape=(vocabulary,), initializer="zeros")
        for bridge in self.bridges:
            bridge.build((None, memory))
        self.readout.build((None, units + memory))
        self.built = True

    def encode(self, sources: tf.Tensor, dropout: Dropout | None) -> tuple[Memory, DecoderState]:
        """Reads `[B, S]` ids, in both directions."""
        learns = dropout is not None
        real = tf.not_equal(sources, PAD)
        lengths = tf.reduce_sum(tf.cast(real, tf.int32), axis=1)
        vectors = drop(self.look_up(tf.transpose(sources)), dropout, 0)  # [S, B, E]
        forward = recurrent.run(self.forward, self.forward.project(vectors), learns=learns)
        # Reversing each sentence within its own length keeps the padding last in both directions.
        turned = tf.reverse_sequence(vectors, lengths, seq_axis=0, batch_axis=1)
        backward = recurrent.run(self.backward, self.backward.project(turned), learns=learns)
        values = tf.concat([forward[0], tf.reverse_sequence(backward[0], lengths, seq_axis=0, batch_axis=1)], axis=2)
        values = tf.transpose(values, [1, 0, 2])  # [B, S, M]
        memory = Memory(values, self.attention.keys(values), tf.where(real, 0.0, MASKED))
        last = tf.stack([lengths - 1, tf.range(tf.shape(sources)[0])], axis=1)
        cell = tuple(
            bridge(tf.concat([tf.gather_nd(ahead, last), tf.gather_nd(back, last)], axis=1))
            for bridge, ahead, back in zip(self.bridges, forward, backward, strict=True)
        )
        return memory, DecoderState(cell, tf.zeros_like(values[:, 0]))

    def decode(self, memory: Memory, state: DecoderState, targets: tf.Tensor, dropout: Dropout | None) -> tf.Tensor:
        """What the decoder knows before each target, having read those before it: `[B, T]` to `[T, B, H + M]`."""
        learns = dropout is not None
        inputs = tf.concat([tf.fill([1, tf.shape(targets)[0]], BOS), tf.transpose(targets)[:-1]], axis=0)
        projected = self.decoder.project(drop(self.look_up(inputs), dropout, 1))
        features = decoder.run(self.decoder, self.attention, memory, state, projected, learns=learns)
        return tf.concat(features, axis=2)

    def features(
        self, sources: tf.Tensor, targets: tf.Tensor, dropout: Dropout | None
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What the softmax sees at the N real target tokens, `[N, E]`, those tokens, `[N]`, and their rows, `[N]`."""
        decoded = self.decode(*self.encode(sources, dropout), targets, dropout)
        real = tf.where(tf.not_equal(tf.transpose(targets), PAD))  # [N, 2]: padding costs no softmax
        features = drop(self.readout(tf.gather_nd(decoded, real)), dropout, 2)
        return features, tf.gather_nd(tf.transpose(targets), real), real[:, 1]

    def predict(
        self, sources: tf.Tensor, targets: tf.Tensor, dropout: Dropout | None
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The logits `[N, V]` at the N real target tokens, those tokens `[N]`, and whose they are, `[N]`."""
        features, tokens, rows = self.features(sources, targets, dropout)
        return self.logits(features), tokens, rows

    @property
    def softmax(self) -> tuple[tf.Tensor, tf.Tensor]:
        """What it is made of: a vector for each token, `[V, E]`, and its bias, `[V]`."""
        return tf.convert_to_tensor(self.table), tf.convert_to_tensor(self.output_bias)

    def step(self, memory: Memory, state: DecoderState, tokens: tf.Tensor) -> tuple[tf.Tensor, DecoderState]:
        """One step of a search: the tokens just written, `[B]`, to the next one's log-probabilities, `[B, V]`.

        Nothing but a token that stands for text or the end can follow, so `PAD`, `UNK` and `BOS` are made impossible.
        """
        projected = self.decoder.project(self.look_up(tokens))
        state = decoder.advance(self.decoder, self.attention, memory, state, projected)
        logits = self.logits(self.readout(tf.concat([state.cell[0], state.context], axis=1)))
        never = tf.scatter_nd([[PAD], [UNK], [BOS]], [MASKED] * 3, [tf.shape(logits)[1]])
        return tf.nn.log_softmax(logits) + never, state

    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """Unnormalised log-probabilities of the next token: `[N, E]` to `[N, V]`."""
        table, bias = self.softmax
        return tf.matmul(features, table, transpose_b=True) + bias

    def look_up(self, tokens: tf.Tensor) -> tf.Tensor:
        """The tokens' vectors."""
        return tf.gather(self.table, tokens)
