"""The Prefect server of a run that names none: a temporary one, which must not outlive the run."""

import subprocess

from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL

# Waits for the end of its input, which comes when this process ends in whatever way, and then ends the server.
GUARD = 'read -r _; kill "$1" 2>/dev/null'


def ensure_server() -> None:
    """Starts Prefect's temporary server, unless PREFECT_API_URL or the profile names a server.

    Prefect stops its server when Python exits, but a run that is killed leaves it behind for good. A shell that holds
    the other end of a pipe notices either.
    """
    if PREFECT_API_URL.value():
        return
    server = SubprocessASGIServer()
    server.start()
    if server.server_process is None:
        raise RuntimeError("Prefect's temporary server did not start")
    command = ["/bin/sh", "-c", GUARD, "guard", str(server.server_process.pid)]
    subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 -- nothing in it was given by anyone
