"""A real Prefect server and its worker, asked as the UI asks it."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

from tests.harness.waiting import fetch, until

PREFECT = str(Path(sys.executable).with_name("prefect"))
POOL = "nights"
MARK = "NIGHTSHIFT_TESTS"  # a variable by which all that a server and its worker started is found
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class Asking:
    """Asks a Prefect server as its UI does.

    Args:
        ui: its address.
    """

    def __init__(self, ui: str) -> None:
        self.ui = ui
        self.url = f"{ui}/api"

    def ask(self, path: str, body: Any = None) -> Any:
        """What the server answers; a body is sent by POST. It is asked again while its SQLite is locked."""

        def look() -> list[requests.Response]:
            answer = requests.request("GET" if body is None else "POST", f"{self.url}/{path}", json=body, timeout=60)
            return [] if answer.status_code == requests.codes.service_unavailable else [answer]

        (answer,) = until(look)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def post(self, path: str, body: Any) -> requests.Response:
        """The server's answer, whatever it is."""
        return requests.post(f"{self.url}/{path}", json=body, timeout=60)

    def trigger(self, deployment: str, **parameters: Any) -> str:
        """Asks for a run of `retrain/nightly`, as the UI's button does; gives its id."""
        number = self.ask(f"deployments/name/{deployment}")["id"]
        return str(self.ask(f"deployments/{number}/create_flow_run", {"parameters": parameters})["id"])

    def cancel(self, run: str) -> None:
        """Asks for a run's end, as the UI's button does."""
        self.ask(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})

    def wait(self, run: str, states: tuple[str, ...] = FINAL, seconds: float = 300) -> dict[str, Any]:
        """The run as soon as it is in one of some states."""

        def look() -> Any:
            found = self.ask(f"flow_runs/{run}")
            return found if found["state_type"] in states else None

        found: dict[str, Any] = until(look, seconds)
        return found

    def of(self, run: str, what: str) -> list[dict[str, Any]]:
        """The `artifacts`, `task_runs` or `logs` of a run, the oldest first."""
        sort = {"artifacts": "ID_DESC", "task_runs": "EXPECTED_START_TIME_ASC", "logs": "TIMESTAMP_ASC"}[what]
        if what == "logs":
            asked: dict[str, Any] = {"logs": {"flow_run_id": {"any_": [run]}}}
        else:
            asked = {"flow_runs": {"id": {"any_": [run]}}}
        found: list[dict[str, Any]] = self.ask(f"{what}/filter", asked | {"sort": sort})
        return sorted(found, key=lambda one: one["created"])


class Prefect(Asking):
    """A real Prefect server with its UI, and its worker once a test asks for that.

    Args:
        folder: for its database and for what its processes print.
        environment: of its processes.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = str(probe.getsockname()[1])
        self.folder = folder
        super().__init__(f"http://127.0.0.1:{port}")
        # What starts a server or asks one in a test takes this environment; tests may put more into it.
        self.environment = environment | {"PREFECT_HOME": str(folder), "PREFECT_API_URL": self.url}
        self.environment |= {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        self.environment |= {"DO_NOT_TRACK": "1", MARK: str(folder)}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.start("server", "server", "start", "--host", "127.0.0.1", "--port", port)
        until(lambda: fetch(f"{self.url}/health"), seconds=180)

    def start(self, name: str, *arguments: str) -> None:
        """Starts a process of Prefect's that prints into a file."""
        with (self.folder / f"{name}.log").open("wb") as printed:
            given: dict[str, Any] = {"stdout": printed, "stderr": subprocess.STDOUT, "cwd": self.folder}
            command = [PREFECT, "--no-prompt", *arguments]
            self.processes.append(subprocess.Popen(command, env=self.environment, start_new_session=True, **given))

    def run(self, *arguments: str, **more: Any) -> str:
        """What a command of Prefect's prints, which is to succeed."""
        given = {"env": self.environment, "capture_output": True, "text": True, "timeout": 200} | more
        done = subprocess.run([PREFECT, "--no-prompt", *arguments], check=False, **given)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    def start_another(self, name: str) -> subprocess.Popen[bytes]:
        """Starts a worker with a pool and a deployment `retrain/NAME` of its own, which like it may be killed."""
        pool = self.ask(f"work_pools/{POOL}")
        self.ask("work_pools/", {key: pool[key] for key in ("type", "base_job_template")} | {"name": name})
        nightly = self.ask("deployments/name/retrain/nightly")
        kept = ("flow_id", "entrypoint", "pull_steps", "parameters", "parameter_openapi_schema", "job_variables")
        place = {"name": name, "work_pool_name": name, "work_queue_name": nightly["work_queue_name"]}
        self.ask("deployments/", {key: nightly[key] for key in kept} | place)
        self.start(name, "worker", "start", "--pool", name)
        return self.processes[-1]

    def close(self) -> None:
        """Ends all that it started for good, runs too, which have sessions of their own."""
        for process in self.processes:
            process.terminate()
        deadline = time.monotonic() + 10
        while (left := marked(f"{MARK}={self.folder}")) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.processes:
            process.wait(timeout=20)


def marked(mark: str) -> list[int]:
    """The processes that have a variable in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark.encode() in place.read_bytes().split(b"\0"):
                found.append(int(place.parent.name))
    return found
