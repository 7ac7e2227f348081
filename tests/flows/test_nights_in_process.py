"""Nights after the first one, stage by stage in this process: what is made again, and what is found finished.

What Prefect and the command line add to a night is in test_night.py; a process of its own would prove no more here.
"""

import json
import logging
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from flows.check import check
from flows.cli import cli
from flows.dag import STAGES, inputs_of
from flows.data import describe_data
from flows.settings import load
from flows.summary import Night, as_text
from pipeline.errors import InputError
from pipeline.manifest import Manifest, input_record, sha256_of_file
from pipeline.vocabulary import UNK, Vocabulary

pytestmark = pytest.mark.slow

NAMES = [stage.name for stage in STAGES]
DATA, MODEL = NAMES[:5], NAMES[5:]


class Ran(NamedTuple):
    """What became of each stage, in order, and why; what they made; what a person reads."""

    happened: dict[str, str]
    why: dict[str, str]
    made: dict[str, Manifest]
    text: str


@pytest.fixture
def run(caplog):
    """Runs the stages of a configuration as `retrain` does."""

    def whole(config):
        caplog.clear()
        with caplog.at_level(logging.INFO, "nightshift"):
            check(config)
            made = {stage.name: config.run(stage, *inputs_of(stage, config)) for stage in STAGES}
        lines = [message.split(None, 2) for message in caplog.messages]
        first = {words[0]: words[1:] for words in lines if words[1] in ("started", "reused")}
        why = {name: words[1] for name, words in first.items()}
        return Ran({name: words[0] for name, words in first.items()}, why, made, as_text(config, Night(*made.values())))

    return whole


@pytest.fixture
def of_night(night, tiny):
    """The configuration of the night that ran before, and some more settings."""
    folder, _ = night
    places = [f"workspace={folder / 'workspace'}", f"registry={folder / 'workspace/registry'}"]
    return lambda *more: load("weather", overrides=[*tiny, *places, *more])


@pytest.fixture
def translated():
    """What `nightshift translate` answers with a version of a registry."""

    def lines(registry, *arguments):
        run = CliRunner().invoke(cli, ["translate", "--registry", str(registry), *arguments], catch_exceptions=False)
        assert run.exit_code == 0, run.output
        return run.stdout.splitlines()

    return lines


def test_nights_that_begin_with_the_champion_train_for_something_new_alone(of_night, run):
    champion = "train.warm_start=champion"
    first = run(of_night(champion))
    assert first.happened == dict.fromkeys(NAMES, "reused")
    assert "warm_start" not in first.made["train"].inputs
    other = run(of_night(champion, "train.seed=2"))
    assert other.happened == dict.fromkeys(DATA, "reused") | dict.fromkeys(MODEL, "started")
    assert other.why["train"] == "because of train.seed 1 -> 2, new warm_start"
    assert other.why["evaluate"] == "because of new model"
    assert other.why["register"] == "because of new model, new evaluation"
    assert other.made["train"].inputs["warm_start"] == input_record(first.made["train"])
    assert "weather-en-fr, version 2" in other.text
    assert run(of_night(champion, "train.seed=2")).happened == dict.fromkeys(NAMES, "reused")


def test_one_stage_alone(night, options, monkeypatch, caplog):
    folder, _ = night
    monkeypatch.chdir(folder)
    arguments = ["--preset", "weather", *options("statistics.frequent_pieces=2")]
    with caplog.at_level(logging.INFO, "nightshift"):
        done = CliRunner().invoke(cli, ["inspect", *arguments], catch_exceptions=False)
    assert [line.split()[:2] for line in caplog.messages if "started" in line] == [["inspect", "started"]]
    report = json.loads((folder / done.stdout.strip() / "statistics.json").read_text(encoding="utf-8"))
    assert len(report["generation"]["all"]["source"]["frequent_pieces"]) == 2
    with pytest.raises(InputError, match=r"model = not there: expected a finished output of train .*train first"):
        CliRunner().invoke(cli, ["evaluate", *arguments, "--set", "train.seed=77"], catch_exceptions=False)


def test_more_than_one_answer_can_be_asked_for(of_night, translated):
    sentence, first = "Light rain in the evening.", [of_night().registry, "--model", "1"]
    (only,) = translated(*first, sentence)
    rows = [line.split("\t") for line in translated(*first, "--n-best", "3", sentence, "", sentence)]
    assert [number for number, *_ in rows] == ["1"] * 3 + ["3"] * 3
    assert rows[0][1:] == rows[3][1:]
    scores = [float(score) for _, score, _ in rows[:3]]
    assert scores == sorted(scores, reverse=True)
    assert translated(*first, "--temperature", "0.00001", sentence) == [only]
    warm = [*first, "--temperature", "5", "--seed", "3", sentence, sentence]
    drawn = translated(*warm)
    assert drawn == translated(*warm)
    assert len(set(drawn)) == 2


