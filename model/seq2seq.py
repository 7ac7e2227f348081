"""The recurrent networks: an encoder, attention, and a decoder.

Letters: B sentences, S source positions, T target positions, E width of a token vector, M width of the memory, H units
of the decoder, X what the decoder knows, its state and what it looked at (H + M, or H without attention), N real target
tokens, or in a search hypotheses: K of each sentence, next to each other.
"""

from typing import NamedTuple

import tensorflow as tf

from model import decoder, recurrent
from model.attention import MASKED, AdditiveAttention, Memory, MultiplicativeAttention, by_row, by_sentence
from model.decoder import FedState
from model.dropout import Dropout, drop, inside, mask
from model.encoder import RecurrentEncoder
from model.linear import Linear
from model.network import Network, shifted
from model.recurrent import Cell, State
from pipeline.errors import InputError

ENCODER, DECODER = 2, 3  # parts of the network whose dropout is drawn apart; 0 and 1 are places outside of them


class DecoderState(NamedTuple):
    """What the decoder remembers between two steps."""

    layers: tuple[State, ...]  # from the lowest, of each its parts, `[B, H]`
    context: tf.Tensor | tuple[()]  # [B, M]: what attention found at the step before, where it is fed


class Seq2Seq(Network):
    """An encoder and a decoder of one kind of cell.

    With `additive` attention (Bahdanau et al., 2015) the lowest layer asks at each step and is fed the answer at the
    next one (input feeding; Luong et al., 2015), so the layer waits for it. With `multiplicative` attention (Luong et
    al., 2015) the top layer asks, for all steps at once, after the last of them. With `none` (Sutskever et al., 2014)
    the decoder knows the encoder's last states alone.

    What differs from the papers: each layer of the decoder starts from the last states of all layers and directions of
    the encoder. Attention is asked with the state of the present step. The readout is a tanh layer over state and
    context, as wide as the token vectors. Layers above the first are residual (Wu et al., 2016).
    """

    def lay_out(self) -> None:
        """Makes the encoder, the attention, the decoder and what joins them."""
        config = self.config
        size, units, seeds = config.embedding_size, config.decoder_units, self.seeds
        cell = recurrent.CELLS[config.architecture]
        self.encoder = RecurrentEncoder(config, size, seeds)
        memory, ends = self.encoder.width, self.encoder.width * config.encoder_layers
        self.fed: AdditiveAttention | None = None
        self.asked: MultiplicativeAttention | None = None
        if config.attention == "additive":
            self.fed = AdditiveAttention(config.attention_units, units, memory, next(seeds), name="attention")
        elif config.attention == "multiplicative":
            form = config.multiplicative_form
            self.asked = MultiplicativeAttention(form, units, memory, next(seeds), name="attention")
        context = memory if self.fed else 0
        self.bridges = [
            [Linear(ends, units, next(seeds), f"bridge_{number}_{part}") for part in range(cell.states)]
            for number in range(config.decoder_layers)
        ]
        self.cells: list[Cell] = [
            cell(units, units if number else size, 0 if number else context, next(seeds), name=f"decoder_{number}")
            for number in range(config.decoder_layers)
        ]
        self.readout = Linear(units + (0 if config.attention == "none" else memory), size, next(seeds), "readout")

    def encode(self, sources: tf.Tensor, dropout: Dropout | None) -> tuple[Memory, DecoderState]:
        """Reads ids `[B, S]` or frames: the memory, and the decoder's state before the first step."""
        vectors, real = self.read_sources(sources)
        lengths = tf.reduce_sum(tf.cast(real, tf.int32), axis=1)
        vectors = tf.transpose(vectors, [1, 0, 2])  # [S, B, E]
        values, ends = self.encoder.read(vectors, lengths, inside(dropout, ENCODER))
        values = tf.transpose(values, [1, 0, 2])  # [B, S, M]
        attention = self.fed or self.asked
        memory = Memory(values, attention.keys(values) if attention else values, tf.where(real, 0.0, MASKED))
        layers = tuple(
            tuple(tf.tanh(bridge.apply(end)) for bridge, end in zip(bridges, ends, strict=True))
            for bridges in self.bridges
        )
        return memory, DecoderState(layers, tf.zeros_like(values[:, 0]) if self.fed else ())

    def decode(self, memory: Memory, state: DecoderState, targets: tf.Tensor, dropout: Dropout | None) -> tf.Tensor:
        """What the decoder knows before each target, having read those before it: `[B, T]` to `[B, T, X]`."""
        learns, inner = dropout is not None, inside(dropout, DECODER)
        same_along = 0 if self.config.variational else None
        shown = self.look_up("target", tf.transpose(shifted(targets)))  # [T, B, E]
        contexts = None
        for number, (cell, first) in enumerate(zip(self.cells, state.layers, strict=True)):
            projected = cell.project(drop(shown, inside(inner, number), 0, same_along))
            width = cell.recurrent.shape[0]
            held = mask([tf.shape(targets)[0], width], inside(inner, number), 1) if self.config.variational else None
            if number == 0 and self.fed:
                start = FedState(first, state.context)
                shown, contexts = decoder.run(cell, self.fed, memory, start, projected, learns=learns, mask=held)
            else:
                states = recurrent.run(cell, projected, first, learns=learns, mask=held)
                shown = shown + states[0] if number else states[0]
        decoded = tf.transpose(shown, [1, 0, 2])  # [B, T, H]
        if self.asked:
            decoded = tf.concat([decoded, self.asked.attend(decoded, memory)], axis=2)
        elif contexts is not None:
            decoded = tf.concat([decoded, tf.transpose(contexts, [1, 0, 2])], axis=2)
        # What is dropped for all steps is dropped here; else the readout's values are, and of real tokens alone.
        return drop(decoded, dropout, 1, same_along=1) if self.config.variational else decoded

    def advance(self, memory: Memory, state: DecoderState, tokens: tf.Tensor) -> tuple[tf.Tensor, DecoderState]:
        """One step of `decode`: the tokens just written, `[N]`, to what it knows, `[N, X]`, and the state after."""
        shown, layers, context = self.look_up("target", tokens), [], state.context
        for number, (cell, before) in enumerate(zip(self.cells, state.layers, strict=True)):
            projected = cell.project(shown)
            if number == 0 and self.fed:
                fed = decoder.advance(cell, self.fed, memory, FedState(before, state.context), projected)
                after, context = fed.cell, fed.context
            else:
                after = cell.step(projected, tf.zeros([tf.size(tokens), 0]), before)
            shown = shown + after[0] if number else after[0]
            layers.append(after)
        state = DecoderState(tuple(layers), context)
        if self.asked:
            context = by_row(self.asked.attend(by_sentence(shown, memory.hidden), memory))
        return (shown if isinstance(context, tuple) else tf.concat([shown, context], axis=1)), state

    def read_out(self, decoded: tf.Tensor, dropout: Dropout | None) -> tf.Tensor:
        """What the softmax sees: `[N, X]` to `[N, E]`."""
        features = tf.tanh(self.readout.apply(decoded))
        return features if self.config.variational else drop(features, dropout, 0)

    def attend(self, memory: Memory, state: DecoderState) -> tf.Tensor:
        """The share of each source position in the step that led to a state: `[N, S]`."""
        if self.fed:
            return self.fed.weights(state.layers[0][0], memory)
        if self.asked:
            shown = tf.add_n([layer[0] for layer in state.layers])  # what residual layers show is their sum
            return by_row(self.asked.weights(by_sentence(shown, memory.hidden), memory))
        raise InputError("train.model.attention", "none", "additive or multiplicative", "nothing was looked at")
