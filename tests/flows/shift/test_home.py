"""Commands that meet in the folder of a night shift."""

import os
import subprocess
import sys
import threading

import pytest

from flows.home import Running, only_one, read_state
from flows.processes import Started, born
from flows.settings import load
from flows.up import Place, down, up
from pipeline.errors import InputError


def started(name, pid):
    return Started(name=name, pid=pid, born=born(pid), command=("sleep",))


def test_of_two_that_come_at_once_the_second_one_finds_what_the_first_one_started(
    tmp_path, capsys, free_port, wait_until
):
    place = Place(tmp_path, "127.0.0.1", free_port, None)
    second = threading.Thread(target=up, args=(place, load("weather"), {}, "0 2 * * *", "UTC"))
    with only_one(tmp_path):
        second.start()
        wait_until(lambda: capsys.readouterr().out == "waits for another nightshift up or down\n")
        Running(mark="first", ui=place.ui, processes=(started("server", os.getpid()),)).write(tmp_path)
    second.join(20)
    assert capsys.readouterr().out == f"it is up already: http://127.0.0.1:{free_port}\n"


def test_what_another_user_started_is_neither_ended_nor_forgotten(tmp_path, capsys):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)  # that has no mark to be seen
    running = Running(mark="of-another-user", ui="http://127.0.0.1:4200", processes=(started("server", process.pid),))
    running.write(tmp_path)
    with pytest.raises(InputError, match=rf"user started \(the server, {process.pid}, is another user's\)$"):
        down(tmp_path)
    assert read_state(tmp_path) == running
    assert process.poll() is None
    process.communicate(b"\n", timeout=20)
    down(tmp_path)
    assert capsys.readouterr().out == "server      was gone\n"
    assert read_state(tmp_path) is None