def test_another_language_in_the_other_direction_with_a_vocabulary_for_each_side(tmp_path, tiny, run, translated):
    own = ["corpus.target_language=ja", "corpus.reverse=true"]
    own += ["vocabulary.separate=true", "vocabulary.source_size=310", "vocabulary.size=150"]
    own += [f"workspace={tmp_path / 'workspace'}", f"registry={tmp_path / 'registry'}"]
    config = load("weather", overrides=[*tiny, *own])
    ran = run(config)
    assert ran.happened == dict.fromkeys(NAMES, "started")
    assert "weather-ja-en, version 1" in ran.text
    assert " --name weather-ja-en " in ran.text
    assert "  vocabulary  310 source and 150 target pieces\n" in ran.text
    assert {file.path for file in ran.made["build_vocabulary"].files} == {"source.model", "target.model"}
    for name, size in (("source.model", 310), ("target.model", 150)):
        registered = tmp_path / "registry/weather-ja-en/versions/0001" / name
        assert sha256_of_file(registered) == sha256_of_file(ran.made["build_vocabulary"].path(name))
        assert Vocabulary.load(registered).size == size
    (answer,) = translated(tmp_path / "registry", "Light rain in the evening.")
    target = Vocabulary.load(ran.made["train"].path("target.model"))
    assert UNK not in target.encode([answer.strip()])[0]
    assert describe_data(config).startswith("weather-ja-en: 1 generation, ")
    with pytest.raises(InputError, match=r"vocabulary.source_size = 150: expected 0, or vocabulary.separate=true besi"):
        load("weather", overrides=[*tiny, "vocabulary.source_size=150"])


def test_two_nights_on_text_files(tmp_path, tiny, run, monkeypatch):
    from pipeline.readers.weather import weather_pairs

    pairs = list(weather_pairs("en", "de", 400, seed=1))

    def write(part, rows):
        for side in ("source", "target"):
            lines = (getattr(pair, side) for pair in rows)
            (tmp_path / f"{part}.{side}").write_text("\n".join(lines), encoding="utf-8")

    train = "corpus.train=[{source: '*.source', target: '*.target', origin: news, weight: 2}]"
    text = [train, "corpus.source_language=en", "corpus.target_language=de", "vocabulary.size=200"]
    text += ["clean.max_deviation=0", "clean.language_id.is_on=false"]
    monkeypatch.chdir(tmp_path)
    config = load(overrides=[*tiny[1:], *text])
    write("a", pairs[:300])
    check(config)
    # Of the first night, what the second one builds on.
    first = {stage.name: config.run(stage, *inputs_of(stage, config)) for stage in STAGES[:5]}
    assert first["shard"].counts["train.pairs"] == 200
    write("b", pairs[250:])
    second = run(config)
    assert second.happened == dict.fromkeys(NAMES, "started")
    assert second.why["ingest"] == "generation 2: b.source | b.target"
    assert "en-de, version 1" in second.text
    assert "read        450 pairs" in second.text
    assert "earlier_duplicate" in second.text
    assert "kept        300 to learn from" in second.text
    assert "newest      generation 2: 100 of news" in second.text
    assert second.made["train"].counts["train.pairs"] == 300
    data = describe_data(config, with_rejects=True).splitlines()
    assert data[0].startswith("en-de: 2 generations, 300 pairs, ")
    rows = [line.split() for line in data[4:6]]
    assert [(row[0], row[3], row[4], row[-2:]) for row in rows] == [
        ("1", "300", "200", ["news", "200"]),
        ("2", "150", "100", ["news", "100"]),
    ]
    assert any("earlier_duplicate" in line for line in data)


def test_a_lost_registry_is_filled_again(of_night, run, tmp_path):
    ran = run(of_night(f"registry={tmp_path / 'elsewhere'}"))
    assert ran.happened == dict.fromkeys(NAMES[:7], "reused") | {"register": "started"}
    assert (tmp_path / "elsewhere/weather-en-fr/versions/0001/manifest.json").exists()


def test_a_registry_in_a_bucket(of_night, run, bucket, own_cache, translated):
    registry = f"{bucket}/models"
    ran = run(of_night(f"registry={registry}"))
    assert ran.happened == dict.fromkeys(NAMES[:7], "reused") | {"register": "started"}
    assert f"translate --registry {registry} --name weather-en-fr" in ran.text
    from_bucket = translated(registry, "Light rain in the evening.")
    assert from_bucket == translated(of_night().registry, "--model", "1", "Light rain in the evening.")
    assert list(own_cache.glob("weather-en-fr-0001-*/export/saved_model.pb"))
    assert not list(own_cache.glob("weather-en-fr-0001-*/weights.npz"))  # which nobody needs to translate
    listed = CliRunner().invoke(cli, ["models", "--registry", registry], catch_exceptions=False)
    assert listed.stdout.split()[7:9] == ["weather-en-fr", "1"]
