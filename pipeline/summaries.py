"""Counts over token ids that merge: those of workers into a generation, those of generations into the chain.

What fits is counted exactly: how often each piece occurs, how many sentences have each length. Distinct sentences and
pairs are estimated by tfx-bsl's sketch of the smallest hash values (Bar-Yossef et al., 2002), exact up to 16,384 and
within about 1 % above. Nothing depends on the order in which things are added or merged.

Letters: V pieces of a side's vocabulary, N sentences, L + 1 bins of lengths, R bins of ratios.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.manifest import write_atomically

LONGEST = 4096  # ids; the last bin of lengths holds all that are longer
LENGTHS = np.arange(LONGEST + 1)
BINS_PER_OCTAVE = 64  # of ratios: two neighbours differ by 1.1 %
OCTAVES = 4  # the first and the last bin hold all below 1/16 and above 16
RATIOS = 2.0 ** (np.arange(-OCTAVES * BINS_PER_OCTAVE, OCTAVES * BINS_PER_OCTAVE + 1) / BINS_PER_OCTAVE)
DISTINCT_BUCKETS = 16_384  # relative error of a distinct count: 1 / sqrt(16384), 0.8 %
SIDES = ("source", "target")

Counts = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


class Sizes(NamedTuple):
    """Numbers of pieces that the sides' vocabularies have; 0 for sources that are frames, which have none."""

    source: int
    target: int


def _distinct() -> Any:
    from tfx_bsl import sketches

    return sketches.KmvSketch(DISTINCT_BUCKETS)


@dataclass(slots=True)
class SideSummary:
    """One side of the pairs added so far.

    Args:
        pieces: [V], how often each piece occurs; none of frames.
        lengths: [L + 1], how many sentences have each number of ids.
        distinct: a sketch of the sentences' hashes.
    """

    pieces: Counts
    lengths: Counts = field(default_factory=lambda: np.zeros(LONGEST + 1, np.int64))
    distinct: Any = field(default_factory=_distinct)

    @property
    def tokens(self) -> int:
        """Number of ids, or of frames, of which a sequence's first 4,096 count."""
        return int(self.lengths @ LENGTHS if self.are_frames else self.pieces.sum())

    @property
    def are_frames(self) -> bool:
        """Whether these are sequences of frames and no sentences."""
        return not len(self.pieces)

    def add(self, ids: Counts, offsets: Counts) -> Hashes:
        """Adds sentences, ids [sum of lengths] and offsets [N + 1], and returns their hashes [N]."""
        hashes = sentence_hashes(ids, offsets)
        if not self.are_frames:
            self.pieces += np.bincount(ids, minlength=len(self.pieces))
        self.lengths += np.bincount(np.minimum(np.diff(offsets), LONGEST), minlength=LONGEST + 1)
        self.distinct.AddValues(pa.array(hashes))
        return hashes

    def merge(self, other: "SideSummary") -> None:
        """Adds what another summary holds."""
        self.pieces += other.pieces
        self.lengths += other.lengths
        self.distinct.Merge(other.distinct)


@dataclass(slots=True)
class Summary:
    """What is known of the pairs added so far; two summaries merge into one.

    Args:
        pairs: their number.
        ratios: [R], how many pairs have about each ratio of target to source ids.
        distinct: a sketch of the pairs' hashes.
    """

    source: SideSummary
    target: SideSummary
    pairs: int = 0
    ratios: Counts = field(default_factory=lambda: np.zeros(len(RATIOS), np.int64))
    distinct: Any = field(default_factory=_distinct)

    @classmethod
    def of_nothing(cls, sizes: Sizes) -> Self:
        """A summary of no pairs, for vocabularies of so many pieces."""
        source, target = (SideSummary(np.zeros(size, np.int64)) for size in sizes)
        return cls(source, target)

    @property
    def sizes(self) -> Sizes:
        """Numbers of pieces of the vocabularies it was made with."""
        return Sizes(len(self.source.pieces), len(self.target.pieces))

    @property
    def sides(self) -> dict[str, SideSummary]:
        """Both sides by name."""
        return {"source": self.source, "target": self.target}

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds the pairs of a record batch with list columns `source` and `target`."""
        (source_ids, source_offsets), (target_ids, target_offsets) = (flatten(batch.column(name)) for name in SIDES)
        source_hashes = self.source.add(source_ids, source_offsets)
        target_hashes = self.target.add(target_ids, target_offsets)
        self.pairs += batch.num_rows
        self.ratios += np.bincount(
            ratio_bins(np.diff(source_offsets), np.diff(target_offsets)), minlength=len(self.ratios)
        )
        self.distinct.AddValues(pa.array(_mix(_mix(source_hashes) + target_hashes)))

    def merge(self, other: "Summary") -> None:
        """Adds what another summary holds."""
        self.pairs += other.pairs
        self.source.merge(other.source)
        self.target.merge(other.target)
        self.ratios += other.ratios
        self.distinct.Merge(other.distinct)


def total(summaries: Iterable[Summary], sizes: Sizes) -> Summary:
    """A new summary of all that the given ones hold."""
    everything = Summary.of_nothing(sizes)
    for summary in summaries:
        everything.merge(summary)
    return everything


def by_origin(batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of each origin, which the batch's column `origin` numbers.

    Raises:
        RuntimeError: a pair has no origin or several.
    """
    origins, offsets = flatten(batch.column("origin"))
    if not np.array_equal(np.diff(offsets), np.ones(batch.num_rows)):
        raise RuntimeError(f"{len(origins)} origins for {batch.num_rows} pairs")
    for origin in np.unique(origins).tolist():
        rows = np.flatnonzero(origins == origin)
        yield origin, batch if len(rows) == batch.num_rows else batch.take(pa.array(rows))


