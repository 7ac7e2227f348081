"""Translating very many sentences as a Beam job: with an exported SavedModel and nothing else.

    texts = translate(Path("export"), sentences, folder=scratch, beam=BeamConfig(workers=4))
    translate_file(Path("export"), "gs://bucket/news.en.gz", "gs://bucket/news.de", folder=scratch, beam=BeamConfig())

Each sentence is translated once and stands where it stood: what comes out is compared with what was given, by a digest
of numbers and sentences. A job that loses a worker process goes on with the parts that are not finished.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.batching import LONGEST
from pipeline.beam_config import BeamConfig
from pipeline.compressing import compressed
from pipeline.errors import InputError
from pipeline.exchange import open_exchange
from pipeline.pairs import open_writer
from pipeline.reading.digests import silent
from pipeline.reading.lines import CHUNK, UTF8_MARK
from pipeline.reading.locations import locate
from pipeline.reading.opening import opened
from pipeline.running.worker_pool import prepare
from pipeline.stage import log
from pipeline.storage import open_storage, partial_of

SENTENCES: Final = pa.schema([("sentence", pa.large_string())])
PART: Final = 1024  # sentences: enough that batches are of similar length, few enough that little is done again
BATCH: Final = 64  # sentences translated at a time
ATTEMPTS: Final = 3  # of a job that lost a worker
MOST_BYTES: Final = 4 * LONGEST  # that many characters have


def translate(
    saved_model: Path, sentences: Sequence[str], *, folder: Path, beam: BeamConfig, batch_size: int = BATCH
) -> list[str]:
    """Translations of sentences, in their order.

    Args:
        saved_model: folder of the exported model; workers elsewhere see it, or a copy of it by `beam.exchange`.
        sentences: what to translate; an empty sentence is put to the model like any other.
        folder: where sentences and translations lie meanwhile, emptied before and after; the same goes for it.
        beam: the runner, which does not change the result.
        batch_size: sentences translated at a time, at most.

    Raises:
        InputError: there is no SavedModel, or the runner cannot start.
        RuntimeError: the job failed, or it gave back other sentences than it was given.
    """
    with scratch(folder):
        number = write_sentences(sentences, folder)
        run(saved_model, folder, number, beam, batch_size)
        return list(chain.from_iterable(texts for _, texts in translated(folder)))


def translate_file(
    saved_model: Path, source: str, target: str, *, folder: Path, beam: BeamConfig, batch_size: int = BATCH
) -> int:
    """Translates a file line by line into another one, which appears whole or not at all.

    Args:
        saved_model: as in `translate`.
        source: UTF-8 text, one sentence a line, plain or compressed; a path or `gs://bucket/name`. White space around
            a sentence does not count, and an empty line is answered with an empty line.
        target: where the translations go, line by line; a path or `gs://bucket/name`. One that ends with .gz is
            compressed.
        folder: as in `translate`.
        beam: as in `translate`.
        batch_size: as in `translate`.

    Returns:
        The number of lines.

    Raises:
        InputError: a file that cannot be read or written, a line that is not UTF-8 or longer than `LONGEST`; and what
            `translate` raises.
    """
    put = writer_to(target)
    with scratch(folder):
        number = write_sentences(lines_of(source), folder)
        run(saved_model, folder, number, beam, batch_size)
        written = folder / "translations.txt"
        with written.open("wb") as plain, compressed(plain, target) as file:
            for sentences, texts in translated(folder):
                for sentence, text in zip(sentences, texts, strict=True):
                    # An answer is one line, whatever the model says.
                    file.write(f"{' '.join(text.splitlines()) if sentence else ''}\n".encode())
        put(written)
    return number


@contextmanager
def scratch(folder: Path) -> Iterator[None]:
    """An empty folder, gone afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_sentences(sentences: Iterable[str], folder: Path) -> int:
    """Writes sentences in parts, and returns how many there are."""
    remaining, number, parts = iter(sentences), 0, 0
    while part := list(islice(remaining, PART)):
        with open_writer(folder / "sentences" / f"part-{parts:06}.parquet", SENTENCES) as writer:
            writer.write_table(pa.table([pa.array(part, pa.large_string())], schema=SENTENCES))
        number, parts = number + len(part), parts + 1
    return number


