"""What is imported when: asking for help, or a night with nothing new, must not wait for TensorFlow or Beam."""

import json
import subprocess
import sys

import pytest

HEAVY = ("apache_beam", "tensorflow", "prefect", "pyarrow", "pydantic", "google.cloud.storage")


def loaded_after(program):
    """Which of the heavy packages a fresh process has loaded after a program."""
    program += f"\nimport json, sys; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("program", "allowed"),
    [
        ("import flows.cli", {"pydantic"}),
        ("from click.testing import CliRunner\nfrom flows.cli import cli\nCliRunner().invoke(cli, ['--help'])", set()),
        ("import flows.dag, flows.settings, flows.summary, flows.use", {"pydantic", "pyarrow"}),
        ("import flows.retrain", {"pydantic", "pyarrow", "prefect"}),
        ("import pipeline.examples, pipeline.statistics, pipeline.readers.weather", {"pydantic", "pyarrow"}),
        ("import pipeline.storage, model.registry", {"pydantic", "pyarrow"}),
        ("import model.trainer, model.training, model.evaluate", {"pydantic", "pyarrow", "tensorflow"}),
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(program, allowed):
    assert set(loaded_after(program)) <= allowed
