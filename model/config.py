"""What training and evaluation can be told, with ranges and units. Nothing heavy is imported here."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from pipeline.config import Frozen, StageConfig

ReadSide = Literal["source", "target"]  # which tokens are read; what is written has a side of its own, the output


class ModelConfig(Frozen):
    """The network. What a field means nothing for does not read it; its description says for what it counts."""

    architecture: Literal["lstm", "gru", "rnn", "transformer"] = Field(
        "lstm", description="Recurrent cell of the encoder and the decoder, or transformer."
    )
    embedding_size: int = Field(256, ge=4, le=2048, description="Width of the token vectors, and of a transformer.")
    tied: bool = Field(
        True,
        description="Targets and softmax share one table of token vectors, and so do the sources unless "
        "vocabulary.separate gives them tokens, and then a table, of their own.",
    )
    frame_stride: int = Field(
        1, ge=1, le=64, description="Frames that become one source position, where sources are frames."
    )
    encoder_layers: int = Field(
        1, ge=1, le=32, description="Layers of the encoder; from the second on recurrent ones are residual."
    )
    decoder_layers: int = Field(1, ge=1, le=32, description="Layers of the decoder, likewise.")
    bidirectional: bool = Field(True, description="Recurrent only: whether the encoder reads in both directions.")
    encoder_units: int = Field(
        128, ge=4, le=2048, description="Recurrent only: units of the encoder's cell, in each direction."
    )
    decoder_units: int = Field(256, ge=4, le=4096, description="Recurrent only: units of the decoder's cell.")
    attention: Literal["additive", "multiplicative", "none"] = Field(
        "additive",
        description="Recurrent only: how the decoder compares itself with a source position. Additive waits for its "
        "answer at each step, multiplicative asks for all steps at once, none knows the last encoder state alone.",
    )
    attention_units: int = Field(128, ge=4, le=2048, description="Additive attention only: width of its hidden layer.")
    multiplicative_form: Literal["general", "dot"] = Field(
        "general",
        description="Multiplicative attention only: with a kernel between state and source position, or without.",
    )
    heads: int = Field(
        4,
        ge=1,
        le=64,
        validate_default=True,
        description="Transformer only: heads of attention; embedding_size is a multiple of their number.",
    )
    feedforward_units: int = Field(
        1024, ge=4, le=16384, description="Transformer only: width of the hidden layer after attention."
    )
    dropout: float = Field(
        0.25, ge=0, lt=1, description="Share of the values between layers that is set to zero in training."
    )
    variational: bool = Field(
        False,
        description="Recurrent only: whether all steps of a sentence drop the same values, those of the states too.",
    )

    @field_validator("multiplicative_form")
    @classmethod
    def _compares_equal_widths(cls, form: str, info: ValidationInfo) -> str:
        fields = info.data
        is_dot = form == "dot" and fields.get("attention") == "multiplicative"
        if is_dot and fields.get("architecture") != "transformer" and {"encoder_units", "decoder_units"} <= set(fields):
            memory = fields["encoder_units"] * (2 if fields.get("bidirectional") else 1)
            if memory != fields["decoder_units"]:
                allowed = "general, or decoder_units {memory}, as wide as what the encoder shows"
                raise PydanticCustomError("unequal_widths", allowed, {"memory": memory})
        return form

    @property
    def has_attention(self) -> bool:
        """Whether the decoder looks at the source's positions."""
        return self.architecture == "transformer" or self.attention != "none"

    @field_validator("heads")
    @classmethod
    def _divide_the_width(cls, heads: int, info: ValidationInfo) -> int:
        size = info.data.get("embedding_size", heads)
        if info.data.get("architecture") == "transformer" and size % heads:
            raise PydanticCustomError("heads", "a divisor of embedding_size {size}", {"size": size})
        return heads


class VectorsConfig(Frozen):
    """Token vectors of one side that were learned elsewhere."""

    path: str = Field("", description="Text file in the form of word2vec or GloVe; empty: vectors are drawn.")
    frozen: bool = Field(False, description="Whether the vectors that were found stay as they are in training.")


