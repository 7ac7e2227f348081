import errno
import logging
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import grpc
import pytest
from apache_beam.coders import VarIntCoder
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from apache_beam.transforms.userstate import BagStateSpec
from apache_beam.transforms.window import FixedWindows, GlobalWindows, TimestampedValue

from pipeline import progress
from pipeline.beam_config import BeamConfig
from pipeline.errors import InputError
from pipeline.runners import open_pipeline
from pipeline.running.counters import count

ONE, TWO = BeamConfig(workers=1), BeamConfig(workers=2)


@pytest.fixture(params=["one process", "two processes", "another machine's worker"])
def config(request: pytest.FixtureRequest) -> BeamConfig:
    if request.param == "another machine's worker":
        return request.getfixturevalue("portable")
    return ONE if request.param == "one process" else TWO


@pytest.fixture(params=[ONE, TWO], ids=["one process", "two processes"])
def local(request: pytest.FixtureRequest) -> BeamConfig:
    return request.param


def note(group, folder: Path):
    """Writes a file named after the key, with the values in order."""
    key, values = group
    (folder / str(key)).write_text(" ".join(map(str, sorted(values))))
    count("written", 1)
    return key


def notes(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def by_remainder(number: int, divisor: int) -> tuple[int, bytes]:
    count("pairs", 1)
    count(f"rejected.{number % 2}", number)
    return number % divisor, str(number).encode()


def fail(error):
    raise error


def test_every_runner_does_the_same_and_counts_the_same(config, tmp_path):
    with open_pipeline(config, stage="clean", pairs=10) as job:
        divisor = job | "divisor" >> beam.Create([1, 2]) | beam.CombineGlobally(sum)
        _ = (
            job
            | "numbers" >> beam.Create(range(10))
            | beam.Reshuffle()
            | beam.Map(by_remainder, beam.pvalue.AsSingleton(divisor)).with_output_types(tuple[int, bytes])
            | beam.GroupByKey()
            | beam.Map(note, tmp_path)
        )
    assert notes(tmp_path) == {"0": "b'0' b'3' b'6' b'9'", "1": "b'1' b'4' b'7'", "2": "b'2' b'5' b'8'"}
    assert job.counts == {"pairs": 10, "rejected.0": 20, "rejected.1": 25, "written": 3}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_inside_beam_is_one_outside(config, code):
    with pytest.raises(OSError, match="the disk") as caught, open_pipeline(config, stage="clean", pairs=1) as job:
        _ = job | beam.Create([code]) | "write" >> beam.Map(lambda code: fail(OSError(code, "the disk")))
    assert caught.value.errno == code


def test_a_missing_file_keeps_its_kind(config, tmp_path):
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match="missing"), open_pipeline(config, stage="clean", pairs=1) as job:
        _ = job | beam.Create([missing]) | "read" >> beam.Map(lambda path: path.read_bytes())


def test_bad_input_that_is_found_inside_beam_reads_as_if_found_outside(config):
    error = InputError("corpus.train[0]", "a.en | a.de", "two files of one length", "3 and 4 lines")
    with pytest.raises(InputError) as caught, open_pipeline(config, stage="clean", pairs=1) as job:
        _ = job | beam.Create([error]) | "read" >> beam.Map(fail)
    assert str(caught.value) == "corpus.train[0] = a.en | a.de: expected two files of one length (3 and 4 lines)"
    assert caught.value.parameter == "corpus.train[0]"


def test_a_defect_inside_beam_stays_one():
    with pytest.raises(KeyError, match="look up"), open_pipeline(ONE, stage="clean", pairs=1) as job:
        _ = job | beam.Create([KeyError("x")]) | "look up" >> beam.Map(fail)


def look_up_a_file(path):
    try:
        return path.read_text()
    except FileNotFoundError:
        return {}["no such key"]


def test_a_defect_is_not_mistaken_for_the_error_it_followed(tmp_path):
    with pytest.raises(KeyError, match="no such key"), open_pipeline(ONE, stage="clean", pairs=1) as job:
        _ = job | beam.Create([tmp_path / "missing"]) | beam.Map(look_up_a_file)


def test_a_defect_in_a_worker_comes_with_its_traceback():
    with pytest.raises(RuntimeError, match=r"in fail\n(.|\n)*KeyError: .*look up"):  # noqa: SIM117
        with open_pipeline(TWO, stage="clean", pairs=1) as job:
            _ = job | beam.Create([KeyError("x")]) | "look up" >> beam.Map(fail)


def test_a_worker_that_is_killed_fails_the_job_and_the_next_job_has_new_ones(tmp_path):
    with pytest.raises(RuntimeError, match="a worker process ended"), open_pipeline(TWO, stage="clean", pairs=1) as job:
        _ = job | beam.Create([1]) | beam.Map(lambda _: os.kill(os.getpid(), signal.SIGKILL))
    with open_pipeline(TWO, stage="clean", pairs=1) as job:
        _ = job | beam.Create([("a", 1)]) | beam.GroupByKey() | beam.Map(note, tmp_path)
    assert notes(tmp_path) == {"a": "1"}


def test_workers_are_kept_for_the_next_job(tmp_path):
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        with open_pipeline(TWO, stage="clean", pairs=8) as job:
            _ = (
                job
                | beam.Create([(number, number) for number in range(8)])
                | beam.GroupByKey()
                | beam.Map(lambda group: (time.sleep(0.02), os.getpid())[1])
                | beam.Map(lambda pid, folder=folder: (folder / str(pid)).touch())
            )
    first, second = (set(notes(tmp_path / name)) for name in ("first", "second"))
    assert first == second
    assert len(first) == 2
    assert str(os.getpid()) not in first


