import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import InputError
from pipeline.frames import to_text
from pipeline.readers import frames as reader
from pipeline.records import SentencePair, Unreadable
from pipeline.sources import CorpusConfig, check_sources, parts_of, read_part


@pytest.fixture
def read(tmp_path):
    """Reads columns with frames of two numbers."""

    def read_columns(frames, texts, reading=None, **fields):
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"source": frames, "target": texts}), path)
        train = [{"kind": "frames", "path": str(path), **fields}]
        config = CorpusConfig(frame_size=2, train=train, reading=reading or {})
        check_sources(config)
        return [record for part in parts_of(config) for record in read_part(part)]

    return read_columns


@pytest.mark.parametrize("number", [pa.float32(), pa.float64(), pa.float16(), pa.int16()])
@pytest.mark.parametrize("list_of", [pa.list_, pa.large_list, lambda kind: pa.list_(kind, 2)])
def test_frames_of_any_numbers(read, number, list_of):
    rows = [[[np.float16(1), np.float16(2)]], [[np.float16(3), np.float16(4)], [np.float16(5), np.float16(6)]]]
    column = pa.array(rows, pa.list_(pa.list_(pa.float16()))).cast(pa.list_(list_of(number)))
    expected = [SentencePair(to_text(np.array(row)), text) for row, text in zip(rows, "ab", strict=True)]
    assert read(column, ["a", "b"]) == expected


@pytest.mark.parametrize("list_of", [pa.list_, pa.large_list])
def test_all_numbers_in_a_row(read, list_of):
    column = pa.array([[1, 2], [3, 4, 5, 6], [7]], list_of(pa.float32()))
    assert read(column, ["a", "b", "c"]) == [
        SentencePair(to_text(np.array([[1, 2]])), "a"),
        SentencePair(to_text(np.array([[3, 4], [5, 6]])), "b"),
        Unreadable("frame_size", "", "c"),
    ]


def test_more_rows_than_are_read_at_a_time(read):
    rows = [[[float(row), 0.5]] for row in range(2 * reader.ROWS + 3)]
    records = read(pa.array(rows), [str(row) for row in range(len(rows))])
    assert records == [SentencePair(to_text(np.array(row)), str(number)) for number, row in enumerate(rows)]


BAD = [
    ([[1.0, 2.0], [3.0]], "frame_size", "expected frames of corpus.frame_size 2 numbers (row 2: they have others"),
    ([[1.0], [2.0, 3.0, 4.0]], "frame_size", "expected frames of corpus.frame_size 2 numbers (row 2: they have others"),
    ([[1.0, 2.0], None], "frame_size", "expected frames of corpus.frame_size 2 numbers (row 2: they have others"),
    ([], "no_frames", "expected at least one frame (row 2: the sequence is empty"),
    ([[1.0, float("nan")]], "not_finite", "expected numbers (row 2: one is infinite or none at all"),
    ([[1.0, None]], "not_finite", "expected numbers (row 2: one is infinite or none at all"),
    ([[float("inf"), 1.0]], "not_finite", "expected numbers (row 2: one is infinite or none at all"),
    ([[1e300, 1.0]], "not_finite", "expected numbers (row 2: one is infinite or none at all"),
    (None, "malformed", "expected a value in both columns (row 2: it is null"),
]


@pytest.mark.parametrize(("frames", "reason", "message"), BAD)
def test_what_cannot_be_used_is_counted_or_ends_it(read, frames, reason, message):
    column = pa.array([[[1.0, 2.0]], frames, [[3.0, 4.0]]], pa.list_(pa.list_(pa.float64())))
    texts = ["a", "b", "c"]
    assert read(column, texts) == [
        SentencePair(to_text(np.array([[1, 2]])), "a"),
        Unreadable(reason, "", "b"),
        SentencePair(to_text(np.array([[3, 4]])), "c"),
    ]
    with pytest.raises(InputError) as caught:
        read(column, texts, reading={"malformed": "error"})
    assert f"{message}; corpus.reading.malformed says what to do)" in str(caught.value)


def test_the_text_is_read_as_that_of_any_parquet_file(read):
    column = pa.array([[[1.0, 2.0]]] * 3)
    texts = pa.array([b"one", None, b"f\xfc"], pa.binary())
    source = to_text(np.array([[1, 2]]))
    assert read(column, texts, reading={"undecodable": "reject"}) == [
        SentencePair(source, "one"),
        Unreadable("malformed", "", ""),
        Unreadable("undecodable", "", "f\ufffd"),
    ]


@pytest.mark.parametrize(
    ("source", "fields", "message"),
    [
        (["text"], {}, r"train\[0\].source = source: expected a column of lists of lists of numbers .*it holds string"),
        ([1.5], {}, "expected a column of lists of lists of numbers .*it holds double"),
        ([["a"]], {}, "expected a column of lists of lists of numbers .*it holds list"),
        ([[[[1.0]]]], {}, "expected a column of lists of lists of numbers .*it holds list"),
        ([[[1.0, 2.0]]], {"source": "sound"}, r"train\[0\].source = sound: expected one of the columns source, target"),
        ([[[1.0, 2.0]]], {"target": "source"}, r"train\[0\].target = source: expected a column of text"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(read, source, fields, message):
    with pytest.raises(InputError, match=message):
        read(source, ["a"], **fields)
