"""What training and evaluation can be told, with ranges and units. Nothing heavy is imported here."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config import Frozen, StageConfig


class ModelConfig(Frozen):
    """The network: a bidirectional recurrent encoder and a recurrent decoder with attention."""

    cell: Literal["lstm", "gru", "rnn"] = Field("lstm", description="Recurrent cell of the encoder and the decoder.")
    embedding_size: int = Field(256, ge=4, le=2048, description="Width of the token vectors that both sides share.")
    encoder_units: int = Field(128, ge=4, le=2048, description="Units of the encoder's cell, in each direction.")
    decoder_units: int = Field(256, ge=4, le=4096, description="Units of the decoder's cell.")
    attention: Literal["additive", "multiplicative"] = Field(
        "additive", description="How the decoder compares itself with a source position."
    )
    attention_units: int = Field(128, ge=4, le=2048, description="Width of additive attention's hidden layer.")
    dropout: float = Field(
        0.25, ge=0, lt=1, description="Share of the token vectors' and the readout's values set to zero in training."
    )


class SearchConfig(Frozen):
    """How the exported model looks for its answer. It is part of the artefact, so what is scored is what is served."""

    beams: int = Field(1, ge=1, le=32, description="Hypotheses kept at each step; 1 is greedy search.")
    length_penalty: float = Field(
        0.6, ge=0, le=2, description="Exponent of the length in ((5 + length) / 6); 0 compares plain log-probabilities."
    )
    max_length: int = Field(200, ge=1, le=2000, description="Tokens after which an answer is cut off.")


class TrainConfig(StageConfig):
    """What is trained, and how. Every value changes the weights."""

    model: ModelConfig = ModelConfig()
    search: SearchConfig = SearchConfig()
    steps: int = Field(4000, ge=1, le=10_000_000, description="Updates of the weights.")
    batch_tokens: int = Field(
        2048, ge=16, le=1_000_000, description="Tokens a batch holds on its longer side, padding included."
    )
    max_length: int = Field(
        150,
        ge=1,
        le=2000,
        description="Tokens, the closing one included; a pair with a longer side is left out and counted.",
    )
    learning_rate: float = Field(0.002, gt=0, le=1, description="Adam's step size at its highest.")
    warmup_steps: int = Field(200, ge=0, description="Steps in which the step size rises from zero to its highest.")
    schedule: Literal["cosine", "inverse_sqrt", "constant"] = Field(
        "cosine",
        description="What the step size does after the warm-up: falls towards zero, with 1/sqrt(step), or stays.",
    )
    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="Probability that the target spreads over the whole vocabulary."
    )
    clip_norm: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="Largest norm of the whole gradient of the loss per token."
    )
    weights: dict[str, Annotated[float, Field(gt=0, le=100)]] = Field(
        {},
        description="How often an origin's pairs are seen in an epoch, from corpus.train; 0.5: a fixed half.",
    )
    seed: int = Field(1, ge=0, le=1_000_000, description="Decides the first weights, the batches' order, the dropout.")
    checkpoint_every: int = Field(500, ge=1, description="Steps between two checkpoints.")
    evaluate_every: int = Field(500, ge=1, description="Steps between two measurements of the dev loss.")


class EvaluateConfig(StageConfig):
    """How the exported model is scored."""

    batch_size: int = Field(128, ge=1, le=10_000, description="Sentences translated at a time.")
    bleu_tokenizer: Literal["13a", "intl", "zh", "char", "none"] = Field(
        "13a", description="How sacreBLEU cuts sentences into words; zh for Chinese, char for text without spaces."
    )


class DeviceConfig(Frozen):
    """What a training runs on. It decides the time, not the result, which rounding alone may change.

    Without dropout any number of replicas takes the same step; with dropout each replica draws masks of its own.
    """

    strategy: Literal["one", "mirrored"] = Field(
        "one", description="One device, or a copy of the model on each device of this machine."
    )
    replicas: int = Field(
        0, ge=0, le=64, description="Devices of `mirrored`; 0: all GPUs, or without any, one part of the CPU per core."
    )
    threads: int = Field(0, ge=0, le=1024, description="Threads of one operation; 0: as many as the machine has cores.")
