"""Those who want a lease that another run holds: whether that one is dead, and what is done if it is not."""

from flows.holder import Holder
from flows.lease import ASLEEP, RENEWALS, TICK, Clock, Lease, Record
from flows.overlap import Skipped
from pipeline.stage import log


class Watch:
    """What somebody has seen of a lease, by his own clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.generation = ""
        self.since = self.looked = 0.0
        self.first: Record | None = None

    def look(self, there: Record, generation: str) -> None:
        """Takes note of what is there now."""
        self.first = self.first or there
        now = self.clock.now()
        # Who was asleep himself has not watched, and a holder on the same machine was asleep with him.
        if generation != self.generation or now - self.looked > ASLEEP:
            self.generation, self.since = generation, now
        self.looked = now

    @property
    def unchanged(self) -> float:
        """Seconds since it was seen to change, or for the first time."""
        return self.clock.now() - self.since

    def is_dead(self, there: Record) -> bool:
        """Whether it has not changed for as long as its holder said."""
        return self.unchanged >= there.seconds

    def is_another(self, there: Record) -> bool:
        """Whether the holder is not the first one that was seen."""
        before = self.first and self.first.holder
        return bool(before and there.holder and there.holder.id != before.id)

    def has_moved(self, there: Record) -> bool:
        """Whether a holder was seen to renew it, or to take it."""
        return self.is_another(there) or bool(self.first and self.first.renewals != there.renewals)


def acquire(lease: Lease, overlap: str, wait: float) -> Holder | None:
    """Takes a lease, at once or when it is free or dead; gives the dead run that it was taken from.

    Args:
        lease: of this run.
        overlap: skip, wait or replace, where another run holds it and is alive.
        wait: seconds at most, for wait and replace.

    Raises:
        Skipped: another run holds it, and this one is not to run.
    """
    watch = Watch(lease.clock)
    until = lease.clock.now() + wait
    is_told = False
    while True:
        there, generation = lease.read()
        watch.look(there, generation)
        if there.holder is None or there.holder.is_gone or watch.is_dead(there):
            if lease.take(generation):
                return there.holder
            continue
        if overlap == "skip":
            if there.is_fresh_here or watch.has_moved(there):
                raise Skipped(f"this night does not run, as {there.holder} makes the same model (night.overlap)")
        elif lease.clock.now() >= until:
            raise Skipped(f"this night does not run: {there.holder} is still at work (night.wait_hours)")
        elif overlap == "replace" and watch.is_another(there):
            raise Skipped(f"this night does not run, as {there.holder} was the first to take over (night.overlap)")
        elif overlap == "replace" and not there.asked_by:
            lease.ask(there, generation)
            continue
        if not is_told:
            log.info("%-16s waits     as %s holds the lease", "night", there.holder)
            is_told = True
        lease.clock.sleep(min(TICK, there.seconds / RENEWALS))
