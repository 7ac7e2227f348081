"""Frames of numbers as sources, from a Parquet file to a scored model."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows import use
from flows.dag import STAGES, inputs_of
from flows.data import describe_data
from flows.serving.app import create_app
from flows.serving.config import ServeConfig
from flows.serving.in_service import InService
from flows.settings import RetrainConfig
from flows.summary import Night, as_text
from model.export import Exported
from model.stages import train
from pipeline import manifest as manifests
from pipeline.batching import LONGEST
from pipeline.errors import InputError
from pipeline.frames import to_text

pytestmark = pytest.mark.slow

LETTERS = "abcdefghijk"
SOUNDS = np.random.default_rng(7).normal(size=(len(LETTERS), 6)).astype(np.float32)


def spoken(text, chance):
    """Noisy frames of each letter, two or three of them."""
    frames = np.repeat(SOUNDS[[LETTERS.index(letter) for letter in text]], chance.integers(2, 4, len(text)), axis=0)
    return frames + chance.normal(scale=0.1, size=frames.shape).astype(np.float32)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Words of three to six letters, as they are spoken and as they are written."""
    folder, chance = tmp_path_factory.mktemp("frames"), np.random.default_rng(1)
    texts = sorted({"".join(chance.permutation(list(LETTERS))[: chance.integers(3, 7)]) for _ in range(2000)})
    sources = [spoken(text, chance).tolist() for text in texts]
    pq.write_table(pa.table({"sound": sources, "text": texts}), folder / "spoken.parquet")
    return RetrainConfig(
        task="spoken",
        workspace=folder / "workspace",
        registry=str(folder / "registry"),
        corpus={
            "frame_size": 6,
            "train": [{"kind": "frames", "path": str(folder / "spoken.parquet"), "source": "sound", "target": "text"}],
        },
        clean={"hold_out": {"dev": 50, "test": 100}, "shards": 2, "min_letters": 0},
        vocabulary={"size": 16, "character_coverage": 1.0},
        train={
            "model": {
                "architecture": "gru",
                "embedding_size": 32,
                "encoder_units": 32,
                "decoder_units": 64,
                "attention": "multiplicative",
                "frame_stride": 2,
                "dropout": 0.0,
            },
            "search": {"max_length": 12},
            "steps": 300,
            "batch_tokens": 512,
            "learning_rate": 0.01,
            "warmup_steps": 50,
            "label_smoothing": 0.0,
        },
        beam={"workers": 1},
    )


@pytest.fixture(scope="module")
def night(config):
    """The output of each stage."""
    return {stage.name: config.run(stage, *inputs_of(stage, config)) for stage in STAGES}


def test_what_was_spoken_is_written(night):
    answers = pq.read_table(night["evaluate"].path("hypotheses/test.parquet"))
    right = sum(map(str.__eq__, answers["reference"].to_pylist(), answers["hypothesis"].to_pylist()))
    assert (len(answers), right >= 85) == (100, True), right
    assert night["train"].facts["frame_size"] == 6
    assert night["register"].facts["promoted"]


def test_other_sounds_of_the_registered_model_are_written_too(config, night):
    chance = np.random.default_rng(2)
    texts = ["abc", "kjif", "dab"]
    sources = [to_text(spoken(text, chance)) for text in texts]
    chosen = use.Chosen(config.registry, None, "champion")
    found = list(use.translate([sources[0], "", *sources[1:]], chosen, use.Wanted()))
    assert [[one.text for one in each] for each in found] == [["abc"], [], ["kjif"], ["dab"]]
    longest = to_text(np.zeros((300, 6)))
    assert len(longest) > LONGEST
    assert len(list(use.translate([longest], chosen, use.Wanted()))) == 1
    for text, message in (
        ("Light rain.", "sentence 2 = Light rain.: expected frames of 6 numbers as letters"),
        (sources[0][:-8], "letters are not those of frames of 6 numbers"),
        (to_text(np.full((1, 6), np.inf)), "a number is infinite or none at all"),
    ):
        with pytest.raises(InputError, match=message):
            list(use.translate([sources[0], text], chosen, use.Wanted()))


def test_a_service_answers_to_frames_and_refuses_others(config, night, serving):
    service = InService(use.Chosen(config.registry, None, "champion"))
    source = to_text(spoken("abc", np.random.default_rng(2)))
    with serving(create_app(service, ServeConfig(wait_ms=0), None)) as client:
        answer = client.post("/translate", json={"sentences": [source]}).json()
        assert answer["translations"][0]["text"] == "abc"
        refused = client.post("/translate", json={"sentences": [source, "Light rain."]})
    assert (refused.status_code, "expected frames of 6 numbers as letters" in refused.json()["error"]) == (422, True)


def test_padding_of_a_batch_changes_no_answer(night):
    exported = Exported.load(night["train"].directory / "export")
    assert exported.frame_size == 6
    chance = np.random.default_rng(3)
    texts = ["abc", "kjif", "fade"]
    sources = [to_text(spoken(text, chance)) for text in texts]
    together, tokens = exported.score(sources, texts)
    for source, text, score, count in zip(sources, texts, together, tokens, strict=True):
        assert exported.score([source], [text]) == ([pytest.approx(score, rel=1e-5, abs=1e-5)], [count])
    assert [found[0].text for found in exported.hypotheses(sources, 2)] == texts


def test_people_see_how_many_frames_there_are(config, night):
    assert "1 generation, 1,725 pairs, " in describe_data(config)
    shown = as_text(config, Night(*night.values()))
    assert f"translate --registry {config.registry} --name spoken-source-target " in shown


@pytest.mark.parametrize(
    ("frame_size", "message"),
    [
        (0, "expected a model that reads frames of 6 numbers \\(it reads text"),
        (80, "it reads frames of 80 numbers"),
    ],
)
def test_another_network_cannot_begin_with_it(config, night, tmp_path, frame_size, message):
    folder = tmp_path / "other"
    shutil.copytree(night["train"].directory, folder)
    with np.load(folder / "weights.npz") as file:
        weights = {name: file[name] for name in file.files}
    np.savez(folder / "weights.npz", **(weights | {"frame_size": np.array(frame_size)}))
    files = manifests.file_records(folder)
    manifests.write(night["train"].model_copy(update={"directory": folder, "files": files}))
    begins = config.train.model_copy(update={"warm_start": str(folder), "steps": 1})
    with pytest.raises(InputError, match=message):
        train(begins, night["shard"], night["build_vocabulary"], output_dir=tmp_path, devices=config.devices)
