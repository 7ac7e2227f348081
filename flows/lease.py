"""A lease: of all nights that make a model, on whatever machines, one is at work.

It is an object next to the data, `weather-en-fr/lease.json`, that is changed by compare-and-swap only:

    lease = Lease(storage, "weather-en-fr/lease.json", this_process("retrain weather-en-fr"), seconds=120)
    acquire(lease, "skip", wait=0)
    with lease.kept(request):
        ...                                    # renewed by a thread, given back at the end

**No clock is compared with another machine's.** Whoever wants a lease that is held watches it: it is dead once it has
not changed for its `seconds` on the watcher's own clock. A holder renews it four times in that time, and one that could
not do so for three quarters of it stops its work. A process of this machine that is gone is dead at once. What cannot
be excluded is a holder that was frozen, wakes up and goes on for up to a second until it notices, or for five where the
storage gives no answer; for that time there are the locks of the stages, and aliases that move by compare-and-swap.

See `waiting` for those who want it.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Protocol

from pydantic import Field, ValidationError

from flows.holder import Holder
from flows.overlap import LeaseLost, Replaced
from pipeline.config import Frozen
from pipeline.errors import InputError
from pipeline.stopping import Request
from pipeline.storage import ABSENT, Conflict, Storage

RENEWALS = 4  # in the time after which it would be dead
GIVES_UP = 0.75  # of that time without a renewal: then the holder itself takes it for lost
ANSWERS_WITHIN = 5.0  # seconds that the last of it waits for a storage that is being asked
ASLEEP = 10.0  # seconds between two looks at the clock after which the machine was asleep, or the process frozen
TICK = 1.0  # seconds between looks at the clock, so that a machine that slept renews as soon as it wakes


class Record(Frozen):
    """What is written."""

    holder: Holder | None = Field(None, description="Who holds it; none: it is free.")
    seconds: float = Field(0, description="For how long it does not change until it is dead.")
    renewals: int = Field(0, description="How often it was renewed, so that each time it differs.")
    renewed: str = Field("", description="When, UTC, as the holder's clock said.")
    asked_by: str = Field("", description="Who wants the holder to end; empty: nobody.")

    @property
    def is_fresh_here(self) -> bool:
        """Whether its holder is a process of this machine that has renewed it lately, by this machine's clock."""
        if not self.holder or not self.holder.is_here or self.holder.is_gone:
            return False
        age = datetime.now(UTC) - datetime.fromisoformat(self.renewed)
        return abs(age.total_seconds()) < self.seconds


