"""The local runner's GroupByKey: values wait in a temporary file, not in memory.

Beam's own buffer keeps every value, and a second copy of all of them while it hands them on; four million pairs need
gigabytes there, and nothing but an index here.
"""

import os
import tempfile
from collections.abc import Iterator
from typing import Any

from apache_beam.coders.stream import InputStream, OutputStream
from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer
from apache_beam.transforms.window import GlobalWindow, GlobalWindows
from apache_beam.utils.windowed_value import PaneInfo, PaneInfoTiming

LAST_PANE = PaneInfo(is_first=True, is_last=True, timing=PaneInfoTiming.ON_TIME, index=0, nonspeculative_index=0)


class ShuffleBuffer:
    """Takes encoded `(key, value)`s, gives encoded `(key, values)`s, in the order in which the keys came first.

    The file has no name, so nothing is left of it whatever ends this process. It lies where TMPDIR says, and takes as
    much room there as the values do.

    Args:
        plain: Beam's own buffer for this place, still empty; it knows the coders.
    """

    def __init__(self, plain: GroupingBuffer) -> None:
        self.pair_coder = plain._pre_grouped_coder.get_impl()
        self.key_coder = plain._pre_grouped_coder.key_coder().get_impl()
        self.value_coder = plain._pre_grouped_coder.value_coder().get_impl()
        self.group_coder = plain._post_grouped_coder.get_impl()
        self.file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self.size = 0
        self.places: dict[bytes, list[tuple[int, int]]] = {}  # key -> offset and length of each piece of its values

    def append(self, elements: bytes) -> None:
        """Takes in a number of encoded pairs.

        Raises:
            OSError: the disk is full.
        """
        stream = InputStream(elements)
        pieces: dict[bytes, Any] = {}
        while stream.size() > 0:
            key, value = self.pair_coder.decode_from_stream(stream, True).value
            encoded = self.key_coder.encode(key)
            if encoded not in pieces:
                pieces[encoded] = OutputStream()
            self.value_coder.encode_to_stream(value, pieces[encoded], True)
        for encoded, values in pieces.items():
            self.places.setdefault(encoded, []).append((self.size, values.size()))
            self.write(values.get())

    def write(self, data: bytes) -> None:
        """Appends to the file; one call may write less than it was given."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.file.write(rest) :]
        self.size += len(data)

    def group(self, encoded: bytes) -> bytes:
        """The key with all its values, encoded as one element."""
        values = []
        for offset, length in self.places[encoded]:
            stream = InputStream(os.pread(self.file.fileno(), length, offset))
            while stream.size() > 0:
                values.append(self.value_coder.decode_from_stream(stream, True))
        pair = (self.key_coder.decode(encoded), values)
        last = GlobalWindow().max_timestamp()
        group = GlobalWindows.windowed_value(pair, timestamp=last, pane_info=LAST_PANE)
        return bytes(self.group_coder.encode_nested(group))

    def chunks(self, number: int) -> Iterator[bytes]:
        """All groups, joined to about so many byte strings, each made when it is asked for."""
        keys = list(self.places)
        step = max(1, len(keys) // number)
        for first in range(0, len(keys), step):
            yield b"".join(map(self.group, keys[first : first + step]))

    def __iter__(self) -> Iterator[bytes]:
        return map(self.group, self.places)

    def partition(self, number: int) -> list[list[bytes]]:
        """Everything in so many parts, as Beam's own bundle managers want it."""
        groups = list(self)
        return [groups[part::number] for part in range(number)]

    def copy(self) -> "ShuffleBuffer":
        """Itself: reading takes nothing away."""
        return self

    def close(self) -> None:
        """Gives back the room on the disk."""
        self.file.close()
