"""The cluster that TF_CONFIG describes: who its workers are, and which one this process is.

    {"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}

The first worker, or the chief where there is one, writes what comes of the training; the others help it.
Nothing heavy is imported here.
"""

import json
import re
from collections.abc import Sequence
from typing import Final

from pipeline.errors import InputError

TF_CONFIG: Final = "TF_CONFIG"
ADDRESS: Final = re.compile(r".+:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])")


def described(workers: Sequence[str], index: int) -> str:
    """The TF_CONFIG of one of some workers.

    >>> described(["a:2222", "b:2222"], 1)
    '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 1}}'
    """
    return json.dumps({"cluster": {"worker": list(workers)}, "task": {"type": "worker", "index": index}})


def workers_of(description: str) -> list[str]:
    """The addresses in a TF_CONFIG; raises `InputError` where it describes no cluster.

    >>> workers_of('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}')
    ['a:1', 'b:1']
    """
    cause = "the environment says which workers there are; devices.workers starts some on this machine"
    try:
        given = json.loads(description)
        cluster, task = given["cluster"], given["task"]
        found = [*cluster.get("chief", []), *cluster["worker"]]
        is_known = dict(enumerate(cluster[task["type"]]))[task["index"]] in found
        are_addresses = len({*found}) == len(found) and all(map(ADDRESS.fullmatch, found))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(TF_CONFIG, description, "a cluster with workers, and this task in it", cause) from error
    if not are_addresses:
        raise InputError(TF_CONFIG, description, "workers at different addresses, each HOST:PORT", cause)
    if not is_known:
        raise InputError(TF_CONFIG, description, "a task that trains", f"this one is {task['type']}")
    return found


def own_address(description: str) -> str:
    """The address of this process in a TF_CONFIG that `workers_of` has accepted."""
    given = json.loads(description)
    address: str = given["cluster"][given["task"]["type"]][given["task"]["index"]]
    return address


def is_helper(description: str) -> bool:
    """Whether another worker writes what comes of the training; raises `InputError` where there is no cluster.

    >>> [is_helper(described(["a:1", "b:1"], index)) for index in (0, 1)]
    [False, True]
    """
    first, *_ = workers_of(description)
    return own_address(description) != first
