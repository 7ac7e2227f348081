"""The command line without a night: help, and mistakes that must cost no waiting."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli import STAGES, cli, main

NIGHTSHIFT = str(Path(sys.executable).with_name("nightshift"))


def nightshift(folder, *arguments):
    return subprocess.run(
        [NIGHTSHIFT, *arguments], check=False, cwd=folder, capture_output=True, text=True, timeout=120
    )


def test_whoever_reads_the_output_may_leave(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [NIGHTSHIFT, "train", "--help"]
    run = subprocess.run(command, check=False, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, timeout=120)
    os.close(writer)
    assert (run.returncode, run.stderr) == (1, b"")


def test_a_connection_that_breaks_is_no_reader_who_left(monkeypatch, capsys):
    @cli.command("lost")
    def lose():
        raise BrokenPipeError(errno.EPIPE, "the bucket is gone")

    monkeypatch.setitem(cli.commands, "lost", cli.commands.pop("lost"))  # and taken away again
    monkeypatch.setattr(sys, "argv", ["nightshift", "lost"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert "nightshift: [Errno 32] the bucket is gone; what was finished is kept" in capsys.readouterr().err


@pytest.mark.parametrize("stage", STAGES)
def test_the_help_of_a_stage_is_its_man_page(stage):
    command = stage.replace("_", "-")
    page = CliRunner().invoke(cli, [command, "--help"]).output
    assert f"nightshift {command}" in page  # the example in its docstring
    assert "--preset" in page


@pytest.mark.parametrize("group", [[], ["models"]])
def test_a_list_of_commands_cuts_none_of_them_off(group):
    page = CliRunner().invoke(cli, [*group, "--help"]).output
    assert "  verify " in page if group else "  retrain " in page
    assert "...\n" not in page.split("Commands:")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["retrain", "--preset", "wether"], "--preset = wether: expected one of multi30k, multi30k-quick, weather"),
        (["retrain", "--set", "trian.steps=1"], "trian = {'steps': 1}: expected one of the keys"),
        (["retrain"], "corpus.train = []: expected at least one source of pairs"),
        (["clean", "--preset", "weather"], "corpus = not there: expected a finished output of ingest"),
        (
            ["retrain", "--preset", "weather", "--set", "registry=file/below"],
            "registry = file/below: expected a folder",
        ),
        (["retrain", "--preset", "weather", "--set", "workspace=file"], "workspace = file/weather-en-fr: expected"),
        (["retrain", "--preset", "weather", "--set", "corpus.target_language=tlh"], "corpus.target_language = tlh"),
        (
            ["train", "--preset", "weather", "--set", "train.ema=0.9", "--set", "train.average_checkpoints=3"],
            "train.average_checkpoints = 3: expected 1 beside train.ema",
        ),
        (
            ["train", "--preset", "weather", "--set", "devices.workers=2"],
            "devices.workers = 2: expected 0, or devices.strategy=multi_worker beside it",
        ),
        (
            ["retrain", "--preset", "weather", "--set", "train.warm_start=9"],
            "train.warm_start = workspace/registry/weather-en-fr@9: expected a registered version",
        ),
        (["retrain", "--set", "corpus.train=[{source: no.en, target: no.de}]"], "corpus.train[0].source = no.en"),
        (["translate", "Rain."], "registry = workspace/registry: expected a registry with a model in it"),
        (["translate", "--n-best", "2", "--temperature", "1", "Rain."], "--n-best = 2: expected to stand alone"),
        (["models"], "registry = workspace/registry: expected a registry with a model in it"),
        (["models", "show", "1"], "registry = workspace/registry: expected a registry with a model in it"),
        (["up"], "corpus.train = []: expected at least one source of pairs"),
        (["up", "--preset", "weather", "--cron", "tonight"], "--cron = tonight: expected minute, hour, day, month and"),
        (
            ["up", "--preset", "weather", "--timezone", "Mars/Base"],
            "--timezone = Mars/Base: expected a time zone, suc",
        ),
        (
            ["up", "--preset", "weather", "--database", "postgresql://u:secret@h/d"],
            "--database = postgresql://h/d: expected no password in it (everybody sees command lines; set NIGHTSHIFT_",
        ),
        (
            ["up", "--preset", "weather", "--database", "mysql://u:secret@h/d"],
            "--database = h/d: expected postgresql",
        ),
        (
            ["deploy", "--pool", "gpu", "--flow", "trian"],
            "--flow = ['trian']: expected one of retrain, prepare, train",
        ),
        (
            ["deploy", "--pool", "gpu"],
            "PREFECT_API_URL = not given: expected the address of a Prefect server that an",
        ),
        (
            ["retrain", "--preset", "weather", "--set", "deployments.train=evaluate/gpu"],
            "deployments.train = evaluate/gpu: expected text of the form ^(train/[^/]+)?$",
        ),
        (
            ["retrain", "--preset", "weather", "--set", "promotion.samples=5"],
            "promotion.samples = 5: expected more samples: their number is the most that p can show",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, arguments, message):
    (tmp_path / "file").write_text("in the way")
    run = nightshift(tmp_path, *arguments)
    assert run.returncode == 2, run.stderr
    lines = [line for line in run.stderr.splitlines() if " started " not in line]
    assert len(lines) == 1, run.stderr
    assert lines[0].startswith(f"nightshift: {message}")
    assert run.stdout == ""
    assert not list(tmp_path.glob("workspace/*/*/*/manifest.json"))
