"""The night shift of a machine, and a PostgreSQL for its database."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def postgres(wait_until: Any) -> Iterator[tuple[str, str]]:
    """PostgreSQL as Debian packs it, not as root: the URL of an empty database, and the password that is not in it."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not programs:
        pytest.skip("PostgreSQL is not installed")
    owner = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}
    given: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"} | owner
    folder = Path(tempfile.mkdtemp(prefix="nightshift-postgres-"))  # outside of pytest's, which nobody may enter
    password = f"secret-{folder.name[-8:]}"
    (folder / "password").write_text(password)
    if owner:
        for path in (folder, folder / "password"):
            shutil.chown(path, **owner)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    database = folder / "database"
    create = [programs[-1].with_name("initdb"), "-D", database, "-U", "prefect", "-A", "scram-sha-256", "--no-sync"]
    subprocess.run([*create, f"--pwfile={folder / 'password'}"], check=True, **given)
    options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    server = subprocess.Popen([programs[-1], "-D", database, *settings], **given)
    try:
        wait_until(lambda: socket.create_connection(("127.0.0.1", port), timeout=5).close() is None)
        yield f"postgresql://prefect@127.0.0.1:{port}/postgres", password
    finally:
        server.send_signal(signal.SIGINT)  # its way to end without waiting for those who are connected
        server.wait(timeout=30)
        shutil.rmtree(folder)


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def shift(tmp_path, environment, free_port, nightshift, options, processes_with):
    """Runs `nightshift up` with a tiny night, and whatever happens, nothing of it is left."""
    home = tmp_path / "prefect"
    plain = {name: value for name, value in environment.items() if name != "PREFECT_HOME"}

    def up(*more, **variables):
        night = ["--preset", "weather", *options(), "--cron", "0 3 1 1 *", "--timezone", "Europe/Berlin"]
        arguments = ["--port", str(free_port), "--home", str(home), *more]
        return nightshift(tmp_path, plain | variables, "up", *night, *arguments)

    def down():
        return nightshift(tmp_path, plain, "down", "--home", str(home))

    yield up, down, home, f"http://127.0.0.1:{free_port}"
    down()
