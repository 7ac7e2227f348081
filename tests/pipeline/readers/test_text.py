import tracemalloc

import pytest

from pipeline.errors import InputError
from pipeline.records import SentencePair, Unreadable


@pytest.fixture
def pair_of_files(tmp_path):
    def write(source, target):
        (tmp_path / "a.en").write_bytes(source)
        (tmp_path / "a.de").write_bytes(target)
        return {"source": str(tmp_path / "a.en"), "target": str(tmp_path / "a.de")}

    return write


def test_only_a_line_feed_ends_a_line(pair_of_files, read):
    files = pair_of_files(
        "\ufeffone\r\ntwo\u2028halves\n\nthree".encode(), "eins\nzwei\x85\x0b\nleer\ndrei\r\n".encode()
    )
    assert read(**files) == [
        SentencePair("one", "eins"),
        SentencePair("two\u2028halves", "zwei\x85\x0b"),
        SentencePair("", "leer"),
        SentencePair("three", "drei"),
    ]


def test_reverse_changes_the_sides(pair_of_files, read):
    files = pair_of_files(b"one\ntwo\n", b"eins\nz\0\n")
    assert read(**files, reverse=True) == [SentencePair("eins", "one"), Unreadable("nul", "z\0", "two")]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (b"1\n2\n3\n", b"1\n2\n", r"train\[0\].target = .*a.de: expected as many lines as .*a.en has, 3, but it has 2"),
        (b"1\n", b"1\n2\n3\n4\n", r"train\[0\].target = .*a.de: expected as many lines as .*a.en has, 1, but it has 4"),
        (b"1\n2\n", b"1\nf\xfcnf\n", r"train\[0\].target = .*a.de: .* UTF-8 \(byte 2 of line 2 is 0xfc"),
        (b"", b"", r"train\[0\].source = .*a.en: expected a corpus with at least one pair \(the file is empty\)"),
        (b"\xef\xbb\xbf", b"1", r"train\[0\].source = .*a.en: expected a corpus with at least one pair"),
        (
            b"1\n",
            "1\n".encode("utf-16"),
            r"train\[0\].target = .*a.de: .* UTF-8 \(its byte order mark is that of UTF-16",
        ),
        (b"1\n", b"\n <!DOCTYPE HTML><title>404", r"train\[0\].target = .*a.de: expected a corpus \(.* HTML page"),
        (b"<html>\n", b"1\n", r"train\[0\].source = .*a.en: expected a corpus \(.* HTML page"),
    ],
)
def test_files_that_do_not_fit_are_refused(pair_of_files, read, source, target, message):
    with pytest.raises(InputError, match=message) as caught:
        read(**pair_of_files(source, target))
    assert "\n" not in str(caught.value)


def test_different_lengths_are_counted_over_many_blocks(pair_of_files, read):
    with pytest.raises(InputError, match="as many lines as .*a.en has, 10,000, but it has 9,999"):
        read(**pair_of_files(b"a\n" * 10_000, b"b\n" * 9_999))


@pytest.mark.parametrize(
    ("undecodable", "second"),
    [
        ("replace", SentencePair("two", "f\ufffdnf")),
        ("reject", Unreadable("undecodable", "two", "f\ufffdnf")),
    ],
)
def test_what_becomes_of_bytes_that_are_not_utf8(pair_of_files, read, undecodable, second):
    files = pair_of_files(b"one\ntwo\nthree\n", b"eins\nf\xfcnf\ndrei\n")
    records = read(reading={"undecodable": undecodable}, **files)
    assert records == [SentencePair("one", "eins"), second, SentencePair("three", "drei")]


def test_a_line_with_a_nul_is_left_out_and_the_rest_keeps_its_place(pair_of_files, read):
    files = pair_of_files(b"1\n2\0\n3\n", b"1\n2\n3\n")
    assert read(**files) == [SentencePair("1", "1"), Unreadable("nul", "2\0", "2"), SentencePair("3", "3")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_the_longest_line_is_taken_and_one_byte_more_is_not(pair_of_files, read, end):
    files = pair_of_files(b"a" * 100 + b"\n" + b"b" * 101 + end, b"1\n2")
    assert read(reading={"longest_line": 100}, **files) == [
        SentencePair("a" * 100, "1"),
        Unreadable("line_too_long", "b" * 100, "2"),
    ]


def test_a_line_of_100_mb_is_never_in_memory(tmp_path, pair_of_files, read):
    files = pair_of_files(b"", b"eins\nzwei\ndrei\n")
    with (tmp_path / "a.en").open("wb") as file:
        file.write(b"one\n")
        for _ in range(100):
            file.write(b"x" * 2**20)
        file.write(b"\nthree\n")
    tracemalloc.start()
    try:
        records = read(**files)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert records == [
        SentencePair("one", "eins"),
        Unreadable("line_too_long", "x" * 1000, "zwei"),
        SentencePair("three", "drei"),
    ]
    assert peak < 10 * 2**20
