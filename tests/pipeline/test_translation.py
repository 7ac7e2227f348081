"""Translating as a Beam job, with a SavedModel that was made of nothing but TensorFlow."""

import gzip
import logging
import os
import signal
from pathlib import Path

import pytest

from pipeline import translation
from pipeline.beam_config import BeamConfig
from pipeline.errors import InputError
from pipeline.running import counters
from pipeline.running.worker_pool import pool
from pipeline.storage import open_storage
from pipeline.translation import translate, translate_file

HERE, TWO = BeamConfig(workers=1), BeamConfig(workers=2)
SENTENCES = [f"rain {'and fog ' * (number * 7 % 23)}until {number}" for number in range(300)] + [
    "",
    "été ☂",
    "a\tb",
    "rain",
]
EXPECTED = [sentence.replace("rain", "pluie").replace("fog", "brouillard") for sentence in SENTENCES]


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    """A model that replaces two words; what it is asked at a time shows in nothing."""
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentences")])
    def replace(sentences):
        for word, other in (("rain", "pluie"), ("fog", "brouillard")):
            sentences = tf.strings.regex_replace(sentences, word, other)
        return {"translations": sentences, "scores": tf.zeros([tf.size(sentences)])}

    folder = tmp_path_factory.mktemp("model") / "export"
    tf.saved_model.save(module, str(folder), signatures={"translate": replace})
    return folder


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of a size that a test has several of."""
    monkeypatch.setattr(translation, "PART", 16)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_translations_stand_where_their_sentences_stood(saved_model, tmp_path, batch_size):
    folder = tmp_path / "scratch"
    assert translate(saved_model, SENTENCES, folder=folder, beam=HERE, batch_size=batch_size) == EXPECTED
    assert list(tmp_path.iterdir()) == []


def test_no_sentences_need_no_job(saved_model, tmp_path):
    assert translate(saved_model, [], folder=tmp_path / "scratch", beam=HERE) == []


@pytest.mark.usefixtures("small_parts")
def test_a_worker_that_is_killed_costs_no_sentence_and_gives_none_twice(saved_model, tmp_path, caplog):
    killed, many = [], 20  # so many that the work takes some seconds: workers tell of it now and then only

    def kill_once(_, number):
        if not killed:  # at the first word of it, when other parts are still waiting
            workers = Path(f"/proc/{pool.helper.pid}/task/{pool.helper.pid}/children").read_text().split()
            killed.append(int(workers[0]))
            os.kill(killed[0], signal.SIGKILL)

    counters.listen(kill_once)
    try:
        with caplog.at_level(logging.WARNING, "nightshift"):
            found = translate(saved_model, many * SENTENCES, folder=tmp_path / "scratch", beam=TWO, batch_size=1)
    finally:
        counters.stop_listening(kill_once)
        pool.stop()
    assert len(killed) == 1
    assert found == many * EXPECTED
    (line,) = caplog.messages
    assert "a worker process ended in the middle of its work" in line


def test_what_was_not_translated_in_its_place_is_told(saved_model, tmp_path, monkeypatch):
    from pipeline import decoding

    def in_another_order(rows):
        return [(number, rows[-1 - number][1], text) for number, _, text in sorted(rows)]

    monkeypatch.setattr(decoding, "sorted", in_another_order, raising=False)
    with pytest.raises(RuntimeError, match="what was translated is not what was given, or not in its order"):
        translate(saved_model, ["a", "b", "c"], folder=tmp_path / "scratch", beam=HERE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(InputError, match=f"model = {tmp_path}: expected a SavedModel that nightshift exported"):
        translate(tmp_path, ["a"], folder=tmp_path / "scratch", beam=HERE)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_translated_line_by_line(saved_model, tmp_path):
    source, target = tmp_path / "news.en.gz", tmp_path / "news.fr"
    source.write_bytes(gzip.compress("\ufeffrain\r\n\n  fog \nrain\u2028fog\n\nthe end: rain".encode()))
    lines = translate_file(saved_model, str(source), str(target), folder=tmp_path / "scratch", beam=HERE)
    assert target.read_bytes().decode() == "pluie\n\nbrouillard\npluie brouillard\n\nthe end: pluie\n"
    assert lines == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["news.en.gz", "news.fr"]


def test_a_file_in_a_bucket_is_translated_into_another(saved_model, bucket, tmp_path):
    from google.cloud.storage import Client

    objects = Client(project="test").bucket(bucket.removeprefix("gs://"))
    objects.blob("in/news.en").upload_from_string("rain\nfog\n")
    given = {"folder": tmp_path / "scratch", "beam": HERE}
    assert translate_file(saved_model, f"{bucket}/in/news.en", f"{bucket}/out/news.fr", **given) == 2
    assert objects.blob("out/news.fr").download_as_text() == "pluie\nbrouillard\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"rain\nr\xe9sum\xe9\n",
            r"--input = .*: expected a file in UTF-8 \(line 2 is not: saved in another encoding\?\)",
        ),
        (b"rain\n" + b"x" * 10_001, r"expected lines of at most 10,000 characters \(line 2 is longer\)"),
        (b"x" * 1_000_000, r"expected lines of at most 10,000 characters \(line 1 is longer\)"),
    ],
)
def test_a_file_that_cannot_be_translated_leaves_nothing(saved_model, tmp_path, content, message):
    source = tmp_path / "in.txt"
    source.write_bytes(content)
    with pytest.raises(InputError, match=message):
        translate_file(saved_model, str(source), str(tmp_path / "out"), folder=tmp_path / "scratch", beam=HERE)
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("s3://bucket/x", "--output = s3://bucket/x: expected a file's path or gs://bucket/name"),
        ("", "--output = '': expected a file's path"),
        ("{folder}", "--output = .*: expected a file's path"),
        ("{folder}/none/out", "--output = .*/none/out: expected a file in a folder that is there"),
        ("gs://bucket", "--output = gs://bucket: expected gs://bucket/name"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_is_read(saved_model, tmp_path, target, message):
    with pytest.raises(InputError, match=message):
        translate_file(saved_model, "not there", target.format(folder=tmp_path), folder=tmp_path / "scratch", beam=HERE)


@pytest.mark.usefixtures("small_parts")
def test_workers_that_see_no_folder_of_this_machine_get_the_model_by_the_bucket(
    saved_model, portable, bucket, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # which is not where the workers are
    (tmp_path / "export").symlink_to(saved_model)
    beam = portable.model_copy(update={"exchange": f"{bucket}/nights"})
    folder = Path("workspace/translate/3f9c2a7be01d")
    assert translate(Path("export"), SENTENCES, folder=folder, beam=beam) == EXPECTED
    assert open_storage(bucket).names() == []
    assert list(Path("workspace/translate").iterdir()) == []