def test_a_process_that_is_done_takes_the_next_piece(tmp_path):
    """One key is done only when all others are, so while one process has it the other takes all their pieces."""

    def work(group):
        if group[0]:
            (tmp_path / f"done-{group[0]}").touch()
            return group[0], "done"
        end = time.monotonic() + 60
        while (count := len(list(tmp_path.glob("done-*")))) < 19 and time.monotonic() < end:
            time.sleep(0.01)
        return 0, f"last of {count}"

    (tmp_path / "notes").mkdir()
    with open_pipeline(TWO, stage="clean", pairs=20) as job:
        done = job | beam.Create([(number, b"") for number in range(20)]) | beam.GroupByKey() | beam.Map(work)
        _ = done | "again" >> beam.GroupByKey() | beam.Map(note, tmp_path / "notes")
    found = notes(tmp_path / "notes")
    assert found.pop("0") == "last of 19"
    assert set(found.values()) == {"done"}


def test_groups_can_be_read_by_two_stages(local, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with open_pipeline(local, stage="clean", pairs=1) as job:
        groups = job | beam.Create([(1, 2), (1, 3), (4, 5)]) | beam.GroupByKey()
        size = beam.pvalue.AsSingleton(groups | beam.combiners.Count.Globally())
        _ = groups | "a" >> beam.Map(note, tmp_path / "a")
        _ = groups | beam.Map(lambda group, size: (size, group[1]), size) | "b" >> beam.Map(note, tmp_path / "b")
    assert notes(tmp_path / "a") == {"1": "2 3", "4": "5"}
    assert set(notes(tmp_path / "b")) == {"2"}


def test_windows_are_left_to_beam(local, tmp_path):
    with open_pipeline(local, stage="clean", pairs=1) as job:
        _ = (
            job
            | beam.Create([1, 2, 11])
            | beam.Map(lambda second: TimestampedValue(("k", second), second))
            | beam.WindowInto(FixedWindows(10))
            | beam.GroupByKey()
            | beam.Map(lambda group: (min(group[1]), group[1]))
            | "all" >> beam.WindowInto(GlobalWindows())
            | beam.Map(note, tmp_path)
        )
    assert notes(tmp_path) == {"1": "1 2", "11": "11"}


class Remember(beam.DoFn):
    """Counts how many of its key there were until now."""

    seen = beam.DoFn.StateParam(BagStateSpec("seen", VarIntCoder()))

    def process(self, element: tuple[str, int], state=seen) -> Iterator[tuple[str, int]]:
        state.add(element[1])
        yield element[0], len(list(state.read()))


def test_state_is_left_to_beam(local, tmp_path):
    with open_pipeline(local, stage="clean", pairs=1) as job:
        counted = job | beam.Create([("k", 5), ("k", 6), ("l", 7)]) | beam.ParDo(Remember())
        _ = counted | beam.GroupByKey() | beam.Map(note, tmp_path)
    assert notes(tmp_path) == {"k": "1 2", "l": "1"}


def slowly(number: int) -> tuple[int, int]:
    time.sleep(0.06)
    count("pairs", 1)
    return number, number


def and_again(group) -> None:
    time.sleep(0.06)
    count("written", 1)


def test_a_line_moves_while_a_job_runs(local, caplog, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.1)
    with caplog.at_level(logging.INFO, "nightshift"), open_pipeline(local, stage="clean", pairs=16) as job:
        numbers = job | beam.Create(range(16)) | beam.Reshuffle() | beam.Map(slowly)
        _ = numbers | beam.GroupByKey() | beam.Map(and_again)
    shown = [re.fullmatch(r"clean {12}(writing  )?(\d+)/16 pairs  .*/s.*", line).groups() for line in caplog.messages]
    for step in (None, "writing  "):
        done = [int(number) for at, number in shown if at == step]
        assert len(done) >= 2
        assert done == sorted(set(done))
    assert shown == sorted(shown, key=lambda line: line[0] is not None)


def interrupt(*_):
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # once is enough
    raise KeyboardInterrupt


def interrupt_and_go_on(number: int, process: int, go_on: Path) -> None:
    """Works until it is told otherwise, so that the job is at work when it is cancelled."""
    if not go_on.exists():
        os.kill(process, signal.SIGUSR1)
    while not go_on.exists():
        time.sleep(0.02)


def test_a_job_that_runs_elsewhere_is_cancelled_with_its_flow(portable, tmp_path):
    go_on = tmp_path / "go on"
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), open_pipeline(portable, stage="clean", pairs=20) as job:
            _ = job | beam.Create(range(20)) | beam.Reshuffle() | beam.Map(interrupt_and_go_on, os.getpid(), go_on)
    finally:
        go_on.touch()
        signal.signal(signal.SIGUSR1, before)
    with grpc.insecure_channel(portable.portable.job_endpoint) as channel:
        jobs = beam_job_api_pb2_grpc.JobServiceStub(channel).GetJobs(beam_job_api_pb2.GetJobsRequest()).job_info
    assert [job.state for job in jobs].count(beam_job_api_pb2.JobState.CANCELLED) == 1


def test_a_job_server_has_several_processes_work(portable, tmp_path):
    with open_pipeline(portable, stage="clean", pairs=60) as job:
        numbers = job | beam.Create(range(60)) | beam.Reshuffle()
        _ = numbers | beam.Map(lambda number: (os.getpid(), number)) | beam.GroupByKey() | beam.Map(note, tmp_path)
    found = notes(tmp_path)
    assert len(found) == 3
    assert str(os.getpid()) not in found
    assert sorted(int(number) for text in found.values() for number in text.split()) == list(range(60))
