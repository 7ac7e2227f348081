"""How much work a step is: the floating-point operations of its matrix products, and what a device gets done.

Letters: B sentences of a batch, V target tokens of the vocabulary. Products are counted as multiplications first.
"""

import time
from functools import cache

import numpy as np

from model.batches import Batch, FrameForm, Ints
from model.config import ModelConfig
from model.size import GATES
from pipeline.vocabulary import PAD

OPERATIONS = 2 * 3  # a multiplication has its addition, and a product two gradients that are as much work as itself
MATRIX = 1536
PRODUCTS, TRIES = 4, 3


def of_batch(config: ModelConfig, vocabulary: int, batch: Batch) -> float:
    """Operations of the products in a step, forwards and backwards, on the real tokens of a batch."""
    targets = (batch.targets != PAD).sum(axis=1).astype(np.int64)
    if batch.sources.ndim == 2:
        return of_lengths(config, vocabulary, (batch.sources != PAD).sum(axis=1).astype(np.int64), targets)
    frames = (~np.isnan(batch.sources[:, :, 0])).sum(axis=1).astype(np.int64)
    kernel = int(frames.sum()) * batch.sources.shape[2] * config.embedding_size
    positions = FrameForm(batch.sources.shape[2], config.frame_stride).positions(frames)
    unneeded = OPERATIONS / 3  # the gradient at the frames themselves
    return float(of_lengths(config, vocabulary, positions, targets) + (OPERATIONS - unneeded) * kernel)


def of_lengths(config: ModelConfig, vocabulary: int, sources: Ints, targets: Ints) -> float:
    """The same from the numbers of tokens.

    Args:
        config: the network.
        vocabulary: V.
        sources: tokens of each source, `[B]`.
        targets: tokens of each target, `[B]`.
    """
    count = of_transformer if config.architecture == "transformer" else of_recurrent
    softmax = int(targets.sum()) * config.embedding_size * vocabulary
    return float(OPERATIONS * (count(config, sources, targets) + softmax))


def of_transformer(config: ModelConfig, sources: Ints, targets: Ints) -> int:
    """Multiplications below the softmax."""
    read, written, met = int(sources.sum()), int(targets.sum()), int((sources * targets).sum())
    width = config.embedding_size
    layer = 4 * width**2 + 2 * width * config.feedforward_units
    encoder = read * layer + 2 * width * int((sources**2).sum())
    crossing = 2 * width**2 * (written + read) + 2 * width * met
    decoder = written * layer + 2 * width * int((targets**2).sum()) + crossing
    return config.encoder_layers * encoder + config.decoder_layers * decoder


def of_recurrent(config: ModelConfig, sources: Ints, targets: Ints) -> int:
    """Multiplications below the softmax."""
    read, written, met = int(sources.sum()), int(targets.sum()), int((sources * targets).sum())
    gates, width, units = GATES[config.architecture], config.embedding_size, config.decoder_units
    directions = 2 if config.bidirectional else 1
    memory = directions * config.encoder_units
    inputs = width + (config.encoder_layers - 1) * memory + config.encoder_layers * config.encoder_units
    encoder = read * gates * memory * inputs
    fed = memory if config.attention == "additive" else 0
    decoder = written * gates * units * (width + fed + units + (config.decoder_layers - 1) * 2 * units)
    asked = {
        "additive": (read * memory + written * units) * config.attention_units + met * memory,
        "multiplicative": written * units * memory * (config.multiplicative_form == "general") + 2 * met * memory,
        "none": 0,
    }[config.attention]
    seen = units + (0 if config.attention == "none" else memory)
    return encoder + decoder + asked + written * seen * width


@cache
def product_rate(precision: str = "float32") -> float:
    """Operations a second that large products attain on the first device with the threads it has, the best of some.

    Measured once in a process.
    """
    import tensorflow as tf  # here alone, so that counting needs no TensorFlow

    from model.precision import computing_in

    left, right = (tf.random.stateless_normal([MATRIX, MATRIX], [seed, 0]) for seed in range(2))
    multiply = tf.function(lambda: tf.matmul(left, right))
    best = 0.0
    with computing_in(precision):
        multiply().numpy()
        for _ in range(TRIES):
            started = time.perf_counter()
            for _ in range(PRODUCTS):
                product = multiply()
            product.numpy()
            best = max(best, PRODUCTS * 2 * MATRIX**3 / (time.perf_counter() - started))
    return best
