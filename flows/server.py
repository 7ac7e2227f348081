"""The Prefect server of a run that names none: a temporary one, which does not outlive the run."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from prefect.context import refresh_global_settings_context
from prefect.settings import PREFECT_API_URL

from pipeline.errors import InputError
from pipeline.redaction import redacted

STARTS_WITHIN = 180.0  # seconds; the first start on a machine creates Prefect's database

# Waits for the end of its input, which comes when the run has ended in whatever way, and then ends the server.
GUARD = 'read -r _; kill -- "-$1" 2>/dev/null'


def ensure_server() -> None:
    """Sees to it that there is a server: the one PREFECT_API_URL or the profile names, or a temporary one.

    Prefect would start one of its own accord, but that one is hit by the Ctrl-C that is meant for the run, which then
    waits for it in vain, and it stays behind for good when the run is killed. Ours has a session of its own, and a
    guard at the other end of a pipe.

    Raises:
        InputError: the server that is named does not answer.
        RuntimeError: the temporary server does not start; the message holds what it printed.
    """
    if PREFECT_API_URL.value():
        check_server()
        return
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    prefect = str(Path(sys.executable).with_name("prefect"))
    command = [prefect, "server", "start", "--no-services", "--no-ui", "--host", "127.0.0.1", "--port", port]
    with tempfile.TemporaryFile() as printed:
        server = subprocess.Popen(  # noqa: S603 -- nothing in it was given by anyone
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT, start_new_session=True
        )
        guard = ["/bin/sh", "-c", GUARD, "guard", str(server.pid)]
        subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603
        url = f"http://127.0.0.1:{port}/api"
        if not answers(server, url):
            printed.seek(0)
            said = redacted(printed.read().decode(errors="replace"))  # it may quote the address of its database
            raise RuntimeError(f"Prefect's temporary server does not answer, exit code {server.poll()}: {said}")
    use_server(url)


def check_server() -> str:
    """The address of the server that PREFECT_API_URL or the profile names; raises `InputError` where none answers."""
    named: str | None = PREFECT_API_URL.value()
    if not named or not is_healthy(named):
        allowed = "the address of a Prefect server that answers, such as http://127.0.0.1:4200/api"
        raise InputError("PREFECT_API_URL", named or "not given", allowed, "is it running?" if named else "")
    return named


def use_server(url: str) -> None:
    """Has Prefect's client in this process and those it starts talk to the server at an address."""
    os.environ["PREFECT_API_URL"] = url
    refresh_global_settings_context()


def answers(server: subprocess.Popen[bytes], url: str) -> bool:
    """Waits until the server is healthy; False where it ended or takes too long."""
    deadline = time.monotonic() + STARTS_WITHIN
    while server.poll() is None and time.monotonic() < deadline:
        if is_healthy(url):
            return True
        time.sleep(0.1)
    return False


def is_healthy(url: str) -> bool:
    """Whether a Prefect server answers at an address; one that wants a key answers too."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10):  # noqa: S310 -- the address is the user's own
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