def run(saved_model: Path, folder: Path, number: int, beam: BeamConfig, batch_size: int) -> None:
    """Translates the parts in a folder, and once more those that a lost worker left.

    Raises:
        InputError: there is no SavedModel.
        WorkerLost: workers were lost again and again.
        RuntimeError: what came out is not what was given.
    """
    if not (saved_model / "saved_model.pb").is_file():
        raise InputError("model", saved_model, "a SavedModel that nightshift exported", "no saved_model.pb in it")
    prepare(beam, number)
    from apache_beam import Create, Reshuffle

    from pipeline import runners
    from pipeline.decoding import TranslateParts
    from pipeline.running.remote_worker import WorkerLost

    exchange = open_exchange(beam, folder, {"model": saved_model})
    exchange.give(path for path in saved_model.rglob("*") if path.is_file())
    exchange.give((folder / "sentences").glob("part-*"))
    for attempt in range(1, ATTEMPTS + 1):
        parts = missing_parts(folder)
        if not parts:
            break
        try:
            with runners.open_pipeline(beam, stage="translate", pairs=number, unit="sentences") as job:
                listed = job | "list parts" >> Create(parts) | "spread parts" >> Reshuffle()
                _ = listed | TranslateParts(exchange.location(saved_model), exchange.location(folder), batch_size)
            exchange.fetch("translations")
        except WorkerLost as error:
            if attempt == ATTEMPTS:
                raise
            log.warning("%-16s %s; %s parts are translated again", "translate", error, len(missing_parts(folder)))
    exchange.clear()
    check(folder)


def missing_parts(folder: Path) -> list[str]:
    """Names of the parts that have no translation yet."""
    wanted, there = ({path.name for path in (folder / name).glob("part-*")} for name in ("sentences", "translations"))
    return sorted(wanted - there)


def check(folder: Path) -> None:
    """Raises `RuntimeError` unless each sentence was translated once, in its place."""
    given = ((range(len(part)), part) for part in given_parts(folder))
    tables = (pq.read_table(folder / "translations" / name) for name in part_names(folder))
    found = ((table["number"].to_pylist(), table["sentence"].to_pylist()) for table in tables)
    if digest_of(given) != digest_of(found):
        raise RuntimeError(f"{folder}: what was translated is not what was given, or not in its order")


def digest_of(parts: Iterable[tuple[Iterable[int], Iterable[str]]]) -> str:
    """SHA-256 over the numbers of sentences and the sentences of each part."""
    digest = hashlib.sha256()
    for place, (numbers, sentences) in enumerate(parts):
        for number, sentence in zip(numbers, sentences, strict=True):
            data = sentence.encode()
            digest.update(f"{place} {number} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def part_names(folder: Path) -> list[str]:
    """The parts in their order."""
    return sorted(path.name for path in (folder / "sentences").glob("part-*"))


def given_parts(folder: Path) -> Iterator[list[str]]:
    """The sentences of each part."""
    for name in part_names(folder):
        yield pq.read_table(folder / "sentences" / name)["sentence"].to_pylist()


def translated(folder: Path) -> Iterator[tuple[list[str], list[str]]]:
    """The sentences of each part and their translations."""
    for name in part_names(folder):
        table = pq.read_table(folder / "translations" / name)
        yield table["sentence"].to_pylist(), table["text"].to_pylist()


def lines_of(source: str) -> Iterator[str]:
    """The lines of a file without white space around them."""
    files = locate("--input", source)
    if len(files) != 1:
        raise InputError("--input", source, "one file", f"{len(files):,} match")
    with opened(files[0].bring(silent)) as content:
        number, rest, chunk = 0, b"", content.read(CHUNK).removeprefix(UTF8_MARK)
        while chunk:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                number += 1
                yield sentence_of(source, number, line)
            if len(rest) > MOST_BYTES:
                sentence_of(source, number + 1, rest)  # which says so
            chunk = content.read(CHUNK)
        if rest:
            yield sentence_of(source, number + 1, rest)


def sentence_of(source: str, number: int, line: bytes) -> str:
    """A line as a sentence; raises `InputError` where it cannot be one."""
    if len(line) > MOST_BYTES or len(line.decode(errors="replace")) > LONGEST:
        allowed = f"lines of at most {LONGEST:,} characters"
        raise InputError("--input", source, allowed, f"line {number:,} is longer")
    try:
        return line.decode().strip()
    except UnicodeDecodeError as error:
        cause = f"line {number:,} is not: saved in another encoding?"
        raise InputError("--input", source, "a file in UTF-8", cause) from error


def writer_to(target: str) -> Callable[[Path], None]:
    """What puts a finished file at a path or at gs://bucket/name, whole or not at all.

    Raises:
        InputError: no such place; asked before anything is translated.
    """
    if target.startswith("gs://"):
        bucket, _, name = target.removeprefix("gs://").partition("/")
        if not name or name.endswith("/"):
            raise InputError("--output", target, "gs://bucket/name")
        storage = open_storage(f"gs://{bucket}", "--output")
        return lambda file: storage.upload(file, name)
    path = Path(target).expanduser().resolve()  # a symbolic link stays one
    if "://" in target or not target or (path.exists() and not path.is_file()):
        raise InputError("--output", target, "a file's path or gs://bucket/name")
    if not path.absolute().parent.is_dir():
        raise InputError("--output", target, "a file in a folder that is there")

    def put(file: Path) -> None:
        with partial_of(path) as partial:
            shutil.copyfile(file, partial)
            partial.replace(path)

    return put
