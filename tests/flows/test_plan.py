"""`nightshift plan`: what it says, and that it does nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli import cli
from flows.plan import describe_plan
from flows.settings import load
from pipeline.errors import InputError
from pipeline.ingest import ingest
from pipeline.jobs import clean
from pipeline.running.packages import packages_here
from pipeline.storage import open_storage

SMALL = ["corpus.train=[{kind: weather, pairs: 300}]", "clean.hold_out={dev: 10, test: 10}", "beam.workers=1"]
DATAFLOW = """
beam:
  runner: dataflow
  exchange: gs://nights/exchange
  dataflow:
    project: translation-1
    region: europe-west1
    temp_location: gs://nights/temp
    staging_location: gs://nights/staging
    container_image: europe-docker.pkg.dev/translation-1/images/nightshift:1.4.0
    worker_type: n2-standard-4
    max_workers: 20
  options:
    labels: [cost=planted, "proxy=http://me:planted@proxy"]
devices: {strategy: multi_worker}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sections(*overrides: str, file: Path | None = None, preset: str | None = "weather") -> dict[str, list[str]]:
    """What is printed, by the title of each section."""
    first, *parts = describe_plan(load(preset, file, overrides)).split("\n\n")
    lines = {part.splitlines()[0]: [line.removeprefix("  ") for line in part.splitlines()[1:]] for part in parts}
    return {"": [first]} | lines


def test_a_first_night_begins_with_its_sources(tmp_path: Path) -> None:
    found = sections()
    assert found[""] == ["weather-en-fr on local: what a night would do; nothing is started"]
    assert found["stages"] == [
        "ingest              runs      for the first time",
        "clean               depends   on what ingest will make",
        "build_vocabulary    depends   on what clean will make",
        "shard               depends   on what clean and build_vocabulary will make",
        "inspect             depends   on what shard and build_vocabulary will make",
        "train               depends   on what shard and build_vocabulary will make",
        "evaluate            depends   on what train and clean will make",
        "register            depends   on what ingest and clean and inspect and train and evaluate will make",
    ]
    assert found["reads"] == ["weather             package pirateweather-translations 1.5.1"]
    assert found["writes"][0] == "ingest              workspace/weather-en-fr/ingest"
    assert found["writes"][-1] == "versions            workspace/registry/weather-en-fr"
    assert found["workers need"] == ["nothing: they are processes of this machine"]
    assert found["training"] == ["one: the first GPU of this machine, or its CPU"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_finished_is_told_apart_from_what_would_run_and_why(tmp_path: Path) -> None:
    config = load("weather", overrides=SMALL)
    made = config.run(clean, config.run(ingest))
    before = sorted(tmp_path.rglob("*"))
    first, second, third, *_ = sections(*SMALL)["stages"]
    assert first.startswith("ingest              finished  train 300  workspace/weather-en-fr/ingest/")
    assert second.endswith(f"workspace/weather-en-fr/clean/{made.directory.name}")
    assert third == "build_vocabulary    runs      for the first time"
    changed = sections(*SMALL, "clean.max_words=60")["stages"]
    assert changed[1] == "clean               runs      because of clean.max_words 200 -> 60"
    assert sorted(tmp_path.rglob("*")) == before


def test_files_are_told_with_their_sizes_and_none_is_fetched(tmp_path: Path, bucket: str, own_cache: Path) -> None:
    (tmp_path / "a.en").write_text("rain\n" * 300_000)
    (tmp_path / "a.fr").write_text("pluie\n")
    open_storage(bucket).write("b.tsv", b"rain\tpluie\n")
    address = "https://example.org/c.tsv"
    found = sections(
        "corpus={source_language: en, target_language: fr, train: [{source: a.en, target: a.fr},"
        f"{{kind: table, path: '{bucket}/b.tsv', source: 1, target: 2}},"
        f"{{kind: table, path: '{address}', sha256: {'a' * 64}, source: 1, target: 2}}]}}",
        preset=None,
    )
    assert found["reads"] == [
        "a                   a.en, 1.5 MB",
        "a                   a.fr, 0.0 MB",
        f"b                   {bucket}/b.tsv, 0.0 MB, to be fetched",
        "c                   https://example.org/c.tsv, size not known, to be fetched",
    ]
    assert found["stages"][0] == (
        f"ingest              unknown   {bucket}/b.tsv is not on this machine; a night fetches it and then sees"
    )
    assert not list(own_cache.rglob("*"))


def test_what_was_fetched_is_there(bucket: str) -> None:
    open_storage(bucket).write("b.tsv", b"rain\tpluie\n")
    given = [
        "corpus={source_language: en, target_language: fr, "
        f"train: [{{kind: table, path: '{bucket}/b.tsv', source: 1, target: 2}}]}}"
    ]
    made = (config := load(overrides=given)).run(ingest)
    found = sections(*given, preset=None)
    assert found["reads"] == [f"b                   {bucket}/b.tsv, 0.0 MB"]
    assert found["stages"][0] == f"ingest              finished  train 1  {made.directory}"
    assert made.directory.is_relative_to(config.workspace)


def test_dataflow_is_told_with_its_options_places_and_packages_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "night.yaml").write_text(DATAFLOW)
    found = sections(file=tmp_path / "night.yaml")
    assert found["Beam"] == [
        "--job_name=nightshift-STAGE-...",
        "--runner=DataflowRunner",
        "--project=translation-1",
        "--region=europe-west1",
        "--temp_location=gs://nights/temp",
        "--staging_location=gs://nights/staging",
        "--sdk_container_image=europe-docker.pkg.dev/translation-1/images/nightshift:1.4.0",
        "--worker_machine_type=n2-standard-4",
        "--max_num_workers=20",
        "--autoscaling_algorithm=THROUGHPUT_BASED",
        "--labels=cost=planted",
        "--labels=proxy=http://...@proxy",
        "--experiments=disable_logging_submission_environment",
    ]
    assert found["writes"][-3:] == [
        "exchange            gs://nights/exchange/weather-en-fr: copies of what workers read and write",
        "Dataflow            gs://nights/temp",
        "                    gs://nights/staging",
    ]
    image, comparing, *packages = found["workers need"]
    assert image == "the image europe-docker.pkg.dev/translation-1/images/nightshift:1.4.0"
    assert comparing == "these versions, which each job compares before it begins:"
    assert [tuple(line.split()) for line in packages] == list(packages_here().items())
    assert found["training"] == ["multi_worker: the cluster that TF_CONFIG describes"]


