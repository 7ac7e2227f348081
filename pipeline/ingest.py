"""The stage that brings the pairs in: what is new tonight, and only that."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from pipeline.errors import InputError
from pipeline.frames import frame_fact
from pipeline.generations import Plan, identity_of, plan, remembered
from pipeline.manifest import EARLIER, InputRecord, complete_outputs, sha256_of_json
from pipeline.pairs import SCHEMA, UNREADABLE_SCHEMA, TableWriter
from pipeline.progress import JobProgress
from pipeline.reading.parts import Part
from pipeline.records import SentencePair, Unreadable
from pipeline.sources import CorpusConfig, check_sources, parts_of, read_blocks
from pipeline.stage import Outcome, Outside, stage

VERSION = 2


def look(config: CorpusConfig, output_dir: Path) -> Outside:
    """What the sources hold beyond the generations there are."""
    check_sources(config)
    canonical = config.canonical()
    made = [one for one in complete_outputs(output_dir) if (one.stage_version, one.config) == (VERSION, canonical)]
    tonight = plan(parts_of(config), made, keeps_changed=config.when_changed == "add")
    if tonight.earlier and not tonight.new:
        records = {name: record for name, record in tonight.earlier.inputs.items() if name != EARLIER}
        return Outside(records, tonight.earlier.before(), tonight.reason, {"tonight": tonight})
    records = {name: record_of(part) for name, part in named(tonight).items()}
    return Outside(records, tonight.earlier, tonight.reason, {"tonight": tonight})


def named(tonight: Plan) -> dict[str, Part]:
    """The new parts by the names of the files that they are written to: `train-000`, `train-001`, ..."""
    return {f"{part.split}-{number:03}": part for number, part in enumerate(tonight.new)}


def record_of(part: Part) -> InputRecord:
    """A part in the fingerprint: its content and how it is read, not where it lies."""
    return InputRecord(kind="text", fingerprint=sha256_of_json(identity_of(part)), digest=part.digest)


@stage("ingest", section="corpus", version=VERSION, takes=(), makes="corpus", outside=look)
def ingest(config: CorpusConfig, *, folder: Path, tonight: Plan | None = None) -> Outcome:
    """Reads the sources that are new tonight, joins their sides and writes the pairs as Parquet.

    Files that do not fit together are refused here, so that no later stage sees half a pair. What was read on earlier
    nights stays as it is: together with it, this is the next generation of the corpus.

        nightshift ingest --preset weather

        workspace/weather-en-fr/ingest/3f9c2a7be01d/
            train-000.parquet                 one file a source file, in the order of the configuration
            unreadable/train-000.parquet      records that could not become pairs, each with the reason
            manifest.json
    """
    counts: dict[str, int] = {}
    parts = []
    with JobProgress("ingest", total=None) as progress:
        for name, part in named(tonight).items() if tonight else ():
            pairs, unreadable = write_part(folder, name, part, is_reversed=config.reverse, progress=progress)
            if not pairs:
                why = ", ".join(f"{reason} {number:,}" for reason, number in unreadable.items())
                cause = f"no record of it could be used: {why}" if why else "it is empty"
                raise InputError(part.name, part.location, "a corpus with at least one pair", cause)
            counted = {f"{part.split}.unreadable.{reason}": number for reason, number in unreadable.items()}
            counted |= {part.split: pairs}
            counts |= {name: counts.get(name, 0) + number for name, number in counted.items()}
            parts.append(remembered(part) | {"file": f"{name}.parquet", "pairs": pairs, "unreadable": unreadable})
    languages = [config.source_language, config.target_language]
    facts = {"languages": languages[::-1] if config.reverse else languages, "parts": parts}
    return Outcome(counts, facts | frame_fact(config.frame_size))


def write_part(
    folder: Path, name: str, part: Part, *, is_reversed: bool, progress: JobProgress
) -> tuple[int, dict[str, int]]:
    """Writes what one part holds; returns how many pairs that were, and how many other records for each reason."""
    read = 0
    reasons: Counter[str] = Counter()
    order = (1, 0) if is_reversed else (0, 1)
    with ExitStack() as files:
        written = files.enter_context(TableWriter(folder / f"{name}.parquet", SCHEMA))
        left_out = None
        for block in read_blocks(part):
            pairs = [record for record in block if isinstance(record, SentencePair)]
            written.add(*sides_of(pairs, order))
            if len(pairs) < len(block):
                unreadable = [record for record in block if isinstance(record, Unreadable)]
                path = folder / "unreadable" / f"{name}.parquet"
                left_out = left_out or files.enter_context(TableWriter(path, UNREADABLE_SCHEMA))
                left_out.add([record.reason for record in unreadable], *sides_of(unreadable, order))
                reasons.update(record.reason for record in unreadable)
            read += len(block)
            progress.advance(len(block))
    if written.rows + reasons.total() != read:
        lost = f"{written.rows} were written and {reasons.total()} left out"
        raise RuntimeError(f"{part.location}: {read} records were read, but {lost}")
    return written.rows, dict(sorted(reasons.items()))


def sides_of(records: Sequence[SentencePair | Unreadable], order: tuple[int, int]) -> list[list[str]]:
    """Both sides of some records, as columns."""
    sides = [record.source for record in records], [record.target for record in records]
    return [sides[side] for side in order]
