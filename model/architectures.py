"""Which class a configuration stands for."""

from model.config import ModelConfig
from model.network import Network
from model.seq2seq import Seq2Seq
from model.transformer import Transformer


def build_model(
    config: ModelConfig, vocabulary: int, seed: int, source_vocabulary: int | None = None, frame_size: int = 0
) -> Network:
    """A new network.

    Args:
        config: what it is like.
        vocabulary: number of tokens of the targets' vocabulary.
        seed: decides its weights.
        source_vocabulary: the same of the sources' own one, None where they share the targets'.
        frame_size: numbers of a frame, where sources are frames and no tokens; otherwise 0.
    """
    made = Transformer if config.architecture == "transformer" else Seq2Seq
    return made(config, vocabulary, seed, source_vocabulary, frame_size)
