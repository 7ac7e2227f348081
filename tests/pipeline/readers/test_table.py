import os
from collections import Counter
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.records import SentencePair, Unreadable

DATA = Path(os.environ.get("NIGHTSHIFT_DATA", Path(__file__).parents[4] / "shared/data"))


@pytest.fixture
def table(tmp_path, read):
    def read_table(content, name="a.tsv", source=1, target=2, **fields):
        (tmp_path / name).write_bytes(content)
        return read(kind="table", path=str(tmp_path / name), source=source, target=target, **fields)

    return read_table


def test_columns_by_number_and_quotes_are_signs_like_others_in_a_tsv(table):
    records = table(b'x\t"one"\teins\nx\t5" pipe\t5" Rohr\n', source=2, target=3)
    assert records == [SentencePair('"one"', "eins"), SentencePair('5" pipe', '5" Rohr')]


def test_columns_by_name_in_any_order_behind_a_byte_order_mark(table):
    records = table(b"\xef\xbb\xbfde\tnote\ten\r\neins\tx\tone\r\n", source="en", target="de")
    assert records == [SentencePair("one", "eins")]


def test_cells_of_a_csv_may_hold_commas_quotes_and_line_feeds(table):
    content = b'en,de\r\n"one, two","he said ""eins"""\r\n"two\nlines",zwei\r\nthree,drei'
    assert table(content, "a.csv", "en", "de") == [
        SentencePair("one, two", 'he said "eins"'),
        SentencePair("two\nlines", "zwei"),
        SentencePair("three", "drei"),
    ]


def test_delimiter_and_quotes_can_be_given(table):
    assert table(b"one|eins\n", delimiter="|") == [SentencePair("one", "eins")]
    assert table(b'"one"|eins\n', delimiter="|", quoted=False) == [SentencePair('"one"', "eins")]
    assert table(b'"one\tand"\teins\n', quoted=True) == [SentencePair("one\tand", "eins")]


def test_the_suffix_below_the_compression_decides_the_delimiter(table):
    import gzip

    assert table(gzip.compress(b"one,eins\n"), "a.csv.gz") == [SentencePair("one", "eins")]


@pytest.mark.parametrize("name", ["a.tsv", "a.csv"])
def test_rows_that_cannot_be_used_are_counted_and_the_rest_keeps_its_place(table, name):
    sign = b"," if name == "a.csv" else b"\t"
    rows = [b"one\teins", b"two", b"th\0ree\tdrei", b"x" * 300 + b"\tvier", b"f\xfcnf\tfive", b"six\tsechs"]
    records = table(b"\n".join(rows).replace(b"\t", sign), name, reading={"undecodable": "reject", "longest_line": 200})
    sign = sign.decode()
    assert records == [
        SentencePair("one", "eins"),
        Unreadable("malformed", "two", ""),
        Unreadable("nul", f"th\0ree{sign}drei", ""),
        Unreadable("line_too_long", "x" * 200, ""),
        Unreadable("undecodable", f"f\ufffdnf{sign}five", ""),
        SentencePair("six", "sechs"),
    ]


def test_a_csv_row_that_does_not_parse_is_counted(table):
    records = table(b'one,eins\n"two"x,zwei\nthree,drei\n', "a.csv")
    assert [type(record) for record in records] == [SentencePair, Unreadable, SentencePair]
    assert records[1].reason == "malformed"


def test_a_line_that_is_too_long_does_not_hide_the_end_of_a_quoted_cell(table):
    content = b'one,eins\n"two' + b"x" * 300 + b'\nand more",zwei\nthree,drei\n'
    assert table(content, "a.csv", reading={"longest_line": 200}) == [
        SentencePair("one", "eins"),
        Unreadable("line_too_long", '"two' + "x" * 196, ""),
        SentencePair("three", "drei"),
    ]


@pytest.mark.parametrize(
    ("content", "fields", "message"),
    [
        (
            b"en\tfr\n1\t2\n",
            {"source": "en", "target": "de"},
            r"train\[0\].target = de: expected one of the columns en, fr",
        ),
        (b"en\ten\n1\t2\n", {"source": "en", "target": "de"}, r"train\[0\].source = en: .*stands there twice"),
        (b"1\t2\n3\t4\n", {"source": 1, "target": 9}, r"train\[0\] = .*every record is malformed: other columns"),
        (b"en\tde\n", {"source": "en", "target": "de"}, r"train\[0\] = .*there is no record in it"),
        (
            b"1\t2\n3\n",
            {"reading": {"malformed": "error"}},
            r"a.tsv: expected columns 1 and 2 in .* \(row 2: it has 1;",
        ),
        (b'1\t2\n"3\t4\n5\t6\n', {"quoted": True}, r'quote \("\) opened in line 2 is not closed'),
        (
            b'1\t2\n"3\t4\n' + b"5\t6\n" * 100,
            {"quoted": True, "reading": {"longest_line": 100}},
            "line 2 is not closed",
        ),
        (b"en\0\tde\n1\t2\n", {"source": "en", "target": "de"}, "expected a header that can be read"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(table, content, fields, message):
    with pytest.raises(InputError, match=message):
        table(content, **fields)


def test_real_tables(read):
    if not DATA.exists():
        pytest.skip(f"no real data in {DATA}")
    records = read(kind="table", path=str(DATA / "libreoffice-help/raw.en-de.tsv.gz"), source=3, target=4)
    assert Counter(map(type, records)) == {SentencePair: 64_666}
    records = read(kind="table", path=str(DATA / "paracrawl-labelled/en-de.tsv"), source="src", target="tgt")
    assert Counter(map(type, records)) == {SentencePair: 5_000}
