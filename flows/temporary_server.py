"""The Prefect server of a run that names none: a process of its own, which does not outlive the run.

    python -m flows.temporary_server PORT

Prefect would start one of its own accord, but that one is hit by the Ctrl-C that is meant for the run, which then
waits for it in vain, and it stays behind for good when the run is killed. Ours has a session of its own, and a guard
at the other end of a pipe. Nothing heavy is imported before it is started, so that it starts while the run imports.
"""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final, NamedTuple

from flows.importing import many_imports

HOST: Final = "127.0.0.1"

# Waits for the end of its input, which comes when the run has ended in whatever way, and then ends the server.
GUARD: Final = 'read -r _; kill -- "-$1" 2>/dev/null'


class TemporaryServer(NamedTuple):
    """A server that was started, and may not answer yet.

    Args:
        process: the server's.
        guard: ends it when its input ends.
        url: address of its API.
        printed: what it says, in a file without a name.
    """

    process: "subprocess.Popen[bytes]"
    guard: "subprocess.Popen[bytes]"
    url: str
    printed: IO[bytes]

    def reason(self) -> str:
        """How it ended, if it did, and what it printed."""
        from pipeline.redaction import redacted

        self.printed.seek(0)
        said = redacted(self.printed.read().decode(errors="replace"))  # it may quote the address of its database
        return f"exit code {self.process.poll()}: {said}"

    def end(self) -> None:
        """Ends it, as the end of the run does."""
        self.guard.communicate()
        self.process.wait()
        self.printed.close()


@contextmanager
def starting() -> Iterator[TemporaryServer]:
    """Starts a server while the block prepares the run; where the block fails, there will be none.

    It ends at once by itself where PREFECT_API_URL or the profile names another one.
    """
    with socket.create_server((HOST, 0)) as probe:
        port = str(probe.getsockname()[1])
    printed = tempfile.TemporaryFile()  # noqa: SIM115 -- it is the server's as long as that runs
    process = subprocess.Popen(  # noqa: S603 -- nothing in it was given by anyone
        [sys.executable, "-P", "-m", "flows.temporary_server", port],
        stdin=subprocess.DEVNULL,
        stdout=printed,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    guard = subprocess.Popen(  # noqa: S603
        ["/bin/sh", "-c", GUARD, "guard", str(process.pid)], stdin=subprocess.PIPE, start_new_session=True
    )
    server = TemporaryServer(process, guard, f"http://{HOST}:{port}/api", printed)
    try:
        yield server
    except BaseException:
        server.end()
        raise


def main(port: int) -> None:
    """Serves Prefect's API, as `prefect server start --no-services --no-ui` does a second later."""
    with many_imports():
        from prefect.settings import PREFECT_API_URL

        if PREFECT_API_URL.value():
            return
        import uvicorn
        from prefect.server.api.server import create_app

    app = create_app(ephemeral=True, webserver_only=True, final=True)
    uvicorn.run(app, host=HOST, port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
