"""The lease of a night in a folder and in a bucket of a real server, with a clock that the tests move."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from flows import lease as module
from flows.holder import Holder, birth, this_machine, this_process
from flows.lease import Lease
from flows.overlap import LeaseLost, Replaced, Skipped
from flows.pulse import Pulse
from flows.waiting import acquire
from pipeline.errors import InputError
from pipeline.stopping import Request
from pipeline.storage import open_storage

NAME = "weather-en-fr/lease.json"


class HandClock:
    """A clock on which time passes only when somebody sleeps; `meanwhile` is what happens then."""

    def __init__(self, *meanwhile):
        self.time = 1000.0
        self.meanwhile = list(meanwhile)

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()


def elsewhere(run="retrain"):
    """A run on a machine whose processes cannot be seen from here."""
    return this_process(run).model_copy(update={"machine": "another"})


def lease(location, holder=None, clock=None, seconds=120.0):
    return Lease(open_storage(location), NAME, holder or elsewhere(), seconds, clock or HandClock())


def dead_process():
    """A run of this machine whose process has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return this_process("dead").model_copy(update={"pid": ended.pid, "born": "1"})


def test_what_is_free_is_taken_and_given_back(location):
    mine, other = lease(location), lease(location)

    assert acquire(mine, "skip", 0) is None
    mine.release()
    assert mine.read()[0].holder is None
    assert acquire(other, "skip", 0) is None
    assert mine.read()[0].holder == other.record.holder


def test_of_32_contenders_one_holds_it(location):
    together = threading.Barrier(32)

    def contend(number):
        contender = lease(location, this_process(f"night {number}"))
        together.wait(30)
        try:
            acquire(contender, "skip", 0)
        except Skipped as reason:
            return str(reason)
        return contender.record.holder.run

    with ThreadPoolExecutor(32) as pool:
        said = list(pool.map(contend, range(32)))

    (winner,) = (words for words in said if words.startswith("night "))
    told = f"this night does not run, as {winner} (process {os.getpid()} on "
    assert sum(words.startswith(told) for words in said) == 31


def test_a_run_elsewhere_that_gives_a_sign_of_life_is_not_dead(location):
    holder = lease(location)
    acquire(holder, "skip", 0)
    clock = HandClock(lambda: None, lambda: None, holder.renew)

    with pytest.raises(Skipped, match=r"not run, as retrain \(process \d+ on .*, since \d{4}-.* UTC\) makes"):
        acquire(lease(location, clock=clock), "skip", 0)

    assert clock.time == 1003


def test_a_run_elsewhere_is_dead_after_its_own_seconds_without_a_sign_of_life(location):
    holder = lease(location, seconds=60)
    acquire(holder, "skip", 0)
    clock = HandClock()
    waiter = lease(location, clock=clock, seconds=600)

    assert acquire(waiter, "skip", 0) == holder.record.holder
    assert clock.time == 1060
    with pytest.raises(LeaseLost, match="was taken by retrain .*: the run was taken for dead"):
        holder.renew()


def test_a_dead_process_of_this_machine_is_not_waited_for(location):
    holder = lease(location, dead_process())
    acquire(holder, "skip", 0)
    clock = HandClock()

    assert acquire(lease(location, clock=clock), "skip", 0) == holder.record.holder
    assert clock.time == 1000


def test_waiting_ends_with_the_lease_or_after_its_time(location):
    holder = lease(location)
    acquire(holder, "skip", 0)
    patient = lease(location, clock=HandClock(*[holder.renew] * 20, holder.release))

    assert acquire(patient, "wait", 3600) is None
    assert patient.clock.time == 1021
    other = lease(location, clock=HandClock(*[patient.renew] * 10))
    with pytest.raises(Skipped, match=r"is still at work \(night.wait_hours\)"):
        acquire(other, "wait", 10)
    assert other.clock.time == 1010


