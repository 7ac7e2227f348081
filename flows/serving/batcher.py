"""Sentences of different requests translated together: a batch costs little more than its longest sentence.

While a batch is translated, what arrives waits for the next one. One that finds nobody at work waits a moment for
company. There is an end to how many wait: who comes then is sent away at once, rather than kept until it gave up.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

How = TypeVar("How", bound=Hashable)
Answer = TypeVar("Answer")


class OverloadedError(Exception):
    """Too many sentences wait."""


@dataclass(frozen=True, eq=False)
class Waiting(Generic[How, Answer]):
    """Sentences of one request."""

    how: How
    sentences: Sequence[str]
    answers: asyncio.Future[list[Answer]]


class Batcher(Generic[How, Answer]):
    """Asks a function about sentences, in one thread, several requests at a time.

    Args:
        translate: gives an answer to each of some sentences that are to be translated in the same way.
        batch: most sentences it is asked about at a time.
        seconds: longest time that a request waits for others while the function has nothing to do.
        queue: most sentences that wait.
    """

    def __init__(
        self, translate: Callable[[How, list[str]], list[Answer]], *, batch: int, seconds: float, queue: int
    ) -> None:
        self.translate = translate
        self.batch = batch
        self.seconds = seconds
        self.queue = queue
        self.waiting: deque[Waiting[How, Answer]] = deque()
        self.arrived = asyncio.Event()
        self.thread = ThreadPoolExecutor(1, "translate")

    async def ask(self, how: How, sentences: Sequence[str]) -> list[Answer]:
        """The answers to some sentences, `batch` at most.

        Raises:
            OverloadedError: too many wait already.
            Exception: what the function raised.
        """
        if self.waiting and sum(len(one.sentences) for one in self.waiting) + len(sentences) > self.queue:
            raise OverloadedError  # who comes alone is always taken
        one = Waiting[How, Answer](how, sentences, asyncio.get_running_loop().create_future())
        self.waiting.append(one)
        self.arrived.set()
        return await one.answers

    async def work(self) -> None:
        """Answers until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self.arrived.wait()
            if not self.waiting:
                self.arrived.clear()
                continue
            await self.company(loop.time() + self.seconds)
            if together := self.take():
                sentences = [sentence for one in together for sentence in one.sentences]
                done = loop.run_in_executor(self.thread, self.translate, together[0].how, sentences)
                await self.hand_out(together, done)

    async def company(self, deadline: float) -> None:
        """Waits until a batch is full or the time is over."""
        first = self.waiting[0]
        while sum(len(one.sentences) for one in self.waiting if one.how == first.how) < self.batch:
            self.arrived.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self.arrived.wait()
            except TimeoutError:
                break
        self.arrived.set()  # for those who are left when this batch is taken

    def take(self) -> list[Waiting[How, Answer]]:
        """The next batch: whoever came first, and those after him who fit."""
        taken: list[Waiting[How, Answer]] = []
        left: deque[Waiting[How, Answer]] = deque()
        room = self.batch
        for one in self.waiting:
            if one.answers.done():  # its client is gone
                continue
            fits = not taken or (one.how == taken[0].how and len(one.sentences) <= room)
            (taken if fits else left).append(one)
            room -= len(one.sentences) if fits else 0
        self.waiting = left
        return taken

    async def hand_out(self, together: Sequence[Waiting[How, Answer]], done: asyncio.Future[Any]) -> None:
        """Gives each request its answers, or all of them the error."""
        try:
            answers = list(await done)
            if len(answers) != sum(len(one.sentences) for one in together):
                raise RuntimeError(f"{len(answers)} answers to another number of sentences")
        except Exception as error:  # it is told to those who asked
            for one in together:
                if not one.answers.done():
                    one.answers.set_exception(error)
            return
        remaining = iter(answers)
        for one in together:
            own = list(islice(remaining, len(one.sentences)))
            if not one.answers.done():
                one.answers.set_result(own)
