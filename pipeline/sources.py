"""Where pairs come from: which sources a corpus has, which parts they are made of, and what is read out of a part.

    corpus:
      source_language: en
      target_language: de
      train:
        - {source: news-*.en.gz, target: news-*.de.gz, origin: news}
        - {kind: table, path: web.tsv.zst, source: 3, target: 4, weight: 0.5}
        - {kind: tmx, path: gs://bucket/memory.tmx, target_language: de-CH}
      dev:  [{source: dev.en, target: dev.de}]
      sets:
        coco: [{source: coco.en, target: coco.de}]

`pipeline/source_kinds.py` describes the kinds; each has its reader in `pipeline/readers/`.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from itertools import chain
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from pipeline.config import StageConfig
from pipeline.errors import InputError
from pipeline.manifest import sha256_of_json
from pipeline.readers import alternating, frames, gettext, jsonl, parquet, pinyin, table, text, tmx, weather
from pipeline.reading.digests import Progress, silent
from pipeline.reading.globs import name_of
from pipeline.reading.parts import Block, Blocks, Part, StoredFile
from pipeline.reading.places import places_of
from pipeline.reading.source_kinds import GettextSource, PinyinSource, ReadingConfig, Source, TableSource, WeatherSource
from pipeline.records import SentencePair, Unreadable

SPLITS: Final = ("train", "dev", "test")
LONGEST_LICENCE: Final = 60  # characters; some packages put the whole text there
READER_VERSION: Final = 1  # raised when a reader makes other pairs of the same bytes
READERS: Final[Mapping[str, Callable[[Part], Blocks]]] = {
    "text": text.read,
    "table": table.read,
    "alternating": alternating.read,
    "tmx": tmx.read,
    "gettext": gettext.read,
    "parquet": parquet.read,
    "frames": frames.read,
    "jsonl": jsonl.read,
    "weather": weather.read,
    "pinyin": pinyin.read,
}
LABELLED: Final = ("tmx", "weather")  # kinds that know the languages of their sides
BY_LANGUAGE: Final = {"tmx", "weather", "gettext"}
POLICIES: Final = {
    "text": {"undecodable", "longest_line"},
    "alternating": {"undecodable", "longest_line"},
    "table": {"undecodable", "malformed", "longest_line"},
    "jsonl": {"undecodable", "malformed", "longest_line"},
    "parquet": {"undecodable", "malformed", "longest_line"},
    "frames": {"undecodable", "malformed", "longest_line"},
    "tmx": {"malformed", "longest_line"},
    "gettext": {"longest_line"},
}


def _is_free(name: str) -> str:
    if name in SPLITS:
        raise PydanticCustomError("set_name", "a name of its own, as corpus.{name} is there already", {"name": name})
    return name


SetName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$"), AfterValidator(_is_free)]  # names files too


class CorpusConfig(StageConfig):
    """Which text there is, in which languages."""

    source_language: str = Field("source", min_length=1, pattern="^[A-Za-z0-9-]+$", description="Label, such as en.")
    target_language: str = Field("target", min_length=1, pattern="^[A-Za-z0-9-]+$", description="Label, such as fr.")
    reverse: bool = Field(False, description="Learn the other direction: the sides change places.")
    frame_size: int = Field(
        0, ge=0, le=65536, description="Numbers of a frame, where all sources are of the kind frames; 0: they are text."
    )
    train: tuple[Source, ...] = Field((), description="Sources of the training pairs.")
    dev: tuple[Source, ...] = Field((), description="Sources of the dev set; none: held out of the training pairs.")
    test: tuple[Source, ...] = Field((), description="Sources of the test set; none: held out of the training pairs.")
    sets: dict[SetName, Annotated[tuple[Source, ...], Field(min_length=1)]] = Field(
        {},
        description="Sources of further sets by name: each is scored, and kept out of training like dev and test.",
    )
    when_changed: Literal["add", "rebuild"] = Field(
        "add",
        description="A training file changed: keep its old pairs and add, or forget them and build anew.",
    )
    reading: ReadingConfig = Field(
        ReadingConfig(), description="What becomes of records that are not as they should be."
    )

    def canonical(self) -> dict[str, Any]:
        """The configuration without its sources: what is in them counts, part by part, and not where they lie."""
        kept = {"source_language", "target_language", "reverse", *(["frame_size"] if self.frame_size else [])}
        return self.model_dump(mode="json", include=kept)

    def sources(self) -> Iterator[tuple[str, str, Source]]:
        """Every source with its split and its dotted name, `corpus.train[0]`."""
        for split in SPLITS:
            for index, source in enumerate(getattr(self, split)):
                yield split, f"corpus.{split}[{index}]", source
        for name, sources in self.sets.items():
            for index, source in enumerate(sources):
                yield name, f"corpus.sets.{name}[{index}]", source

    def languages_of(self, source: Source) -> tuple[str, str]:
        """What a source calls the two languages of the corpus."""
        return source.source_language or self.source_language, source.target_language or self.target_language


def check_sources(config: CorpusConfig) -> None:
    """Raises `InputError` where the corpus cannot be read. Cheap: nothing is hashed or downloaded."""
    check_corpus(config)
    for _, name, source in config.sources():
        check_kind(config, name, source)
        check_source(name, source, config.languages_of(source))
        for files in places_of(name, source):
            for file in files:
                file.check()


def check_corpus(config: CorpusConfig) -> None:
    """Raises `InputError` where there are no sources, or they contradict each other."""
    if not config.train:
        cause = "name files with --set 'corpus.train=[{source: a.en, target: a.de}]' or choose a --preset"
        raise InputError("corpus.train", [], "at least one source of pairs", cause)
    weights_of(config)
    if config.frame_size and config.reverse:
        raise InputError("corpus.reverse", True, "false beside corpus.frame_size", "frames cannot be written")


def check_kind(config: CorpusConfig, name: str, source: Source) -> None:
    """Raises `InputError` where a source is text among frames, or the other way round."""
    if source.kind != "frames" and config.frame_size:
        raise InputError(f"{name}.kind", source.kind, "frames", f"corpus.frame_size is {config.frame_size}")
    if source.kind == "frames" and not config.frame_size:
        raise InputError("corpus.frame_size", 0, "how many numbers a frame has", f"{name} holds frames")
    if source.kind == "frames" and source.reverse:
        raise InputError(f"{name}.reverse", True, "false for frames", "frames cannot be written")


def check_source(name: str, source: Source, languages: tuple[str, str]) -> None:
    """Raises `InputError` where a source contradicts itself, or what it is taken from does not have the languages."""
    if source.reverse and source.kind in LABELLED:
        cause = "its languages say which side is which; to learn the other direction, set corpus.reverse"
        raise InputError(f"{name}.reverse", True, f"false for {source.kind}", cause)
    if isinstance(source, WeatherSource):
        weather.check_languages(*languages)
    elif isinstance(source, GettextSource):
        if bool(source.path) == bool(source.package):
            given = f"{source.path} | {source.package}" if source.path else "not given"
            raise InputError(f"{name}.path", given, "either a path or a package of catalogues")
        if source.package:
            gettext.catalogues_of(source.package, name, languages[0] if source.reverse else languages[1])


def weights_of(config: CorpusConfig) -> dict[str, float]:
    """The weights that are not 1 by origin; raises `InputError` where two sources of one origin do not agree."""
    weights: dict[str, float] = {}
    for split, name, source in config.sources():
        origin = origin_of(source)
        if split != "train":
            if source.weight != 1:
                cause = "each of its sentences is scored exactly once"
                raise InputError(f"{name}.weight", source.weight, f"none in a {split} set", cause)
        elif weights.setdefault(origin, source.weight) != source.weight:
            allowed = f"{weights[origin]}, as an earlier source of the origin {origin} has"
            raise InputError(f"{name}.weight", source.weight, allowed, "give one of the two an origin of its own")
    return {origin: weight for origin, weight in weights.items() if weight != 1}


def licences_of(config: CorpusConfig) -> dict[str, str]:
    """Under which terms the text of each origin may be used, where somebody said so."""
    notes: dict[str, set[str]] = {}
    for _, _, source in config.sources():
        if note := source.licence or licence_of_package(package_of(source)):
            notes.setdefault(origin_of(source), set()).add(note)
    return {origin: "; ".join(sorted(of)) for origin, of in notes.items()}


def licence_of_package(package: str) -> str:
    """What an installed distribution says of its licence in a word or two, "" where it does not or is not there."""
    if not package:
        return ""
    try:
        said = metadata.metadata(package).json
    except metadata.PackageNotFoundError:
        return ""
    note = str(said.get("license_expression") or said.get("license") or "").strip()
    return f"{note} (as the package {package} says)" if 0 < len(note) <= LONGEST_LICENCE else ""


def origin_of(source: Source) -> str:
    """A source's name in counts and reports: the one it was given, or one from its files' names."""
    if source.origin:
        return source.origin
    if package := package_of(source):
        return "weather" if isinstance(source, WeatherSource) else package
    location = getattr(source, "source" if source.kind == "text" else "path")
    return name_of(location.partition("?")[0] if "://" in location else location) or source.kind


def package_of(source: Source) -> str:
    """The installed distribution that a source is taken from, "" for a source in files."""
    if isinstance(source, WeatherSource):
        return weather.PACKAGE
    if isinstance(source, PinyinSource):
        return pinyin.PACKAGE
    return source.package if isinstance(source, GettextSource) else ""


def parts_of(config: CorpusConfig, progress: Progress = silent) -> list[Part]:
    """The parts of the corpus in the order of the configuration, the files of a glob in the order of their names.

    Files are hashed unless that was done before, and downloaded unless they are in the cache.

    Args:
        config: the corpus.
        progress: told now and then: what is being hashed or downloaded, bytes done, bytes in all or 0.

    Raises:
        InputError: something is not there, or not what it should be.
    """
    parts = []
    for split, name, source in config.sources():
        check_source(name, source, config.languages_of(source))
        if package_of(source):
            parts.append(part_of(config, split, name, source, ()))
        for files in places_of(name, source):
            parts.append(part_of(config, split, name, source, tuple(file.bring(progress) for file in files)))
    return parts


def part_of(config: CorpusConfig, split: str, name: str, source: Source, files: tuple[StoredFile, ...]) -> Part:
    """The part of a source that is made of some files, or of a package where there are none."""
    if files:
        location = " | ".join(file.location for file in files)
        digest = files[0].digest if len(files) == 1 else sha256_of("".join(file.digest for file in files))
    else:
        location = f"package {package_of(source)}"
        digest = sha256_of(f"{location} {version_of(name, package_of(source))}")
    return Part(
        split=split,
        name=name,
        location=location,
        digest=digest,
        reading=reading_of(config, source, files[0].location if files else location),
        origin=origin_of(source),
        source=source,
        languages=config.languages_of(source),
        policy=config.reading,
        files=files,
        frame_size=config.frame_size,
    )


def version_of(name: str, package: str) -> str:
    """The version of an installed distribution, which stands for its content."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise InputError(name, package, "an installed distribution", "pip install it first") from error


