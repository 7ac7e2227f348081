"""The vocabulary: SentencePiece behind encode and decode (Kudo and Richardson, 2018).

One vocabulary serves both sides, or each side has one of its own (`pipeline.vocabularies`). It is trained on a sample
chosen by content, never by chance, so that the same pairs give the same vocabulary on every machine.
"""

import io
import re
import tempfile
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
import sentencepiece
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from pipeline.config import StageConfig
from pipeline.errors import InputError
from pipeline.piece_model import is_bpe, without_paths

PAD, UNK, BOS, EOS = SPECIAL = 0, 1, 2, 3
SPACE = "\u2581"  # how pieces show the space before a word
IDS = pa.large_list(pa.int64())
Side = Literal["source", "target"]

# The model's own normalisation, in SentencePiece's form: any white space is a space, as cleaning has it, and nothing
# else changes, because what cleaning left is what the model must be able to write.
WHITE_SPACE_RULES = "".join(f"{code:X}\t20\n" for code in range(0x10000) if chr(code).isspace() and code != 0x20)


class VocabularyConfig(StageConfig):
    """How the vocabulary is learned."""

    size: int = Field(8000, ge=16, le=1_000_000, description="Pieces, the four control symbols included.")
    separate: bool = Field(
        False, description="Whether each side has a vocabulary of its own, learned from that side alone."
    )
    source_size: int = Field(
        0, ge=0, le=1_000_000, description="Pieces of the sources' own vocabulary; 0: `size`, as the targets' has."
    )
    model_type: Literal["unigram", "bpe"] = Field(
        "bpe", description="Byte-pair encoding (Sennrich et al., 2016) or unigram model (Kudo, 2018)."
    )
    character_coverage: float = Field(
        0.9995, ge=0.9, le=1, description="Share of the characters that get a piece; 1 for small alphabets."
    )
    sample_pairs: int = Field(
        500_000, ge=1, le=50_000_000, description="Training pairs it is learned from, those with the smallest hashes."
    )
    max_unknown_share: float = Field(
        0.01, ge=0, le=1, description="Share of unknown tokens in a new generation above which it is learned anew."
    )
    rebuild_at: int = Field(
        0, ge=0, description="Number of the generation at which it is learned anew from all text so far; 0: at none."
    )

    @field_validator("source_size")
    @classmethod
    def _belongs_to_separate(cls, size: int, info: ValidationInfo) -> int:
        if size and not info.data.get("separate", True):
            raise PydanticCustomError("source_size", "0, or vocabulary.separate=true beside it")
        return size

    def canonical(self) -> dict[str, Any]:
        """The configuration without the limit, which is asked once for each generation, at the time it comes.

        Of one vocabulary for both sides it says nothing about two.
        """
        left_out = {"max_unknown_share"} | (set() if self.separate else {"separate", "source_size"})
        return {name: value for name, value in super().canonical().items() if name not in left_out}

    def size_key(self, side: Side | None) -> Literal["size", "source_size"]:
        """Which key says how many pieces the vocabulary of a side has; None stands for that of both."""
        return "source_size" if side == "source" and self.source_size else "size"


