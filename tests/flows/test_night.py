"""Whole nights through the command line: real processes, a real Prefect server, a model too small to be any good."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli import cli
from flows.dag import STAGES
from flows.settings import given
from pipeline.manifest import complete_outputs, input_record, sha256_of_file
from pipeline.vocabulary import UNK, Vocabulary

pytestmark = pytest.mark.slow

NIGHTSHIFT = str(Path(sys.executable).with_name("nightshift"))
NAMES = [stage.name for stage in STAGES]
PARTS = ("summary", "decision", "scores", "samples", "loss-curve", "data", "generations", "report")


def why(run, stage):
    return next(line for line in run.stderr.splitlines() if line.startswith(f"{stage} ")).split(None, 2)[2]


def test_a_night_runs_every_stage_and_says_what_came_out(night, happened):
    _, run = night
    assert happened(run) == dict.fromkeys(NAMES, "started")
    assert {why(run, name) for name in NAMES} == {"for the first time"}
    for expected in (
        "read        1,500 pairs",
        "held out    100 that",
        "kept        1,400",
        "chrF",
        "promoted to champion",
    ):
        assert expected in run.stdout
    assert run.stdout.splitlines()[-1].startswith(f"  try it      {NIGHTSHIFT} translate --name weather-en-fr '")


def test_a_good_run_prints_nothing_but_our_own_lines(night):
    _, run = night
    assert [line for line in run.stderr.splitlines() if line.split(None, 1)[0] not in NAMES] == []


def test_a_night_with_nothing_new_does_nothing(night, environment, retrain, happened):
    folder, first = night
    again = retrain(folder, environment)
    assert happened(again) == dict.fromkeys(NAMES, "reused")
    assert again.stdout == first.stdout + "\n  nothing was new: every stage found its output finished\n"


def test_a_training_parameter_runs_training_evaluation_and_registration_again(second_night, happened):
    _, run, _ = second_night
    assert happened(run) == dict.fromkeys(NAMES[:5], "reused") | dict.fromkeys(NAMES[5:], "started")
    assert why(run, "train") == "because of train.seed 1 -> 2"
    assert why(run, "evaluate") == "because of new model"
    assert why(run, "register") == "because of new model, new evaluation"
    assert "weather-en-fr, version 2" in run.stdout


def test_nights_that_begin_with_the_champion_train_for_something_new_alone(
    tmp_path, environment, retrain, happened, outputs
):
    champion = "train.warm_start=champion"
    first = retrain(tmp_path, environment, champion)
    assert "train            begins with random weights, as " in first.stderr
    assert "promoted to champion" in first.stdout
    again = retrain(tmp_path, environment, champion)
    assert happened(again) == dict.fromkeys(NAMES, "reused")
    config = [champion, "train.seed=2"]
    other = retrain(tmp_path, environment, *config)
    assert happened(other) == dict.fromkeys(NAMES[:5], "reused") | dict.fromkeys(NAMES[5:], "started")
    model = outputs(tmp_path, champion)["train"], outputs(tmp_path, *config)["train"]
    assert "warm_start" not in model[0].inputs
    assert model[1].inputs["warm_start"] == input_record(model[0])
    assert happened(retrain(tmp_path, environment, *config)) == dict.fromkeys(NAMES, "reused")


def test_one_stage_alone(night, environment, options, nightshift, happened):
    folder, _ = night
    arguments = ["--preset", "weather", *options("statistics.frequent_pieces=2")]
    run = nightshift(folder, environment, "inspect", *arguments)
    assert run.returncode == 0, run.stderr
    assert happened(run) == {"inspect": "started"}
    report = json.loads((folder / run.stdout.strip() / "statistics.json").read_text(encoding="utf-8"))
    assert len(report["generation"]["all"]["source"]["frequent_pieces"]) == 2
    refused = nightshift(folder, environment, "evaluate", *arguments, "--set", "train.seed=77")
    assert refused.returncode == 2
    assert "model = not there: expected a finished output of train" in refused.stderr
    assert "run nightshift train first" in refused.stderr


@pytest.fixture
def translated(night, monkeypatch):
    """What `nightshift translate` answers in this process, which has TensorFlow already."""
    folder, _ = night
    monkeypatch.chdir(folder)

    def lines(*arguments):
        run = CliRunner().invoke(cli, ["translate", *arguments], catch_exceptions=False)
        assert run.exit_code == 0, run.output
        return run.stdout.splitlines()

    return lines


def test_the_model_can_be_used(night, environment, nightshift, translated):
    folder, _ = night
    one = nightshift(folder, environment, "translate", "Light rain in the evening.")
    assert one.returncode == 0, one.stderr
    piped = nightshift(folder, environment, "translate", input="Clear tonight.\nLight rain in the evening.\n")
    assert len(piped.stdout.splitlines()) == 2
    assert piped.stdout.splitlines()[1] == one.stdout.splitlines()[0]
    assert translated("", "  ", "Light rain in the evening.") == ["", "", one.stdout.splitlines()[0]]
    assert nightshift(folder, environment, "translate", input="").stdout == ""
    given = {"cwd": folder, "env": environment, "input": b"ja\xfc\n", "capture_output": True}
    latin = subprocess.run([NIGHTSHIFT, "translate"], check=False, **given)
    assert latin.returncode == 2
    assert latin.stderr.decode().startswith(r"nightshift: sentence 1 = ja\udcfc")
    assert "expected UTF-8" in latin.stderr.decode()
    long = nightshift(folder, environment, "translate", input="a" * 10_001)
    assert long.stderr == "nightshift: sentence 1 = 10,001 characters: expected at most 10,000\n"
    models = nightshift(folder, environment, "models")
    assert models.stdout.splitlines()[1].split()[:2] == ["weather-en-fr", "1"]
    assert "champion" in models.stdout


def test_more_than_one_answer_can_be_asked_for(translated):
    sentence = "Light rain in the evening."
    (only,) = translated(sentence)
    rows = [line.split("\t") for line in translated("--n-best", "3", sentence, "", sentence)]
    assert [number for number, *_ in rows] == ["1"] * 3 + ["3"] * 3
    assert rows[0][1:] == rows[3][1:]
    scores = [float(score) for _, score, _ in rows[:3]]
    assert scores == sorted(scores, reverse=True)
    assert translated("--temperature", "0.00001", sentence) == [only]
    warm = ["--temperature", "5", "--seed", "3", sentence, sentence]
    drawn = translated(*warm)
    assert drawn == translated(*warm)
    assert len(set(drawn)) == 2


def test_another_language_in_the_other_direction_with_a_vocabulary_for_each_side(
    tmp_path, environment, options, nightshift, retrain, outputs
):
    own = ["corpus.target_language=ja", "corpus.reverse=true"]
    own += ["vocabulary.separate=true", "vocabulary.source_size=310", "vocabulary.size=150"]
    run = retrain(tmp_path, environment, *own)
    assert "weather-ja-en, version 1" in run.stdout
    assert "translate --name weather-ja-en" in run.stdout
    assert "  vocabulary  310 source and 150 target pieces\n" in run.stdout
    made = outputs(tmp_path, *own)
    assert {file.path for file in made["build_vocabulary"].files} == {"source.model", "target.model"}
    for name, size in (("source.model", 310), ("target.model", 150)):
        registered = tmp_path / "workspace/registry/weather-ja-en/versions/0001" / name
        assert sha256_of_file(registered) == sha256_of_file(made["build_vocabulary"].path(name))
        assert Vocabulary.load(registered).size == size
    answer = nightshift(tmp_path, environment, "translate", "Light rain in the evening.")
    assert answer.returncode == 0, answer.stderr
    target = Vocabulary.load(made["train"].path("target.model"))
    assert UNK not in target.encode([answer.stdout.strip()])[0]
    data = nightshift(tmp_path, environment, "data", "--preset", "weather", *options(*own))
    assert data.stdout.startswith("weather-ja-en: 1 generation, "), data.stderr
    refused = nightshift(tmp_path, environment, "shard", "--preset", "weather", *options("vocabulary.source_size=150"))
    assert refused.returncode == 2
    assert "vocabulary.source_size = 150: expected 0, or vocabulary.separate=true beside it" in refused.stderr


def test_two_nights_on_text_files(tmp_path, environment, nightshift, tiny):
    from pipeline.readers.weather import weather_pairs

    pairs = list(weather_pairs("en", "de", 400, seed=1))

    def write(part, rows):
        for side in ("source", "target"):
            lines = (getattr(pair, side) for pair in rows)
            (tmp_path / f"{part}.{side}").write_text("\n".join(lines), encoding="utf-8")

    train = "corpus.train=[{source: '*.source', target: '*.target', origin: news, weight: 2}]"
    text = [train, "corpus.source_language=en", "corpus.target_language=de", "vocabulary.size=200"]
    text += ["clean.max_deviation=0", "clean.language_id.is_on=false"]
    arguments = [part for override in [*tiny[1:], *text] for part in ("--set", override)]
    write("a", pairs[:300])
    first = nightshift(tmp_path, environment, "retrain", *arguments)
    assert first.returncode == 0, first.stderr
    assert "en-de, version 1" in first.stdout
    assert "read        300 pairs" in first.stdout
    write("b", pairs[250:])
    second = nightshift(tmp_path, environment, "retrain", *arguments)
    assert second.returncode == 0, second.stderr
    assert why(second, "ingest") == "generation 2: b.source | b.target"
    assert "read        450 pairs" in second.stdout
    assert "earlier_duplicate" in second.stdout
    assert "kept        300 to learn from" in second.stdout
    assert "newest      generation 2: 100 of news" in second.stdout
    assert "train.pairs 300" in second.stderr
    data = nightshift(tmp_path, environment, "data", "--rejects", *arguments)
    assert data.stdout.splitlines()[0].startswith("en-de: 2 generations, 300 pairs, ")
    rows = [line.split() for line in data.stdout.splitlines()[4:6]]
    assert [(row[0], row[3], row[4], row[-2:]) for row in rows] == [
        ("1", "300", "200", ["news", "200"]),
        ("2", "150", "100", ["news", "100"]),
    ]
    assert "earlier_duplicate" in data.stdout


def test_a_lost_registry_is_filled_again(night, environment, retrain, happened):
    folder, _ = night
    run = retrain(folder, environment, "registry=elsewhere")
    assert happened(run) == dict.fromkeys(NAMES[:7], "reused") | {"register": "started"}
    assert (folder / "elsewhere" / "weather-en-fr" / "versions" / "0001" / "manifest.json").exists()


def test_a_server_that_is_named_gets_the_report(night, environment, prefect, retrain, happened, wait_until):
    folder, _ = night
    before = [run["id"] for run in prefect.ask("flow_runs/filter", {})]
    run = retrain(folder, environment | {"PREFECT_API_URL": prefect.url})
    assert happened(run) == dict.fromkeys(NAMES, "reused")
    (flow_run,) = (run for run in prefect.ask("flow_runs/filter", {}) if run["id"] not in before)
    assert (flow_run["name"][:-16], flow_run["state_type"]) == ("retrain weather-en-fr ", "COMPLETED")
    number = flow_run["id"]
    assert {task["name"].split("-")[0] for task in prefect.of(number, "task_runs")} == set(NAMES)
    assert {one["key"] for one in prefect.of(number, "artifacts")} == {f"weather-en-fr-{part}" for part in PARTS}
    wait_until(lambda: any("reused" in line["message"] for line in prefect.of(number, "logs")))


def test_the_saved_model_in_the_registry_is_the_one_that_was_scored(night, outputs):
    folder, _ = night
    trained = outputs(folder)["train"]
    registered = folder / "workspace/registry/weather-en-fr/versions/0001/export/saved_model.pb"
    assert sha256_of_file(registered) == sha256_of_file(trained.path("export/saved_model.pb"))
    assert len(list(complete_outputs(folder / "workspace/weather-en-fr/clean"))) == 1


def test_the_nightly_deployment_runs_on_a_worker(night, worker, tiny):
    folder, _ = night
    # What the night that ran before was given goes over the preset.
    fields = given(None, [*tiny, f"workspace={folder / 'workspace'}", f"registry={folder / 'registry'}"])
    run = worker.wait(worker.trigger("retrain/nightly", preset="weather", overrides=fields))
    assert (run["name"][:-16], run["state_type"]) == ("retrain weather-en-fr ", "COMPLETED"), run["state"]
    assert (folder / "registry" / "weather-en-fr" / "versions" / "0001" / "manifest.json").exists()


def test_a_registry_in_a_bucket(night, environment, bucket, tmp_path, nightshift, retrain, happened):
    folder, _ = night
    cloud = environment | {
        "STORAGE_EMULATOR_HOST": os.environ["STORAGE_EMULATOR_HOST"],
        "XDG_CACHE_HOME": str(tmp_path),
    }
    registry = f"{bucket}/models"
    run = retrain(folder, cloud, f"registry={registry}")
    assert happened(run) == dict.fromkeys(NAMES[:7], "reused") | {"register": "started"}
    assert f"translate --registry {registry} --name weather-en-fr" in run.stdout
    from_bucket = nightshift(folder, cloud, "translate", "--registry", registry, "Light rain in the evening.")
    assert from_bucket.returncode == 0, from_bucket.stderr
    local = nightshift(folder, environment, "translate", "--model", "1", "Light rain in the evening.")
    assert from_bucket.stdout == local.stdout
    assert list(tmp_path.glob("nightshift/weather-en-fr-0001-*/export/saved_model.pb"))
    assert not list(tmp_path.glob("nightshift/weather-en-fr-0001-*/weights.npz"))  # which nobody needs to translate
    assert nightshift(folder, cloud, "models", "--registry", registry).stdout.split()[7:9] == ["weather-en-fr", "1"]
