import pytest

from pipeline.errors import InputError
from pipeline.records import SentencePair, Unreadable


@pytest.fixture
def jsonl(tmp_path, read):
    def read_lines(*lines, **fields):
        (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
        return read(kind="jsonl", path=str(tmp_path / "a.jsonl"), **fields)

    return read_lines


def test_keys_may_be_dotted_and_text_escaped(jsonl):
    lines = rb'{"t": {"en": "one\ttwo", "de": "\u00fcber"}}', b' {"t": {"en": "", "de": "zwei"}, "x": [1]} '
    assert jsonl(*lines, source="t.en", target="t.de") == [SentencePair("one\ttwo", "über"), SentencePair("", "zwei")]
    assert jsonl(b'{"t.en": "one", "t": {"de": "eins"}}', source="t.en", target="t.de") == [SentencePair("one", "eins")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"source": "one"}', "malformed"),
        (b'{"source": "one", "target": null}', "malformed"),
        (b'{"source": "one", "target": ["eins"]}', "malformed"),
        (b"[" * 100_000, "malformed"),
        (b'"source target"', "malformed"),
        (b"", "malformed"),
        (b'{"source": "one", "target": "eins"', "malformed"),
        (b'{"source": "one", "target": "eins"} {}', "malformed"),
        (rb'{"source": "one", "target": "half \ud800"}', "malformed"),
        (rb'{"source": "one", "target": "\u0000"}', "nul"),
        (b'{"source": "one", "target": "\0"}', "nul"),
    ],
)
def test_a_line_that_cannot_be_used_is_counted(jsonl, line, reason):
    good = b'{"source": "one", "target": "eins"}'
    records = jsonl(good, line, good)
    assert [getattr(record, "reason", "pair") for record in records] == ["pair", reason, "pair"]
    assert isinstance(records[1], Unreadable)


def test_an_error_names_the_line(jsonl):
    with pytest.raises(InputError, match=r"a.jsonl: expected a JSON object .* source and target .* \(line 2 is none"):
        jsonl(b'{"source": "one", "target": "eins"}', b"{", reading={"malformed": "error"})


def test_a_key_that_no_line_has_is_an_error(jsonl):
    with pytest.raises(InputError, match=r"corpus.train\[0\] = .*every record is malformed: other columns or keys"):
        jsonl(b'{"source": "one", "target": "eins"}', source="en")
