import resource
import tracemalloc

import pytest
from apache_beam import coders
from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer
from apache_beam.transforms.core import Windowing
from apache_beam.transforms.window import GlobalWindows

from pipeline.running.shuffle import ShuffleBuffer

WINDOW = coders.coders.GlobalWindowCoder()
PAIR = coders.WindowedValueCoder(coders.TupleCoder((coders.VarIntCoder(), coders.BytesCoder())), WINDOW)
GROUP = coders.WindowedValueCoder(
    coders.TupleCoder((coders.VarIntCoder(), coders.IterableCoder(coders.BytesCoder()))), WINDOW
)


@pytest.fixture
def shuffle():
    buffer = ShuffleBuffer(plain())
    yield buffer
    buffer.close()


def plain() -> GroupingBuffer:
    return GroupingBuffer(PAIR, GROUP, Windowing(GlobalWindows()))


def encoded(*pairs: tuple[int, bytes]) -> bytes:
    return b"".join(PAIR.get_impl().encode_nested(GlobalWindows.windowed_value(pair)) for pair in pairs)


def decoded(chunk: bytes) -> list[tuple[int, list[bytes]]]:
    return [(item.value[0], list(item.value[1])) for item in GROUP.get_impl().decode_all(chunk)]


def test_groups_come_in_the_order_of_their_keys_first_values(shuffle):
    shuffle.append(encoded((7, b"a"), (3, b"b"), (7, b"")))
    shuffle.append(encoded((5, b"c"), (3, b"d" * 1000)))
    assert [decoded(group) for group in shuffle] == [[(7, [b"a", b""])], [(3, [b"b", b"d" * 1000])], [(5, [b"c"])]]


def test_the_bytes_are_those_of_beams_own_buffer(shuffle):
    beams = plain()
    for buffer in (shuffle, beams):
        buffer.append(encoded((7, b"a"), (3, b"b"), (7, b"c")))
        buffer.append(encoded((3, b"d")))
    assert b"".join(shuffle) == b"".join(beams)


def test_nothing_gives_nothing(shuffle):
    assert list(shuffle.chunks(4)) == []
    assert shuffle.partition(2) == [[], []]


@pytest.mark.parametrize(("number", "sizes"), [(1, [10]), (4, [2, 2, 2, 2, 2]), (10, [1] * 10), (99, [1] * 10)])
def test_few_large_groups_are_a_chunk_each_and_many_small_ones_are_joined(shuffle, number, sizes):
    shuffle.append(encoded(*((key, b"x") for key in range(10))))
    chunks = [decoded(chunk) for chunk in shuffle.chunks(number)]
    assert [len(chunk) for chunk in chunks] == sizes
    assert [key for chunk in chunks for key, _ in chunk] == list(range(10))


def test_reading_takes_nothing_away(shuffle):
    shuffle.append(encoded((1, b"a"), (2, b"b"), (3, b"c")))
    assert shuffle.copy().partition(2) == shuffle.partition(2)
    assert [len(part) for part in shuffle.partition(2)] == [2, 1]


def test_memory_holds_one_group_and_not_all(shuffle):
    piece = encoded(*((key, b"x" * 125_000) for key in range(8)))  # 1 MB
    tracemalloc.start()
    try:
        for _ in range(50):
            shuffle.append(piece)
        written = tracemalloc.get_traced_memory()[1]
        sizes = [len(group) for group in shuffle]
        read = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sizes) > 50_000_000
    assert written < 10_000_000
    assert read < 40_000_000  # a group of 6 MB, some times over, of 50


def test_a_full_disk_is_an_os_error(shuffle):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            shuffle.append(encoded((1, b"x" * 5000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
