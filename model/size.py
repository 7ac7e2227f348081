"""How large a network is, and how much memory its training takes. Nothing heavy is imported here.

Letters: B sentences of a batch, S source positions, T target positions, E width of a token vector, G gates of a cell,
M width of the encoder's memory, H units of the decoder, D width of a transformer, F of its hidden layer, V tokens.
"""

from typing import Final

from model.config import ModelConfig, TrainConfig

GATES: Final = {"lstm": 4, "gru": 3, "rnn": 1}
STATES: Final = {"lstm": 2, "gru": 1, "rnn": 1}
KEPT: Final = {"lstm": 5, "gru": 4, "rnn": 1}  # units' widths of what a step keeps for its gradient
NUMBER: Final = 4  # bytes; weights, sums and what is kept for the gradient are float32
COPIES: Final = 5  # of the weights while a step is taken: themselves, their gradient, Adam's two averages, new values
AVERAGES: Final = 2  # Adam's, for each weight in a checkpoint
LOGITS: Final = 3 * (1 << 25)  # bytes of what the softmax works on at a time: logits, their exponentials, the gradient


def parameters(config: ModelConfig, vocabulary: int, source_vocabulary: int | None = None, frame_size: int = 0) -> int:
    """Numbers that a network learns.

    Args:
        config: the network.
        vocabulary: V, tokens of the targets' vocabulary.
        source_vocabulary: of the sources' own one, None where they share the targets'.
        frame_size: numbers of a frame, where sources are frames; otherwise 0.
    """
    read = 0 if frame_size else (source_vocabulary or vocabulary)
    tables = vocabulary + (read if source_vocabulary else 0) if config.tied else 2 * vocabulary + read
    kernel = kernel_of(frame_size * config.frame_stride, config.embedding_size) if frame_size else 0
    below = of_transformer(config) if config.architecture == "transformer" else of_recurrent(config)
    return tables * config.embedding_size + vocabulary + kernel + below


def kernel_of(inputs: int, outputs: int) -> int:
    """Numbers of a kernel and its bias."""
    return (inputs + 1) * outputs


def of_transformer(config: ModelConfig) -> int:
    """Numbers below the softmax."""
    width, hidden = config.embedding_size, config.feedforward_units
    heads, norm = 4 * kernel_of(width, width), 2 * width
    layer = heads + kernel_of(width, hidden) + kernel_of(hidden, width) + 2 * norm
    return config.encoder_layers * layer + config.decoder_layers * (layer + heads + norm) + 2 * norm


def of_recurrent(config: ModelConfig) -> int:
    """Numbers below the softmax."""
    gates, width, units = GATES[config.architecture], config.embedding_size, config.decoder_units
    directions = 2 if config.bidirectional else 1
    memory = directions * config.encoder_units
    inner = (config.encoder_layers - 1) * memory + width  # what the layers read
    read = config.encoder_layers * (config.encoder_units + 1)
    encoder = directions * gates * config.encoder_units * (inner + read)
    bridges = config.decoder_layers * STATES[config.architecture] * kernel_of(memory * config.encoder_layers, units)
    fed = memory if config.attention == "additive" else 0
    decoder = gates * units * (width + fed + units + 1 + (config.decoder_layers - 1) * (2 * units + 1))
    asked = {
        "additive": (units + memory + 1) * config.attention_units,
        "multiplicative": units * memory * (config.multiplicative_form == "general"),
        "none": 0,
    }[config.attention]
    seen = units + (0 if config.attention == "none" else memory)
    return encoder + bridges + decoder + asked + kernel_of(seen, width)


def kept_for(config: ModelConfig, rows: int, sources: int, targets: int) -> int:
    """Bytes that a step holds of a batch at most, beside the weights and the softmax's chunk.

    It is what the forward pass keeps for the gradient, and the gradient of as much again that the backward pass writes
    while it reads it.

    Args:
        config: the network.
        rows: B.
        sources: S.
        targets: T.
    """
    if config.architecture == "transformer":
        width, hidden = config.embedding_size, config.feedforward_units
        part = 8 * width  # normed, query, key and value in both orders, found, joined, dropped
        feed = 3 * width + 3 * hidden
        encoder = rows * sources * (part + feed) + 3 * rows * config.heads * sources**2
        decoder = rows * targets * (2 * part + feed) + rows * sources * 4 * width
        decoder += 3 * rows * config.heads * targets * (targets + sources)
        numbers = config.encoder_layers * encoder + config.decoder_layers * decoder
    else:
        gates, states = GATES[config.architecture], STATES[config.architecture]
        directions, units = 2 if config.bidirectional else 1, config.decoder_units
        memory = directions * config.encoder_units
        # projected inputs, what the steps keep, states: stepwise, in a row, and those before each step
        cell = gates + KEPT[config.architecture] + 3 * states
        encoder = rows * sources * (config.encoder_layers * memory * cell + 2 * config.embedding_size)
        asked = {"additive": 2 * sources + 2 * config.attention_units, "multiplicative": 3 * sources, "none": 0}
        decoder = config.decoder_layers * units * cell + 2 * memory + asked[config.attention]
        numbers = encoder + rows * targets * (decoder + 2 * config.embedding_size)
    readout = rows * targets * 4 * config.embedding_size
    return 2 * NUMBER * (numbers + readout)


def training_bytes(config: TrainConfig, count: int, sources: int, targets: int) -> int:
    """Bytes of a training at its longest batch, without the process itself and its data.

    Args:
        config: the training.
        count: parameters of its network.
        sources: tokens, or positions of frames, of the longest sources.
        targets: tokens of the longest targets.
    """
    rows = max(1, config.batch_tokens // max(sources, targets))
    copies = COPIES + bool(config.ema) + (config.accumulate > 1)
    return NUMBER * count * copies + LOGITS + kept_for(config.model, rows, sources, targets)


def stored_bytes(config: TrainConfig, count: int) -> int:
    """Bytes of a finished training: two checkpoints with Adam's averages, the export, the weights for other trainings.

    The file of the weights holds Adam's averages too where they are kept.
    """
    averages = config.average_checkpoints > 1
    checkpoint = count * (1 + AVERAGES + bool(config.ema)) + averages * config.average_checkpoints * count
    weights = count * (1 + AVERAGES * config.keep_optimizer)
    return NUMBER * (2 * checkpoint + count + weights)
