import pytest

from pipeline.errors import InputError
from pipeline.records import SentencePair, Unreadable


def test_lines_take_turns(tmp_path, read):
    (tmp_path / "a.txt").write_bytes(b"one\neins\ntwo\r\nzw\0ei\nthree\ndrei")
    assert read(kind="alternating", path=str(tmp_path / "a.txt")) == [
        SentencePair("one", "eins"),
        Unreadable("nul", "two", "zw\0ei"),
        SentencePair("three", "drei"),
    ]


@pytest.mark.parametrize("lines", [1, 8191, 8193])
def test_an_odd_number_of_lines_is_refused(tmp_path, read, lines):
    (tmp_path / "a.txt").write_bytes(b"line\n" * lines)
    with pytest.raises(
        InputError, match=rf"train\[0\].path = .*a.txt: expected an even number of lines, not {lines:,}"
    ):
        read(kind="alternating", path=str(tmp_path / "a.txt"))


def test_a_blank_line_is_refused_as_it_might_part_two_pairs(read, tmp_path):
    (tmp_path / "a.txt").write_text("one\neins\n\ntwo\nzwei\n \n", encoding="utf-8")
    with pytest.raises(InputError, match=r"expected no blank lines between the sentences \(line 3 is blank"):
        read(kind="alternating", path=str(tmp_path / "a.txt"))
