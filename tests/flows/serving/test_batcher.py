"""Requests that share a batch, and those that are sent away."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from flows.serving.batcher import Batcher, OverloadedError


def upper(calls: list[Any]) -> Callable[[str, list[str]], list[str]]:
    def translate(how: str, sentences: list[str]) -> list[str]:
        calls.append((how, sentences))
        return [f"{how} {sentence.upper()}" for sentence in sentences]

    return translate


def run(batcher: Batcher[str, str], *asks: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Asks at the same time while the batcher works."""

    async def together() -> list[Any]:
        work = asyncio.create_task(batcher.work())
        found = await asyncio.gather(*(ask() for ask in asks), return_exceptions=True)
        work.cancel()
        return found

    return asyncio.run(together())


def test_requests_share_a_batch_and_each_gets_its_own_answers():
    calls: list[Any] = []
    batcher = Batcher(upper(calls), batch=8, seconds=0.2, queue=100)
    found = run(batcher, lambda: batcher.ask("x", ["a", "b"]), lambda: batcher.ask("x", ["c"]))
    assert found == [["x A", "x B"], ["x C"]]
    assert calls == [("x", ["a", "b", "c"])]


def test_a_full_batch_does_not_wait():
    calls: list[Any] = []
    batcher = Batcher(upper(calls), batch=2, seconds=3600, queue=100)
    assert run(batcher, lambda: batcher.ask("x", ["a", "b"])) == [["x A", "x B"]]


def test_what_is_asked_differently_is_answered_apart():
    calls: list[Any] = []
    batcher = Batcher(upper(calls), batch=8, seconds=0.05, queue=100)
    found = run(batcher, *(lambda how=how, text=text: batcher.ask(how, [text]) for how, text in ("xa", "yb", "xc")))
    assert found == [["x A"], ["y B"], ["x C"]]
    assert calls == [("x", ["a", "c"]), ("y", ["b"])]


def test_a_batch_has_an_end():
    calls: list[Any] = []
    batcher = Batcher(upper(calls), batch=4, seconds=0.05, queue=100)
    found = run(batcher, *(lambda text=text: batcher.ask("x", list(text)) for text in ("abc", "de", "f")))
    assert found == [["x A", "x B", "x C"], ["x D", "x E"], ["x F"]]
    assert calls == [("x", ["a", "b", "c", "f"]), ("x", ["d", "e"])]


def test_too_many_are_sent_away_at_once_and_the_others_answered():
    is_working, may_end = threading.Event(), threading.Event()

    def slow(_: str, sentences: list[str]) -> list[str]:
        is_working.set()
        may_end.wait(20)
        return sentences

    batcher = Batcher(slow, batch=2, seconds=0, queue=3)

    async def later(sentences: list[str]) -> list[str]:
        await asyncio.to_thread(is_working.wait, 20)
        return await batcher.ask("x", sentences)

    async def last() -> list[str]:
        await asyncio.to_thread(is_working.wait, 20)
        await asyncio.sleep(0.05)
        try:
            return await batcher.ask("x", ["f", "g"])
        finally:
            may_end.set()

    found = run(batcher, lambda: batcher.ask("x", ["a"]), lambda: later(["b", "c"]), last)
    assert found[:2] == [["a"], ["b", "c"]]
    assert isinstance(found[2], OverloadedError)


def test_an_error_is_told_to_those_who_asked_and_to_nobody_after():
    def fussy(_: str, sentences: list[str]) -> list[str]:
        if "bad" in sentences:
            raise ValueError("no")
        return sentences

    batcher = Batcher(fussy, batch=8, seconds=0.05, queue=8)

    async def after() -> list[str]:
        with pytest.raises(ValueError, match="no"):
            await batcher.ask("x", ["bad"])
        return await batcher.ask("x", ["good"])

    assert run(batcher, after) == [["good"]]


def test_who_has_left_is_not_translated_for():
    calls: list[Any] = []
    batcher = Batcher(upper(calls), batch=8, seconds=0.1, queue=8)

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.ask("x", ["a"]), 0.01)

    assert run(batcher, leave, lambda: batcher.ask("x", ["b"]))[1] == ["x B"]
    assert calls == [("x", ["b"])]


def test_a_function_that_loses_an_answer_fails_its_batch_and_no_other():
    def lossy(_: str, sentences: list[str]) -> list[str]:
        return [sentence for sentence in sentences if sentence != "lost"]

    batcher = Batcher(lossy, batch=8, seconds=0.05, queue=8)

    async def after() -> list[str]:
        with pytest.raises(RuntimeError, match="1 answers to another number of sentences"):
            await batcher.ask("x", ["lost", "kept"])
        return await asyncio.wait_for(batcher.ask("x", ["good"]), 10)

    assert run(batcher, after) == [["good"]]
