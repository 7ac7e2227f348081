"""Registered versions in the forms that other programs serve."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from click.testing import CliRunner

from flows.cli import cli
from flows.exporting import export_ctranslate2, export_saved_model
from flows.use import Chosen
from model.export import Exported
from pipeline.errors import InputError
from pipeline.manifest import sha256_of_file

SAVED_MODEL_CLI = str(Path(sys.executable).with_name("saved_model_cli"))

# What a server does that has TensorFlow and TensorFlow Text, and none of our code.
FRESH = """
import json, sys
import tensorflow as tf, tensorflow_text
loaded = tf.saved_model.load(sys.argv[1])
found = loaded.signatures["serving_default"](sentences=tf.constant(["rain", "snow fog"]))
ours = [name for name in sys.modules if name.split(".")[0] in ("model", "flows", "pipeline")]
print(json.dumps([[text.decode() for text in found["translations"].numpy()], ours]))
"""


def chosen(registry: Path, model: str = "champion") -> Chosen:
    return Chosen(str(registry), None, model)


def test_servings_layout_holds_the_registered_bytes(two_versions: Path, tmp_path: Path) -> None:
    made = [export_saved_model(chosen(two_versions, model), tmp_path / "served", None) for model in ("champion", "2")]
    assert made == [tmp_path / "served/1", tmp_path / "served/2"]
    assert sorted(path.name for path in (tmp_path / "served").iterdir()) == ["1", "2"]
    for number in ("1", "2"):
        registered = two_versions / f"tiny/versions/000{number}/export"
        files = [path.relative_to(registered) for path in registered.rglob("*") if path.is_file()]
        assert {name: sha256_of_file(tmp_path / "served" / number / name) for name in files} == {
            name: sha256_of_file(registered / name) for name in files
        }
    with pytest.raises(InputError, match=r"--to = .*/served/1: expected a folder that does not exist yet"):
        export_saved_model(chosen(two_versions), tmp_path / "served", None)


def test_signatures_are_read_and_run_without_our_code(two_versions: Path, tmp_path: Path) -> None:
    folder = str(export_saved_model(chosen(two_versions), tmp_path, None))
    show = [SAVED_MODEL_CLI, "show", "--dir", folder, "--tag_set", "serve"]
    shown = subprocess.run([*show, "--signature_def", "serving_default"], check=True, capture_output=True, text=True)
    assert "inputs['sentences'] tensor_info:\n      dtype: DT_STRING\n      shape: (-1)" in shown.stdout
    assert "outputs['translations'] tensor_info:\n      dtype: DT_STRING\n      shape: (-1)" in shown.stdout
    assert "Method name is: tensorflow/serving/predict" in shown.stdout
    done = subprocess.run(
        [sys.executable, "-c", FRESH, folder], check=True, capture_output=True, text=True, cwd="/", env={}
    )
    translations, ours = json.loads(done.stdout)
    assert translations == Exported.load(Path(folder)).translate(["rain", "snow fog"])
    assert ours == []


def test_a_fixed_batch_takes_that_many_and_says_the_same(two_versions: Path, tmp_path: Path) -> None:
    folder = export_saved_model(chosen(two_versions), tmp_path, 3)
    fixed, free = (tf.saved_model.load(str(path)) for path in (folder, two_versions / "tiny/versions/0001/export"))
    assert set(fixed.signatures) == {"translate", "score", "serving_default"}
    sentences = tf.constant(["rain", "snow fog", ""])
    given, expected = (loaded.signatures["serving_default"](sentences=sentences) for loaded in (fixed, free))
    assert {name: value.numpy().tolist() for name, value in given.items()} == {
        name: value.numpy().tolist() for name, value in expected.items()
    }
    assert fixed.signatures["translate"].structured_outputs["translations"].shape == [3]
    pair = {"sources": sentences, "targets": sentences}
    assert (fixed.signatures["score"](**pair)["tokens"] == free.signatures["score"](**pair)["tokens"]).numpy().all()
    with pytest.raises((tf.errors.InvalidArgumentError, TypeError)):
        fixed.signatures["translate"](sentences=sentences[:2])


def test_a_transformer_goes_to_ctranslate2_with_its_vocabulary(two_versions: Path, tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2")
    folder = export_ctranslate2(chosen(two_versions, "2"), tmp_path / "made", "int8")
    files = {"config.json", "model.bin", "nightshift.json", "shared_vocabulary.json", "vocabulary.model"}
    assert {path.name for path in folder.iterdir()} == files
    assert json.loads((folder / "nightshift.json").read_text())["unicode_form"] == "NFC"
    with pytest.raises(InputError, match="--format = ctranslate2: expected savedmodel .*architecture gru"):
        export_ctranslate2(chosen(two_versions, "1"), tmp_path / "other", "float32")
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_damaged_version_is_not_exported(registry: Path, tmp_path: Path) -> None:
    path = registry / "tiny/versions/0001/export/variables/variables.index"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="damaged after it was registered"):
        export_saved_model(chosen(registry), tmp_path / "served", None)
    assert not (tmp_path / "served").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "ctranslate2", "--batch", "8"], "--batch = 8: expected --format savedmodel beside it"),
        (["--quantization", "int8"], "--quantization = int8: expected --format ctranslate2 beside it"),
        (["--format", "onnx"], "--format = onnx: expected one of savedmodel, ctranslate2"),
    ],
)
def test_what_does_not_go_together_is_named(arguments: list[str], message: str, tmp_path: Path) -> None:
    done: Any = CliRunner().invoke(cli, ["export", "--to", str(tmp_path / "made"), *arguments])
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith(message)
