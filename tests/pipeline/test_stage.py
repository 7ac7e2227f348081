import logging
import multiprocessing
import os
import signal
import time

import pytest
from pydantic import Field

from pipeline.config import StageConfig
from pipeline.errors import InputError
from pipeline.manifest import InputRecord
from pipeline.stage import Outcome, Outside, Stage, describe, differences


class CopyConfig(StageConfig):
    text: str = "one"
    times: int = Field(1, ge=1)


calls: list[str] = []


def write_text(config, *inputs, folder, pause=0.0):
    calls.append(config.text)
    (folder / "a.txt").write_text(config.text * config.times)
    time.sleep(pause)
    return Outcome({"letters": len(config.text) * config.times})


def fail_half_way(config, *, folder):
    (folder / "half.txt").write_text("half")
    raise InputError("copy.text", config.text, "another text")


def stage(body=write_text, **fields):
    return Stage(
        **{"name": "copy", "section": "copy", "version": 1, "takes": (), "makes": "text", "body": body} | fields
    )


@pytest.fixture(autouse=True)
def log(caplog):
    calls.clear()
    caplog.set_level(logging.INFO, logger="nightshift")
    return caplog


def reasons(caplog):
    return [record.getMessage().split(None, 2)[2] for record in caplog.records if " started " in record.getMessage()]


def test_a_stage_runs_once_for_a_configuration(tmp_path, log):
    first = stage()(CopyConfig(), output_dir=tmp_path)
    assert stage()(CopyConfig(), output_dir=tmp_path) == first
    assert stage()(CopyConfig(text="two"), output_dir=tmp_path) != first
    assert stage()(CopyConfig(), output_dir=tmp_path) == first  # going back costs nothing
    assert calls == ["one", "two"]
    assert reasons(log) == ["for the first time", "because of copy.text one -> two"]
    assert [record.getMessage().split()[1] for record in log.records] == [
        "started", "done", "reused", "started", "done", "reused"
    ]  # fmt: skip


def test_it_says_which_of_the_three_changed(tmp_path, log):
    source = stage()(CopyConfig(), output_dir=tmp_path / "a")
    other = stage()(CopyConfig(text="two"), output_dir=tmp_path / "a")
    second = stage(name="second", section="second", takes=("text",))
    second(CopyConfig(), source, output_dir=tmp_path / "b")
    second(CopyConfig(times=3), other, output_dir=tmp_path / "b")
    stage(name="second", takes=("text",), version=2)(CopyConfig(times=3), other, output_dir=tmp_path / "b")
    assert reasons(log)[3:] == ["because of second.times 1 -> 3, new text", "because of stage version 1 -> 2"]


def test_what_is_read_beside_manifests_counts(tmp_path, log):
    def outside(digest):
        record = InputRecord(kind="text", fingerprint=digest, digest=digest)
        return lambda config, output_dir: Outside({"copy.file": record})

    stage(outside=outside("1"))(CopyConfig(), output_dir=tmp_path)
    stage(outside=outside("1"))(CopyConfig(), output_dir=tmp_path)
    stage(outside=outside("2"))(CopyConfig(), output_dir=tmp_path)
    assert reasons(log) == ["for the first time", "because of new copy.file"]


def test_a_lost_file_makes_the_stage_run_again(tmp_path, log):
    made = stage()(CopyConfig(), output_dir=tmp_path)
    (made.directory / "a.txt").unlink()
    again = stage()(CopyConfig(), output_dir=tmp_path)
    assert again.digest == made.digest
    assert reasons(log)[1] == "because what it made is damaged or gone"


def test_a_damaged_input_is_found_before_it_is_used(tmp_path):
    source = stage()(CopyConfig(), output_dir=tmp_path / "a")
    (source.directory / "a.txt").write_text("ONE")
    second = stage(name="second", takes=("text",))
    with pytest.raises(InputError, match=r"a.txt: expected the 3 bytes.* run the same command again and copy makes it"):
        second(CopyConfig(), source, output_dir=tmp_path / "b")
    again = stage()(CopyConfig(), output_dir=tmp_path / "a")
    assert again.digest == source.digest
    assert second(CopyConfig(), again, output_dir=tmp_path / "b").counts == {"letters": 3}


def test_an_output_that_no_longer_holds_elsewhere(tmp_path):
    kept = stage(still_holds=lambda made: False)
    kept(CopyConfig(), output_dir=tmp_path)
    kept(CopyConfig(), output_dir=tmp_path)
    assert calls == ["one", "one"]


def test_the_wrong_inputs_are_refused(tmp_path):
    with pytest.raises(InputError, match="copy inputs = none: expected manifests of corpus"):
        stage(takes=("corpus",))(CopyConfig(), output_dir=tmp_path)


