"""A piece of the corpus that can be read, and the blocks that it is read in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.reading.source_kinds import ReadingConfig
from pipeline.records import SentencePair, Unreadable

BLOCK = 4096  # records that a reader gives at a time
SHOWN = 1000  # characters of a side that are kept of a record that cannot be used

Block = list[SentencePair | Unreadable]
Blocks = Iterator[Block]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file on this machine whose content is known.

    Args:
        parameter: dotted name of what named it, for messages: `corpus.train[0].source`.
        path: where it lies; absolute.
        digest: hexadecimal SHA-256 of its bytes as they are stored.
        location: what people call it.
    """

    parameter: str
    path: Path
    digest: str
    location: str


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first bytes of a file, wherever it lies.

    Args:
        data: those bytes, as they are stored.
        size: bytes of the whole file, 0 where that is not known.
        path: where the whole file lies on this machine, None where it does not.
    """

    data: bytes
    size: int
    path: Path | None = None

    @property
    def is_whole(self) -> bool:
        """Whether that is all of it."""
        return len(self.data) == self.size


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the corpus that comes and goes as a whole: a file, a pair of files, a package.

    Args:
        split: train, dev, test or the name of a further set.
        name: dotted, for messages: `corpus.train[0]`.
        location: as people name it: `a.en.gz | a.de.gz`, `gs://bucket/a.tmx`, `package pypinyin`.
        digest: hexadecimal SHA-256 of the content: of the file's bytes, of the files' digests, of a package's version.
        reading: hexadecimal SHA-256 of all options that change what is read out of the same bytes.
        origin: the source's name in counts and reports.
        source: the `Source` that it belongs to; the reader of its kind knows which.
        languages: what the source calls the languages of the corpus, source and target.
        policy: what becomes of records that are not as they should be.
        files: what to read; none for a package.
        frame_size: numbers of a frame, where sources are frames and no text; otherwise 0.
    """

    split: str
    name: str
    location: str
    digest: str
    reading: str
    origin: str
    source: Any
    languages: tuple[str, str]
    policy: ReadingConfig
    files: tuple[StoredFile, ...] = ()
    frame_size: int = 0

    @property
    def sides(self) -> tuple[str, str]:
        """The languages in the order in which the file has them."""
        first, second = self.languages
        return (second, first) if self.source.reverse else (first, second)
