"""The exported model: a SavedModel that takes raw text and gives raw text, SentencePiece inside its graph.

Signatures, B sentences each:

    translate    sentences string [B]                            translations string [B], scores float32 [B]
    hypotheses   sentences string [B], count int32 []            hypotheses string [B, count],
                                                                 hypothesis_scores float32 [B, count]
                 beams int32 []
    sample       sentences string [B], seeds int32 [B, 2],       translations string [B], scores float32 [B]
                 temperature float32 [], top int32 []
    attend       sentences string [B]                            translations string [B], scores float32 [B],
                                                                 source_pieces string [B, S],
                                                                 target_pieces string [B, T],
                                                                 attention float32 [B, T, S]
    score        sources string [B], targets string [B]          log_probabilities float32 [B], tokens int32 [B]

`translate` searches as the model was configured to, and is also called `serving_default`. `hypotheses` gives the best
ones in falling order, from a beam of `beams`, 0 being as configured, and of `count` at least; where a sentence has
fewer, the others are empty and have the score -1e9. `sample` draws each token, at a temperature above 0, from the `top`
most probable ones, 0 being all; the sentence and its seeds decide the answer. `attend` translates like `translate` and
shows the share of each source piece in each target piece, a row sums up to 1; pieces end with `</s>`, an answer that
was cut off without, and are "" where a sentence has no more, whose attention is 0. A network without attention has no
such signature. All signatures take any number of sentences. Where sources are frames, they are given as text too
(`pipeline.frames`), and their pieces are the numbers of the positions that the network sees, from 1 on.

Whoever loads one without `load` must have imported `tensorflow_text`, whose operations are in the graph.
"""

import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import tensorflow as tf
import tensorflow_text

from model.architectures import build_model
from model.beam import n_best
from model.config import TrainConfig
from model.frames import frames_of
from model.hypotheses import IMPOSSIBLE, State, Step
from model.losses import cross_entropy
from model.network import Memory, Network
from model.rounded import Kernels, using
from model.search import search
from model.walk import sample
from pipeline.errors import InputError
from pipeline.vocabularies import Vocabularies
from pipeline.vocabulary import EOS, PAD, Vocabulary


