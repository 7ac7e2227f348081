"""The first process of a pod: from the pod's index to TF_CONFIG, and then the command itself in its place.

    python -m infra.pod nightshift train --set ...

An Indexed Job gives its pods `JOB_COMPLETION_INDEX`; `NIGHTSHIFT_WORKERS` holds the addresses of all, in the order of
their indexes, with commas between. The command takes over the process, so that it is the one that SIGTERM reaches.
"""

import os
import socket
import sys
import time
from typing import Final

from model.cluster import TF_CONFIG, described, own_address, workers_of
from pipeline.errors import InputError

INDEX: Final = "JOB_COMPLETION_INDEX"
WORKERS: Final = "NIGHTSHIFT_WORKERS"
NAMED_WITHIN: Final = 120.0  # seconds that a new pod may have to wait until its own name is known


def environment_of(index: str, workers: str) -> str:
    """The TF_CONFIG of the pod with an index; raises `InputError` where it is none of the workers.

    >>> environment_of("1", "train-0.train:2222,train-1.train:2222")
    '{"cluster": {"worker": ["train-0.train:2222", "train-1.train:2222"]}, "task": {"type": "worker", "index": 1}}'
    """
    addresses = workers.split(",")
    if not index.isdecimal() or int(index) >= len(addresses):
        allowed = f"a whole number from 0 to {len(addresses) - 1}"
        raise InputError(
            INDEX, index or None, allowed, f"{WORKERS} names {len(addresses)} workers; is it no Indexed Job?"
        )
    found = described(addresses, int(index))
    workers_of(found)
    return found


def wait_for_name(address: str, seconds: float) -> None:
    """Returns as soon as the host of an address has a name that is known; a service knows it a moment after the pod.

    Raises:
        ConnectionError: it is still unknown after that time.
    """
    host = address.rpartition(":")[0]
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.getaddrinfo(host, None)
        except OSError as error:
            if time.monotonic() > deadline:
                said = f"{host} of {WORKERS} is a name that nobody knows after {seconds:.0f} s"
                raise ConnectionError(f"{said}; is there a headless Service of that name?") from error
            time.sleep(0.5)
        else:
            return


def main() -> None:
    """Turns into the command."""
    command = sys.argv[1:]
    try:
        if not command:
            raise InputError("arguments", None, "a command, such as nightshift train")
        description = environment_of(os.environ.get(INDEX, ""), os.environ.get(WORKERS, ""))
        wait_for_name(own_address(description), NAMED_WITHIN)
    except InputError as error:
        print(f"nightshift: {error}", file=sys.stderr)
        sys.exit(2)
    except ConnectionError as error:  # it may pass, as no bad input does
        print(f"nightshift: {error}", file=sys.stderr)
        sys.exit(1)
    os.execvpe(command[0], command, os.environ | {TF_CONFIG: description})  # noqa: S606 -- the pod's own command


if __name__ == "__main__":
    main()
