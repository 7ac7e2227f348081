"""Whatever bytes stand in one line, all other pairs stay what they are and where they are."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.reading.lines import OTHER_MARKS, UTF8_MARK
from pipeline.records import SentencePair
from pipeline.sources import CorpusConfig, parts_of, read_part

LINES = 6
PAIRS = [(f"sentence {number} é", f"Satz {number} ü") for number in range(LINES)]
TABLE = [f"{source}\t{target}".encode() for source, target in PAIRS]
OBJECTS = [json.dumps({"source": source, "target": target}).encode() for source, target in PAIRS]
SIDES = [[pair[side].encode() for pair in PAIRS] for side in (0, 1)]
TURNS = [line for pair in PAIRS for line in (pair[0].encode(), pair[1].encode())]
FORMS = {
    "text": ({"source": "0", "target": "1"}, SIDES),
    "alternating": ({"path": "0"}, [TURNS]),
    "table": ({"path": "0", "source": 1, "target": 2}, [TABLE]),
    "jsonl": ({"path": "0"}, [OBJECTS]),
}
# Bytes of every kind, and more often than by chance those that mean something to a reader.
TELLING = [b"\r", b"\0", b"\t", b'"', b"\xff\xfe", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\x85", b"{", b"\\u", b"x" * 150]
BYTES = st.lists(st.one_of(st.sampled_from(TELLING), st.binary(max_size=4)), max_size=5)
COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
GARBAGE = BYTES.map(lambda pieces: b"".join(pieces).replace(b"\n", b""))


def records_of(config):
    return [record for part in parts_of(config) for record in read_part(part)]


@pytest.mark.parametrize("undecodable", ["replace", "reject"])
@pytest.mark.parametrize("kind", FORMS)
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_garbage_in_one_line_shifts_no_other_pair(kind, undecodable, data):
    places, files = FORMS[kind]
    side = data.draw(st.integers(0, len(files) - 1))
    line = data.draw(st.integers(0, len(files[side]) - 1))
    garbage = data.draw(GARBAGE)
    end = data.draw(st.sampled_from([b"\n", b"\r\n"]))
    with TemporaryDirectory() as folder:
        for number, lines in enumerate(files):
            damaged = [garbage if (number, at) == (side, line) else text for at, text in enumerate(lines)]
            Path(folder, str(number)).write_bytes(b"".join(text + end for text in damaged))
        source = {key: str(Path(folder, name)) if isinstance(name, str) else name for key, name in places.items()}
        config = CorpusConfig(
            train=[{"kind": kind, **source}], reading={"undecodable": undecodable, "longest_line": 100}
        )
        if line == 0 and garbage.removeprefix(UTF8_MARK).startswith(OTHER_MARKS):  # then the file is none in UTF-8
            with pytest.raises(InputError, match="byte order mark"):
                records_of(config)
            return
        if line == 0 and garbage.startswith(COMPRESSED):  # then it is no text at all
            with pytest.raises(InputError, match="a file that decompresses"):
                records_of(config)
            return
        seen = garbage.removeprefix(UTF8_MARK) if line == 0 else garbage
        if kind == "alternating" and not seen.decode(errors="replace").strip():
            with pytest.raises(InputError, match="no blank lines between the sentences"):
                records_of(config)
            return
        records = records_of(config)
    hit = line // 2 if kind == "alternating" else line
    assert len(records) == LINES
    assert records[:hit] + records[hit + 1 :] == [
        SentencePair(*pair) for number, pair in enumerate(PAIRS) if number != hit
    ]


@pytest.mark.parametrize("length", [2**18 - 2, 2**18 - 1, 2**18, 2**18 + 1])
def test_a_block_may_end_anywhere_in_a_line(tmp_path, read, length):
    """The first line ends just before, at and after the end of the first block that is read."""
    (tmp_path / "a").write_bytes(b"x" * length + b"\r\n" + "é\n".encode() * 200_000)
    (tmp_path / "b").write_bytes(b"1\n" * 200_001)
    records = read(source=str(tmp_path / "a"), target=str(tmp_path / "b"))
    assert records[0] == SentencePair("x" * length, "1")
    assert set(records[1:]) == {SentencePair("é", "1")}
    assert len(records) == 200_001
