import io
import logging
import threading

import pytest
from rich.console import Console

from pipeline.progress import JobProgress


@pytest.fixture
def file(caplog: pytest.LogCaptureFixture) -> Console:
    """Not a terminal; what is logged is kept."""
    caplog.set_level(logging.INFO, "nightshift")
    return Console(file=io.StringIO())


def test_a_log_gets_a_line_every_five_seconds(clock, caplog, file):
    with JobProgress("clean", 10_000, console=file) as shown:
        for _ in range(26):
            clock.now += 1
            shown.advance(200)
    assert caplog.messages == [
        "clean            1,000/10,000 pairs  200/s  45 s left",
        "clean            2,000/10,000 pairs  200/s  40 s left",
        "clean            3,000/10,000 pairs  200/s  35 s left",
        "clean            4,000/10,000 pairs  200/s  30 s left",
        "clean            5,000/10,000 pairs  200/s  25 s left",
    ]


def test_without_a_total_there_is_no_time_left(clock, caplog, file):
    with JobProgress("ingest", None, unit="files", console=file) as shown:
        clock.now += 20
        shown.advance(3_000)
    assert caplog.messages == ["ingest           3,000 files  150/s"]


def test_more_than_was_expected_takes_no_time(clock, caplog, file):
    with JobProgress("ingest", 10, console=file) as shown:
        clock.now += 20
        shown.advance(40)
    assert caplog.messages == ["ingest           40/10 pairs  2/s  0 s left"]


def test_a_second_pass_is_counted_and_timed_anew(clock, caplog, file):
    with JobProgress("clean", 100, console=file) as shown:
        clock.now += 20
        shown.advance(100)
        shown.begin("writing")
        clock.now += 10
        shown.advance(20)
        shown.begin("writing")  # another thread came to it a moment later
        assert shown.done == 20
    assert caplog.messages == [
        "clean            100/100 pairs  5/s  0 s left",
        "clean            writing  20/100 pairs  2/s  40 s left",
    ]


def test_no_time_left_is_told_before_a_hundredth_of_what_was_left_is_done(clock, file):
    shown = JobProgress("clean", 1000, console=file)
    clock.now += 10
    shown.advance(9)
    assert shown.seconds_left is None
    shown.advance(1)
    assert shown.seconds_left == 990
    resumed = JobProgress("clean", 1000, console=file)
    resumed.first = resumed.done = 900
    clock.now += 10
    resumed.advance(1)
    assert resumed.seconds_left == 990


def test_a_terminal_gets_a_bar_that_goes_away(caplog):
    screen = io.StringIO()
    with JobProgress("clean", 200, console=Console(file=screen, force_terminal=True, width=100)) as shown:
        shown.advance(150)
        shown.bar.refresh()
        shown.begin("writing")
        shown.advance(50)
        shown.bar.refresh()
    assert "150/200 pairs" in screen.getvalue()
    assert "writing  50/200 pairs" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K")  # the line is wiped
    assert not caplog.messages


def test_threads_may_tell_it(file):
    with JobProgress("clean", None, console=file) as shown:
        threads = [threading.Thread(target=lambda: [shown.advance(1) for _ in range(1000)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert shown.done == 8000
