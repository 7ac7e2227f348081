"""`nightshift translate`: from where, to where, in which order, and what does not go together."""

import gzip
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows import text_files, use
from flows.cli import cli
from flows.text_files import lines_of, write_lines
from flows.translating import Options, shown
from model.export import Exported, Hypothesis
from pipeline.errors import InputError

SENTENCES = ["rain", "", "snow fog hail", "  ", "rain", "wind " * 12, "sun"]


@pytest.fixture(scope="module")
def exported(two_versions: Path) -> Exported:
    return Exported.load(two_versions / "tiny/versions/0001/export")


@pytest.fixture
def translate(two_versions: Path, monkeypatch: pytest.MonkeyPatch, exported: Exported) -> Any:
    """The command's output; the model is loaded once for all tests."""
    monkeypatch.setattr(Exported, "load", lambda _: exported)

    def run(*arguments: object, given: str | bytes = "") -> str:
        command = ["translate", "--registry", str(two_versions), *map(str, arguments)]
        return CliRunner().invoke(cli, command, input=given, catch_exceptions=False).stdout

    return run


def expected(exported: Exported, sentences: list[str]) -> list[str]:
    return [exported.translate([sentence.strip()])[0] if sentence.strip() else "" for sentence in sentences]


def test_lines_keep_their_order_whatever_their_lengths(translate: Any, exported: Exported) -> None:
    assert translate(given="\n".join(SENTENCES) + "\n").split("\n")[:-1] == expected(exported, SENTENCES)
    assert translate("rain", "", "sun").split("\n")[:-1] == expected(exported, ["rain", "", "sun"])


def test_reading_ahead_changes_nothing(
    two_versions: Path, exported: Exported, monkeypatch: pytest.MonkeyPatch, translate: Any
) -> None:
    chosen = use.Chosen(str(two_versions), None, "1")
    many = [" ".join(SENTENCES[number % 7 :]) for number in range(30)]
    monkeypatch.setattr(use, "BATCH", 4)
    found = {
        read_ahead: [
            [one.text for one in row] for row in use.translate(many, chosen, use.Wanted(), read_ahead=read_ahead)
        ]
        for read_ahead in (1, 5, 100)
    }
    assert found[1] == found[5] == found[100] == [[text] for text in expected(exported, many)]


def test_who_types_is_answered_line_by_line(two_versions: Path, translate: Any) -> None:
    read: list[str] = []

    def typed() -> Any:
        for sentence in SENTENCES:
            read.append(sentence)
            yield sentence

    answers = use.translate(typed(), use.Chosen(str(two_versions), None, "1"), use.Wanted(), read_ahead=1)
    for number in range(1, 4):
        next(answers)
        assert len(read) == number


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_becomes_a_file(suffix: str, translate: Any, exported: Exported, tmp_path: Path) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    text = ("\n".join(SENTENCES) + "\n").encode()
    source.write_bytes(gzip.compress(text) if suffix else text)
    assert translate("--input", source, "--output", target) == ""
    written = gzip.decompress(target.read_bytes()) if suffix else target.read_bytes()
    assert written.decode().split("\n")[:-1] == expected(exported, SENTENCES)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, target.name])