def test_workers_without_an_exchange_must_see_the_workspace(tmp_path: Path) -> None:
    runner = "beam={runner: spark, spark: {master: yarn, job_endpoint: 'jobs:1'}, environment: {kind: loopback}}"
    found = sections(runner)
    assert (
        found["writes"][-1] == f"exchange            none: workers must see {tmp_path}/workspace as this machine does"
    )
    assert found["workers need"][0] == "our code where they run: loopback"


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("beam.runner=local", "in this process, from 50,000 pairs on in {cores} worker processes"),
        ("beam.workers=3", "in 3 worker processes of this machine"),
        ("beam.workers=1", "in this process"),
    ],
)
def test_the_local_runner_says_in_which_processes(override: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.beam_config.usable_cores", lambda: 4)
    assert sections(override)["Beam"] == [line.format(cores=4)]


def test_bad_input_is_one_line() -> None:
    with pytest.raises(InputError, match="beam.exchange = not given: expected gs://bucket/prefix"):
        CliRunner().invoke(
            cli,
            ["plan", "--preset", "weather", "--set", "beam={runner: dataflow, dataflow: {project: translation-1, "
             "region: europe-west1, temp_location: gs://nights/temp, container_image: 'nightshift:1'}}"],
            catch_exceptions=False,
        )  # fmt: skip


def test_neither_beam_nor_tensorflow_nor_prefect_is_imported() -> None:
    program = (
        "import sys; from flows.plan import describe_plan; from flows.settings import load;"
        "describe_plan(load('weather'));"
        "assert not {'apache_beam', 'tensorflow', 'prefect'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path.cwd())
