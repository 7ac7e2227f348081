"""What a corpus is like, by the beginning of each of its files: for whoever wants to know before it is read.

A beginning is cut where a record ends, written to a temporary file and read by the reader of its kind, so that what
cannot be read is told as it would be in the night. How many pairs a file holds is counted where the beginning is all of
it, told by Parquet's own index, or concluded from the share of its bytes that was read.
"""

import io
import lzma
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from pipeline.errors import InputError
from pipeline.reading.locations import Location
from pipeline.reading.opening import decompressed, plain_name
from pipeline.reading.parts import BLOCK, Beginning, Part, StoredFile
from pipeline.reading.source_kinds import Source, WeatherSource
from pipeline.records import SentencePair
from pipeline.sources import CorpusConfig, part_of, read_blocks

LARGEST: Final = 4 << 20  # bytes of a file's beginning
ALL: Final = 32 << 20  # bytes of all beginnings together
SMALLEST: Final = 1 << 16
KEPT: Final = 4000  # pairs of a part, from all that was read of it
INDEXED: Final = {"parquet", "frames"}  # kinds whose end says where their beginning is
BOMS: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
CHUNK: Final = 1 << 16
ZSTD: Final = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class Sample:
    """A part of the corpus, as far as its beginning tells.

    Args:
        part: which.
        pairs: some of its pairs, sides in the order of the corpus's languages; none where nothing could be read yet.
        size: pairs that it holds in all, about; 0 where nothing could be read yet.
        is_counted: whether that number is exact.
        bytes: of its files as they are stored.
        missing: those of them that are not on this machine yet.
    """

    part: Part
    pairs: list[SentencePair]
    size: float
    is_counted: bool
    bytes: int
    missing: int = 0


