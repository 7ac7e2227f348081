"""`nightshift up` and `nightshift down`: a Prefect server, a worker and the nightly deployment on this machine.

workspace/prefect/
  up.json          what is running; up.lock, that one command at a time changes it
  prefect.db       Prefect's database, where it has none elsewhere
  server.log, worker.log
"""

import os
import re
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import click

from flows.home import STATE, Running, only_one, read_state
from flows.processes import MARK, Started, marked, start, stop
from pipeline.errors import InputError
from pipeline.redaction import redacted
from pipeline.stage import make_folder

if TYPE_CHECKING:
    from prefect.schedules import Schedule

    from flows.settings import RetrainConfig

POOL: Final = "nights"
PASSWORD: Final = "NIGHTSHIFT_DB_PASSWORD"  # noqa: S105 -- the variable's name
ENDS_WITHIN: Final = 60.0  # seconds, in which a training saves where it is
ASKS_EVERY: Final = "2"  # seconds between two looks of the worker, which is beside its server; Prefect's own are 10


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server listens and keeps what it knows.

    Args:
        home: folder of its files.
        host: address to listen at.
        port: its port.
        database: URL of a PostgreSQL database without its password; none: SQLite in the home.
    """

    home: Path
    host: str
    port: int
    database: str | None

    @property
    def ui(self) -> str:
        """Where a browser finds it."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


def up(place: Place, config: "RetrainConfig", parameters: dict[str, Any], cron: str, timezone: str) -> None:
    """Starts what is needed for the nights of this machine and says where it is.

    Raises:
        InputError: the port is taken, or the schedule or the database's address is none.
        OSError: something did not start; the message says why.
    """
    if not ((running := read_state(place.home)) and running.is_there):
        check_port(place)
    environment = server_environment(place)
    from flows.deploying import schedule_of

    schedule = schedule_of(cron, timezone)
    make_folder(place.home)
    with only_one(place.home):
        if (running := read_state(place.home)) and running.is_there:
            tell(running)
            return
        running = Running(mark=secrets.token_hex(8), ui=place.ui)
        running.write(place.home)
        try:
            running = start_all(place, running, environment, parameters, schedule)
        except BaseException:
            end(running, place.home)
            raise
    click.echo(f"  nights      {config.name} at {cron} {timezone}, retrain/nightly")
    click.echo(f"  server      {running.ui}")
    click.echo(f"  logs        {place.home}/*.log")
    click.echo("  to end it   nightshift down")


def start_all(
    place: Place, running: Running, environment: dict[str, str], parameters: dict[str, Any], schedule: "Schedule"
) -> Running:
    """Starts the server, makes the deployments, starts the worker."""
    prefect = str(Path(sys.executable).with_name("prefect"))
    log = place.home / "server.log"
    command = [prefect, "server", "start", "--host", place.host, "--port", str(place.port)]
    server = start("server", command, environment | {MARK: running.mark}, log)
    running = running.model_copy(update={"processes": (server,)})
    running.write(place.home)
    url = f"{place.ui}/api"
    wait_for_server(server, url, log)
    from flows.deploying import Target, deploy, job_variables, process_pool
    from flows.server import use_server
    from flows.shift import FLOWS

    use_server(url)
    pool = process_pool(POOL)
    deploy(FLOWS, Target(pool.name, parameters, schedule, job_variables(pool, None, None)))
    command = [prefect, "worker", "start", "--pool", POOL, "--type", "process", "--name", f"nightshift-{running.mark}"]
    own = {"PREFECT_API_URL": url, MARK: running.mark, "PREFECT_WORKER_QUERY_SECONDS": ASKS_EVERY}
    worker = start("worker", command, common_environment(place) | own, place.home / "worker.log")
    running = running.model_copy(update={"processes": (server, worker)})
    running.write(place.home)
    return running


def wait_for_server(server: Started, url: str, log: Path) -> None:
    """Returns when the server answers; raises `OSError` where it ended or takes too long."""
    from flows.server import comes_up

    if not comes_up(url, lambda: server.is_running):
        raise OSError(f"Prefect's server does not answer at {url}: {reason_in(log)} (all of it is in {log})")


