import re

import pytest
from pydantic import TypeAdapter, ValidationError

from flows.dag import STAGES
from flows.parameters import NO_PRESET, Form, Overrides, configured, form_of, parameters_of
from flows.settings import RetrainConfig, load, preset_names
from pipeline.errors import InputError

SCHEMA = form_of(RetrainConfig).model_json_schema()
SECTIONS = {name: part for name, part in SCHEMA["$defs"].items() if name.endswith("Form")} | {"": SCHEMA}


def checked(overrides):
    return TypeAdapter(Overrides).validate_python(overrides)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_the_form_is_described_and_empty(section):
    assert SECTIONS[section]["additionalProperties"] is False
    assert "required" not in SECTIONS[section]
    for key, described in SECTIONS[section]["properties"].items():
        section = SCHEMA["$defs"].get(described.get("$ref", "").rpartition("/")[2], {})  # has a docstring
        assert described.get("description") or section["description"], key
        assert described["title"] == key
        assert "default" not in described


def test_the_form_has_the_keys_of_the_configuration_with_their_ranges_and_choices():
    assert set(SCHEMA["properties"]) == set(RetrainConfig.model_fields)
    steps = SECTIONS["TrainConfigForm"]["properties"]["steps"]
    assert (steps["type"], steps["minimum"], steps["maximum"]) == ("integer", 1, 10_000_000)
    assert SECTIONS["ModelConfigForm"]["properties"]["architecture"]["enum"] == ["lstm", "gru", "rnn", "transformer"]
    kinds = SECTIONS["CorpusConfigForm"]["properties"]["train"]["items"]
    assert len(kinds["oneOf"]) == 10


def test_what_was_filled_in_is_all_there_is():
    given = {"corpus": {"train": [{"kind": "weather", "pairs": 9}]}, "train": {"model": {"dropout": 0.5}}}
    assert checked(given) == given
    assert checked({"train": {"steps": None, "model": None}, "clean": None}) == {"train": {}}
    assert checked({}) == {}


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"train": {"steps": 0}}, ("train", "steps")),
        ({"trian": {}}, ("trian",)),
        ({"corpus": {"train": [{"kind": "tabel"}]}}, ("corpus", "train", 0)),
        ("train", ()),
    ],
)
def test_what_does_not_fit_is_refused(given, where):
    with pytest.raises(ValidationError) as caught:
        checked(given)
    assert caught.value.errors()[0]["loc"] == where


def test_overrides_go_over_the_preset_and_are_checked_together():
    config = configured("weather", {"train": {"steps": 9}})
    assert config == load("weather", overrides=["train.steps=9"])
    assert configured(NO_PRESET, {}) == load()
    with pytest.raises(InputError, match=r"train\.average_checkpoints = 3: expected 1 beside train\.ema"):
        configured("weather", {"train": {"ema": 0.9, "average_checkpoints": 3}})


@pytest.mark.parametrize("preset", preset_names())
def test_another_machine_gets_the_same_configuration_by_full_paths(preset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load(preset, overrides=["deployments.train=train/gpu", "workspace=w"])
    parameters = parameters_of(config)
    assert checked(parameters["overrides"]) == parameters["overrides"]
    there = configured(**parameters)
    assert (there.workspace, there.registry) == (tmp_path / "w", str(tmp_path / "workspace/registry"))
    assert there.deployments.train == ""
    for stage in STAGES:
        assert there.section(stage).canonical() == config.section(stage).canonical()


def test_a_registry_in_the_cloud_stays_where_it_is():
    config = load("weather", overrides=["registry=gs://bucket/models"])
    assert parameters_of(config)["overrides"]["registry"] == "gs://bucket/models"


def test_a_form_takes_no_other_keys():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Form.model_validate({"anything": 1})


@pytest.mark.parametrize(
    ("section", "key", "right", "wrong"),
    [
        ("BeamConfigForm", "exchange", "gs://bucket/prefix", "s3://bucket"),
        ("DataflowConfigForm", "region", "europe-west1", "europe-west1-b"),
        ("DataflowConfigForm", "container_image", "a/b:1.4.0", "a/b:latest"),
        ("ClusterConfigForm", "image", "host:5000/a:1", "host:5000/a"),
    ],
)
def test_the_form_knows_how_a_name_is_written(section, key, right, wrong):
    pattern = SECTIONS[section]["properties"][key]["pattern"]
    assert [bool(re.search(pattern, text)) for text in ("", right, wrong)] == [True, True, False]
