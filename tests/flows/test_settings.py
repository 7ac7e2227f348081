from pathlib import Path

import pytest

from flows.settings import RetrainConfig, keys_of, load, merge, nested, preset_names
from pipeline.errors import InputError


def test_the_defaults_are_a_configuration():
    assert load() == RetrainConfig()


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_a_configuration(name):
    assert load(name).corpus.train


def test_a_file_goes_over_the_preset_and_overrides_over_both(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("train: {steps: 7, seed: 3}\nclean: {shards: 2}\n")
    config = load("weather", file, ["train.steps=9", "corpus.reverse=true", "corpus.target_language=de"])
    assert (config.train.steps, config.train.seed, config.clean.shards) == (9, 3, 2)
    assert config.name == "weather-de-en"


def test_two_text_files_are_an_override():
    config = load(overrides=["corpus.train=[{source: a.en, target: a.de}]", "corpus.source_language=en"])
    assert [(source.source, source.target) for source in config.corpus.train] == [("a.en", "a.de")]
    assert config.name == "en-target"


def test_lists_are_replaced_and_mappings_merged():
    assert merge({"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [3]}}) == {"a": {"b": 1, "c": [3]}}


def test_norwegian_is_a_language(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("corpus: {source_language: no, reverse: true}")
    assert load("weather", file, ["corpus.target_language=no"]).name == "weather-no-no"


@pytest.mark.parametrize(
    ("override", "expected"),
    [("a=1", {"a": 1}), ("a.b.c=[x, 2]", {"a": {"b": {"c": ["x", 2]}}}), ("a=b=c", {"a": "b=c"}), ("a=", {"a": None})],
)
def test_an_override_is_yaml_at_a_dotted_key(override, expected):
    assert nested(override) == expected


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.step=5", r"train.step = 5: expected one of the keys accumulate, .* \(did you mean steps\?\)"),
        ("trian.steps=5", r"trian = {'steps': 5}: expected one of the keys beam, card, clean.*did you mean train\?"),
        (
            "night.hours.trian=5",
            "night.hours = {'trian': 5}: expected above 0 and at most 1000 hours, by stage",
        ),
        ("night.hours.train=0", "night.hours = {'train': 0}: expected above 0 and at most 1000 hours, by stage"),
        ("night.overlap=queue", "night.overlap = queue: expected 'skip', 'wait' or 'replace'"),
        ("zzz=5", r"zzz = 5: expected one of the keys beam, .* \(no such key\)"),
        ("train.steps=0", "train.steps = 0: expected at least 1"),
        ("train.steps=many", "train.steps = many: expected a whole number$"),
        ("train.model.architecture=lstmm", "train.model.architecture = lstmm: expected 'lstm', 'gru', 'rnn' or"),
        ("clean=5", "clean = 5: expected keys below it: allow_identical, "),
        ("clean.hold_out=500", "clean.hold_out = 500: expected keys below it: dev, test$"),
        ("train.weights=5", "train.weights = 5: expected keys below it, such as {key: value}"),
        ("corpus.train=[{source: a.en}]", r"corpus.train\[0\].target = not given: expected a value"),
        ("corpus.train=[{source: a, target: b, x: 1}]", r"corpus.train\[0\].x = 1: expected one of the keys kind, l"),
        ("workspace=gs://bucket/x", "workspace = gs://bucket/x: expected a folder on this machine"),
        ("train.steps=", "train.steps = not given: expected a whole number"),
        ("task=a/b", r"task = a/b: expected text of the form \^\[A-Za-z0-9_-\]\*\$"),
        ("corpus.train=5", r"corpus.train = 5: expected a list, such as \[{...}, {...}\]"),
        ("corpus.train=[{kind: tabel}]", r"corpus.train\[0\].kind = tabel: expected one of 'text', 'table', 'altern"),
        (
            "corpus.train=[{kind: tmx, pahts: x}]",
            r"corpus.train\[0\].pahts = x: .*kind, licence, origin, path, .*did you mean path",
        ),
        ("corpus.train=[{sorce: x}]", r"train\[0\].sorce = x: .*weight \(did you mean source"),
        ("corpus.train=[{kind: jsonl}]", r"corpus.train\[0\].path = not given: expected a value"),
        ("corpus.train=[a.en]", r"corpus.train\[0\] = a.en: expected keys below it: kind, licence, "),
        (
            "corpus.train=[{kind: table, path: a, source: 0, target: 2}]",
            r"\[0\].source = 0: expected a column's name, or",
        ),
        ("corpus.train=[{kind: table, path: a, source: a, target: 2}]", r"\[0\].target = 2: expected a name if source"),
        (f"corpus.train=[{{kind: pinyin, origin: {'x' * 101}}}]", r"\[0\].origin = x+: expected at most 100 char"),
        ("corpus.reading.longestline=1", "corpus.reading.longestline = 1: .*did you mean longest_line"),
        ("corpus.train=[{kind: weather, pears: 5}]", r"corpus.train\[0\].pears = 5: .*did you mean pairs"),
        (
            "corpus.sets={dev: [{source: a, target: b}]}",
            "corpus.sets.dev = dev: expected a name of its own, as corpus.dev is",
        ),
        ("corpus.sets={coco: []}", r"corpus.sets.coco = \[\]: expected "),
        ("corpus.sets={coco: [{sorce: x}]}", r"corpus.sets.coco\[0\].sorce = x: .*did you mean source"),
        ("train.steps", "--set = train.steps: expected section.key=value"),
        (".steps=1", "--set = .steps=1: expected section.key=value"),
        ("train=[", r"--set = train=\[: expected a value in YAML"),
    ],
)
def test_a_wrong_override_is_one_line(override, message):
    with pytest.raises(InputError, match=message) as caught:
        load("weather", overrides=[override])
    assert "\n" not in str(caught.value)


def test_an_unknown_preset():
    with pytest.raises(InputError, match="--preset = wether: expected one of .*weather"):
        load("wether")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"expected a YAML file that can be read \(No such file or directory\)$"),
        (b"a: [", "expected YAML"),
        (b"- 1", "expected a mapping"),
        (b"\xff", "expected a YAML file that can be read"),
    ],
)
def test_a_wrong_file(tmp_path, content, message):
    file = tmp_path / "mine.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load(file=file)


def test_where_a_stage_keeps_its_outputs():
    from flows.dag import stage_named

    config = load("weather", overrides=["workspace=/data"])
    assert config.folder(stage_named("clean")) == Path("/data/weather-en-fr/clean")
    assert config.section(stage_named("inspect")) == config.statistics
    assert config.resources(stage_named("clean")) == {"beam": config.beam}


def test_keys_are_described_with_ranges_choices_and_defaults():
    rows = dict(keys_of("train"))
    assert rows["train.steps"].endswith("(default 4000, at least 1, at most 10000000)")
    assert "one of lstm, gru, rnn, transformer" in rows["train.model.architecture"]
    assert "train.model" not in rows
    assert dict(keys_of("clean"))["clean.hold_out.dev"].startswith("Pairs for the dev set")
