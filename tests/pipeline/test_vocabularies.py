"""A vocabulary of its own for each side, from clean pairs to shards and their statistics."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from pipeline.beam_config import BeamConfig
from pipeline.build_vocabulary import build_vocabulary, learn, unknown_shares
from pipeline.cleaning import CleanConfig
from pipeline.errors import InputError
from pipeline.examples import read_shard
from pipeline.ingest import ingest
from pipeline.inspection import inspect
from pipeline.jobs import ShardConfig, clean, shard
from pipeline.pairs import read_pairs
from pipeline.records import SentencePair
from pipeline.sources import CorpusConfig
from pipeline.statistics import StatisticsConfig
from pipeline.vocabularies import Vocabularies
from pipeline.vocabulary import Vocabulary, VocabularyConfig, train_vocabulary

HERE = BeamConfig(workers=1)
OWN = VocabularyConfig(size=200, source_size=120, separate=True, character_coverage=1.0)
SMALL = OWN.model_copy(update={"size": 40, "source_size": 40})
PAIRS = [
    SentencePair("Light rain in the evening.", "Pluie faible dans la soirée."),
    SentencePair("Rain.", "Pluie."),
    SentencePair("Evening light.", "Lumière de la soirée."),
]


@pytest.fixture(scope="module")
def weather(tmp_path_factory):
    """Weather pairs, their two vocabularies, shards and statistics."""
    folder = tmp_path_factory.mktemp("weather")
    config = CorpusConfig(train=[{"kind": "weather", "pairs": 600}], source_language="en", target_language="fr")
    corpus = ingest(config, output_dir=folder / "ingest")
    rules = CleanConfig(hold_out={"dev": 10, "test": 10}, shards=2)
    pairs = clean(rules, corpus, output_dir=folder / "clean", beam=HERE)
    vocabulary = build_vocabulary(OWN, pairs, output_dir=folder / "vocabulary")
    shards = shard(ShardConfig(), pairs, vocabulary, output_dir=folder / "shard", beam=HERE)
    statistics = inspect(StatisticsConfig(), shards, vocabulary, output_dir=folder / "inspect", beam=HERE)
    return SimpleNamespace(folder=folder, pairs=pairs, vocabulary=vocabulary, shards=shards, statistics=statistics)


def test_each_side_has_a_vocabulary_of_its_own(weather):
    found = Vocabularies.read(weather.vocabulary)
    assert sorted(file.path for file in weather.vocabulary.files) == ["source.model", "target.model"]
    assert weather.vocabulary.counts == {"source.pieces": 120, "target.pieces": 200, "sampled_pairs": 574}
    assert (found.source.size, found.target.size, found.source_size, found.are_shared) == (120, 200, 120, False)
    pairs = [pair for file in weather.pairs.paths("train/*.parquet") for pair in read_pairs(file)]
    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    assert found.source.proto == train_vocabulary(OWN, sources, "source")
    assert found.target.proto == train_vocabulary(OWN, targets, "target")


def test_shards_hold_the_ids_of_each_side_in_its_own_vocabulary(weather):
    pieces = Vocabularies.read(weather.vocabulary)
    largest = 0
    files = zip(weather.pairs.paths("train/*.parquet"), weather.shards.paths("train/*.tfrecord"), strict=True)
    for parquet, tfrecord in files:
        pairs, ids = list(read_pairs(parquet)), read_shard(tfrecord)
        sources, targets = (
            pieces.source.encode([p.source for p in pairs]),
            pieces.target.encode([p.target for p in pairs]),
        )
        assert ids.source_values.tolist() == [token for sentence in sources for token in sentence]
        assert ids.target_values.tolist() == [token for sentence in targets for token in sentence]
        largest = max(largest, ids.target_values.max())
    assert largest > 120  # which would be no id of the sources'


def test_statistics_read_each_side_with_its_own_vocabulary(weather):
    pieces = Vocabularies.read(weather.vocabulary)
    found = json.loads(weather.statistics.path("statistics.json").read_text(encoding="utf-8"))["chain"]["all"]
    pairs = [pair for file in weather.pairs.paths("train/*.parquet") for pair in read_pairs(file)]
    seen = 0
    for side, vocabulary in (("source", pieces.source), ("target", pieces.target)):
        tokens = Counter(token for ids in vocabulary.encode([getattr(pair, side) for pair in pairs]) for token in ids)
        first = tokens.most_common(3)
        assert list(found[side]["frequent_pieces"].items())[:3] == [(vocabulary.piece(token), n) for token, n in first]
        assert found[side]["unknown_share"] == 0
        assert found[side]["vocabulary_coverage"] == round(len(tokens) / (vocabulary.size - 4), 6)
        seen += len(tokens)
    assert found["vocabulary_coverage"] == round(seen / (120 + 200 - 8), 6)


def test_models_are_written_and_read_back(tmp_path, weather):
    for given in (Vocabularies.read(weather.vocabulary), learn(VocabularyConfig(size=40), PAIRS * 20)):
        again = Vocabularies.of(given.models)
        assert again.models == given.models
        assert again.are_shared == given.are_shared
        folder = tmp_path / f"of-{len(given.models)}"
        folder.mkdir()
        given.write(folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == given.models
    assert sorted(path.name for path in (tmp_path / "of-1").iterdir()) == ["vocabulary.model"]


def test_an_output_without_vocabularies_is_named(weather):
    with pytest.raises(InputError, match="expected a file vocabulary.model in it"):
        Vocabularies.read(weather.pairs)


def test_a_shared_vocabulary_is_what_it_was_without_the_choice():
    config = VocabularyConfig(size=40)
    assert not {"separate", "source_size"} & config.canonical().keys()
    assert {"separate", "source_size"} <= OWN.canonical().keys()
    both = learn(config, PAIRS * 20)
    assert both.source is both.target
    assert both.source_size is None
    sentences = [side for pair in PAIRS * 20 for side in (pair.source, pair.target)]
    assert both.models == {"vocabulary.model": train_vocabulary(config, sentences)}


def test_what_is_unknown_is_asked_of_each_side():
    config = VocabularyConfig(size=40, source_size=30, separate=True, character_coverage=1.0)
    apart, together = learn(config, PAIRS * 20), learn(VocabularyConfig(size=40, character_coverage=1.0), PAIRS * 20)
    turned = [SentencePair(pair.target, pair.source) for pair in PAIRS]
    assert unknown_shares(apart, PAIRS) == [0, 0]
    assert unknown_shares(together, turned) == [0]
    source, _ = unknown_shares(apart, turned)
    ids = [token for sentence in apart.source.encode([pair.source for pair in turned]) for token in sentence]
    assert source == round(ids.count(1) / len(ids), 6) > 0.01


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"size": 90},
            r"vocabulary.size = 90: expected at most \d+ \(the source text .*; vocabulary.source_size gives",
        ),
        (
            {"size": 60, "source_size": 17},
            "vocabulary.source_size = 17: expected more than .*each character of the source",
        ),
        ({"size": 900, "source_size": 40}, r"vocabulary.size = 900: .*\(the target text has no more different pieces"),
    ],
)
def test_a_size_that_is_impossible_names_the_side(config, message):
    with pytest.raises(InputError, match=message):
        learn(VocabularyConfig(separate=True, character_coverage=1.0, **config), PAIRS * 20)


def test_a_size_of_the_sources_alone_needs_a_vocabulary_of_theirs():
    with pytest.raises(ValidationError, match=r"0, or vocabulary.separate=true beside it"):
        VocabularyConfig(source_size=100)
    assert OWN.size_key("source") == "source_size"
    assert [OWN.size_key(side) for side in ("target", None)] == ["size", "size"]
    assert VocabularyConfig(separate=True).size_key("source") == "size"


def test_a_model_of_another_kind_is_refused(tmp_path):
    (tmp_path / "source.model").write_bytes(b"no model")
    with pytest.raises(InputError, match="vocabulary = .*source.model: expected a SentencePiece model"):
        Vocabulary.load(tmp_path / "source.model")
    with pytest.raises(InputError, match=r"vocabulary = target.model: expected a SentencePiece model \(this is some"):
        Vocabularies.of({"source.model": learn(SMALL, PAIRS * 40).source.proto, "target.model": b"no model"})
    with pytest.raises(InputError, match="vocabulary = source.model: expected vocabulary.model, or target.model"):
        Vocabularies.of({"source.model": b""})
    with pytest.raises(InputError, match="vocabulary = no file: expected vocabulary.model, or source.model and targ"):
        Vocabularies.of({})