def sha256_of(text: str) -> str:
    """Hexadecimal SHA-256 of some text."""
    return hashlib.sha256(text.encode()).hexdigest()


def reading_of(config: CorpusConfig, source: Source, location: str) -> str:
    """Hexadecimal SHA-256 of all that changes what is read out of the same bytes."""
    options = source.options() | {"version": READER_VERSION}
    options |= config.reading.model_dump(mode="json", include=POLICIES.get(source.kind, set()))
    if source.kind in BY_LANGUAGE:
        options["languages"] = config.languages_of(source)
    if config.frame_size:
        options["frame_size"] = config.frame_size
    if isinstance(source, TableSource):
        options["delimiter"], options["quoted"] = table.form_of(source, location)
    return sha256_of_json(options)


def read_part(part: Part) -> Iterator[SentencePair | Unreadable]:
    """The records of a part in the order of its file, their sides in the order of the corpus's languages."""
    return chain.from_iterable(read_blocks(part))


def read_blocks(part: Part) -> Iterator[Block]:
    """The same, some thousands at a time, which is faster.

    Raises:
        InputError: the part cannot be read, is empty, or is no longer what it was when its digest was taken. What was
            given until then is not to be used.
    """
    blocks = READERS[part.source.kind](part)
    pairs = 0
    reasons: set[str] = set()
    for block in blocks:
        if set(map(type, block)) == {SentencePair}:
            pairs += len(block)
        else:
            reasons.update(record.reason for record in block if isinstance(record, Unreadable))
            pairs += sum(isinstance(record, SentencePair) for record in block)
        yield [swapped(record) for record in block] if part.source.reverse else block
    if not pairs and reasons <= {"malformed"}:
        cause = "every record is malformed: other columns or keys?" if reasons else "there is no record in it"
        raise InputError(part.name, part.location, "a corpus with at least one pair", cause)


def swapped(record: SentencePair | Unreadable) -> SentencePair | Unreadable:
    """The record with its sides in each other's place."""
    if isinstance(record, SentencePair):
        return SentencePair(record.target, record.source)
    return Unreadable(record.reason, record.target, record.source)
