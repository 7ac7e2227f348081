import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import InputError
from pipeline.records import SentencePair, Unreadable


@pytest.fixture
def parquet(tmp_path, read):
    def read_columns(columns, compress=None, **fields):
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table(columns), path)
        if compress:
            path.write_bytes(compress(path.read_bytes()))
        return read(kind="parquet", path=str(path), **fields)

    return read_columns


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
@pytest.mark.parametrize("compress", [None, gzip.compress])
def test_two_columns(parquet, kind, compress):
    texts = pa.array(["eins", "zwei"] * 3000, pa.string())
    texts = texts.dictionary_encode() if pa.types.is_dictionary(kind) else texts.cast(kind)
    records = parquet({"source": ["one", "two"] * 3000, "n": [1, 2] * 3000, "target": texts}, compress)
    assert records == [SentencePair("one", "eins"), SentencePair("two", "zwei")] * 3000


def test_columns_inside_others(parquet):
    records = parquet({"t": [{"en": "one", "de": "eins"}, None]}, source="t.en", target="t.de")
    assert records == [SentencePair("one", "eins"), Unreadable("malformed", "", "")]


@pytest.mark.parametrize(
    ("undecodable", "expected"),
    [("replace", SentencePair("f\ufffd", "x")), ("reject", Unreadable("undecodable", "f\ufffd", "x"))],
)
def test_rows_that_cannot_be_used_are_counted(parquet, undecodable, expected):
    sources = pa.array([b"one", b"f\xfc", b"n\0", None, b"y" * 200, b"six"], pa.binary())
    records = parquet(
        {"source": sources, "target": ["eins", "x", "null", "vier", "lang", "sechs"]},
        reading={"undecodable": undecodable, "longest_line": 100},
    )
    assert records == [
        SentencePair("one", "eins"),
        expected,
        Unreadable("nul", "n\0", "null"),
        Unreadable("malformed", "", "vier"),
        Unreadable("line_too_long", "y" * 200, "lang"),
        SentencePair("six", "sechs"),
    ]


@pytest.mark.parametrize(
    ("columns", "fields", "message"),
    [
        ({"en": ["1"], "target": ["1"]}, {}, r"train\[0\].source = source: expected one of the columns en, target"),
        ({"en": [{"x": "1"}], "target": ["1"]}, {"source": "en.y"}, r"train\[0\].source = en.y: expected one of"),
        (
            {"source": ["1"], "target": [1]},
            {},
            r"train\[0\].target = target: expected a column of text .*it holds int64",
        ),
        (
            {"source": pa.array([b"\xff"]), "target": ["1"]},
            {},
            r"text in UTF-8 \(row 1: byte 1 is 0xff; corpus.reading",
        ),
        (
            {"source": [None], "target": ["1"]},
            {"reading": {"malformed": "error"}},
            r"value in both columns \(row 1: it is",
        ),
        ({"source": pa.array([], pa.string()), "target": pa.array([], pa.string())}, {}, "there is no record in it"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(parquet, columns, fields, message):
    if columns["source" if "source" in columns else "en"] == [None]:
        columns["source"] = pa.array([None], pa.string())
    with pytest.raises(InputError, match=message):
        parquet(columns, **fields)


def test_what_is_no_parquet(tmp_path, read):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but not really PAR1")
    with pytest.raises(InputError, match=r"train\[0\].path = .*a.parquet: expected a Parquet file"):
        read(kind="parquet", path=str(tmp_path / "a.parquet"))
