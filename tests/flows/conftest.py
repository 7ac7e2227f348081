"""A registry with two small models of first weights, a Prefect server with a worker, a browser to look at pages."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

NAME = "tiny"
WORDS = "rain snow wind fog hail sun heat frost"


@pytest.fixture(scope="session")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1, recurrent, is champion; version 2 is a transformer."""
    from model.architectures import build_model
    from model.config import ModelConfig, SearchConfig, TrainConfig
    from model.export import save
    from model.registry import Registry
    from pipeline.cleaning import CleanConfig
    from pipeline.vocabularies import Vocabularies
    from pipeline.vocabulary import Vocabulary, VocabularyConfig, train_vocabulary

    folder = tmp_path_factory.mktemp("two")
    vocabulary = Vocabulary(train_vocabulary(VocabularyConfig(size=40, character_coverage=1), WORDS.split()))
    (folder / "vocabulary.model").write_bytes(vocabulary.proto)
    registry = Registry(str(folder / "registry"), NAME)
    for architecture in ("gru", "transformer"):
        network = ModelConfig(
            architecture=architecture, embedding_size=16, encoder_units=8, decoder_units=16, attention="multiplicative"
        )
        config = TrainConfig(model=network, search=SearchConfig(max_length=8))
        weights = {w.path: w.numpy() for w in build_model(network, vocabulary.size, 5).trainable_variables}
        export = folder / architecture
        save(weights, config, Vocabularies.shared(vocabulary), "NFC", export)
        files = {f"export/{path.relative_to(export)}": path for path in export.rglob("*") if path.is_file()}
        registry.add(
            files | {"vocabulary.model": folder / "vocabulary.model"},
            fingerprint=architecture,
            metrics={"test": {"bleu": 1.0, "chrf": 2.0, "loss": 3.0}},
            lineage={},
            configs={"train": config.model_dump(mode="json"), "clean": CleanConfig().model_dump(mode="json")},
            versions={},
        )
    registry.move_alias("champion", 1, expected=None, why="the first")
    return folder / "registry"


@pytest.fixture
def registry(two_versions: Path, tmp_path: Path) -> Path:
    """A registry of the test's own."""
    return shutil.copytree(two_versions, tmp_path / "registry")


class Browser:
    """A page in headless Chromium, moved by its DevTools protocol.

    Args:
        folder: for its profile.
    """

    def __init__(self, program: str, folder: Path) -> None:
        from websockets.sync.client import connect

        options = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run --disable-sync"
        command = [program, *options.split(), "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([*command, "--window-size=1000,900"], **quiet)
        port = until(lambda: (folder / "DevToolsActivePort").read_text().splitlines()[0])
        pages = until(lambda: json.loads(fetch(f"http://127.0.0.1:{port}/json/list")))
        address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        self.socket = connect(address, max_size=None)
        self.numbers = count(1)

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told: dict[str, Any] = json.loads(self.socket.recv(timeout=60))
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]

    def see(self, expression: str) -> Any:
        """The value of an expression in the page."""
        found = self.do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def point_at(self, selector: str) -> None:
        """Moves the mouse over an element."""
        box = self.see(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector({selector!r})"
            ".getBoundingClientRect())"
        )
        self.do("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])

    def close(self) -> None:
        """Ends it."""
        self.socket.close()
        self.process.terminate()
        self.process.wait(timeout=20)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("Chromium is not installed")
    browser = Browser(program, tmp_path / "profile")
    yield browser
    browser.close()


class Client(requests.Session):
    """Asks a service by its paths."""

    def __init__(self, home: str) -> None:
        super().__init__()
        self.home = home
        self.trust_env = False

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        return super().request(method, self.home + path, timeout=60, **more)


@contextmanager
def listening(app: Any) -> Iterator[Client]:
    """An application behind a real port for as long as the block runs."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as port:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [port]})
        thread.start()
        try:
            until(lambda: server.started)
            with Client(f"http://127.0.0.1:{port.getsockname()[1]}") as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(timeout=30)


@pytest.fixture(scope="session")
def serving() -> Any:
    """`listening`, for tests."""
    return listening


def fetch(address: str) -> str:
    """What a server on this machine says."""
    import urllib.request

    with urllib.request.urlopen(address, timeout=20) as answer:
        return answer.read().decode()


def until(look: Any, seconds: float = 60) -> Any:
    """What a function gives as soon as it gives something true."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := look():
                return found
        except (OSError, IndexError, ValueError):
            pass
        assert time.monotonic() < deadline, look
        time.sleep(0.05)


@pytest.fixture(scope="session")
def plain_environment() -> dict[str, str]:
    """Without a token of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if name != "NIGHTSHIFT_TOKEN"}


@pytest.fixture(scope="session")
def wait_until() -> Any:
    """`until`, for tests."""
    return until


NIGHTSHIFT = str(Path(sys.executable).with_name("nightshift"))
PREFECT = str(Path(sys.executable).with_name("prefect"))
TINY_NIGHT = [
    "corpus.train=[{kind: weather, pairs: 1500}]",
    "clean.hold_out={dev: 50, test: 50}",
    "clean.shards=3",
    "vocabulary.size=300",
    "train.model={embedding_size: 16, encoder_units: 16, decoder_units: 24, attention_units: 8}",
    "train.search.max_length=12",
    "train.steps=40",
    "train.checkpoint_every=10",
    "train.evaluate_every=20",
]


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """What a night of a minute differs in from the preset."""
    return TINY_NIGHT


@pytest.fixture(scope="session")
def options(tiny: list[str]) -> Any:
    """The same, and more, as arguments of the command line."""
    return lambda *more: [part for override in [*tiny, *more] for part in ("--set", override)]


PLANTED = {  # what must be found nowhere afterwards, by the variable that holds it
    "NIGHTSHIFT_TOKEN": "planted/service+word",
    "NIGHTSHIFT_HTTPS_TOKEN_DATA_EXAMPLE_ORG": "planted/source+word",
    "PGPASSWORD": "planted/database+word",
    "PREFECT_API_KEY": "planted/prefect+word",
}


@pytest.fixture(scope="session")
def planted() -> dict[str, str]:
    """Secrets in the environment of every night of these tests, by variable."""
    return PLANTED


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a machine on which nothing ran before: Prefect makes a database of its own."""
    prefect = {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))}
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | PLANTED | prefect


