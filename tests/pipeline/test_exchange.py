"""Workers that see no folder of this machine: what they read and write goes by a bucket.

The workspace is named by a relative path, which in the folder of the workers leads nowhere: what would not go by the
bucket would not be found, or be found there.
"""

from pathlib import Path

import pytest

from pipeline.beam_config import BeamConfig
from pipeline.build_vocabulary import build_vocabulary
from pipeline.cleaning import CleanConfig
from pipeline.errors import InputError
from pipeline.exchange import checksum, open_exchange
from pipeline.ingest import ingest
from pipeline.inspection import inspect
from pipeline.jobs import ShardConfig, clean, shard
from pipeline.readers.weather import weather_pairs
from pipeline.sources import CorpusConfig
from pipeline.statistics import StatisticsConfig
from pipeline.storage import open_storage
from pipeline.vocabulary import VocabularyConfig

HERE = BeamConfig(workers=1)
ROWS = [f"{pair.source}\t{pair.target}\n" for pair in weather_pairs("en", "fr", 600, seed=5)]


@pytest.fixture
def by_bucket(portable: BeamConfig, bucket: str) -> BeamConfig:
    """Workers elsewhere that share no file system with this machine."""
    return portable.model_copy(update={"exchange": f"{bucket}/nights"})


def nights(folder: Path, beam: BeamConfig):
    """Two nights of data, the second of which brings new and old pairs; the last outputs of the stages with a job."""
    config = CleanConfig(hold_out={"dev": 20, "test": 30}, shards=4, max_deviation=0, max_targets_per_source=3)
    folder.mkdir(parents=True)
    made = []
    for night, rows in enumerate((ROWS[:500], ROWS[400:])):
        (folder / f"{night}.tsv").write_text("".join(rows), encoding="utf-8")
        source = {"kind": "table", "path": f"{folder}/*.tsv", "source": 1, "target": 2, "origin": "weather"}
        corpus = ingest(CorpusConfig(train=[source]), output_dir=folder / "ingest")
        pairs = clean(config, corpus, output_dir=folder / "clean", beam=beam)
        learning = VocabularyConfig(size=200, character_coverage=1.0)
        vocabulary = build_vocabulary(learning, pairs, output_dir=folder / "vocabulary")
        shards = shard(ShardConfig(compression="gzip"), pairs, vocabulary, output_dir=folder / "shard", beam=beam)
        made = [
            pairs,
            shards,
            inspect(StatisticsConfig(), shards, vocabulary, output_dir=folder / "inspect", beam=beam),
        ]
    return made


@pytest.mark.slow
def test_all_bytes_are_those_that_one_machine_makes(by_bucket, bucket, elsewhere, tmp_path, monkeypatch, caplog):
    before = set(elsewhere.iterdir())
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO", "nightshift")
    alone, shared = nights(Path("alone/weather"), HERE), nights(Path("shared/weather"), by_bucket)
    assert [made.digest for made in shared] == [made.digest for made in alone]
    assert [made.totals() for made in shared] == [made.totals() for made in alone]
    assert shared[0].earlier
    assert set(elsewhere.iterdir()) == before
    # The bucket mirrors what the stages made: nothing was given twice, and nothing but what a job reads or writes.
    storage = open_storage(f"{bucket}/nights/weather")
    pairs, shards, statistics = (f"{made.stage}/{made.directory.name}" for made in shared)
    assert storage.folders() == ["clean", "ingest", "inspect", "shard"]
    assert set(storage.names(pairs)) == {f"{pairs}/{file.path}" for file in shared[0].files}
    assert set(storage.names(shards)) == {f"{shards}/{file.path}" for file in shared[1].files}
    assert storage.names(statistics) == [f"{statistics}/generation.npz"]
    given = [" ".join(line.split()[:4]) for line in caplog.messages if " giving " in line]
    # each night its new pairs, and on the second none of what the first one made: it is still there
    assert given == ["clean giving 1 files,", "clean giving 1 files,"]


def exchange_of(tmp_path, bucket, others=None):
    beam = BeamConfig(runner="portable", exchange=f"{bucket}/nights/")
    return open_exchange(beam, tmp_path / "weather/clean/3f9c2a7be01d", others)


def test_what_is_there_is_not_given_again_unless_it_changed(tmp_path, bucket, caplog):
    caplog.set_level("INFO", "nightshift")
    exchange = exchange_of(tmp_path, bucket)
    file = tmp_path / "weather/ingest/77aa/train-000.parquet"
    file.parent.mkdir(parents=True)
    for content in (b"one", b"one", b"two"):
        file.write_bytes(content)
        exchange.give([file])
    assert exchange.location(file) == f"{bucket}/nights/weather/ingest/77aa/train-000.parquet"
    assert open_storage(bucket).read("nights/weather/ingest/77aa/train-000.parquet").data == b"two"
    assert caplog.messages == ["clean            giving    1 files, 0.0 MB"] * 2


def test_what_a_job_left_is_not_taken_for_what_the_next_one_wrote(tmp_path, bucket):
    storage, own = open_storage(bucket), "nights/weather/clean/3f9c2a7be01d"
    storage.write(f"{own}/train/old", b"old")
    storage.write(f"{own}x/train/of-another", b"another")
    exchange = exchange_of(tmp_path, bucket)
    storage.write(f"{own}/train/new", b"new")
    exchange.fetch()
    folder = tmp_path / "weather/clean/3f9c2a7be01d"
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()] == ["train/new"]
    exchange.clear()
    assert storage.names("nights") == [f"{own}x/train/of-another"]


def test_folders_from_elsewhere_have_a_name_of_their_own(tmp_path, bucket):
    model = tmp_path / "elsewhere/export"
    exchange = exchange_of(tmp_path, bucket, {"model": model})
    assert exchange.location(model / "variables/v") == (f"{bucket}/nights/weather/clean/3f9c2a7be01d/model/variables/v")
    assert exchange.location(model) == f"{bucket}/nights/weather/clean/3f9c2a7be01d/model"


def test_a_checksum_is_that_of_cloud_storage(tmp_path):
    (tmp_path / "file").write_bytes(b"123456789")
    assert checksum(tmp_path / "file") == "4waSgw=="  # 0xE3069283, the check value of CRC-32C


def test_a_bucket_that_is_not_there_is_told_before_a_job_starts(tmp_path, bucket):
    beam = BeamConfig(runner="portable", exchange="gs://nobody-has-this/x")
    with pytest.raises(InputError, match=r"beam.exchange = gs://nobody-has-this/x/weather: expected a bucket that exi"):
        open_exchange(beam, tmp_path / "weather/clean/3f9c")


def test_who_shares_a_file_system_exchanges_nothing(tmp_path):
    for beam in (HERE, BeamConfig(exchange="gs://nobody-has-this/x"), BeamConfig(runner="flink")):
        exchange = open_exchange(beam, tmp_path / "a/b/c")
        exchange.give([tmp_path / "none"])
        exchange.fetch()
        assert exchange.location(tmp_path / "x") == str(tmp_path / "x")
