"""A transformer's weights in the form of CTranslate2 (https://github.com/OpenNMT/CTranslate2), for inference on CPUs.

    folder/
        model.bin, config.json         the network: weights as float32, or as int8 with a scale for each row
        shared_vocabulary.json         the pieces, in the order of their ids; or source_ and target_vocabulary.json
        vocabulary.model               SentencePiece, which it leaves to its user; or source.model and target.model
        nightshift.json                what its user must do as the SavedModel does: Unicode form, search

Both translate alike with the same search. What differs: CTranslate2 divides a hypothesis by length ** penalty, where we
divide by ((5 + length) / 6) ** penalty, and its hypotheses that have ended leave room in the beam to others.

Letters: I inputs, O outputs, V pieces, D width.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import tensorflow as tf

from model.architectures import build_model
from model.attention import MASKED
from model.config import ModelConfig, TrainConfig
from model.norm import EPSILON
from model.transformer import sinusoids
from pipeline.errors import InputError
from pipeline.vocabularies import Vocabularies
from pipeline.vocabulary import BOS, EOS, PAD, UNK, Vocabulary

Weights = Mapping[str, np.ndarray[Any, np.dtype[np.float32]]]
Quantization = Literal["float32", "int8"]
VALUE: Final = "{}/.ATTRIBUTES/VARIABLE_VALUE"  # how a SavedModel calls what a variable holds
PLACES: Final = 4096  # positions with a sinusoid: the longest sentence, in pieces, on either side


def convert(
    weights: Weights,
    config: TrainConfig,
    pieces: Vocabularies,
    form: str,
    folder: Path,
    *,
    quantization: Quantization,
) -> None:
    """Writes a transformer as a model of CTranslate2.

    Args:
        weights: by the names of the network's variables; see `weights_of`.
        config: what it was trained with.
        pieces: what it cuts text into.
        form: Unicode form of the text it learned from.
        folder: where it goes, a folder that is there and empty.
        quantization: numbers that kernels and token vectors are kept in.

    Raises:
        InputError: the network is recurrent, or the package ctranslate2 is not installed.
    """
    check(config.model)
    spec = spec_of(weights, config.model)
    spec.register_source_vocabulary(all_of(pieces.source))
    spec.register_target_vocabulary(all_of(pieces.target))
    unknown, begin, end = (pieces.target.piece(token) for token in (UNK, BOS, EOS))  # the same on both sides
    spec.config.unk_token, spec.config.bos_token, spec.config.eos_token = unknown, begin, end
    spec.config.decoder_start_token = begin
    spec.config.add_source_eos = True
    spec.config.layer_norm_epsilon = EPSILON
    spec.validate()
    spec.optimize(quantization=None if quantization == "float32" else quantization)
    spec.save(str(folder))
    pieces.write(folder)
    known = {"unicode_form": form, "search": config.search.model_dump(exclude={"precision"}), "longest": PLACES}
    (folder / "nightshift.json").write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


def check(config: ModelConfig) -> None:
    """Raises `InputError` unless CTranslate2 can run such a network here."""
    parameter = "--format"
    if config.architecture != "transformer":
        cause = f"this model is of the architecture {config.architecture}, which CTranslate2 has not"
        raise InputError(parameter, "ctranslate2", "savedmodel", cause)
    try:
        import ctranslate2  # noqa: F401
    except ModuleNotFoundError as error:
        cause = "pip install 'nightshift[ctranslate2]'"
        raise InputError(parameter, "ctranslate2", "the package ctranslate2 beside it", cause) from error


def all_of(vocabulary: Vocabulary) -> list[str]:
    """The text of each token."""
    return [vocabulary.piece(token) for token in range(vocabulary.size)]


def weights_of(saved_model: Path, config: TrainConfig, pieces: Vocabularies) -> Weights:
    """The weights of an exported model by their names; it keeps them in the order of the network's variables.

    Those that it keeps in 16 bits are float32 again, as far as they were.

    Raises:
        InputError: its sources are frames.
    """
    stored = tf.train.load_checkpoint(str(saved_model / "variables" / "variables"))
    if stored.has_tensor(VALUE.format("frame_size")):
        raise InputError(
            "--format", "ctranslate2", "savedmodel", "this model's sources are frames of numbers, not text"
        )
    network = build_model(config.model, pieces.target.size, config.seed, pieces.source_size)
    names = [weight.path for weight in network.trainable_variables]
    kept = (stored.get_tensor(VALUE.format(f"weights/{number}")) for number in range(len(names)))
    return {name: weight.astype(np.float32) for name, weight in zip(names, kept, strict=True)}


def spec_of(weights: Weights, config: ModelConfig) -> Any:
    """The network as CTranslate2 describes one: `ctranslate2.specs.TransformerSpec`."""
    from ctranslate2.specs import TransformerSpec

    layers = (config.encoder_layers, config.decoder_layers)
    spec = TransformerSpec.from_config(layers, config.heads, pre_norm=True)  # ReLU, sqrt(D) * vectors by default
    places = sinusoids(tf.range(PLACES), config.embedding_size).numpy()
    for side, coder in (("encoder", spec.encoder), ("decoder", spec.decoder)):
        coder.position_encodings.encodings = places
        norm(coder.layer_norm, weights, f"{side}_norm")
        for number, layer in enumerate(coder.layer):
            name = f"{side}_{number}"
            fill_heads(layer.self_attention, weights, f"{name}_itself", is_itself=True)
            norm(layer.ffn.layer_norm, weights, f"{name}_forward_norm")
            fill(layer.ffn.linear_0, weights, f"{name}_wide")
            fill(layer.ffn.linear_1, weights, f"{name}_narrow")
            if side == "decoder":
                fill_heads(layer.attention, weights, f"{name}_sources", is_itself=False)
    spec.encoder.embeddings[0].weight = table(weights, "source")
    spec.decoder.embeddings.weight = table(weights, "target")
    spec.decoder.projection.weight = table(weights, "output")
    bias = weights["seq2seq/output_bias"].copy()
    bias[[PAD, UNK, BOS]] = MASKED  # which a search of ours never writes
    spec.decoder.projection.bias = bias
    return spec


def table(weights: Weights, side: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The token vectors of a side, `[V, D]`: its own, or those that all sides share."""
    own = weights.get(f"seq2seq/{side}_table")
    return weights["seq2seq/table"] if own is None else own


def fill_heads(spec: Any, weights: Weights, name: str, *, is_itself: bool) -> None:
    """Attention: query, key and value are one kernel where positions look at each other, else key and value are."""
    norm(spec.layer_norm, weights, f"{name}_norm")
    if is_itself:
        parts = ("query", "key_value")
        spec.linear[0].weight = np.concatenate([weights[f"{name}_{part}/kernel"] for part in parts], axis=1).T.copy()
        spec.linear[0].bias = np.concatenate([weights[f"{name}_{part}/bias"] for part in parts])
    else:
        fill(spec.linear[0], weights, f"{name}_query")
        fill(spec.linear[1], weights, f"{name}_key_value")
    fill(spec.linear[-1], weights, f"{name}_output")


def fill(spec: Any, weights: Weights, name: str) -> None:
    """A kernel, ours `[I, O]` and theirs `[O, I]`, and its bias."""
    spec.weight = weights[f"{name}/kernel"].T.copy()
    spec.bias = weights[f"{name}/bias"]


def norm(spec: Any, weights: Weights, name: str) -> None:
    """A normalisation's scale and offset."""
    spec.gamma = weights[f"{name}/scale"]
    spec.beta = weights[f"{name}/offset"]