def test_a_run_that_is_to_be_replaced_hears_of_it_once_and_keeps_the_lease_until_it_ends(location):
    holder = lease(location)
    acquire(holder, "skip", 0)
    heard = []

    def hear():
        with pytest.raises(Replaced) as reason:
            holder.renew()
        heard.append(str(reason.value))

    newer = lease(location, elsewhere("newer"), HandClock(hear, holder.renew, holder.renew, holder.release))
    assert acquire(newer, "replace", 3600) is None
    assert heard == [f"made way for {newer.record.holder}"]
    assert newer.clock.time == 1004


def test_a_run_that_does_not_answer_is_replaced_when_its_time_is_over(location):
    holder = lease(location, seconds=40)
    acquire(holder, "skip", 0)
    clock = HandClock()

    assert acquire(lease(location, clock=clock), "replace", 3600) == holder.record.holder
    assert clock.time == 1040


def test_of_two_that_replace_a_run_the_second_does_not_run(location):
    holder, first = lease(location), lease(location, elsewhere("first"))
    acquire(holder, "skip", 0)

    def change_hands():
        with pytest.raises(Replaced):
            holder.renew()
        holder.release()
        acquire(first, "skip", 0)

    second = lease(location, clock=HandClock(change_hands))
    with pytest.raises(Skipped, match=r"as first \(.*\) was the first to take over"):
        acquire(second, "replace", 3600)


def test_a_run_that_ends_gives_back_a_lease_that_somebody_has_just_asked_for(location):
    holder, newer = lease(location), lease(location)
    acquire(holder, "skip", 0)
    newer.ask(*newer.read())

    holder.release()

    assert newer.read()[0].holder is None


def test_a_lease_that_was_lost_is_not_given_away(location):
    holder, newer = lease(location), lease(location)
    acquire(holder, "skip", 0)
    acquire(newer, "skip", 0)

    holder.release()

    assert newer.read()[0].holder == newer.record.holder


def test_without_storage_a_lease_is_lost_before_others_take_it(tmp_path):
    clock = HandClock()
    holder = lease(str(tmp_path / "there"), clock=clock)
    acquire(holder, "skip", 0)
    (tmp_path / "there").rename(tmp_path / "gone")
    (tmp_path / "there").write_text("in the way")

    clock.time += 89
    holder.renew()
    clock.time += 1
    with pytest.raises(LeaseLost, match="could not be renewed for 90 s: .*Not a directory"):
        holder.renew()
    (tmp_path / "there").unlink()
    (tmp_path / "gone").rename(tmp_path / "there")
    holder.renew()
    assert holder.renewed == clock.time


def test_as_long_as_a_block_runs_a_thread_renews_it(location, wait_until):
    holder = Lease(open_storage(location), NAME, elsewhere(), 0.4)
    acquire(holder, "skip", 0)
    request = Request()
    with holder.kept(request):
        wait_until(lambda: holder.read()[0].renewals >= 4)
        newer = lease(location)
        newer.ask(*newer.read())
        wait_until(lambda: request.is_made)
        assert isinstance(request.reason, Replaced)
    assert holder.read()[0].holder is None


def test_a_storage_that_gives_no_answer_does_not_keep_a_run_from_noticing(tmp_path, wait_until, monkeypatch):
    monkeypatch.setattr(module, "ANSWERS_WITHIN", 0.1)
    holder = Lease(open_storage(str(tmp_path)), NAME, elsewhere(), 0.4)
    acquire(holder, "skip", 0)
    answers, request = threading.Event(), Request()
    monkeypatch.setattr(holder.storage, "write", lambda *_, **__: answers.wait(30))
    with holder.kept(request):
        wait_until(lambda: request.is_made)
    answers.set()
    assert str(request.reason).startswith(f"the lease {tmp_path}/{NAME} could not be renewed for ")


