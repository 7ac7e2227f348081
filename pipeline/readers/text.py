"""Two aligned text files: line n of one is the translation of line n of the other."""

from collections.abc import Iterator
from itertools import chain, islice

from pipeline.errors import InputError
from pipeline.reading.lines import Line, lines_of
from pipeline.reading.opening import opened
from pipeline.reading.pairing import pair_lines
from pipeline.reading.parts import BLOCK, Blocks, Part


def read(part: Part) -> Blocks:
    """Pairs of the lines of two files.

    Raises:
        InputError: one of the files has more lines than the other.
    """
    with opened(part.files[0]) as source, opened(part.files[1]) as target:
        sides: list[Iterator[Line]] = [chain.from_iterable(lines_of(side, part.policy)) for side in (source, target)]
        read_so_far = 0
        while True:
            source_lines, target_lines = (list(islice(side, BLOCK)) for side in sides)
            if len(source_lines) != len(target_lines):
                raise of_different_length(part, sides, read_so_far, len(source_lines), len(target_lines))
            if not source_lines:
                break
            read_so_far += len(source_lines)
            yield pair_lines(source_lines, target_lines)


def of_different_length(
    part: Part, sides: list[Iterator[Line]], before: int, source_lines: int, target_lines: int
) -> InputError:
    """Says how many lines each file has; reads the longer one to its end for that."""
    counts = [
        before + lines + sum(1 for _ in side) for side, lines in zip(sides, (source_lines, target_lines), strict=True)
    ]
    source, target = part.files
    allowed = f"as many lines as {source.location} has, {counts[0]:,}, but it has {counts[1]:,}"
    cause = "a line is missing, split or added in one of the two"
    return InputError(target.parameter, target.location, allowed, cause)
