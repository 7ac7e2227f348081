"""The Prefect server of a run that names none: a temporary one, which does not outlive the run."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.settings import PREFECT_API_URL

STARTS_WITHIN = 180.0  # seconds; the first start on a machine creates Prefect's database
ENDS_WITHIN = 10.0

# Waits for the end of its input, which comes when the run ends in whatever way, and then ends the server.
GUARD = 'read -r _; kill -- "-$1" 2>/dev/null'


@contextmanager
def some_server() -> Iterator[None]:
    """Sees to it that there is a server: the one PREFECT_API_URL or the profile names, or a temporary one.

    Prefect would start one of its own accord, but that one is hit by the Ctrl-C that is meant for the run, which then
    waits for it in vain, and it stays behind for good when the run is killed. Ours has a session of its own, and a
    guard at the other end of a pipe. Enter this before anything else of Prefect is imported.

    Raises:
        RuntimeError: the server does not start; the message holds what it printed.
    """
    if PREFECT_API_URL.value():
        yield
        return
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    prefect = str(Path(sys.executable).with_name("prefect"))
    with tempfile.TemporaryFile() as printed:
        server = subprocess.Popen(  # noqa: S603 -- nothing in it was given by anyone
            [prefect, "server", "start", "--no-services", "--no-ui", *address],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        guard = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", GUARD, "guard", str(server.pid)], stdin=subprocess.PIPE, start_new_session=True
        )
        try:
            url = f"http://127.0.0.1:{port}/api"
            wait_for(server, url)
            os.environ["PREFECT_API_URL"] = url
            yield
        except ServerError as error:
            printed.seek(0)
            raise RuntimeError(f"{error}: {printed.read().decode(errors='replace')}") from error
        finally:
            os.environ.pop("PREFECT_API_URL", None)
            guard.communicate()  # closes the pipe
            server.wait(ENDS_WITHIN)


class ServerError(Exception):
    """The temporary server does not answer."""


def wait_for(server: subprocess.Popen[bytes], url: str) -> None:
    """Returns as soon as the server is healthy."""
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):  # noqa: S310 -- on this machine
                return
        except OSError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"Prefect's temporary server does not answer, exit code {server.poll()}") from error
            time.sleep(0.1)
