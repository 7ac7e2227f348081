"""Whether the part of a night that another machine does is still being done: nobody reports one that vanished."""

from typing import Final

from flows.lease import Lease
from flows.waiting import Watch
from pipeline.errors import InputError

MARGIN: Final = 60.0  # seconds beyond those of the lease, in which a part that has begun takes it


class Pulse:
    """The lease of a part, watched by the night that waits for the part, from when that has begun.

    It changes while somebody does the part: the run that is waited for, or one that this run waits for itself.

    Args:
        lease: the part's; it is read and never taken.
    """

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.watch = Watch(lease.clock)

    def has_stopped(self) -> bool:
        """Whether the lease has not changed for so long that the part is dead."""
        try:
            there, generation = self.lease.read()
        except (OSError, InputError):  # then the part cannot renew it either, and ends by itself if that lasts
            self.watch = Watch(self.lease.clock)
            return False
        self.watch.look(there, generation)
        return self.watch.unchanged >= max(there.seconds, self.lease.record.seconds) + MARGIN
