"""Which class a configuration stands for."""

from model.config import ModelConfig
from model.network import Network
from model.seq2seq import Seq2Seq
from model.transformer import Transformer


def build_model(config: ModelConfig, vocabulary: int, seed: int) -> Network:
    """A new network for a vocabulary of that many tokens; the seed decides its weights."""
    return (Transformer if config.architecture == "transformer" else Seq2Seq)(config, vocabulary, seed)
