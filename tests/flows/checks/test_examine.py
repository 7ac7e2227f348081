"""All that is looked at before a night, together."""

import numpy as np
import pytest
from click.testing import CliRunner

from flows.check import check
from flows.checks.estimate import estimate
from flows.checks.examine import examine
from flows.checks.page import as_text
from flows.checks.room import available, enough, find_room, left_in
from flows.checks.sources import find_sources
from flows.cli import cli
from flows.settings import load
from pipeline.readers.weather import weather_pairs


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A corpus of weather summaries, English and French, in two files."""
    folder = tmp_path_factory.mktemp("corpus")
    pairs = list(weather_pairs("en", "fr", 3000, 1))
    (folder / "a.en").write_text("".join(f"{pair.source}\n" for pair in pairs))
    (folder / "a.fr").write_text("".join(f"{pair.target}\n" for pair in pairs))
    return folder


def corpus(files, source="a.en", target="a.fr", **more):
    languages = {"source_language": "en", "target_language": "fr"} | more
    sides = f"{{source: {files / source}, target: {files / target}}}"
    return [f"corpus.train=[{sides}]", *(f"corpus.{key}={value}" for key, value in languages.items())]


def test_nothing_is_wrong_and_nothing_is_left(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(cli, ["check", *(part for one in corpus(files) for part in ("--set", one))])
    lines = run.output.splitlines()
    assert (run.exit_code, [line for line in lines if line.startswith("wrong")]) == (0, []), run.output
    assert f"ok       corpus.train[0]          {files}/a.en | {files}/a.fr: 3,000 pairs in" in run.output
    assert "  pairs       1,000 to learn from, before any is rejected" in lines
    assert list(tmp_path.iterdir()) == []


def test_everything_that_is_wrong_is_told_at_once(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way")
    overrides = [
        *corpus(files),
        "corpus.dev=[{source: no.en, target: no.fr}]",
        f"corpus.test=[{{source: {files / 'a.en'}, target: {files / 'a.fr'}, target_sha256: {'a' * 64}}}]",
        "promotion.floors={tset: {bleu: 5}}",
        "registry=file/below",
        "train.warm_start=7",
        "beam.options={no_such: 1}",
    ]
    run = CliRunner().invoke(cli, ["check", *(part for one in overrides for part in ("--set", one))])
    subjects = [line.split()[1] for line in run.output.splitlines() if line.startswith("wrong")]
    assert run.exit_code == 2
    assert subjects == [
        *("corpus.dev[0].source", "corpus.test[0].target", "promotion.floors"),
        *("train.warm_start", "beam.options.no_such", "registry"),
    ]
    assert "its SHA-256 is" in run.output
    assert "Traceback" not in run.output


def find(files, **more):
    overrides = corpus(files, **more)
    config = load(overrides=overrides)
    samples = []
    return [finding for finding in find_sources(config.corpus, config.clean, samples) if finding.state != "ok"]


def test_languages_that_look_right_are_not_spoken_of(files):
    assert find(files) == []


def test_swapped_sides_are_found(files):
    [found] = find(files, source="a.fr", target="a.en")
    assert (found.state, found.subject) == ("wrong", "corpus.train[0]")
    assert found.said.startswith("its sides are in fr and then en, not in en and then fr: expected reverse: true")


def test_another_language_is_found(files):
    [found] = find(files, target_language="de")
    assert found.state == "wrong"
    assert found.said.startswith("its target side looks like fr, expected de")
    assert "clean.language_id would reject it" in found.said


@pytest.mark.parametrize(("free", "state"), [(99.0, "wrong"), (120.0, "warning"), (200.0, "ok")])
def test_room_is_enough_with_some_to_spare(free, state):
    assert enough("TMPDIR", "disk of /tmp", 100.0, free).state == state


def test_what_other_machines_do_takes_no_room_here(files):
    there = "beam={runner: portable, portable: {job_endpoint: 'jobs:1'}, environment: {kind: loopback}}"
    config = load(overrides=[*corpus(files), there, "deployments.train=train/gpu"])
    samples = []
    list(find_sources(config.corpus, config.clean, samples))
    expected = estimate(config, samples)
    assert (expected.shuffle, expected.memory) == (0, 0)
    assert [line for line in as_text(expected).splitlines() if line.split()[0] in ("TMPDIR", "memory")] == []
    [disk] = find_room(config, expected, samples)
    assert disk.said.startswith("of workspace, registry: ")


def test_memory_is_what_the_container_leaves(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 8000 kB\nMemAvailable:    4000 kB\n")
    assert available(tmp_path / "meminfo", tmp_path / "no") == 4_096_000
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1500000\n")
    (tmp_path / "memory.stat").write_text("anon 1000000\ninactive_file 400000\n")
    assert left_in(tmp_path) == 1_900_000
    assert available(tmp_path / "meminfo", tmp_path) == 1_900_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available(tmp_path / "meminfo", tmp_path) == 4_096_000


def test_what_a_night_is_estimated_to_be_is_what_it_was(night, outputs, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = outputs(night[0])
    config = load("weather", overrides=tiny)
    check(config)
    findings, expected = examine(config, lambda _: None)
    assert [finding for finding in findings if finding.state == "wrong"] == []
    shards = made["shard"].counts
    pairs = shards["train.pairs"]
    assert expected.pairs == pairs == 1400
    assert expected.parameters == made["train"].counts["parameters"]
    tokens = [shards["train.source_tokens"] + pairs, shards["train.target_tokens"] + pairs]
    assert [expected.source_tokens, expected.target_tokens] == pytest.approx(tokens, rel=0.1)
    assert expected.epochs == pytest.approx(made["train"].facts["epochs"], rel=0.1)
    data = sum(file.bytes for name in ("ingest", "clean", "shard") for file in made[name].files)
    assert 0.5 < expected.data / data < 2
    assert np.all(np.diff([0, *expected.train]) > 0)
