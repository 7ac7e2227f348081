"""The exported model: a SavedModel that takes raw text and gives raw text, SentencePiece inside its graph.

Signatures, B sentences each:

    translate    sentences string [B]                            translations string [B], scores float32 [B]
    score        sources string [B], targets string [B]          log_probabilities float32 [B], tokens int32 [B]

Whoever loads one without `load` must have imported `tensorflow_text`, whose operations are in the graph.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
import tensorflow_text

from model.architectures import build_model
from model.config import TrainConfig
from model.losses import cross_entropy
from model.network import Network
from model.search import search
from pipeline.errors import InputError
from pipeline.vocabulary import EOS, PAD, Vocabulary


class Translator(tf.Module):  # type: ignore[misc]
    """What is exported: a model between two tokenizers."""

    def __init__(
        self, weights: Mapping[str, np.ndarray[Any, Any]], config: TrainConfig, vocabulary: Vocabulary, form: str
    ) -> None:
        super().__init__(name="translator")
        self._form = form
        model = build_model(config.model, vocabulary.size, config.seed)
        self.weights = []
        for weight in model.trainable_variables:
            weight.assign(weights[weight.path])
            self.weights.append(weight.value)
        self._model = NotTracked(model)
        self._search = config.search
        self.tokenizer = tensorflow_text.SentencepieceTokenizer(vocabulary.proto, out_type=tf.int32)

    def translate(self, sentences: tf.Tensor) -> dict[str, tf.Tensor]:
        """Translates sentences; the score is the log-probability divided by the length penalty."""
        model = self._model.value
        memory, state = model.encode(self.ids(sentences), None)
        # The beams of a sentence share its memory: it is repeated once and takes no part in the search's reordering.
        memory = tf.nest.map_structure(lambda part: tf.repeat(part, self._search.beams, axis=0), memory)
        found = search(lambda tokens, state: model.step(memory, state, tokens), state, tf.size(sentences), self._search)
        ids = tf.RaggedTensor.from_tensor(found.tokens, padding=PAD)
        return {"translations": self.tokenizer.detokenize(ids), "scores": found.scores}

    def score(self, sources: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        """How probable the model finds given translations; the closing token counts."""
        tf.debugging.assert_equal(tf.size(sources), tf.size(targets), "there must be as many targets as sources")
        logits, tokens, rows = self._model.value.predict(self.ids(sources), self.ids(targets), None)
        sentences = tf.size(targets)
        sums = tf.math.unsorted_segment_sum(-cross_entropy(logits, tokens), rows, sentences)
        counts = tf.math.unsorted_segment_sum(tf.ones_like(tokens), rows, sentences)
        return {"log_probabilities": sums, "tokens": counts}

    def ids(self, sentences: tf.Tensor) -> tf.Tensor:
        """Token ids with `EOS` after each sentence, padded at the end: `[B, S]`, S being 1 for no sentences."""
        sentences = tensorflow_text.normalize_utf8(sentences, self._form)  # in which the model learned
        ids = self.tokenizer.tokenize(sentences)
        ends = tf.fill([tf.size(sentences), 1], EOS)
        padded = tf.concat([ids, ends], axis=1).to_tensor(PAD)
        return tf.pad(padded, [[0, 0], [0, tf.maximum(0, 1 - tf.shape(padded)[1])]], constant_values=PAD)


class NotTracked:
    """Hides a Keras layer from the SavedModel, which needs its variables only; they are listed beside it."""

    def __init__(self, value: Network) -> None:
        self.value = value


def save(
    weights: Mapping[str, np.ndarray[Any, Any]], config: TrainConfig, vocabulary: Vocabulary, form: str, folder: Path
) -> None:
    """Writes the SavedModel; the folder appears when it is complete.

    Args:
        weights: by the names of the model's variables.
        config: the network and the search.
        vocabulary: what text is cut into.
        form: Unicode form of the text that was learned from, NFC or NFKC; the model brings its input into it.
        folder: where it goes.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    for left in (partial, folder):
        if left.exists():
            shutil.rmtree(left)
    translator = Translator(weights, config, vocabulary, form)
    strings = {name: tf.TensorSpec([None], tf.string, name) for name in ("sentences", "sources", "targets")}
    signatures = {
        "translate": tf.function(translator.translate, input_signature=[strings["sentences"]]),
        "score": tf.function(translator.score, input_signature=[strings["sources"], strings["targets"]]),
    }
    tf.saved_model.save(translator, str(partial), signatures=signatures)
    partial.rename(folder)


class Exported:
    """A loaded SavedModel.

    >>> Exported.load(Path("export")).translate(["Light rain."])  # doctest: +SKIP
    ['Pluie faible.']
    """

    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded  # whoever lets go of it lets go of its variables
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

    def translate(self, sentences: Sequence[str]) -> list[str]:
        """Translates some sentences at once."""
        if not sentences:
            return []
        found = self._translate(sentences=tf.constant(sentences))
        return [sentence.decode() for sentence in found["translations"].numpy()]

    def score(self, sources: Sequence[str], targets: Sequence[str]) -> tuple[list[float], list[int]]:
        """Log-probability of each target given its source, and its number of tokens."""
        if len(sources) != len(targets):
            raise ValueError(f"{len(sources)} sources and {len(targets)} targets: there must be as many of both")
        if not sources:
            return [], []
        found = self._score(sources=tf.constant(sources), targets=tf.constant(targets))
        return found["log_probabilities"].numpy().tolist(), found["tokens"].numpy().tolist()
