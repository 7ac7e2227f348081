"""One file of lines that take turns: a sentence, its translation, the next sentence, ..."""

from itertools import chain, islice

from pipeline.errors import InputError
from pipeline.reading.lines import lines_of
from pipeline.reading.opening import opened
from pipeline.reading.pairing import pair_lines
from pipeline.reading.parts import BLOCK, Blocks, Part


def read(part: Part) -> Blocks:
    """Pairs of every odd line with the one below it; raises `InputError` where the last has none below it."""
    file = part.files[0]
    with opened(file) as content:
        lines = chain.from_iterable(lines_of(content, part.policy))
        read_so_far = 0
        while block := list(islice(lines, 2 * BLOCK)):
            read_so_far += len(block)
            if len(block) % 2:
                cause = "a line is missing, split or added: all pairs below it would be shifted"
                raise InputError(file.parameter, file.location, f"an even number of lines, not {read_so_far:,}", cause)
            for place, line in enumerate(block):
                if isinstance(line, str) and not line.strip():
                    number = read_so_far - len(block) + place + 1
                    cause = f"line {number:,} is blank: is it a sentence, or does it part two pairs?"
                    raise InputError(file.parameter, file.location, "no blank lines between the sentences", cause)
            yield pair_lines(block[::2], block[1::2])
