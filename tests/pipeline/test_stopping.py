import threading
from contextvars import copy_context

import pytest

from pipeline import stopping
from pipeline.stopping import Request, Stopped


def test_the_first_of_several_reasons_counts():
    request = Request()
    request.make(ValueError("first"))
    request.make(ValueError("second"))
    assert (request.is_made, str(request.reason)) == (True, "first")


def test_only_work_inside_the_block_is_to_heed():
    request = Request()
    with stopping.heeding(request):
        stopping.heed()
        request.make(ValueError("because"))
        with pytest.raises(ValueError, match="because"):
            stopping.heed()
    stopping.heed()


def test_a_request_without_a_reason_stops():
    request = Request()
    request.make()
    with stopping.heeding(request), pytest.raises(Stopped):
        stopping.heed()


def test_a_thread_with_the_context_of_the_block_is_to_heed_as_well():
    seen = []
    with stopping.heeding(Request()) as request:
        thread = threading.Thread(target=copy_context().run, args=(lambda: seen.append(stopping.current.get()),))
        thread.start()
        thread.join()
    assert seen == [request]


def test_what_has_to_end_with_the_work_does_so_once():
    ended = []
    with stopping.heeding(Request()) as request:
        with stopping.ending(lambda: ended.append("before")):
            pass
        with stopping.ending(lambda: ended.append("while")):
            request.make()
            request.make()
        with stopping.ending(lambda: ended.append("late")):
            pass
    assert ended == ["while", "late"]


def test_without_a_request_nothing_is_called():
    with stopping.ending(lambda: pytest.fail("nobody has asked")):
        stopping.heed()
