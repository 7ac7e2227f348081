"""Progress as a real server is told of it."""

import logging
import socket
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from time import sleep
from uuid import uuid4

import pytest

from flows.artifacts import progress
from flows.artifacts.progress import Follower, percent, progress_shown
from pipeline.progress import JobProgress, watched_by


@pytest.fixture
def told(prefect, monkeypatch):
    """Asks the session's server what it knows of a key; for the test's duration this process reports to it."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setattr(progress, "SECONDS_BETWEEN_UPDATES", 0.05)

    def look(key):
        found = prefect.ask("artifacts/filter", {"artifacts": {"key": {"any_": [key]}}})
        return [(one["data"], one["description"], one["type"], one["flow_run_id"], one["task_run_id"]) for one in found]

    with temporary_settings({PREFECT_API_URL: prefect.url}):
        yield look


def test_an_artifact_moves_with_the_line_and_ends_with_it(told, wait_until):
    flow, task = uuid4(), uuid4()
    follower = Follower("tiny-clean-progress", flow, task)
    runs = ("progress", str(flow), str(task))
    with watched_by(follower):
        with JobProgress("ingest", None) as endless:
            endless.advance(10)
        assert not follower.thread.is_alive()
        with JobProgress("clean", 200) as line:
            line.advance(50)
            ((done, words, *rest),) = wait_until(lambda: told("tiny-clean-progress"))
            assert (done, tuple(rest)) == (25.0, runs)
            assert words.startswith("50/200 pairs  ")
            line.begin("writing")
            line.advance(20)
            wait_until(lambda: told("tiny-clean-progress")[0][0] == 10.0)
            assert told("tiny-clean-progress")[0][1].startswith("writing  20/200 pairs  ")
        follower.finish()
    ((done, *_),) = told("tiny-clean-progress")
    assert done == 100.0  # what the line had not counted is done too, as it ended well
    assert not follower.thread.is_alive()


def test_what_failed_stays_where_it_was(told):
    follower = Follower("tiny-train-progress", uuid4(), uuid4())

    def work():
        with watched_by(follower), JobProgress("train", 200) as line:
            line.advance(50)
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        work()
    follower.finish()
    assert [one[0] for one in told("tiny-train-progress")] == [25.0]


def forward(one, other):
    """Hands on what one socket says to the other until it has said all."""
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)


@contextmanager
def reached_by(port, server):
    """For as long as the block runs, a port leads to a server."""

    class Handler(BaseRequestHandler):
        def handle(self):
            with socket.create_connection(("127.0.0.1", int(server.rpartition(":")[2]))) as there:
                Thread(target=forward, args=(there, self.request), daemon=True).start()
                forward(self.request, there)

    with ThreadingTCPServer(("127.0.0.1", port), Handler) as door:
        door.daemon_threads = True
        Thread(target=door.serve_forever, args=[0.02]).start()
        yield
        door.shutdown()


def test_a_server_that_is_away_is_told_of_once_and_shown_the_rest_when_it_is_back(
    told, prefect, monkeypatch, caplog, said, wait_until
):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setattr(progress, "SECONDS_WITHOUT_ANSWER", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
        follower = Follower("tiny-away-progress", uuid4(), uuid4())
    with watched_by(follower), JobProgress("train", 200) as line, caplog.at_level(logging.WARNING, "nightshift"):
        line.advance(50)
        wait_until(lambda: follower.is_told)
        sleep(0.5)
        (message,) = said()
        assert message.startswith("tiny-away-progress passed over: ")
        assert not told("tiny-away-progress")
        with reached_by(port, prefect.ui):
            wait_until(lambda: [one[0] for one in told("tiny-away-progress")] == [25.0])
            wait_until(lambda: not follower.is_told)
            line.advance(50)
            follower.finish()
    assert [one[0] for one in told("tiny-away-progress")] == [50.0]
    assert not follower.thread.is_alive()


def test_outside_of_a_run_there_is_nobody_to_show_it_to():
    from pipeline import progress as lines

    with progress_shown("tiny", "clean"):
        assert lines._watchers == []


def test_no_more_than_all_is_done(clock):
    line = JobProgress("shard", 1400)
    line.done = 1450
    assert percent(line, is_whole=False) == 100.0
    line.done = 467
    assert percent(line, is_whole=False) == 33.4
    assert percent(line, is_whole=True) == 100.0
