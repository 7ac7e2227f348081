"""What a configuration says about the places that pairs come from: one model for each kind of source."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from pipeline.config import Frozen
from pipeline.secrets import Place

SHA256 = "^([0-9a-f]{64})?$"
PLACE = "a path, a glob, gs://bucket/name (a glob too), or https://... with its SHA-256"
NOT_READ: Final = {"origin", "weight", "licence", "source_language", "target_language", "path", "sha256", "package"}


def _is_column(value: Any) -> Any:
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not is_number and not (isinstance(value, str) and value):
        raise PydanticCustomError("column", "a column's name, or its number from 1")
    return value


Column = Annotated[int | str, BeforeValidator(_is_column)]


class ReadingConfig(Frozen):
    """What becomes of records that are not as they should be, in every source."""

    undecodable: Literal["error", "replace", "reject"] = Field(
        "error",
        description="Bytes that are not UTF-8: stop, put U+FFFD in their place, or leave the pair out and count it.",
    )
    malformed: Literal["error", "reject"] = Field(
        "reject",
        description="A record that does not parse or lacks a column or key: stop, or leave it out and count it.",
    )
    longest_line: int = Field(
        1_000_000,
        ge=100,
        le=100_000_000,
        description="Bytes; a longer line is never in memory, its pair is left out and counted.",
    )


class AnySource(Frozen):
    """What every source can say about itself."""

    origin: str = Field("", max_length=100, description="Name in counts and reports; none: taken from the file's name.")
    weight: float = Field(1.0, gt=0, le=100, description="How often its pairs are seen in an epoch; training only.")
    licence: str = Field(
        "", max_length=200, description="Terms of its text, for model cards: CC-BY-4.0; none: a package's own."
    )
    reverse: bool = Field(False, description="The source has the two sides the other way round.")
    source_language: str = Field("", description="What this source calls corpus.source_language, such as en-US.")
    target_language: str = Field("", description="What this source calls corpus.target_language, such as fr_FR.")

    def options(self) -> dict[str, Any]:
        """What changes the pairs that are read out of the same bytes, as plain JSON values."""
        return self.model_dump(mode="json", exclude=set(NOT_READ))


class TextSource(AnySource):
    """Two UTF-8 files; line n of one is the translation of line n of the other."""

    kind: Literal["text"] = "text"
    source: Place = Field(description=f"File with the sentences to translate, one a line: {PLACE}.")
    target: Place = Field(description="File with their translations, line by line; as many files as the source has.")
    source_sha256: str = Field("", pattern=SHA256, description="SHA-256 of the source file; needed for https.")
    target_sha256: str = Field("", pattern=SHA256, description="SHA-256 of the target file; needed for https.")

    def options(self) -> dict[str, Any]:
        """Only which side is which: everything else says where the files are."""
        return {"kind": self.kind, "reverse": self.reverse}


class FileSource(AnySource):
    """What the kinds of source have in common that hold both sides in one file."""

    path: Place = Field(min_length=1, description=f"The file: {PLACE}.")
    sha256: str = Field("", pattern=SHA256, description="SHA-256 of the file as it is stored; needed for https.")


class TableSource(FileSource):
    """A table with tabs (TSV), commas (CSV) or another sign between its columns."""

    kind: Literal["table"]
    source: Column = Field(
        description="Column to translate: its name in the header, or its number, from 1, without one."
    )
    target: Column = Field(description="Column with the translation, named in the same way.")
    delimiter: str = Field(
        "", pattern='^[^"\\r\\n]?$', description="Sign between columns; none: a comma in .csv, a tab elsewhere."
    )
    quoted: bool | None = Field(
        None, description="Cells may stand in double quotes (RFC 4180); none: unless tabs divide."
    )

    @field_validator("target")
    @classmethod
    def _is_like_source(cls, target: int | str, info: ValidationInfo) -> int | str:
        if "source" in info.data and type(target) is not type(info.data["source"]):
            raise PydanticCustomError("columns", "a name if source is a name, a number if source is a number")
        return target


class AlternatingSource(FileSource):
    """One file of lines that take turns: a sentence, its translation, the next sentence, ..."""

    kind: Literal["alternating"]


class TmxSource(FileSource):
    """A translation memory in TMX; the languages of its entries say which side is which."""

    kind: Literal["tmx"]


class GettextSource(FileSource):
    """Catalogues of messages, PO or MO; the message is the source, its translation the target."""

    kind: Literal["gettext"]
    path: Place = Field("", description=f"The catalogue: {PLACE}.")
    package: str = Field("", description="Installed distribution to take all catalogues of the target language from.")


class ParquetSource(FileSource):
    """A Parquet file with a column for each side."""

    kind: Literal["parquet"]
    source: str = Field("source", min_length=1, description="Column to translate; dotted if nested: translation.en.")
    target: str = Field("target", min_length=1, description="Column with the translation; dotted if nested.")


class FramesSource(FileSource):
    """A Parquet file with a column of sequences of frames, such as features of speech, and one of text."""

    kind: Literal["frames"]
    source: str = Field(
        "source",
        min_length=1,
        description="Column of frames: lists of lists of corpus.frame_size numbers, or of all their numbers in a row.",
    )
    target: str = Field("target", min_length=1, description="Column with the text that they stand for.")


class JsonlSource(FileSource):
    """JSON objects, one a line, with a key for each side."""

    kind: Literal["jsonl"]
    source: str = Field("source", min_length=1, description="Key of the text to translate; dotted if nested: text.en.")
    target: str = Field("target", min_length=1, description="Key of the translation; dotted if nested.")


class WeatherSource(AnySource):
    """The embedded corpus of weather summaries, rendered in the two languages of the corpus."""

    kind: Literal["weather"]
    pairs: int = Field(22_000, ge=1, le=1_000_000, description="Distinct pairs to render.")
    seed: int = Field(1, ge=0, description="Which pairs of the grammar's millions are rendered.")


class PinyinSource(AnySource):
    """The phrases of the package pypinyin: hanzi to pinyin with tone marks, a task that is not translation."""

    kind: Literal["pinyin"]


def _kind(value: Any) -> str:
    kind = value.get("kind", "text") if isinstance(value, dict) else getattr(value, "kind", "text")
    return str(kind)


Source = Annotated[
    Annotated[TextSource, Tag("text")]
    | Annotated[TableSource, Tag("table")]
    | Annotated[AlternatingSource, Tag("alternating")]
    | Annotated[TmxSource, Tag("tmx")]
    | Annotated[GettextSource, Tag("gettext")]
    | Annotated[ParquetSource, Tag("parquet")]
    | Annotated[FramesSource, Tag("frames")]
    | Annotated[JsonlSource, Tag("jsonl")]
    | Annotated[WeatherSource, Tag("weather")]
    | Annotated[PinyinSource, Tag("pinyin")],
    Discriminator(_kind),
]