def flatten(lists: pa.Array) -> tuple[Counts, Counts]:
    """A list column as values and offsets [rows + 1]; a list that is not there is an empty one."""
    lengths = pc.fill_null(lists.value_lengths(), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    return lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64, copy=False), offsets


def with_hashed_frames(batch: pa.RecordBatch, size: int) -> pa.RecordBatch:
    """The batch with a number for each frame of its sources, in place of `size` ones; equal for equal frames."""
    lists = batch.column("source")
    ends = np.concatenate([[0], np.cumsum(lists.value_lengths().to_numpy(zero_copy_only=False), dtype=np.int64)])
    bits = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False).view(np.uint32)
    frames = sentence_hashes(bits.astype(np.int64), np.arange(0, len(bits) + 1, size)) >> np.uint64(32)
    hashed = pa.LargeListArray.from_arrays(pa.array(ends // size), pa.array(frames.astype(np.int64)))
    return batch.set_column(batch.schema.get_field_index("source"), "source", hashed)


def sentence_hashes(ids: Counts, offsets: Counts) -> Hashes:
    """A 64-bit hash of each sentence: ids and their places are mixed, then added up and mixed once more.

    Args:
        ids: [sum of lengths], below 2 ** 32.
        offsets: [N + 1], where each sentence begins and the last ends.
    """
    places = np.arange(len(ids)) - np.repeat(offsets[:-1], np.diff(offsets))
    mixed = _mix((ids.astype(np.uint64) << np.uint64(32)) | places.astype(np.uint64))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed)])  # modulo 2 ** 64, as the differences are
    return _mix(sums[offsets[1:]] - sums[offsets[:-1]])


def _mix(values: Hashes) -> Hashes:
    """SplitMix64 (Steele et al., 2014): values that differ a little become values that differ everywhere."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def ratio_bins(sources: Counts, targets: Counts) -> Counts:
    """The bin of `RATIOS` nearest to each pair's target length over its source length; nothing is as long as one id."""
    octaves = np.log2(np.maximum(targets, 1) / np.maximum(sources, 1)).clip(-OCTAVES, OCTAVES)
    bins: Counts = np.rint((octaves + OCTAVES) * BINS_PER_OCTAVE).astype(np.int64)
    return bins


def quantile(histogram: Counts, values: npt.NDArray[Any], share: float) -> float:
    """The smallest value that at least this share of what was counted does not exceed.

    >>> quantile(np.array([0, 3, 1]), np.array([10, 20, 30]), 0.75)
    20.0
    """
    sums = np.cumsum(histogram)
    return float(values[np.searchsorted(sums, max(1, np.ceil(share * sums[-1])))])


def save(path: Path, summaries: Mapping[str, Summary]) -> None:
    """Writes summaries by name, complete or not at all; the same summaries are the same bytes."""
    arrays: dict[str, npt.NDArray[Any]] = {"names": np.array(list(summaries), np.str_)}
    for number, summary in enumerate(summaries.values()):
        for name, array in _arrays(summary).items():
            arrays[f"{number}.{name}"] = array
    written = io.BytesIO()
    np.savez(written, allow_pickle=False, **arrays)
    write_atomically(path, written.getvalue())


def load(path: Path) -> dict[str, Summary]:
    """Reads what `save` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        names: Sequence[str] = arrays["names"].tolist()
        return {name: _summary(arrays, f"{number}.") for number, name in enumerate(names)}


def _arrays(summary: Summary) -> dict[str, npt.NDArray[Any]]:
    sketches = {
        "distinct": summary.distinct,
        **{f"{name}.distinct": side.distinct for name, side in summary.sides.items()},
    }
    return {
        "pairs": np.array(summary.pairs),
        "ratios": summary.ratios,
        **{f"{name}.pieces": side.pieces for name, side in summary.sides.items()},
        **{f"{name}.lengths": side.lengths for name, side in summary.sides.items()},
        **{name: np.frombuffer(sketch.Serialize(), np.uint8) for name, sketch in sketches.items()},
    }


def _summary(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Summary:
    from tfx_bsl import sketches

    def sketch(name: str) -> Any:
        return sketches.KmvSketch.Deserialize(arrays[f"{prefix}{name}"].tobytes())

    def side(name: str) -> SideSummary:
        return SideSummary(
            arrays[f"{prefix}{name}.pieces"], arrays[f"{prefix}{name}.lengths"], sketch(f"{name}.distinct")
        )

    pairs, ratios = int(arrays[f"{prefix}pairs"]), arrays[f"{prefix}ratios"]
    return Summary(side("source"), side("target"), pairs, ratios, sketch("distinct"))
