"""What Dataflow is asked for, and that its workers make of it what one machine makes."""

import base64
import bz2
import json
import os
import re
import signal
import time
import zlib
from importlib import metadata
from pathlib import Path

import apache_beam as beam
import pytest
from google.cloud.dataflow_v1beta3 import Job

from pipeline.beam_config import BeamConfig
from pipeline.cleaning import CleanConfig
from pipeline.errors import InputError
from pipeline.ingest import ingest
from pipeline.jobs import clean
from pipeline.readers.weather import weather_pairs
from pipeline.runners import open_pipeline
from pipeline.sources import CorpusConfig
from pipeline.storage import open_storage

PAIRS = 300
RULES = CleanConfig(hold_out={"dev": 10, "test": 10}, shards=2, max_deviation=0)


def unpacked(staged: bytes) -> bytes:
    """A pipeline's bytes, and behind them those of all functions in it, which Beam packs."""
    found = [staged]
    for text in re.findall(rb"[A-Za-z0-9+/]{40,}={0,2}", staged):
        data = base64.b64decode(text[: len(text) // 4 * 4])
        for unpack in (bz2.decompress, zlib.decompress):
            try:
                found.append(unpack(data))
            except (OSError, ValueError, zlib.error):
                continue
    return b"\n".join(found)


def test_a_job_is_asked_for_and_makes_the_same_bytes(dataflow, bucket, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANTED", "planted-secret")
    rows = [f"{pair.source}\t{pair.target}\n" for pair in weather_pairs("en", "fr", PAIRS, seed=5)]
    Path("weather.tsv").write_text("".join(rows), encoding="utf-8")
    source = {"kind": "table", "path": "weather.tsv", "source": 1, "target": 2}
    workspace = tmp_path / "here/weather-en-fr"
    corpus = ingest(CorpusConfig(train=[source]), output_dir=workspace / "ingest")
    alone = clean(RULES, corpus, output_dir=tmp_path / "alone/weather-en-fr/clean", beam=BeamConfig(workers=1))
    shared = clean(RULES, corpus, output_dir=workspace / "clean", beam=dataflow.config)
    assert (shared.digest, shared.counts) == (alone.digest, alone.counts)

    (request,) = dataflow.requests
    asked = Job.from_json(json.dumps(request))
    environment, (pool,) = asked.environment, asked.environment.worker_pools
    image = "europe-docker.pkg.dev/translation-1/images/nightshift:1.4.0"
    assert re.fullmatch(r"nightshift-clean-[0-9a-f]{8}", asked.name)
    assert asked.type_.name == "JOB_TYPE_BATCH"
    assert (pool.machine_type, pool.disk_size_gb) == ("n2-standard-4", 50)
    assert pool.autoscaling_settings.algorithm.name == "AUTOSCALING_ALGORITHM_BASIC"
    assert pool.autoscaling_settings.max_num_workers == 20
    assert pool.subnetwork == "regions/europe-west1/subnetworks/jobs"
    assert pool.ip_configuration.name == "WORKER_IP_PRIVATE"
    assert {one.container_image for one in pool.sdk_harness_container_images} == {image}
    assert not pool.packages  # the image holds all that is needed
    assert environment.service_account_email == "workers@translation-1.iam.gserviceaccount.com"
    assert environment.temp_storage_prefix.startswith(f"storage.googleapis.com/{bucket[5:]}/temp/nightshift-clean-")
    assert dict(environment.user_agent)["version"] == metadata.version("apache-beam")
    options = request["environment"]["sdkPipelineOptions"]["options"]
    expected = {
        "runner": "DataflowRunner",
        "project": "translation-1",
        "region": "europe-west1",
        "sdk_container_image": image,
        "autoscaling_algorithm": "THROUGHPUT_BASED",
        "save_main_session": False,
    }
    assert {name: options[name] for name in expected} == expected
    assert options["pipelineUrl"].startswith(f"{bucket}/staging/nightshift-clean-")

    # Nothing of this machine, and no secret, leaves it with the job.
    assert dataflow.authorizations == {"Bearer planted-token"}
    staged = open_storage(bucket)
    assert [name.rpartition("/")[2] for name in staged.names("staging")] == ["pipeline.pb"]
    sent = json.dumps(request).encode() + unpacked(dataflow.pipelines[0])
    assert b"exchange/weather-en-fr/clean" in sent  # the functions could be unpacked
    ours = str(Path(__file__).parents[3] / "pipeline")  # Beam's own lambdas say from which file they are
    for planted in ("planted", "weather.tsv", str(tmp_path), ours):
        assert planted.encode() not in sent


def refuse(number: int) -> None:
    raise InputError("corpus.train[0]", number, "another number", "it was planted")


def test_bad_input_that_a_worker_of_dataflow_finds_is_one_line(dataflow):
    with pytest.raises(InputError, match=re.escape("corpus.train[0] = 7: expected another number")):  # noqa: SIM117
        with open_pipeline(dataflow.config, stage="clean", pairs=1) as job:
            _ = job | beam.Create([7]) | "read" >> beam.Map(refuse)


def test_workers_with_other_packages_are_refused_before_they_work(dataflow, monkeypatch):
    monkeypatch.setattr("pipeline.runners.packages_here", lambda: {"numpy": "0.1"})
    expected = rf"workers = numpy {re.escape(metadata.version('numpy'))}: expected numpy 0.1"
    with pytest.raises(InputError, match=expected), open_pipeline(dataflow.config, stage="clean", pairs=1) as job:
        _ = job | beam.Create([1])


def tell_and_wait(number: int, process: int, go_on: Path) -> None:
    """Says that the job is at work, and works until it is told otherwise."""
    if not go_on.exists():
        os.kill(process, signal.SIGUSR1)
    while not go_on.exists():
        time.sleep(0.02)


@pytest.mark.parametrize("by", ["its flow", "somebody else"])
def test_a_job_that_is_cancelled_is_none_that_is_done(dataflow, tmp_path, by):
    go_on = tmp_path / "go on"

    def end(*_):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # once is enough
        if by == "its flow":
            raise KeyboardInterrupt
        dataflow.cancel(dataflow.jobs[-1])

    before = signal.signal(signal.SIGUSR1, end)
    expected = KeyboardInterrupt if by == "its flow" else RuntimeError
    try:
        with pytest.raises(expected) as caught, open_pipeline(dataflow.config, stage="clean", pairs=1) as job:
            _ = job | beam.Create([1]) | beam.Reshuffle() | beam.Map(tell_and_wait, os.getpid(), go_on)
    finally:
        go_on.touch()
        signal.signal(signal.SIGUSR1, before)
    if by == "its flow":
        assert dataflow.wanted == ["JOB_STATE_CANCELLED"]
    else:
        said = f"Dataflow job {dataflow.jobs[-1]} ended as CANCELLED: its page in the console may say why"
        assert (dataflow.wanted, str(caught.value)) == ([], said)
