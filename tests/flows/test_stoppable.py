import logging
import os
import signal
import threading
import time

import pytest

from flows import stoppable as module
from flows.stoppable import stoppable, told_by_signals
from model.interruption import Interrupted, listening
from pipeline import stopping
from pipeline.stopping import Request, Stopped


@pytest.fixture
def said(caplog, said):
    """Our own log lines, here not only the warnings."""
    caplog.set_level(logging.INFO, "nightshift")
    return said


def soon(act):
    threading.Timer(0.1, act).start()


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def test_what_work_gives_and_what_it_raises_comes_back():
    assert stoppable("clean", lambda: 4711) == 4711
    with pytest.raises(ZeroDivisionError):
        stoppable("clean", lambda: 1 // 0)


def test_an_interruption_ends_work_where_it_is(said):
    ended = []

    def clean():
        try:
            while True:
                time.sleep(0.01)
        except BaseException as error:
            ended.append(type(error))
            raise

    soon(terminate)
    with told_by_signals(), pytest.raises(Interrupted, match="stopped as asked; run the same command to go on"):
        stoppable("clean", clean)
    assert ended == [Stopped]
    assert said() == ["clean            stopped   as asked; what is half-written is made anew"]


def test_a_training_is_not_interrupted_but_asked(said):
    def train():
        with listening() as request:
            step = 0
            while not request.is_made:
                time.sleep(0.01)
                step += 1
            time.sleep(0.3)  # it saves
            raise Interrupted(7)

    soon(terminate)
    with told_by_signals(), pytest.raises(Interrupted) as raised:
        stoppable("train", train)
    assert raised.value.step is None
    assert said() == ["train            stopped   after step 7 as asked, with a checkpoint"]


def test_a_training_that_has_saved_is_not_interrupted_on_its_way_out(said):
    def train():
        try:
            with listening() as request:
                while not request.is_made:
                    time.sleep(0.01)
                raise Interrupted(7)
        finally:
            for _ in range(50):
                time.sleep(0.01)  # it gives back what it holds

    soon(terminate)
    with told_by_signals(), pytest.raises(Interrupted):
        stoppable("train", train)
    assert said() == ["train            stopped   after step 7 as asked, with a checkpoint"]


def test_a_request_from_another_thread_ends_it_with_its_reason():
    request = Request()
    soon(lambda: request.make(ValueError("taken by another")))
    with stopping.heeding(request):
        with pytest.raises(ValueError, match="taken by another"):
            stoppable("clean", lambda: [time.sleep(0.01) for _ in range(1000)])
        with pytest.raises(ValueError, match="taken by another"):
            stoppable("shard", lambda: pytest.fail("it must not begin"))


def test_work_that_does_not_heed_is_left_behind(monkeypatch, said):
    monkeypatch.setattr(module, "ENDS_WITHIN", 0.3)
    over, request = threading.Event(), Request()
    soon(terminate)
    with stopping.heeding(request), told_by_signals(), pytest.raises(Interrupted):
        stoppable("clean", lambda: over.wait(30))
    assert request.is_ignored
    assert said() == ["clean            goes on    although it was asked to end; it ends with this process"]
    over.set()


def test_a_second_signal_does_not_make_believe_that_the_work_has_ended():
    over, request = threading.Event(), Request()
    soon(terminate)
    threading.Timer(0.5, terminate).start()
    with stopping.heeding(request), told_by_signals(), pytest.raises(Interrupted):
        stoppable("clean", lambda: over.wait(30))
    assert request.is_ignored
    over.set()


def test_afterwards_signals_mean_what_they_meant_before():
    before = signal.getsignal(signal.SIGTERM)
    with told_by_signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
