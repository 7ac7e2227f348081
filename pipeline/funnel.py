"""What cleaning made of the pairs it read: the counts, and a look at what was rejected.

Everything is counted in the files themselves, so that what a manifest says is what lies on disk.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.cleaning import CleanConfig
from pipeline.errors import InputError
from pipeline.frames import count_frames
from pipeline.pairs import count_pairs, count_values
from pipeline.records import SentencePair

NO_FAULTS = ("duplicate", "earlier_duplicate", "held_out", "too_many_targets")
FEWEST_JUDGED = 100  # pairs, below which a share says little
SAMPLES = 3  # rejected pairs shown for each reason
SHOWN = 200  # characters of each side


def count_clean(folder: Path, read: int) -> dict[str, int]:
    """What cleaning made of the pairs it read, counted in the files it wrote.

    Raises:
        RuntimeError: the counts do not add up to the pairs that were read, so some were lost.
    """
    kept = sum(count_pairs(path) for path in (folder / "train").glob("*.parquet"))
    rejected: dict[str, int] = {}
    for path in (folder / "rejects").glob("*.parquet"):
        for reason, number in count_values(path, "reason").items():
            rejected[reason] = rejected.get(reason, 0) + number
    if kept + sum(rejected.values()) != read:
        raise RuntimeError(f"{read} pairs were read, but {kept} kept and {rejected} rejected: some were lost")
    by_reason = {f"train.rejected.{reason}": rejected[reason] for reason in sorted(rejected)}
    held_out = {file.stem: count_pairs(file) for file in sorted(folder.glob("*.parquet"))}
    return {"train.read": read, "train.kept": kept, **by_reason, **held_out}


def reasons(counts: Mapping[str, int], prefix: str) -> dict[str, int]:
    """The counts below a prefix, the largest first.

    >>> reasons({"train.kept": 7, "train.rejected.empty": 1, "train.rejected.too_long": 2}, "train.rejected.")
    {'too_long': 2, 'empty': 1}
    """
    found = {name.removeprefix(prefix): number for name, number in counts.items() if name.startswith(prefix)}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def in_words(counted: Mapping[str, int]) -> str:
    """Reasons and their numbers in a message."""
    return ", ".join(f"{name} {number:,}" for name, number in counted.items())


def check_rejected(config: CleanConfig, counts: dict[str, int]) -> None:
    """Raises `InputError` where the rules rejected so much of a generation that something must be wrong with it.

    Copies of what is known and held-out sentences are no fault of a text and do not count.
    """
    faults = {name: n for name, n in reasons(counts, "train.rejected.").items() if name not in NO_FAULTS}
    judged = counts["train.kept"] + sum(faults.values())
    if judged >= FEWEST_JUDGED and sum(faults.values()) > config.max_rejected * judged:
        most = in_words(dict(list(faults.items())[:SAMPLES]))
        cause = f"{most}; swapped sides, or labels of other languages? clean.max_rejected=1 takes the rest"
        share = f"{sum(faults.values()):,} of {judged:,} pairs rejected"
        raise InputError("clean.max_rejected", share, f"at most {100 * config.max_rejected:g} %", cause)


def check_clean(config: CleanConfig, counts: dict[str, int], given: Mapping[str, list[SentencePair]]) -> None:
    """Raises `InputError` where cleaning left nothing to train on, or less to hold out than was asked for."""
    usable = counts["train.kept"] + counts.get("train.rejected.held_out", 0)
    if not usable:
        cause = f"{in_words(reasons(counts, 'train.rejected.'))}; the rules are keys of the section clean"
        shown = f"{counts['train.read']:,} pairs, all rejected"
        raise InputError("corpus.train", shown, "at least one pair that survives cleaning", cause)
    for split in ("test", "dev"):
        wanted = getattr(config.hold_out, split)
        if split not in given and counts[split] < wanted:
            allowed = f"fewer, as {counts[split]:,} were found among {usable:,} clean pairs"
            cause = f"few pairs share no sentence with another; or give a set of your own with corpus.{split}"
            raise InputError(f"clean.hold_out.{split}", wanted, allowed, cause)
    if not counts["train.kept"]:
        cause = f"all {usable:,} clean pairs share a side with a held-out set"
        raise InputError("clean.hold_out", "nothing left", "fewer pairs than the corpus has", cause)


def count_origins(folder: Path) -> dict[str, int]:
    """How many pairs of each origin were kept."""
    counts: dict[str, int] = {}
    for path in sorted((folder / "train").glob("*.parquet")):
        for origin, number in count_values(path, "origin").items():
            counts[origin] = counts.get(origin, 0) + number
    return dict(sorted(counts.items()))


def sample_rejects(folder: Path, frame_size: int = 0) -> dict[str, list[list[str]]]:
    """A few rejected pairs for each reason, chosen by their hashes, for people to see whether a rule is right."""
    samples: dict[str, list[list[str]]] = {}
    for path in sorted((folder / "rejects").glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            column = file.read(columns=["reason"])["reason"].to_numpy()
            for reason, first in zip(*np.unique(column.astype(str), return_index=True), strict=True):
                if len(samples.setdefault(str(reason), [])) < SAMPLES:  # rejects are in the order of their reasons
                    block = rows_at(file, int(first)).to_pylist()
                    samples[str(reason)] += [shown(row, frame_size) for row in block if row["reason"] == reason]
    samples = {reason: rows[:SAMPLES] for reason, rows in samples.items()}
    return dict(sorted(samples.items()))


def rows_at(file: pq.ParquetFile, first: int) -> pa.Table:
    """Some rows from the first on, as far as its row group goes."""
    group = 0
    while first >= (rows := file.metadata.row_group(group).num_rows):
        group, first = group + 1, first - rows
    return file.read_row_group(group).slice(first, SAMPLES)


def shown(row: dict[str, str], frame_size: int) -> list[str]:
    """A rejected pair as a sample: source, of which frames are counted, target, origin."""
    source = f"{count_frames(row['source'], frame_size):,} frames" if frame_size else row["source"][:SHOWN]
    return [source, row["target"][:SHOWN], row["origin"]]