class Clock(Protocol):
    """How much time passes, and how to let it pass."""

    def now(self) -> float:
        """Seconds since some moment."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


class BootClock:
    """Seconds since the machine started, those in which it slept included."""

    def now(self) -> float:
        """Seconds."""
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def sleep(self, seconds: float) -> None:
        """Waits."""
        time.sleep(seconds)


class Lease:
    """One run's part in it.

    Args:
        storage: where it is.
        name: of the object.
        holder: this run.
        seconds: without a sign of life after which a holder is taken for dead.
        clock: another one than the machine's, for tests.
    """

    def __init__(self, storage: Storage, name: str, holder: Holder, seconds: float, clock: Clock | None = None) -> None:
        self.storage = storage
        self.name = name
        self.clock = clock or BootClock()
        self.record = Record(holder=holder, seconds=seconds)
        self.generation = ABSENT
        self.renewed = 0.0
        self.changing = threading.RLock()

    def read(self) -> tuple[Record, str]:
        """What is written, and its generation; where nothing is, it is free.

        Raises:
            InputError: it is no lease.
        """
        stored = self.storage.read(self.name)
        if stored is None:
            return Record(), ABSENT
        if not stored.data.strip(b"\0"):  # what a machine that lost its power may leave of a file
            return Record(), stored.generation
        try:
            return Record.model_validate_json(stored.data), stored.generation
        except ValidationError as error:
            where = f"{self.storage.location}/{self.name}"
            raise InputError("night.lease", where, "a lease", "delete it if no night is at work") from error

    def take(self, generation: str) -> bool:
        """Takes it if it is still of that generation."""
        with self.changing:
            try:
                self.write(self.record, generation)
            except Conflict:
                return False
        return True

    def ask(self, there: Record, generation: str) -> None:
        """Asks its holder to end, unless the lease has changed meanwhile."""
        asking = there.model_copy(update={"asked_by": str(self.record.holder)})
        with suppress(Conflict):
            self.storage.write(self.name, asking.model_dump_json().encode(), if_generation=generation)

    def renew(self) -> None:
        """Gives a sign of life.

        Raises:
            Replaced: another run wants this one to end; the lease is still held.
            LeaseLost: it is no longer held.
        """
        with self.changing:
            began = self.clock.now()
            try:
                with suppress(Conflict):
                    self.write(self.record, self.generation)
                    return
                self.find_out()
            except (OSError, InputError) as error:  # the storage may come back in time
                if began - self.renewed >= GIVES_UP * self.record.seconds:
                    where = f"{self.storage.location}/{self.name}"
                    raise LeaseLost(f"the lease {where} {unrenewed(began - self.renewed)}: {error}") from error

    def find_out(self) -> None:
        """Why somebody else changed it, and renews it if it is still held; raises as `renew` does."""
        while True:
            there, generation = self.read()
            if not there.holder or not self.record.holder or there.holder.id != self.record.holder.id:
                what = f"was taken by {there.holder}" if there.holder else "is free"
                raise LeaseLost(f"the lease {self.storage.location}/{self.name} {what}: the run was taken for dead")
            with suppress(Conflict):
                self.write(self.record.model_copy(update={"asked_by": there.asked_by}), generation)
                break
        if there.asked_by:
            raise Replaced(f"made way for {there.asked_by}")

    def release(self) -> None:
        """Gives it back; that it was lost meanwhile is no matter any more."""
        if not self.changing.acquire(timeout=ANSWERS_WITHIN):
            return  # the storage gives no answer, and the lease runs out by itself
        try:
            with suppress(Replaced):
                self.find_out()  # somebody may just have asked for it
            free = Record(renewals=self.record.renewals + 1, renewed=datetime.now(UTC).isoformat())
            self.storage.write(self.name, free.model_dump_json().encode(), if_generation=self.generation)
        except (Conflict, LeaseLost):
            pass
        finally:
            self.changing.release()

    def write(self, record: Record, generation: str) -> None:
        """Writes a record over the generation, with what says that it is new."""
        began = self.clock.now()
        fresh = {"renewals": self.record.renewals + 1, "renewed": datetime.now(UTC).isoformat()}
        record = record.model_copy(update=fresh)
        self.generation = self.storage.write(self.name, record.model_dump_json().encode(), if_generation=generation)
        self.record, self.renewed = record, began

    @contextmanager
    def kept(self, request: Request) -> Iterator[None]:
        """Renews it for as long as the block runs, and then gives it back.

        Args:
            request: made when it is lost, or wanted by another run.
        """
        over = threading.Event()
        for keep in (self.keep_renewing, self.keep_watching):
            threading.Thread(target=keep, args=(over, request), daemon=True, name=keep.__name__).start()
        try:
            yield
        finally:
            over.set()
            if not request.is_ignored:  # otherwise somebody still writes
                with suppress(OSError, InputError):  # it runs out by itself, and what came of the block is what counts
                    self.release()

    def keep_renewing(self, over: threading.Event, request: Request) -> None:
        """Renews it until it is over, or lost."""
        while not over.wait(min(TICK, self.record.seconds / RENEWALS)):
            with self.changing:
                if over.is_set() or self.clock.now() - self.renewed < self.record.seconds / RENEWALS:
                    continue
                try:
                    self.renew()
                except Replaced as reason:
                    request.make(reason)
                except LeaseLost as reason:
                    request.make(reason)
                    return

    def keep_watching(self, over: threading.Event, request: Request) -> None:
        """Takes it for lost in time where the storage gives no answer at all, for which `renew` would wait.

        When the machine was asleep, `renew` has the first word: unless somebody took it meanwhile, it is still held.
        """
        looked = woke = self.clock.now()
        while not over.wait(min(TICK, self.record.seconds / RENEWALS)):
            now = self.clock.now()
            if now - looked > ASLEEP:
                woke = now
            looked, silent = now, now - self.renewed
            if silent >= GIVES_UP * self.record.seconds and now - woke >= min(ANSWERS_WITHIN, self.record.seconds):
                request.make(LeaseLost(f"the lease {self.storage.location}/{self.name} {unrenewed(silent)}"))
                return


def unrenewed(seconds: float) -> str:
    """What is wrong, for people."""
    return f"could not be renewed for {seconds:.0f} s"