class SideVectors(Frozen):
    """Token vectors from files; a shared table (train.model.tied) takes those of one side."""

    source: VectorsConfig = VectorsConfig()
    target: VectorsConfig = VectorsConfig()

    @property
    def given(self) -> dict[ReadSide, VectorsConfig]:
        """The sides that have a file."""
        sides: dict[ReadSide, VectorsConfig] = {"source": self.source, "target": self.target}
        return {side: vectors for side, vectors in sides.items() if vectors.path}


class SearchConfig(Frozen):
    """How the exported model looks for its answer. It is part of the artefact, so what is scored is what is served."""

    beams: int = Field(1, ge=1, le=32, description="Hypotheses kept at each step; 1 is greedy search.")
    length_penalty: float = Field(
        0.6, ge=0, le=2, description="Exponent of the length in ((5 + length) / 6); 0 compares plain log-probabilities."
    )
    max_length: int = Field(200, ge=1, le=2000, description="Tokens after which an answer is cut off.")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Numbers that the exported model keeps its kernels in, and multiplies with. bfloat16 is half as "
        "large, and twice as fast on CPUs with AMX or AVX512-BF16; on others it is slow.",
    )


class TrainConfig(StageConfig):
    """What is trained, and how. Every value changes the weights."""

    model: ModelConfig = ModelConfig()
    search: SearchConfig = SearchConfig()
    steps: int = Field(4000, ge=1, le=10_000_000, description="Updates of the weights.")
    batch_tokens: int = Field(
        2048,
        ge=16,
        le=1_000_000,
        description="Tokens, or positions of frames, that a batch holds on its longer side, padding included.",
    )
    accumulate: int = Field(1, ge=1, le=10_000, description="Batches that one update is made from.")
    shapes: Literal["dynamic", "fixed"] = Field(
        "dynamic",
        description="Of batches: as their pairs need it, or at most twelve fixed ones, which compilers want. About a "
        "tenth of these is padding, which costs time wherever nothing is compiled.",
    )
    max_length: int = Field(
        150,
        ge=1,
        le=2000,
        description="Tokens, the closing one included, or positions of frames; a pair with a longer side is left out "
        "and counted.",
    )
    learning_rate: float = Field(0.002, gt=0, le=1, description="Adam's step size at its highest.")
    warmup_steps: int = Field(200, ge=0, description="Steps in which the step size rises from zero to its highest.")
    schedule: Literal["cosine", "inverse_sqrt", "constant", "plateau"] = Field(
        "cosine",
        description="What the step size does after the warm-up: falls towards zero, with 1/sqrt(step), stays, or "
        "halves where the dev loss stands still.",
    )
    plateau_patience: int = Field(
        3, ge=1, description="Measurements without a lower dev loss after which `plateau` halves the step size."
    )
    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="Probability that the target spreads over the whole vocabulary."
    )
    clip_norm: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="Largest norm of the whole gradient of the loss per token."
    )
    max_skips: int = Field(
        10,
        ge=1,
        description="Updates in a row that may be skipped, their loss or gradient not being finite, before it ends.",
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32",
        description="Numbers that products are computed in; weights, softmax and sums stay float32. bfloat16 is for "
        "CPUs, float16 for GPUs.",
    )
    ema: float = Field(
        0.0, ge=0, lt=1, description="Decay of the weights' moving average, which is then exported; 0: none."
    )
    average_checkpoints: int = Field(
        1, ge=1, le=100, description="Checkpoints whose weights' mean is exported; 1: the last weights as they are."
    )
    patience: int = Field(
        0,
        ge=0,
        description="Measurements without a lower dev loss after which training ends with the best weights; 0: never.",
    )
    warm_start: str = Field(
        "",
        coerce_numbers_to_str=True,
        description="Model whose weights it begins with: champion, another alias or a version's number in the night's "
        "registry, REGISTRY/NAME@champion, or the folder of a finished output of train; empty: random ones.",
    )
    vectors: SideVectors = Field(
        SideVectors(),
        description="Vectors that a new network begins with; those a warm start brings replace them, unless frozen.",
    )
    keep_optimizer: bool = Field(
        False,
        description="Whether Adam's averages are kept beside the weights, thrice the size, and taken by a warm start.",
    )
    weights: dict[str, Annotated[float, Field(gt=0, le=100)]] = Field(
        {},
        description="How often an origin's pairs are seen in an epoch, from corpus.train; 0.5: a fixed half.",
    )
    seed: int = Field(1, ge=0, le=1_000_000, description="Decides the first weights, the batches' order, the dropout.")
    checkpoint_every: int = Field(500, ge=1, description="Steps between two checkpoints.")
    evaluate_every: int = Field(500, ge=1, description="Steps between two measurements of the dev loss.")

    @field_validator("average_checkpoints")
    @classmethod
    def _stands_alone(cls, checkpoints: int, info: ValidationInfo) -> int:
        if checkpoints > 1 and info.data.get("ema"):
            raise PydanticCustomError("averages", "1 beside train.ema, since one average is exported")
        return checkpoints

    def canonical(self) -> dict[str, Any]:
        """The configuration without the places of what it begins from: it is their content that counts."""
        fields = super().canonical()
        del fields["warm_start"]
        for side in fields["vectors"].values():
            del side["path"]
        return fields