class Translator(tf.Module):  # type: ignore[misc]
    """What is exported: a model between two tokenizers."""

    def __init__(
        self,
        weights: Mapping[str, np.ndarray[Any, Any]],
        config: TrainConfig,
        pieces: Vocabularies,
        form: str,
        frame_size: int = 0,
    ) -> None:
        super().__init__(name="translator")
        self._form = form
        self._frame_size = frame_size
        if frame_size:  # for `Exported` to know
            self.frame_size = tf.Variable(frame_size, trainable=False)
        model = build_model(config.model, pieces.target.size, config.seed, pieces.source_size, frame_size)
        self.weights = []
        for weight in model.trainable_variables:
            weight.assign(weights[weight.path])
            self.weights.append(weight.value)
        self._model = NotTracked(model)
        self._search = config.search
        self.target_tokenizer = tokenizer_of(pieces.target)
        self.source_tokenizer = self.target_tokenizer if pieces.are_shared else tokenizer_of(pieces.source)

    def keep(self, kernels: Kernels) -> None:
        """Keeps the rounded kernels, if there are any, in the place of its own."""
        names = (weight.path for weight in self._model.value.trainable_variables)
        self.weights = [kernels.made.get(name, weight) for name, weight in zip(names, self.weights, strict=True)]

    def translate(self, sentences: tf.Tensor) -> dict[str, tf.Tensor]:
        """Translates sentences; the score is the log-probability divided by the length penalty."""
        found = search(*self.read(sentences), self._search)
        return {"translations": self.text(found.tokens), "scores": found.scores}

    def hypotheses(self, sentences: tf.Tensor, count: tf.Tensor, beams: tf.Tensor) -> dict[str, tf.Tensor]:
        """The best translations of each sentence."""
        checks = [
            tf.debugging.assert_positive(count, "at least one hypothesis must be asked for"),
            tf.debugging.assert_non_negative(beams, "beams must be 0 or a number of hypotheses"),
        ]
        with tf.control_dependencies(checks):
            count = tf.identity(count)
        beams = tf.maximum(count, tf.where(beams > 0, beams, self._search.beams))
        found = n_best(
            *self.read(sentences),
            answers=count,
            beams=beams,
            max_length=self._search.max_length,
            length_penalty=self._search.length_penalty,
        )
        texts = self.text(tf.reshape(found.tokens, [tf.size(sentences) * count, tf.shape(found.tokens)[2]]))
        texts = tf.reshape(texts, [tf.size(sentences), count])
        return {"hypotheses": texts, "hypothesis_scores": found.scores}

    def sample(
        self, sentences: tf.Tensor, seeds: tf.Tensor, temperature: tf.Tensor, top: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """A translation of each sentence drawn by its probability."""
        must = tf.debugging
        checks = [
            must.assert_equal(tf.shape(seeds)[0], tf.size(sentences), "there must be two seeds for each sentence"),
            must.assert_positive(temperature, "the temperature must be above 0"),
            must.assert_non_negative(top, "top must be 0 or a number of tokens"),
        ]
        with tf.control_dependencies(checks):
            sentences, seeds = tf.identity(sentences), tf.identity(seeds)
        found = sample(
            *self.read(sentences),
            seeds=seeds,
            temperature=temperature,
            top=top,
            max_length=self._search.max_length,
            length_penalty=self._search.length_penalty,
        )
        return {"translations": self.text(found.tokens), "scores": found.scores}

    def attend(self, sentences: tf.Tensor) -> dict[str, tf.Tensor]:
        """Translates sentences and shows what each piece was written from."""
        sources, model = self.sources(sentences), self._model.value
        memory, state = model.begin(sources)
        found = search(model.step, (memory, state), tf.size(sentences), self._search, observe=model.look)
        attention = tf.ensure_shape(found.attention, [None, None, None])
        is_written = tf.reduce_sum(attention, axis=2) > 0.5  # of EOS too, which `tokens` does not show
        tokens = tf.where(is_written & tf.equal(found.tokens, PAD), EOS, found.tokens)
        pieces = positions(memory.parts) if self._frame_size else pieces_of(sources, self.source_tokenizer)
        return {
            "translations": self.text(found.tokens),
            "scores": found.scores,
            "source_pieces": pieces,
            "target_pieces": pieces_of(tokens, self.target_tokenizer),
            "attention": attention,
        }

    def read(self, sentences: tf.Tensor) -> tuple[Step, State, tf.Tensor]:
        """What a search over the sentences starts from: its step, the state before the first one, their number."""
        model = self._model.value
        return model.step, model.begin(self.sources(sentences)), tf.size(sentences)

    def text(self, tokens: tf.Tensor) -> tf.Tensor:
        """What ids `[B, T]` say, `[B]`."""
        return self.target_tokenizer.detokenize(tf.RaggedTensor.from_tensor(tokens, padding=PAD))

    def score(self, sources: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        """How probable the model finds given translations; the closing token counts."""
        tf.debugging.assert_equal(tf.size(sources), tf.size(targets), "there must be as many targets as sources")
        given = self.sources(sources), self.ids(targets, self.target_tokenizer)
        logits, tokens, rows = self._model.value.predict(*given, None)
        sentences = tf.size(targets)
        sums = tf.math.unsorted_segment_sum(-cross_entropy(logits, tokens), rows, sentences)
        counts = tf.math.unsorted_segment_sum(tf.ones_like(tokens), rows, sentences)
        return {"log_probabilities": sums, "tokens": counts}

    def sources(self, texts: tf.Tensor) -> tf.Tensor:
        """What the encoder reads: ids `[B, S]`, or frames `[B, S, F]`."""
        return frames_of(texts, self._frame_size) if self._frame_size else self.ids(texts, self.source_tokenizer)

    def ids(self, sentences: tf.Tensor, tokenizer: Any) -> tf.Tensor:
        """Token ids with `EOS` after each sentence, padded at the end: `[B, S]`, S being 1 for no sentences."""
        sentences = tensorflow_text.normalize_utf8(sentences, self._form)  # in which the model learned
        ids = tokenizer.tokenize(sentences)
        ends = tf.fill([tf.size(sentences), 1], EOS)
        padded = tf.concat([ids, ends], axis=1).to_tensor(PAD)
        return tf.pad(padded, [[0, 0], [0, tf.maximum(0, 1 - tf.shape(padded)[1])]], constant_values=PAD)


def tokenizer_of(vocabulary: Vocabulary) -> Any:
    """The operations of a vocabulary, for the graph.

    Tokenizers of one name in a SavedModel are all the first one when it is loaded, whatever their models were
    (https://github.com/tensorflow/text/issues/1304), so the name is made of the model.
    """
    name = f"vocabulary_{sha256(vocabulary.proto).hexdigest()}"
    return tensorflow_text.SentencepieceTokenizer(vocabulary.proto, out_type=tf.int32, name=name)


def pieces_of(ids: tf.Tensor, tokenizer: Any) -> tf.Tensor:
    """The text of each of the ids `[B, T]`, "" at padding."""
    return tf.where(tf.equal(ids, PAD), "", tokenizer.id_to_string(ids))


def positions(memory: Memory) -> tf.Tensor:
    """The numbers of the real positions that were made of frames, `[B, S]`."""
    return tf.where(tf.equal(memory.hidden, 0.0), tf.strings.as_string(1 + tf.range(tf.shape(memory.hidden)[1])), "")


class NotTracked:
    """Hides a Keras layer from the SavedModel, which needs its variables only; they are listed beside it."""

    def __init__(self, value: Network) -> None:
        self.value = value


def save(
    weights: Mapping[str, np.ndarray[Any, Any]],
    config: TrainConfig,
    pieces: Vocabularies,
    form: str,
    folder: Path,
    *,
    frame_size: int = 0,
) -> None:
    """Writes the SavedModel, in the place of one that was there.

    It lies in the output of a stage, which counts once it has a manifest, so it may appear piece by piece: a bucket
    that is mounted as a folder cannot rename a folder.

    Args:
        weights: by the names of the model's variables.
        config: the network and the search.
        pieces: what the text of each side is cut into.
        form: Unicode form of the text that was learned from, NFC or NFKC; the model brings its input into it.
        folder: where it goes.
        frame_size: numbers of a source frame, 0 where sources are text.
    """
    if folder.exists():
        shutil.rmtree(folder)
    translator = Translator(weights, config, pieces, form, frame_size)
    inputs = {name: tf.TensorSpec([None], tf.string, name) for name in ("sentences", "sources", "targets")} | {
        "count": tf.TensorSpec([], tf.int32, "count"),
        "beams": tf.TensorSpec([], tf.int32, "beams"),
        "seeds": tf.TensorSpec([None, 2], tf.int32, "seeds"),
        "temperature": tf.TensorSpec([], tf.float32, "temperature"),
        "top": tf.TensorSpec([], tf.int32, "top"),
    }
    takes = {
        translator.translate: ("sentences",),
        translator.hypotheses: ("sentences", "count", "beams"),
        translator.sample: ("sentences", "seeds", "temperature", "top"),
        translator.score: ("sources", "targets"),
    }
    if config.model.has_attention:
        takes[translator.attend] = ("sentences",)
    # AutoGraph rewrites the source of all that is called, which takes longer than the rest; nothing here needs it.
    kernels = Kernels(config.search.precision)
    with using(kernels):
        signatures = {
            method.__name__: tf.function(
                method, input_signature=[inputs[name] for name in names], autograph=False
            ).get_concrete_function()
            for method, names in takes.items()
        }
    translator.keep(kernels)
    signatures["serving_default"] = signatures["translate"]
    tf.saved_model.save(translator, str(folder), signatures=signatures)


class Hypothesis(NamedTuple):
    """A translation and how good the model finds it."""

    text: str
    score: float  # log-probability divided by the length penalty


class Attended(NamedTuple):
    """A translation and what each of its pieces was written from."""

    text: str
    score: float
    source: tuple[str, ...]  # S pieces, the last one </s>
    target: tuple[str, ...]  # T pieces, the last one </s> unless the answer was cut off
    attention: np.ndarray[Any, np.dtype[np.float32]]  # [T, S], each row sums up to 1


class Exported:
    """A loaded SavedModel.

    >>> Exported.load(Path("export")).translate(["Light rain."])  # doctest: +SKIP
    ['Pluie faible.']
    """

    def __init__(self, loaded: Any) -> None:
        self.loaded = loaded  # whoever lets go of it lets go of its variables
        self.frame_size = int(getattr(loaded, "frame_size", 0))  # 0: sources are text
        self._translate = loaded.signatures["translate"]
        self._score = loaded.signatures["score"]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Loads a SavedModel; raises `InputError` where there is none or it is another one."""
        try:
            return cls(tf.saved_model.load(str(folder)))
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            cause = str(error).partition("\n")[0]
            raise InputError("model", folder, "a SavedModel that nightshift exported", cause) from error

    def has(self, name: str) -> bool:
        """Whether there is a signature of that name."""
        return name in self.loaded.signatures

    def translate(self, sentences: Sequence[str]) -> list[str]:
        """Translates some sentences at once."""
        return [best.text for best in self.best(sentences)]

    def best(self, sentences: Sequence[str]) -> list[Hypothesis]:
        """The translation of each sentence with its score."""
        if not sentences:
            return []
        return hypotheses_of(self._translate(sentences=tf.constant(sentences)))

    def hypotheses(self, sentences: Sequence[str], count: int, beams: int = 0) -> list[list[Hypothesis]]:
        """The best translations of each sentence, `count` at most, in falling order; see `Translator.hypotheses`."""
        if not sentences:
            return []
        found = self._signature("hypotheses", "beams")(
            sentences=tf.constant(sentences), count=tf.constant(count), beams=tf.constant(beams)
        )
        texts, scores = found["hypotheses"].numpy().tolist(), found["hypothesis_scores"].numpy().tolist()
        return [
            [Hypothesis(text.decode(), score) for text, score in zip(*row, strict=True) if score > IMPOSSIBLE]
            for row in zip(texts, scores, strict=True)
        ]

    def sample(
        self, sentences: Sequence[str], seeds: Sequence[tuple[int, int]], temperature: float, top: int = 0
    ) -> list[str]:
        """Draws a translation of each sentence; see `model.walk.sample`."""
        return [drawn.text for drawn in self.draw(sentences, seeds, temperature, top)]

    def draw(
        self, sentences: Sequence[str], seeds: Sequence[tuple[int, int]], temperature: float, top: int = 0
    ) -> list[Hypothesis]:
        """What `sample` gives, with its score."""
        if not sentences:
            return []
        found = self._signature("sample")(
            sentences=tf.constant(sentences),
            seeds=tf.constant(seeds),
            temperature=tf.constant(temperature, tf.float32),
            top=tf.constant(top),
        )
        return hypotheses_of(found)

    def attend(self, sentences: Sequence[str]) -> list[Attended]:
        """Translates some sentences and tells what each piece was written from."""
        if not sentences:
            return []
        found = self._signature("attend")(sentences=tf.constant(sentences))
        names = ("translations", "scores", "source_pieces", "target_pieces", "attention")
        return [attended(*row) for row in zip(*(found[name].numpy() for name in names), strict=True)]

    def score(self, sources: Sequence[str], targets: Sequence[str]) -> tuple[list[float], list[int]]:
        """Log-probability of each target given its source, and its number of tokens."""
        if len(sources) != len(targets):
            raise ValueError(f"{len(sources)} sources and {len(targets)} targets: there must be as many of both")
        if not sources:
            return [], []
        found = self._score(sources=tf.constant(sources), targets=tf.constant(targets))
        return found["log_probabilities"].numpy().tolist(), found["tokens"].numpy().tolist()

    def _signature(self, name: str, *inputs: str) -> Any:
        """A signature with some inputs, which models of earlier versions do not have."""
        found = self.loaded.signatures.get(name)
        if found is None or not set(inputs) <= set(found.structured_input_signature[1]):
            has = ", ".join(sorted(self.loaded.signatures))
            raise InputError("model", f"one with {has}", f"a model with the signature {name}", "trained long ago?")
        return found


def hypotheses_of(found: Mapping[str, tf.Tensor]) -> list[Hypothesis]:
    """One translation of each sentence."""
    rows = zip(found["translations"].numpy().tolist(), found["scores"].numpy().tolist(), strict=True)
    return [Hypothesis(text.decode(), score) for text, score in rows]


def attended(text: bytes, score: float, source: Any, target: Any, attention: Any) -> Attended:
    """One row of the signature `attend`, without padding."""
    sources, targets = (tuple(piece.decode() for piece in pieces if piece) for pieces in (source, target))
    return Attended(text.decode(), float(score), sources, targets, attention[: len(targets), : len(sources)])