@pytest.fixture(scope="session")
def nightshift() -> Any:
    """Runs the command line in a folder."""

    def run(folder: Path, environment: dict[str, str], *arguments: str, **more: Any) -> Any:
        given = {"cwd": folder, "env": environment, "capture_output": True, "text": True, "timeout": 300} | more
        return subprocess.run([NIGHTSHIFT, *arguments], check=False, **given)

    return run


@pytest.fixture(scope="session")
def retrain(nightshift: Any, options: Any) -> Any:
    """Runs a night that is to succeed; more settings change it."""

    def run(folder: Path, environment: dict[str, str], *more: str) -> Any:
        done = nightshift(folder, environment, "retrain", "--preset", "weather", *options(*more))
        assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def happened() -> Any:
    """What each stage did, in order: {"ingest": "started", ...}."""

    def of(run: Any) -> dict[str, str]:
        lines = [line.split(None, 2) for line in run.stderr.splitlines()]
        return {words[0]: words[1] for words in lines if len(words) > 1 and words[1] in ("started", "reused")}

    return of


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], retrain: Any) -> tuple[Path, Any]:
    """A folder in which a night has run, and what it printed."""
    folder = tmp_path_factory.mktemp("night")
    return folder, retrain(folder, environment, "train.warm_start=champion")  # there is none yet


@pytest.fixture(scope="session")
def outputs(tiny: list[str]) -> Any:
    """The finished output of every stage, by name, of the night of a folder and some more settings."""
    from flows.dag import STAGES, inputs_of
    from flows.settings import load

    def of(folder: Path, *more: str) -> dict[str, Any]:
        config = load("weather", overrides=[*tiny, *more, f"workspace={folder / 'workspace'}"])
        config = config.model_copy(update={"registry": str(folder / config.registry)})
        return {stage.name: config.find(stage, *inputs_of(stage, config)) for stage in STAGES}

    return of


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


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Prefect]:
    """The session's server: `prefect.url`, `prefect.ui`, `prefect.ask`; without a worker."""
    server = Prefect(tmp_path_factory.mktemp("server"), environment)
    yield server
    server.close()


@pytest.fixture(scope="session")
def server_at() -> Any:
    """Asks the server at an address: `server_at("http://127.0.0.1:4200").trigger(...)`."""
    return Asking


@pytest.fixture(scope="session")
def processes_with() -> Any:
    """The processes that have a variable: `processes_with("NAME=value")`."""
    return marked


@pytest.fixture(scope="session")
def worker(prefect: Prefect) -> Prefect:
    """The same server with the deployments and a worker that runs them: `worker.trigger`, `worker.wait`."""
    top = Path(__file__).parents[2]
    prefect.run("work-pool", "create", POOL, "--type", "process")
    there = {"cwd": top, "env": prefect.environment | {"PWD": str(top)}}
    prefect.run("deploy", "--prefect-file", "infra/prefect.yaml", "--all", **there)
    prefect.run("work-queue", "set-concurrency-limit", "nightly", "2", "--pool", POOL)
    prefect.start("worker", "worker", "start", "--pool", POOL)
    return prefect


@pytest.fixture(scope="session")
def second_night(
    tmp_path_factory: pytest.TempPathFactory, night: Any, environment: dict[str, str], prefect: Prefect, retrain: Any
) -> tuple[Path, Any, dict[str, Any]]:
    """A night after the first, told to the session's server: its folder, what it printed, its flow run."""
    folder = tmp_path_factory.mktemp("second") / "night"
    shutil.copytree(night[0], folder)
    before = {run["id"] for run in prefect.ask("flow_runs/filter", {})}
    run = retrain(folder, environment | {"PREFECT_API_URL": prefect.url}, "train.seed=2")
    (flow_run,) = (one for one in prefect.ask("flow_runs/filter", {}) if one["id"] not in before)
    return folder, run, flow_run