def reason_in(log: Path) -> str:
    """The last line of a log that names an error, or its last one; the address of a database without its password."""
    said = redacted(log.read_text(encoding="utf-8", errors="replace"))
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if re.match(r"[\w.]+(Error|Exception):", line)), (lines or [""])[-1])


def down(home: Path) -> None:
    """Ends all that `up` started, the runs first so that they can save where they are; says what it was."""
    if read_state(home) is None:
        click.echo(f"nothing is up: there is no {home / STATE}")
        return
    with only_one(home):
        if running := read_state(home):
            for line in end(running, home):
                click.echo(line)


def end(running: Running, home: Path) -> list[str]:
    """Ends what is there of it; the server last, as it is told how the runs ended.

    Raises:
        InputError: something of it is another user's, who alone can end it; then nothing is ended.
    """
    found = marked(running.mark)
    for one in running.processes:
        if one.is_running and one.pid not in found:
            raise InputError("--home", home, "what this user started", f"the {one.name}, {one.pid}, is another user's")
    servers = [one for one in running.processes if one.name == "server"]
    lines = []
    for one in running.processes:
        lines.append(f"{one.name:<12}{'ended' if one.pid in found else 'was gone'}")
    known = {one.pid for one in running.processes}
    family = family_of([one.pid for one in servers if one.pid in found])
    others = [pid for pid in found if pid not in family]
    runs = len([pid for pid in others if pid not in known])
    if runs:
        lines.append(f"{'runs':<12}ended, {runs} processes")
    stop(others, ENDS_WITHIN)
    stop(marked(running.mark), ENDS_WITHIN)
    (home / STATE).unlink(missing_ok=True)
    return lines


def family_of(pids: list[int]) -> set[int]:
    """Processes and all below them."""
    found, new = set(pids), set(pids)
    while new:
        children: set[int] = set()
        for pid in new:
            for listed in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    children |= {int(child) for child in listed.read_text().split()}
                except OSError:  # it ended just now
                    continue
        new = children - found
        found |= new
    return found


def tell(running: Running) -> None:
    """Says that it is up already, or which part of it is not there any more."""
    gone = [one.name for one in running.processes if not one.is_running]
    if gone or not running.processes:
        allowed = "all of it to be there, or nothing"
        raise InputError("up", running.ui, allowed, f"the {gone[0] if gone else 'server'} has ended; nightshift down")
    click.echo(f"it is up already: {running.ui}")


def check_port(place: Place) -> None:
    """Raises `InputError` where the server could not listen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as port:
            port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port.bind(address)
    except OSError as error:
        where = f"{place.host}:{place.port}"
        raise InputError("--host, --port", where, "an address of this machine and a free port", str(error)) from error


def common_environment(place: Place) -> dict[str, str]:
    """What the server and the worker inherit: no settings of another server, and not the database's password."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_") and name != PASSWORD}
    quiet = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    # Whatever address a browser reaches the UI by, through a tunnel too, the API is at the same one.
    quiet |= {"PREFECT_SERVER_UI_API_URL": "/api", "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false"}
    home = place.home.absolute()
    # Prefect unpacks the pages beside its code otherwise, which may belong to somebody else, and then shows none.
    return mine | quiet | {"PREFECT_HOME": str(home), "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "ui")}


def server_environment(place: Place) -> dict[str, str]:
    """What the server needs beside that; a password is nowhere but in the environment of its process."""
    if place.database is None:
        return common_environment(place)
    try:
        parts = urlsplit(place.database)
        is_usable = parts.scheme in ("postgresql", "postgresql+asyncpg") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise InputError("--database", place.database.rpartition("@")[2], "postgresql://user@host:5432/name")
    if parts.password is not None:
        cause = f"everybody sees command lines; set {PASSWORD}"
        raise InputError("--database", f"postgresql://{parts.hostname}{parts.path}", "no password in it", cause)
    host = parts.netloc.rpartition("@")[2]
    user = parts.username or ""
    secret = f":{quote(os.environ[PASSWORD], safe='')}" if os.environ.get(PASSWORD) else ""
    url = f"postgresql+asyncpg://{user}{secret}@{host}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    return common_environment(place) | {"PREFECT_API_DATABASE_CONNECTION_URL": url}
