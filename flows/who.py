"""Who does something to the registry: a person on a machine, or a flow run there."""

import sys

from model.versions import whoami


def who() -> str:
    """The person and the machine, and the run inside a flow: `ada@buildhost, flow run retrain weather-en-fr`."""
    if "prefect" not in sys.modules:  # then nothing here runs inside a flow, and importing it takes seconds
        return whoami()
    from prefect.runtime import flow_run

    name = flow_run.name
    return f"{whoami()}, flow run {name}" if name else whoami()
