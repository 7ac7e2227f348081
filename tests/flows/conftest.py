"""A registry with two small models of first weights, a Prefect server with a worker, a browser to look at pages."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.browser import Browser
from tests.harness.listening import listening
from tests.harness.prefect_server import POOL, Asking, Prefect, marked
from tests.harness.waiting import until

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
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What our own log said so far: threads of Prefect's may have something to say at any time."""
    return lambda: [record.getMessage() for record in caplog.records if record.name == "nightshift"]


@pytest.fixture
def registry(two_versions: Path, tmp_path: Path) -> Path:
    """A registry of the test's own."""
    return shutil.copytree(two_versions, tmp_path / "registry")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("Chromium is not installed")
    browser = Browser(program, tmp_path / "profile")
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def serving() -> Any:
    """`listening`, for tests."""
    return listening


@pytest.fixture(scope="session")
def plain_environment() -> dict[str, str]:
    """Without a token of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if name != "NIGHTSHIFT_TOKEN"}


@pytest.fixture(scope="session")
def wait_until() -> Any:
    """`until`, for tests."""
    return until


NIGHTSHIFT = str(Path(sys.executable).with_name("nightshift"))
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