def test_a_failed_stage_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="copy.text = one"):
        stage(fail_half_way)(CopyConfig(), output_dir=tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_stage_that_resumes_keeps_what_it_had(tmp_path):
    with pytest.raises(InputError):
        stage(fail_half_way, resumes=True)(CopyConfig(), output_dir=tmp_path)
    made = stage(resumes=True)(CopyConfig(), output_dir=tmp_path)
    assert [file.path for file in made.files] == ["a.txt", "half.txt"]


def test_a_stage_that_resumes_drops_what_was_half_written(tmp_path):
    made = stage(resumes=True)(CopyConfig(), output_dir=tmp_path)
    (made.directory / "manifest.json").unlink()
    (made.directory / ".manifest.json.99.partial").write_text("half")
    (made.directory / "deep" / ".export.partial").mkdir(parents=True)
    (made.directory / "deep" / ".export.partial" / "weights").write_text("half")
    again = stage(resumes=True)(CopyConfig(), output_dir=tmp_path)
    assert [file.path for file in again.files] == ["a.txt"]


def start(tmp_path, pause):
    process = multiprocessing.get_context("fork").Process(
        target=lambda: stage()(CopyConfig(), output_dir=tmp_path, pause=pause)
    )
    process.start()
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob("*/a.txt")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def test_a_killed_stage_starts_again(tmp_path, log):
    process = start(tmp_path, pause=60)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    half = next(tmp_path.glob("*/a.txt"))
    half.with_name("stray.txt").write_text("left behind")
    made = stage()(CopyConfig(), output_dir=tmp_path)
    assert [file.path for file in made.files] == ["a.txt"]
    assert reasons(log) == ["again, after a run that did not finish"]


def test_two_runs_do_not_work_on_the_same_output(tmp_path):
    process = start(tmp_path, pause=60)
    try:
        with pytest.raises(InputError, match="no other run at work"):
            stage()(CopyConfig(), output_dir=tmp_path)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="workspace = .*file/copy.*: expected a folder that can be written"):
        stage()(CopyConfig(), output_dir=tmp_path / "file" / "copy")


def test_resources_are_the_keywords_without_a_default():
    def body(config, corpus, *, folder, beam, score=None):
        return Outcome()

    assert stage(body).resources == ("beam",)


def growing(config, text, *, folder, earlier):
    calls.append(text.path("a.txt").read_text())
    (folder / "all.txt").write_text(f"{earlier.path('all.txt').read_text() if earlier else ''}{calls[-1]} ")
    return Outcome({"words": 1}, starts_anew=calls[-1] == config.text)


@pytest.fixture
def generations(tmp_path):
    """Three generations of a text: one, two, three."""
    made = None
    for word in ("one", "two", "three"):
        outside = Outside({}, earlier=made)
        made = stage(outside=lambda config, output_dir, given=outside: given)(
            CopyConfig(text=word), output_dir=tmp_path / "texts"
        )
    calls.clear()
    return made.chain()


def test_a_stage_that_grows_adds_one_generation_after_the_other(tmp_path, generations, log):
    _, second, third = generations
    assert [made.path("a.txt").read_text() for made in generations] == ["one", "two", "three"]
    grow = stage(growing, name="grow", section="grow", takes=("text",), grows=True)
    config = CopyConfig(text="none")
    grow(config, second, output_dir=tmp_path / "grown")
    assert calls == ["one", "two"]
    made = grow(config, third, output_dir=tmp_path / "grown")
    assert calls == ["one", "two", "three"]  # the older generations were there
    assert made.path("all.txt").read_text() == "one two three "
    assert [path.read_text() for path in made.paths_of_all("all.txt")] == ["one ", "one two ", "one two three "]
    assert made.totals() == {"words": 3}
    assert grow.find(config, third, output_dir=tmp_path / "grown") == made
    assert reasons(log)[-3:] == ["for the first time", "for the next generation", "for the next generation"]
    log.clear()
    assert grow(config, third, output_dir=tmp_path / "grown") == made
    assert [record.getMessage() for record in log.records] == ["grow             reused    words 3"]


def test_a_digest_is_that_of_the_whole_chain(tmp_path, generations):
    grow = stage(growing, name="grow", takes=("text",), grows=True)
    made = grow(CopyConfig(text="none"), generations[2], output_dir=tmp_path / "grown")
    other = grow(CopyConfig(text="two"), generations[2], output_dir=tmp_path / "grown")
    assert other.path("all.txt").read_bytes() == made.path("all.txt").read_bytes()
    assert [len(grown.chain()) for grown in (made, other)] == [3, 2]  # the second generation started anew
    assert other.digest != made.digest


def test_a_generation_that_is_gone_is_made_again(tmp_path, generations):
    grow = stage(growing, name="grow", takes=("text",), grows=True)
    made = grow(CopyConfig(text="none"), generations[2], output_dir=tmp_path / "grown")
    made.before().path("all.txt").unlink()
    calls.clear()
    assert grow(CopyConfig(text="none"), generations[2], output_dir=tmp_path / "grown").digest == made.digest
    assert calls == ["two"]


def test_differences_name_nested_keys_and_lists():
    before = {"model": {"cell": "gru", "size": 1}, "train": [1], "same": 0}
    after = {"model": {"cell": "lstm", "size": 1}, "train": [1, 2], "same": 0, "new": True}
    assert differences("x", before, after) == [
        "x.model.cell gru -> lstm",
        "x.new not set -> True",
        "x.train [1] -> [1, 2]",
    ]


def test_counts_are_described():
    assert describe({"train.read": 22000, "kept": 0}) == "train.read 22,000  kept 0"