def most_of(files: int) -> int:
    """Bytes of a beginning, where there are so many of them."""
    return max(SMALLEST, min(LARGEST, ALL // max(1, files)))


class Wanted(NamedTuple):
    """A part of the corpus that a sample is wanted of.

    Args:
        split: train, dev, test or the name of a further set.
        name: dotted name of the source, for messages: `corpus.train[0]`.
        source: that source.
        files: those of the part; none for a package.
    """

    split: str
    name: str
    source: Source
    files: tuple[Location, ...] = ()

    def part(self, config: CorpusConfig, stored: tuple[StoredFile, ...] = ()) -> Part:
        """The part, of some files that stand for its own."""
        return part_of(config, self.split, self.name, self.source, stored)


def sample(config: CorpusConfig, wanted: Wanted, most: int = LARGEST) -> Sample:
    """Some pairs of a part, for which at most so many bytes of each file are read.

    Raises:
        InputError: they cannot be read, or are not the files that are pinned.
        ConnectionError: a server does not answer.
    """
    return sample_files(config, wanted, most) if wanted.files else sample_package(config, wanted)


def sample_package(config: CorpusConfig, wanted: Wanted) -> Sample:
    """Pairs of a source that is in no file; the embedded corpus is not rendered whole for it."""
    part, source = wanted.part(config), wanted.source
    if isinstance(source, WeatherSource) and source.pairs > KEPT:
        few = wanted._replace(source=source.model_copy(update={"pairs": KEPT}))
        return Sample(part, read(few.part(config)), source.pairs, True, 0)
    pairs = read(part)
    return Sample(part, spread(pairs), len(pairs), True, 0)


def sample_files(config: CorpusConfig, wanted: Wanted, most: int) -> Sample:
    """Pairs from the beginning of a part's files; none where not even a record is whole there."""
    begun = [file.begin(most) for file in wanted.files]
    size = sum(one.size for one in begun)
    missing = sum(one.size for one, file in zip(begun, wanted.files, strict=True) if not file.is_here)
    kind = wanted.source.kind
    if kind in INDEXED and not begun[0].is_whole:
        return sample_indexed(config, wanted, begun[0], missing)
    contents, share = cut(kind, begun)
    if not share:
        unread = tuple(StoredFile(file.parameter, Path(), "", file.shown) for file in wanted.files)
        return Sample(wanted.part(config, unread), [], 0, False, size, missing)
    with TemporaryDirectory() as folder:
        stored = tuple(
            stored_in(Path(folder) / str(number), file, content)
            for number, (file, content) in enumerate(zip(wanted.files, contents, strict=True))
        )
        part = wanted.part(config, stored)
        pairs = read(part, is_cut=share < 1)
    return Sample(part, spread(pairs), len(pairs) / share, share == 1, size, missing)


def sample_indexed(config: CorpusConfig, wanted: Wanted, begun: Beginning, missing: int) -> Sample:
    """Pairs of a large Parquet file; none where it must be downloaded first."""
    (file,) = wanted.files
    part = wanted.part(config, (StoredFile(file.parameter, begun.path or Path(), "", file.shown),))
    if begun.path is None:
        return Sample(part, [], 0, False, begun.size, missing)
    pairs = read(part, 1)  # the digest is asked for at the end alone
    import pyarrow.parquet as pq

    return Sample(part, spread(pairs), pq.read_metadata(begun.path).num_rows, True, begun.size, missing)


def stored_in(folder: Path, file: Location, content: bytes) -> StoredFile:
    """A file's beginning as a file; its name tells its kind as the whole file's does."""
    folder.mkdir()
    path = folder / f"beginning{plain_name(file.shown).suffix}"
    path.write_bytes(content)
    return StoredFile(file.parameter, path, sha256(content).hexdigest(), file.shown)


def read(part: Part, blocks: int | None = None, *, is_cut: bool = False) -> list[SentencePair]:
    """The pairs of a part, or of its first blocks; of what is cut off, the end need not be as it should."""
    pairs: list[SentencePair] = []
    try:
        for block in islice(read_blocks(part), blocks):
            pairs += [record for record in block if isinstance(record, SentencePair)]
    except InputError:
        if not is_cut or len(pairs) < BLOCK:
            raise
    return pairs


def spread(pairs: list[SentencePair]) -> list[SentencePair]:
    """At most `KEPT` pairs, always the same, drawn by chance: corpora have rhythms, such as long and short by turns."""
    places = range(len(pairs))
    return [pairs[place] for place in sorted(Random(0).sample(places, min(KEPT, len(pairs))))]


def cut(kind: str, begun: Sequence[Beginning]) -> tuple[list[bytes], float]:
    """The beginnings without their compression, cut where records end, and the share of the files that they are.

    The share is 0 where no record ends.
    """
    if all(one.is_whole for one in begun):
        return [one.data for one in begun], 1.0
    whole, consumed = zip(*(unpacked(one.data) for one in begun), strict=True)
    if kind == "tmx":
        contents = [cut_entries(whole[0])]
    else:
        lines = [content.split(b"\n") for content in whole]
        count = min(len(each) - 1 for each in lines)
        count -= count % 2 if kind == "alternating" else 0
        contents = [b"".join(line + b"\n" for line in each[:count]) for each in lines]
    share = consumed[0] / begun[0].size if begun[0].size else 1.0
    return contents, share * min(1.0, len(contents[0]) / max(1, len(whole[0])))


def cut_entries(data: bytes) -> bytes:
    """The beginning of a translation memory up to the last entry that is whole, and closed; nothing without an entry.

    >>> cut_entries(b"<tmx><body><tu>1</tu><tu>2"), cut_entries(b"<tmx><body><tu>1")
    (b'<tmx><body><tu>1</tu></body></tmx>', b'')
    """
    encoding = BOMS.get(data[:2], "utf-8")
    end, closing = "</tu>".encode(encoding), "</body></tmx>".encode(encoding)
    before, found, _ = data.rpartition(end)
    return before + found + closing if found else b""


def unpacked(data: bytes) -> tuple[bytes, int]:
    """What can be had of a file's first bytes without its compression, and how many of them that took.

    >>> import gzip
    >>> unpacked(gzip.compress(b"rain"))[0], unpacked(b"rain")
    (b'rain', (b'rain', 4))
    """
    stored = io.BytesIO(data)
    if data.startswith(ZSTD):  # Arrow, which reads whole files of it, would read far ahead of what it gives
        import zstandard

        stream: Any = zstandard.ZstdDecompressor().stream_reader(stored, read_size=1 << 13)
    else:
        stream = decompressed(io.BufferedReader(stored))
    found, consumed = b"", 0
    with suppress(EOFError, OSError, zlib.error, lzma.LZMAError):  # it is a beginning: it ends early
        while len(found) < LARGEST and (chunk := stream.read(CHUNK)):
            found, consumed = found + chunk, stored.tell()
    return found, consumed