def test_a_run_whose_machine_was_asleep_still_holds_what_nobody_took(tmp_path, wait_until):
    """Wakes with the thread that watches first: the other one is on its way."""
    holder = lease(str(tmp_path), seconds=1)
    acquire(holder, "skip", 0)
    request, over = Request(), threading.Event()
    watcher = threading.Thread(target=holder.keep_watching, args=(over, request))
    watcher.start()
    time.sleep(0.5)
    holder.clock.time += 3600
    time.sleep(0.5)
    assert not request.is_made
    holder.renew()
    time.sleep(1)
    assert not request.is_made
    holder.clock.time += 5
    wait_until(lambda: request.is_made)
    watcher.join()


@pytest.mark.parametrize("is_ignored", [False, True])
def test_what_ends_the_block_is_told_and_the_lease_given_back_unless_somebody_still_writes(tmp_path, is_ignored):
    holder, request = lease(str(tmp_path)), Request()
    acquire(holder, "skip", 0)
    request.is_ignored = is_ignored

    with pytest.raises(ZeroDivisionError), holder.kept(request):
        raise ZeroDivisionError

    assert (holder.read()[0].holder is None) is not is_ignored


def test_a_night_that_ended_well_did_so_where_its_lease_cannot_be_given_back_too(tmp_path, monkeypatch):
    holder = lease(str(tmp_path))
    acquire(holder, "skip", 0)

    def refuse(name):
        raise ConnectionError("reset")

    monkeypatch.setattr(holder.storage, "read", refuse)
    with holder.kept(Request()):
        pass
    monkeypatch.undo()
    assert holder.read()[0].holder == holder.record.holder


@pytest.mark.parametrize("left", [b"", b"\0\0\0\0"])
def test_what_a_power_cut_left_of_a_lease_is_free(location, left):
    open_storage(location).write(NAME, left)
    assert acquire(lease(location), "skip", 0) is None


def test_what_is_no_lease_is_not_taken(location):
    storage = open_storage(location)
    storage.write(NAME, b"[]")

    with pytest.raises(InputError, match=r"night.lease = .*/lease.json: expected a lease \(delete it if no night is"):
        acquire(lease(location), "skip", 0)


def test_a_process_is_known_by_its_number_and_its_birth():
    here = this_process("retrain", "4711")
    assert (here.is_here, here.is_gone) == (True, False)
    assert here.model_copy(update={"born": "1"}).is_gone
    assert not here.model_copy(update={"born": "1", "machine": "another"}).is_gone
    assert not here.model_copy(update={"machine": ""}).is_here
    assert Holder.model_validate_json(here.model_dump_json()) == here
    assert len(this_machine()) == 16


def test_a_process_that_nobody_has_taken_note_of_yet_is_gone():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert birth(process.pid) != ""
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert birth(process.pid) == ""
    assert birth(process.pid) == ""


def test_a_part_lives_as_long_as_somebody_changes_its_lease(location):
    clock = HandClock()
    pulse = Pulse(lease(location, clock=clock, seconds=120))

    def after(seconds):
        for _ in range(seconds):
            clock.time += 1
            pulse.has_stopped()
        return pulse.has_stopped()

    assert not after(0)
    assert not after(119 + 60)  # it has begun and is about to take it
    holder = lease(location, seconds=60)
    acquire(holder, "skip", 0)
    assert not after(1)
    assert not after(119 + 60)
    holder.renew()
    assert not after(1)
    holder.release()
    assert not after(180)  # of which the first second saw it change
    assert after(1)
    clock.time += 3600  # the watcher was asleep
    assert not after(180)
    assert after(1)


def test_a_storage_that_gives_no_lease_says_nothing_about_a_part(tmp_path):
    clock = HandClock()
    (tmp_path / "weather-en-fr").mkdir()
    pulse = Pulse(lease(str(tmp_path), clock=clock))
    assert not pulse.has_stopped()
    (tmp_path / NAME).write_text("no lease")
    clock.time += 1000
    assert not pulse.has_stopped()
    (tmp_path / NAME).unlink()
    assert not pulse.has_stopped()
    for _ in range(180):
        clock.time += 1
        was = pulse.has_stopped()
    assert was
