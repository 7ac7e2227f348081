"""What all architectures have in common: the face that training, export and search know.

Letters: B sentences, S source positions, T target positions, N real target tokens, E width of a token vector, X width
of what a decoder knows, F width of what the softmax sees, V tokens of the targets' vocabulary, U of the sources'. In a
search N is the number of hypotheses, K of each sentence.

    sources    how  are  you  </s>            ids, padded at the end
    inputs     <s>  wie  geht  es  dir        what the decoder has read before it writes the target at that position
    targets    wie  geht es   dir  </s>

Sources may also be frames of numbers (`model.frames`). An architecture says how it encodes the sources, what it knows
before each target (`decode` for all of them at once, `advance` for one after the other), and how that becomes what the
softmax sees (`read_out`). Where a method takes `dropout`, None says that nothing is learned: no values are dropped, no
gradient is prepared.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from model.config import ModelConfig
from model.dropout import Dropout
from model.frames import Frames
from model.hypotheses import Shared
from model.rounded import held, product
from pipeline.vocabulary import BOS, PAD

Memory = Any  # any nest of tensors whose first dimension is the sentence
State = Any  # likewise; in a search the first dimension is the hypothesis, where it is not marked as shared
SearchState = tuple[Shared, State]  # the memory, and the decoder's state
Side = Literal["source", "target", "output"]


class Network(keras.layers.Layer, ABC):  # type: ignore[misc]
    """Token vectors, softmax, and what follows from an architecture's own part.

    Targets and softmax share one table of token vectors, and so do the sources where they share the targets' vocabulary
    (Press & Wolf, 2017), unless `config.tied` is off: then each has its own. Sources that are frames have a kernel in
    place of a table.

    Args:
        config: what the network is like.
        vocabulary: V.
        seed: decides its weights.
        source_vocabulary: U where it is another vocabulary, None where the sources share the targets'.
        frame_size: numbers of a frame, where sources are frames and no tokens; otherwise 0.
    """

    def __init__(
        self,
        config: ModelConfig,
        vocabulary: int,
        seed: int,
        source_vocabulary: int | None = None,
        frame_size: int = 0,
    ) -> None:
        super().__init__(name="seq2seq")
        self.config = config
        self.seeds: Iterator[int] = iter(range(4000 * seed, 4000 * seed + 4000, 5))  # a layer may use the next ones too
        self.frozen: dict[str, np.ndarray[Any, np.dtype[np.bool_]]] = {}
        self.frames = (
            Frames(frame_size, config.frame_stride, config.embedding_size, next(self.seeds)) if frame_size else None
        )
        names = table_names(config, are_shared=source_vocabulary is None, are_frames=frame_size > 0)
        sizes = dict.fromkeys(names.values(), vocabulary)
        if source_vocabulary is not None and "source" in names:
            sizes[names["source"]] = source_vocabulary
        made = {name: self.new_table(name, size) for name, size in sizes.items()}
        self.tables: dict[Side, Any] = {side: made[name] for side, name in names.items()}
        self.output_bias = self.add_weight(name="output_bias", shape=(vocabulary,), initializer="zeros")
        self.lay_out()
        self.built = True

    @abstractmethod
    def lay_out(self) -> None:
        """Makes the architecture's own layers, which draw from `seeds` one after the other."""

    def new_table(self, name: str, vocabulary: int) -> Any:
        """A vector for each token, of about length one."""
        size = self.config.embedding_size
        spread = keras.initializers.RandomNormal(stddev=size**-0.5, seed=next(self.seeds))
        return self.add_weight(name=name, shape=(vocabulary, size), initializer=spread)

    @abstractmethod
    def encode(self, sources: tf.Tensor, dropout: Dropout | None) -> tuple[Memory, State]:
        """Reads ids `[B, S]` or frames: what the decoder looks at, and its state before the first step."""

    @abstractmethod
    def decode(self, memory: Memory, state: State, targets: tf.Tensor, dropout: Dropout | None) -> tf.Tensor:
        """What the decoder knows before each target, having read those before it: `[B, T]` to `[B, T, X]`."""

    @abstractmethod
    def advance(self, memory: Memory, state: State, tokens: tf.Tensor) -> tuple[tf.Tensor, State]:
        """One step of `decode`: the tokens just written, `[N]`, to what it knows, `[N, X]`, and the state after.

        N may be a multiple of B: then each sentence has several hypotheses, next to each other.
        """

    @abstractmethod
    def read_out(self, decoded: tf.Tensor, dropout: Dropout | None) -> tf.Tensor:
        """What the softmax sees: `[N, X]` to `[N, F]`."""

    @abstractmethod
    def attend(self, memory: Memory, state: State) -> tf.Tensor:
        """The share of each source position in the step that led to a state: `[N, S]`."""

    def features(
        self, sources: tf.Tensor, targets: tf.Tensor, dropout: Dropout | None, multiple: int = 1
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What the softmax sees at the N real target tokens, `[N, F]`, those tokens, `[N]`, and their rows, `[N]`.

        N is filled up to a multiple of a number; the tokens there are `PAD`, and what is seen there means nothing.
        """
        decoded = self.decode(*self.encode(sources, dropout), targets, dropout)
        real = tf.where(tf.not_equal(targets, PAD))  # [N, 2]: padding costs no softmax
        filling = [0, -tf.shape(real)[0] % multiple]
        places = tf.pad(real, [filling, [0, 0]])
        features = self.read_out(tf.gather_nd(decoded, places), dropout)
        return features, tf.pad(tf.gather_nd(targets, real), [filling], constant_values=PAD), places[:, 0]

    def features_everywhere(
        self, sources: tf.Tensor, targets: tf.Tensor, dropout: Dropout | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What the softmax sees at all targets, `[B*T, F]`, and those, `[B*T]`, padding too, so that shapes are fixed.

        What is at padding means nothing.
        """
        decoded = self.decode(*self.encode(sources, dropout), targets, dropout)
        tokens = tf.reshape(targets, [-1])
        features = self.read_out(tf.reshape(decoded, [tokens.shape[0] or -1, decoded.shape[-1]]), dropout)
        return features, tokens

    def predict(
        self, sources: tf.Tensor, targets: tf.Tensor, dropout: Dropout | None
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The logits `[N, V]` at the N real target tokens, those tokens `[N]`, and whose they are, `[N]`."""
        features, tokens, rows = self.features(sources, targets, dropout)
        return self.logits(features), tokens, rows

    def begin(self, sources: tf.Tensor) -> SearchState:
        """The state before the first step of a search, for one hypothesis of each sentence."""
        memory, state = self.encode(sources, None)
        return Shared(memory), state

    def step(self, tokens: tf.Tensor, state: SearchState) -> tuple[tf.Tensor, SearchState]:
        """One step of a search: the tokens just written, `[N]`, to the logits of the next ones, `[N, V]`.

        There are K tokens for each sentence of the memory, those of a sentence next to each other.
        """
        memory, before = state
        decoded, after = self.advance(memory.parts, before, tokens)
        return self.logits(self.read_out(decoded, None)), (memory, after)

    def look(self, state: SearchState) -> tf.Tensor:
        """The share of each source position in the step that led to a search's state: `[N, S]`."""
        memory, after = state
        return self.attend(memory.parts, after)

    @property
    def softmax(self) -> tuple[tf.Tensor, tf.Tensor]:
        """What it is made of: a vector for each token, `[V, F]`, and its bias, `[V]`."""
        return self.table_of("output"), tf.convert_to_tensor(self.output_bias)

    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """Unnormalised log-probabilities of the next token: `[N, F]` to `[N, V]`."""
        table, bias = self.softmax
        return product(features, table, is_transposed=True) + bias

    def read_sources(self, sources: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """A vector for each source position, `[B, S, E]`, and whether it is no padding, `[B, S]`."""
        if self.frames:
            return self.frames.read(sources)
        return self.look_up("source", sources), tf.not_equal(sources, PAD)

    def look_up(self, side: Side, tokens: tf.Tensor) -> tf.Tensor:
        """The tokens' vectors."""
        return tf.cast(tf.gather(self.table_of(side), tokens), tf.float32)

    def table_of(self, side: Side) -> tf.Tensor:
        """A vector for each token, `[V, E]`, or `[U, E]`; frozen ones get no gradient."""
        table = held(self.tables[side])
        frozen = self.frozen.get(self.tables[side].path)
        return table if frozen is None else tf.where(frozen[:, np.newaxis], tf.stop_gradient(table), table)

    def freeze(self, side: Side, tokens: np.ndarray[Any, np.dtype[np.integer[Any]]]) -> None:
        """Has some tokens' vectors stay what they are, on all sides that share the table; before the first step."""
        self.frozen[self.tables[side].path] = np.isin(np.arange(self.tables[side].shape[0]), tokens)


def table_names(config: ModelConfig, *, are_shared: bool, are_frames: bool) -> dict[Side, str]:
    """Names of the tables of token vectors that the sides look into; frames have none.

    Args:
        config: what the network is like.
        are_shared: whether sources and targets have one vocabulary.
        are_frames: whether sources are frames.
    """
    names: dict[Side, str]
    if config.tied:
        names = {"source": "table" if are_shared else "source_table", "target": "table", "output": "table"}
    else:
        names = {"source": "source_table", "target": "target_table", "output": "output_table"}
    return {side: name for side, name in names.items() if side != "source" or not are_frames}


def shifted(targets: tf.Tensor) -> tf.Tensor:
    """What the decoder reads: `BOS` and all targets but the last, `[B, T]`."""
    return tf.pad(targets[:, :-1], [[0, 0], [1, 0]], constant_values=BOS)
