import os
import signal
import subprocess
import sys
import time

import pytest

from flows.processes import MARK, Started, born, marked, start, stop

# Starts another one in a session of its own, and neither heeds SIGTERM.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) > 1:
    subprocess.Popen([sys.executable, *sys.argv[1:3]], start_new_session=True)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def mark(tmp_path):
    """A value for the variable; whatever has it is ended."""
    yield tmp_path.name
    for pid in marked(tmp_path.name):
        os.kill(pid, signal.SIGKILL)


def test_all_that_was_started_is_found_and_ended(tmp_path, mark, wait_until):
    log = tmp_path / "log"
    environment = {MARK: mark, "PATH": os.environ["PATH"]}
    first = start("first", [sys.executable, "-c", STUBBORN, "-c", STUBBORN], environment, log)
    wait_until(lambda: log.read_text().count("ready") == 2)
    assert first.is_running
    assert log.stat().st_mode & 0o777 == 0o600
    found = marked(mark)
    assert len(found) == 2
    assert first.pid in found
    assert marked(mark[:-1]) == []
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    stop(found, seconds=0.3)
    assert marked(mark) == []
    assert not first.is_running
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_process_that_ends_when_it_is_asked_to_is_not_waited_for(tmp_path, mark):
    start("one", ["sleep", "60"], {MARK: mark, "PATH": os.environ["PATH"]}, tmp_path / "log")
    began = time.monotonic()
    stop(marked(mark), seconds=30)
    assert time.monotonic() - began < 10
    assert marked(mark) == []


def test_a_number_that_another_process_has_by_now_is_not_the_one_that_was_started():
    mine = born(os.getpid())
    assert mine is not None
    assert Started(name="me", pid=os.getpid(), born=mine, command=("python",)).is_running
    assert not Started(name="me", pid=os.getpid(), born=mine - 1, command=("python",)).is_running
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert born(gone.pid) is None