class EvaluateConfig(StageConfig):
    """How the exported model is scored."""

    batch_size: int = Field(128, ge=1, le=10_000, description="Sentences translated at a time.")
    bleu_tokenizer: Literal["13a", "intl", "zh", "char", "none"] = Field(
        "13a", description="How sacreBLEU cuts sentences into words; zh for Chinese, char for text without spaces."
    )
    metrics: tuple[Literal["ter", "exact_match", "token_error_rate", "rouge_l"], ...] = Field(
        (),
        description="What is measured beside loss, BLEU and chrF: ter, which takes seconds for sentences of 30 words, "
        "exact_match, token_error_rate, rouge_l.",
    )
    robustness: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Sentences of each test set that are also translated with typing errors, in capitals, without "
        "their full stop and with doubled spaces; 0: none.",
    )
    pictures: int = Field(
        1,
        ge=0,
        le=3,
        description="Attention pictures of the best, of the median and of the worst sentences of a test set, each.",
    )


class DeviceConfig(Frozen):
    """What a training runs on. It decides the time, not the result, which rounding alone may change.

    Without dropout any number of replicas takes the same step; with dropout each replica draws masks of its own.
    """

    strategy: Literal["one", "mirrored", "multi_worker", "tpu"] = Field(
        "one",
        description="One device, a copy of the model on each device of this machine, on each worker, or on each core "
        "of a TPU.",
    )
    tpu: str = Field(
        "local",
        min_length=1,
        description="The TPU of `tpu`: its name, its address grpc://host:port, or local for that of this machine.",
    )
    compile: bool = Field(
        False,
        description="Whether XLA compiles the step, once for each of train.shapes=fixed; for GPUs. A CPU is slower "
        "with it and takes some seconds for each shape, a TPU compiles always.",
    )
    replicas: int = Field(
        0, ge=0, le=64, description="Devices of `mirrored`; 0: all GPUs, or without any, one part of the CPU per core."
    )
    workers: int = Field(
        0,
        ge=0,
        le=64,
        description="Processes of `multi_worker` to start on this machine's CPU; 0: the cluster of TF_CONFIG.",
    )
    join_seconds: int = Field(
        120,
        ge=1,
        le=86_400,
        description="Time within which all workers of `multi_worker` must have joined, or a TPU must answer.",
    )
    batches_per_call: int = Field(
        1,
        ge=1,
        le=100,
        description="Batches that one call from Python learns from; more are worth it where a step takes milliseconds. "
        "Who asks a training to end waits for the call under way and a step. With train.shapes=fixed the network is "
        "built for each shape before the first step.",
    )
    threads: int = Field(
        0, ge=0, le=1024, description="Threads of one operation; 0: one for each core that the process may use."
    )

    @field_validator("workers")
    @classmethod
    def _belong_to_multi_worker(cls, workers: int, info: ValidationInfo) -> int:
        if workers and info.data.get("strategy", "multi_worker") != "multi_worker":
            raise PydanticCustomError("workers", "0, or devices.strategy=multi_worker beside it")
        return workers