def test_compressed_files_have_the_same_bytes_at_any_time(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        write_lines(tmp_path / name, iter(["x", "y"]))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert list(lines_of(tmp_path / "a.gz")) == ["x\n", "y\n"]


def test_a_file_that_is_no_text_leaves_nothing(translate: Any, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"rain\nd\xe9j\xe0\n")
    with pytest.raises(InputError, match=r"sentence 2 = d\\udce9j\\udce0: expected UTF-8"):
        translate("--input", tmp_path / "latin", "--output", tmp_path / "out")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"rain\n" * 1000)[:-12])
    with pytest.raises(InputError, match="--input = .*cut.gz: expected a file that can be read"):
        translate("--input", tmp_path / "cut.gz", "--output", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.gz", "latin"]


def test_scores_stand_before_translations(translate: Any, exported: Exported) -> None:
    (best,) = exported.best(["rain"])
    assert translate("--scores", "rain", "") == f"{best.score:.4f}\t{best.text}\n\t\n"
    (wide,) = exported.hypotheses(["rain"], 1, 4)
    assert translate("--scores", "--beam", 4, "rain") == f"{wide[0].score:.4f}\t{wide[0].text}\n"
    lines = [f"1\t{one.score:.4f}\t{one.text}" for one in exported.hypotheses(["rain"], 2, 5)[0]]
    assert translate("--n-best", 2, "--beam", 5, "rain").splitlines() == lines


def test_what_is_drawn_depends_on_the_sentences_number_not_on_its_company(translate: Any) -> None:
    together = translate("--temperature", 3, "--seed", 4, "rain", "wind " * 9, "rain").splitlines()
    assert translate("--temperature", 3, "--seed", 4, "rain").splitlines() == together[:1]
    assert together[0] != together[2]


def test_attention_becomes_a_picture(translate: Any, exported: Exported, tmp_path: Path) -> None:
    assert translate("--attention", tmp_path / "one.png", "rain snow") == exported.translate(["rain snow"])[0] + "\n"
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-best", "2", "--temperature", "1", "a"], "--n-best = 2: expected to stand alone"),
        (["--beam", "2", "--temperature", "1", "a"], "--beam = 2: expected no --temperature beside it"),
        (["--input", "x", "a", "b"], "--input = x: expected no sentences beside it (2 are given as arguments)"),
        (["--attention", "x.png", "a", "b"], "--attention = x.png: expected one sentence, as an argument"),
        (["--attention", "x.png"], "--attention = x.png: expected one sentence, as an argument"),
        (
            ["--input", "nowhere", "--output", "x"],
            "--input = nowhere: expected a file that can be read (No such file or directory)",
        ),
        (["--output", "/proc/none/x", "a"], "--output = /proc/none/x: expected a file that can be written"),
        (["--n-best", "x"], "--n-best = x: expected a whole number from 1 to 32"),
        (["--n-best", "99"], "--n-best = 99: expected a whole number from 1 to 32"),
        (["--temperature", "0"], "--temperature = 0: expected a number above 0, at most 100"),
        (["--input", "gs://b/x"], "--input = gs://b/x: expected a file on this machine, or --runner beside it"),
        (["--set", "beam.workers=2", "a"], "--set = beam.workers=2: expected --runner beside it"),
        (["--beems", "3"], "option = --beems: expected one of --attention, --beam,"),
    ],
)
def test_what_cannot_be_used_is_named(translate: Any, arguments: list[str], message: str) -> None:
    with pytest.raises(InputError) as raised:
        translate(*arguments)
    assert str(raised.value).startswith(message)


def test_a_command_that_does_not_exist_is_named_with_those_that_do() -> None:
    done = CliRunner().invoke(cli, ["tarnslate"])
    assert "(did you mean translate?)" in str(done.exception)
    done = CliRunner().invoke(cli, ["translate", "--seed"])
    assert str(done.exception).startswith("arguments = --seed: expected those of cli translate --help (Option '--seed'")


def test_a_pipe_is_read_once(translate: Any, exported: Exported, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=["rain\nsun\n"])
    writer.start()
    assert translate("--input", tmp_path / "pipe").split("\n")[:-1] == expected(exported, ["rain", "sun"])
    writer.join()


def test_a_file_may_become_its_own_translation_and_a_link_stays_a_link(
    translate: Any, exported: Exported, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("rain\nsun")  # no end of the last line
    (tmp_path / "link").symlink_to("text")
    translate("--input", tmp_path / "text", "--output", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "text").read_text().split("\n")[:-1] == expected(exported, ["rain", "sun"])


def test_what_is_no_file_is_not_replaced_by_one(translate: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(InputError, match=f"--output = {place}: expected a file"):
            translate("--output", place, "rain")
    assert (tmp_path / "pipe").is_fifo()


def test_a_line_without_an_end_does_not_fill_the_memory(
    translate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "MOST_BYTES", 100)
    (tmp_path / "long").write_bytes(b"rain\n" + b"x" * 99 + b"\n" + b"y" * 101)
    lines = lines_of(tmp_path / "long")
    assert [len(next(lines)) for _ in range(2)] == [5, 100]
    with pytest.raises(InputError, match=r"long: expected lines of at most 100 bytes \(line 3 is longer: no text"):
        next(lines)
    with pytest.raises(InputError, match="--input = standard input: expected lines of at most 100 bytes"):
        translate(given=b"z" * 200)


def test_an_answer_is_one_line_with_no_more_columns() -> None:
    options = Options(None, None, None, 2, False, None, None, 1)
    found = [Hypothesis("rain\tand\nfog", -0.5), Hypothesis("sun\r", -1.0)]
    assert list(shown(3, found, options)) == ["3\t-0.5000\train and fog", "3\t-1.0000\tsun"]
    assert list(shown(3, found, replace(options, n_best=None, scores=True))) == ["-0.5000\train and fog"]
    assert list(shown(3, found, replace(options, n_best=None))) == ["rain and fog"]
