"""Where pairs come from, and the stage that brings them in.

A source is two aligned text files or the embedded weather corpus:

    corpus:
      train: [{source: a.en, target: a.de}, {source: b.en, target: b.de}]
      dev:   [{source: dev.en, target: dev.de}]
"""

from collections.abc import Iterator, Mapping
from importlib import metadata
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from pipeline.config import Frozen, StageConfig
from pipeline.errors import InputError
from pipeline.manifest import InputRecord, sha256_of_file
from pipeline.pairs import write_pairs
from pipeline.records import SentencePair
from pipeline.stage import Outcome, stage
from pipeline.weather import check_languages, weather_pairs

WEATHER_PACKAGE = "pirateweather-translations"
SPLITS = ("train", "dev", "test")


class TextSource(Frozen):
    """Two plain UTF-8 files; line n of one is the translation of line n of the other."""

    kind: Literal["text"] = "text"
    source: str = Field(description="File with the sentences to translate, one a line.")
    target: str = Field(description="File with their translations, line by line.")


class WeatherSource(Frozen):
    """The embedded corpus of weather summaries, in `corpus.source_language` and `corpus.target_language`."""

    kind: Literal["weather"]
    pairs: int = Field(22_000, ge=1, le=1_000_000, description="Distinct pairs to render.")
    seed: int = Field(1, ge=0, description="Which pairs of the grammar's millions are rendered.")


def _kind(value: Any) -> str:
    kind = value.get("kind", "text") if isinstance(value, dict) else getattr(value, "kind", "text")
    return str(kind)


Source = Annotated[Annotated[TextSource, Tag("text")] | Annotated[WeatherSource, Tag("weather")], Discriminator(_kind)]


class CorpusConfig(StageConfig):
    """Which text there is, in which languages."""

    source_language: str = Field("source", min_length=1, pattern="^[A-Za-z0-9-]+$", description="Label, such as en.")
    target_language: str = Field("target", min_length=1, pattern="^[A-Za-z0-9-]+$", description="Label, such as fr.")
    reverse: bool = Field(False, description="Learn the other direction: the sides change places.")
    train: tuple[Source, ...] = Field((), description="Sources of the training pairs.")
    dev: tuple[Source, ...] = Field((), description="Sources of the dev set; none: held out of the training pairs.")
    test: tuple[Source, ...] = Field((), description="Sources of the test set; none: held out of the training pairs.")

    def canonical(self) -> dict[str, Any]:
        """The configuration without the files' paths: what is in them counts, not where they lie."""
        config = super().canonical()
        for split in SPLITS:
            for source in config[split]:
                if source["kind"] == "text":
                    del source["source"], source["target"]
        return config

    def sources(self) -> Iterator[tuple[str, str, TextSource | WeatherSource]]:
        """Every source with its split and its dotted name, `corpus.train[0]`."""
        for split in SPLITS:
            for index, source in enumerate(getattr(self, split)):
                yield split, f"corpus.{split}[{index}]", source


def check_sources(config: CorpusConfig) -> dict[str, Path]:
    """The text files by name; raises `InputError` where one cannot be read or the corpus has no source at all."""
    if not config.train:
        cause = "name files with --set 'corpus.train=[{source: a.en, target: a.de}]' or choose a --preset"
        raise InputError("corpus.train", [], "at least one source of pairs", cause)
    files = {}
    for _, name, source in config.sources():
        if isinstance(source, WeatherSource):
            check_languages(config.source_language, config.target_language)
        else:
            for side in ("source", "target"):
                files[f"{name}.{side}"] = existing_file(f"{name}.{side}", getattr(source, side))
    return files


def digests_of_files(config: CorpusConfig) -> Mapping[str, InputRecord]:
    """What the corpus is made of, by name: the digest of each text file, the version of the weather package."""
    digests = {name: sha256_of_file(path) for name, path in check_sources(config).items()}
    for _, name, source in config.sources():
        if isinstance(source, WeatherSource):  # its sentences come with the package
            digests[name] = f"{WEATHER_PACKAGE} {metadata.version(WEATHER_PACKAGE)}"
    return {name: InputRecord(kind="text", fingerprint=digest, digest=digest) for name, digest in digests.items()}


@stage("ingest", section="corpus", version=1, takes=(), makes="corpus", outside=digests_of_files)
def ingest(config: CorpusConfig, *, folder: Path) -> Outcome:
    """Reads the sources, joins their sides and writes the pairs as Parquet.

    Files that do not fit together are refused here, so that no later stage sees half a pair.

        nightshift ingest --preset weather

        workspace/weather-en-fr/ingest/3f9c2a7be01d/
            train-000.parquet       one file a source, in the order of the configuration
            manifest.json
    """
    counts: dict[str, int] = {}
    origins = []
    for number, (split, name, source) in enumerate(config.sources()):
        pairs = pairs_of(config, name, source)
        if config.reverse:
            pairs = (SentencePair(pair.target, pair.source) for pair in pairs)
        written = write_pairs(folder / f"{split}-{number:03}.parquet", pairs)
        if not written:
            raise InputError(name, origin_of(source), "a corpus with at least one pair", "its files are empty")
        counts[split] = counts.get(split, 0) + written
        origins.append({"split": split, "origin": origin_of(source), "pairs": written})
    languages = [config.source_language, config.target_language]
    return Outcome(counts, {"languages": languages[::-1] if config.reverse else languages, "sources": origins})


def pairs_of(config: CorpusConfig, name: str, source: TextSource | WeatherSource) -> Iterator[SentencePair]:
    """The pairs of one source, as they stand in it."""
    if isinstance(source, WeatherSource):
        return weather_pairs(config.source_language, config.target_language, source.pairs, source.seed)
    return text_pairs(name, Path(source.source), Path(source.target))


def origin_of(source: TextSource | WeatherSource) -> str:
    """How people name a source."""
    return "weather" if isinstance(source, WeatherSource) else f"{source.source} | {source.target}"


def text_pairs(name: str, source: Path, target: Path) -> Iterator[SentencePair]:
    """Pairs of the lines of two files.

    Raises:
        InputError: a file is missing or not UTF-8, or one has more lines than the other.
    """
    sides = lines_of(f"{name}.source", source), lines_of(f"{name}.target", target)
    for number, (source_line, target_line) in enumerate(zip_longest(*sides)):
        if source_line is None or target_line is None:
            counts = number + 1 + sum(1 for _ in sides[0]), number + 1 + sum(1 for _ in sides[1])
            lines = (counts[0], number) if target_line is None else (number, counts[1])
            allowed = f"as many lines as {source} has, {lines[0]:,}, but it has {lines[1]:,}"
            raise InputError(f"{name}.target", target, allowed, "a line is missing, split or added in one of the two")
        yield SentencePair(source_line, target_line)


def lines_of(name: str, path: Path) -> Iterator[str]:
    """Lines of a UTF-8 file, without their ends and without a byte order mark.

    Only a line feed ends a line, whatever else Unicode calls a break.
    """
    with existing_file(name, str(path)).open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.rstrip(b"\r\n").decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                place = f"byte {error.start + 1} of line {number:,} is 0x{line[error.start]:02x}"
                raise InputError(name, path, "a file in UTF-8", f"{place}: saved in another encoding?") from error


def existing_file(name: str, path: str) -> Path:
    """The path, where a file lies that can be read."""
    allowed = "a regular file that can be read"
    if Path(path).exists() and not Path(path).is_file():
        raise InputError(name, path, allowed, "it is a folder, a pipe or a device")
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise InputError(name, path, allowed, str(error.strerror)) from error
    return Path(path)