class Vocabulary:
    """Text <-> token ids. Ids 0 to 3 are PAD, UNK, BOS and EOS; `encode` gives none of BOS and EOS.

    >>> vocabulary.encode(["Light rain."])  # doctest: +SKIP
    [[31, 17, 5]]
    """

    def __init__(self, proto: bytes) -> None:
        self.proto = proto
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=proto)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a SentencePiece model; raises `InputError` where the file is none, or one of other special ids."""
        try:
            return cls.of(path.read_bytes(), path)
        except OSError as error:
            raise InputError("vocabulary", path, "a SentencePiece model", str(error.strerror)) from error

    @classmethod
    def of(cls, proto: bytes, shown: Path | str) -> Self:
        """The vocabulary of a SentencePiece model's bytes; raises `InputError`, which names what is shown, likewise."""
        try:
            found = cls(proto)
        except RuntimeError as error:
            raise InputError("vocabulary", shown, "a SentencePiece model", "this is something else") from error
        processor = found._processor
        if not proto or [processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id()] != [*SPECIAL]:
            allowed = "a SentencePiece model with the ids 0 to 3 for padding, unknown, beginning and end"
            raise InputError("vocabulary", shown, allowed, "it was made elsewhere" if proto else "it is empty")
        return found

    @property
    def size(self) -> int:
        """Number of pieces."""
        return int(self._processor.get_piece_size())

    def piece(self, token: int) -> str:
        """The text of one token id."""
        return str(self._processor.id_to_piece(token))

    @cached_property
    def is_of_words(self) -> bool:
        """Whether the tokens of a sentence are those of its words one after the other.

        So it is with byte-pair encoding where no piece reaches over a space. The unigram model adds up the scores of a
        sentence, where rounding may decide between two ways to part a word that are as good.
        """
        reaches_over = any(SPACE in self.piece(token)[1:] for token in range(self.size))
        if reaches_over or not is_bpe(self.proto) or self._processor.piece_to_id(SPACE) == UNK:
            return False
        together, *apart = self.encode([" a  b ", "a", "b"])  # which differ if a model keeps spaces, or adds none
        return together == [token for ids in apart for token in ids]

    def encode(self, sentences: list[str]) -> list[list[int]]:
        """Token ids of each sentence."""
        # One thread: the jobs have a process for each core, and threads of their own would only compete with them.
        ids: list[list[int]] = self._processor.encode(sentences, out_type=int, num_threads=1)
        return ids

    def encode_column(self, sentences: pa.Array) -> pa.LargeListArray:
        """Token ids of each of many sentences: the same as those of `encode`, for a fifth of its time.

        Most words of a text are a few thousand ones, and each is encoded once.

        Letters: N sentences, W words, U different ones.
        """
        if not self.is_of_words or pc.any(pc.match_substring(sentences, SPACE)).as_py():
            return pa.array(self.encode(sentences.to_pylist()), IDS)
        words = pc.split_pattern(sentences, " ")
        encoded = words.flatten().dictionary_encode()
        ids = pa.array(self.encode(encoded.dictionary.to_pylist()), IDS).take(encoded.indices)  # [W]
        ends = ids.offsets.take(words.offsets.cast(pa.int64()))  # [N + 1]
        return pa.LargeListArray.from_arrays(ends, ids.values)

    def decode(self, ids: list[list[int]]) -> list[str]:
        """The text of each list of token ids."""
        sentences: list[str] = self._processor.decode(ids)
        return sentences


def train_vocabulary(config: VocabularyConfig, sentences: Iterable[str], side: Side | None = None) -> bytes:
    """Learns a SentencePiece model and returns its bytes.

    Args:
        config: its size and kind.
        sentences: what it is learned from.
        side: whose they are, None where they are of both.

    Raises:
        InputError: the sentences do not hold enough different pieces for the size, or not even for one.
    """
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write(WHITE_SPACE_RULES)
        rules.flush()
        _train(config, sentences, side, model, rules.name)
    return without_paths(model.getvalue())


def _train(
    config: VocabularyConfig, sentences: Iterable[str], side: Side | None, model: io.BytesIO, rules: str
) -> None:
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            vocab_size=getattr(config, config.size_key(side)),
            model_type=config.model_type,
            normalization_rule_tsv=rules,
            character_coverage=config.character_coverage,
            pad_id=PAD,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            num_threads=4,  # the result depends on how the work is split, so this is fixed rather than the machine's
            minloglevel=2,
        )
    except RuntimeError as error:
        raise _size_error(config, side, str(error)) from error


def _size_error(config: VocabularyConfig, side: Side | None, message: str) -> InputError:
    """Says which sizes the text allows, as far as SentencePiece's own message tells."""
    most = re.search(r"value <= (\d+)", message)
    least = re.search(r"smaller than required_chars\. *\d+ vs (\d+)", message)
    key = config.size_key(side)
    name, size = f"vocabulary.{key}", getattr(config, key)
    text = f"the {side} text" if side else "the text"
    other = "; vocabulary.source_size gives the sources another size" if side and key == "size" else ""
    if most:
        return InputError(name, size, f"at most {most[1]}", f"{text} has no more different pieces{other}")
    if least:
        each = f"each character of {text}" if side else "each character"
        return InputError(name, size, f"more than {least[1]}", f"{each} needs a piece{other}")
    return InputError("vocabulary", size, "text that SentencePiece can learn from", message.splitlines()[-1])
