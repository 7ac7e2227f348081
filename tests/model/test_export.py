"""The SavedModel of a model that has learned the toy task: what is served is what was trained."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from model.architectures import build_model
from model.config import DeviceConfig, EvaluateConfig, SearchConfig, TrainConfig
from model.evaluate import score_model
from model.export import Exported, Translator
from model.stages import evaluate, train
from pipeline.batching import BATCH_CHARACTERS, in_batches
from pipeline.errors import InputError
from pipeline.manifest import Manifest, sha256_of_json
from pipeline.pairs import read_pairs
from pipeline.vocabularies import Vocabularies
from pipeline.vocabulary import Vocabulary

FRESH = """
import json, sys
import tensorflow as tf, tensorflow_text
loaded = tf.saved_model.load(sys.argv[1])
found = loaded.signatures["translate"](sentences=tf.constant(json.loads(sys.argv[2])))
print(json.dumps([[s.decode() for s in found["translations"].numpy()], found["scores"].numpy().tolist()]))
"""


@pytest.fixture(scope="module")
def held_out(toy: Any) -> list[Any]:
    return list(read_pairs(toy.pairs.path("test.parquet")))


def test_the_task_is_learned(exported: Exported, held_out: list[Any]) -> None:
    found = exported.translate([pair.source for pair in held_out])
    assert np.mean([one == pair.target for one, pair in zip(found, held_out, strict=True)]) >= 0.8


def test_a_fresh_process_that_knows_none_of_our_code_answers_the_same(
    trained: Manifest, exported: Exported, held_out: list[Any]
) -> None:
    sources = ["", *(pair.source for pair in held_out[:5])]
    command = [sys.executable, "-c", FRESH, str(trained.directory / "export"), json.dumps(sources)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    translations, scores = json.loads(done.stdout)
    here = exported.loaded.signatures["translate"](sentences=tf.constant(sources))
    assert translations == [text.decode() for text in here["translations"].numpy()]
    assert scores == here["scores"].numpy().tolist()


def test_an_answer_does_not_depend_on_its_company(exported: Exported, held_out: list[Any]) -> None:
    sources = [pair.source for pair in held_out]
    assert [exported.translate([source])[0] for source in sources] == exported.translate(sources)


def test_the_score_of_the_own_answer_is_the_one_search_found(
    trained: Manifest, exported: Exported, sources: list[str]
) -> None:
    signatures = exported.loaded.signatures
    found = signatures["translate"](sentences=tf.constant(sources))
    scored = signatures["score"](sources=tf.constant(sources), targets=found["translations"])
    penalty = TrainConfig(**trained.config).search.length_penalty
    tokens = scored["tokens"].numpy()
    expected = scored["log_probabilities"].numpy() / ((5 + tokens) / 6) ** penalty
    np.testing.assert_allclose(found["scores"].numpy(), expected, rtol=1e-3, atol=1e-4)


def test_a_score_counts_the_closing_token(exported: Exported, toy: Any) -> None:
    vocabulary = Vocabulary.load(toy.vocabulary.path("vocabulary.model"))
    targets = ["rain snow", "", "fog"]
    log_probabilities, tokens = exported.score(["snow rain", "hail", "fog"], targets)
    assert tokens == [len(ids) + 1 for ids in vocabulary.encode(targets)]
    assert max(log_probabilities) < 0
    alone = [
        exported.score([source], [target])[0][0] for source, target in (("snow rain", "rain snow"), ("fog", "fog"))
    ]
    assert [log_probabilities[0], log_probabilities[2]] == pytest.approx(alone, rel=1e-4, abs=1e-5)


def test_text_the_vocabulary_has_never_seen_is_answered(exported: Exported) -> None:
    found = exported.translate(["", "雨", "rain " * 300])
    assert len(found) == 3
    assert exported.translate([]) == []
    assert exported.score([], []) == ([], [])


def test_composed_and_decomposed_characters_are_the_same_text(exported: Exported) -> None:
    assert exported.score(["r\u00e9 rain"], ["rain"]) == exported.score(["re\u0301 rain"], ["rain"])


def test_input_is_brought_into_the_form_that_was_learned_from(
    exported: Exported, untrained: Callable[..., Exported], toy_config: Any
) -> None:
    for one, is_same in ((exported, False), (untrained(toy_config(), "NFKC"), True)):
        wide, plain = one.score(["ｒａｉｎ", "rain"], ["snow", "snow"])[0]
        assert (wide == plain) is is_same


def test_no_sentences_are_answered_with_nothing(
    exported: Exported, untrained: Callable[..., Exported], toy_config: Any
) -> None:
    nothing = tf.constant([], tf.string)
    for one in (exported, untrained(toy_config(search=SearchConfig(beams=4, max_length=12)))):  # greedy, and a beam
        signatures = one.loaded.signatures
        answers = signatures["translate"](sentences=nothing) | signatures["score"](sources=nothing, targets=nothing)
        assert {name: values.shape.as_list() for name, values in answers.items()} == {
            name: [0] for name in ("translations", "scores", "log_probabilities", "tokens")
        }


def test_sources_and_targets_of_unequal_number_are_refused(exported: Exported) -> None:
    for sources, targets in ((["rain", "snow"], ["rain"]), (["rain"], ["rain", "snow"]), ([], ["rain"])):
        with pytest.raises(ValueError, match=f"{len(sources)} sources and {len(targets)} targets"):
            exported.score(sources, targets)
    score = exported.loaded.signatures["score"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many targets as sources"):
        score(sources=tf.constant(["rain", "snow"]), targets=tf.constant(["rain"]))


def test_beams_find_answers_that_are_at_least_as_probable(trained: Manifest, toy: Any, held_out: list[Any]) -> None:
    config, vocabulary = TrainConfig(**trained.config), Vocabulary.load(toy.vocabulary.path("vocabulary.model"))
    newest = np.load(sorted((trained.directory / "checkpoints").iterdir())[-1])
    model = build_model(config.model, vocabulary.size, config.seed)
    weights = {weight.path: newest[f"weight/{weight.path}"] for weight in model.trainable_variables}
    sources = tf.constant([pair.source for pair in held_out])
    scores = []
    for beams in (1, 4):
        search = SearchConfig(beams=beams, length_penalty=0.0)
        translator = Translator(
            weights, config.model_copy(update={"search": search}), Vocabularies.shared(vocabulary), "NFC"
        )
        scores.append(tf.function(translator.translate)(sources)["scores"].numpy())
    assert (scores[1] >= scores[0] - 1e-4).mean() >= 0.9
    assert scores[1].mean() >= scores[0].mean() - 1e-5


def test_evaluation_scores_each_sentence_once_and_in_order(
    trained: Manifest, exported: Exported, toy: Any, tmp_path: Path
) -> None:
    made = evaluate(EvaluateConfig(batch_size=7), trained, toy.pairs, output_dir=tmp_path)
    assert made.counts == {"dev": 30, "test": 30}
    assert made.facts["dev"]["loss"] == pytest.approx(trained.facts["dev_loss"], rel=1e-5)  # as training measured it
    assert json.loads((made.directory / "evaluation.json").read_text()) == made.facts
    for name in ("dev", "test"):
        held_out = list(read_pairs(toy.pairs.path(f"{name}.parquet")))
        rows = pq.read_table(made.path(f"hypotheses/{name}.parquet")).to_pydict()
        assert rows["source"] == [pair.source for pair in held_out]
        assert rows["reference"] == [pair.target for pair in held_out]
        assert rows["hypothesis"] == exported.translate(rows["source"])
        facts = made.facts[name]
        assert facts["bleu_signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
        assert facts["data_digest"] == sha256_of_json([[pair.source, pair.target] for pair in held_out])
        assert facts["sentences"] == 30


def test_a_perfect_model_scores_a_hundred(trained: Manifest, exported: Exported, sources: list[str]) -> None:
    answers = exported.translate(sources)
    scores = score_model(trained.directory / "export", sources, answers, EvaluateConfig())
    assert [scores.values[name] for name in ("bleu", "chrf")] == pytest.approx([100, 100])
    assert list(scores.hypotheses) == answers


def test_sets_that_are_not_there_are_not_scored(trained: Manifest, toy: Any, tmp_path: Path) -> None:
    files = tuple(file for file in toy.pairs.files if file.path == "test.parquet")
    pairs = toy.pairs.model_copy(update={"files": files, "directory": toy.pairs.directory})
    assert evaluate(EvaluateConfig(), trained, pairs, output_dir=tmp_path).facts.keys() == {"test"}


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"model = {tmp_path}: expected a SavedModel"):
        score_model(tmp_path, ["a"], ["b"], EvaluateConfig())


def test_scoring_nothing_is_refused(trained: Manifest) -> None:
    with pytest.raises(InputError, match="0 sources and 0 references"):
        score_model(trained.directory / "export", [], [], EvaluateConfig())


def test_batches_keep_the_order_of_their_rows() -> None:
    calls = []

    def double(words: list[str], others: list[str]) -> list[str]:
        calls.append(len(words))
        return [word + other for word, other in zip(words, others, strict=True)]

    words = ["ccc", "a", "bb", "dddd", "e"]
    assert in_batches(double, 2, words, list("12345")) == ["ccc1", "a2", "bb3", "dddd4", "e5"]
    assert calls == [2, 2, 1]


def test_batches_of_frames_are_as_large_as_their_frames_are_many() -> None:
    rows = ["a" * 8 * 3 * frames for frames in (2, 1000, 1, 1100, 900)]
    sizes: list[int] = []
    assert in_batches(lambda texts: [sizes.append(len(texts)), *texts][1:], 4, rows, frame_size=3) == rows
    assert sizes == [4, 1]  # 1, 2, 900 and 1,000 frames: of texts of as many letters none would go together


def test_batches_of_long_rows_hold_fewer_of_them() -> None:
    batches: list[list[tuple[str, str]]] = []

    def paired(words: list[str], others: list[str]) -> list[tuple[str, str]]:
        batches.append(list(zip(words, others, strict=True)))
        return batches[-1]

    lengths = np.random.default_rng(1).geometric(0.002, size=(300, 2)).tolist()
    rows = [("a" * one, "b" * two) for one, two in [*lengths, (1, 2 * BATCH_CHARACTERS), (BATCH_CHARACTERS, 1), (0, 0)]]
    assert in_batches(paired, 32, *(list(column) for column in zip(*rows, strict=True))) == rows
    cells = [len(batch) * max(len(text) for row in batch for text in row) for batch in batches]
    assert [len(batch) for batch, size in zip(batches, cells, strict=True) if size > BATCH_CHARACTERS] == [1]
    assert max(len(batch) for batch in batches) == 32
    assert len(batches) < 50


def test_a_finished_training_is_not_repeated(trained: Manifest, toy: Any) -> None:
    again = train(
        TrainConfig(**trained.config),
        toy.shards,
        toy.vocabulary,
        output_dir=toy.folder / "train",
        devices=DeviceConfig(),
    )
    assert again.finished == trained.finished


def test_training_leaves_nothing_but_what_it_promises(trained: Manifest) -> None:
    files = {file.path for file in trained.files}
    assert {"history.json", "vocabulary.model", "export/saved_model.pb"} <= files
    assert {path for path in files if path.startswith("checkpoints/")} == {
        "checkpoints/step-00000300.npz",
        "checkpoints/step-00000400.npz",
    }
    assert not [path for path in files if path.startswith(".") or "partial" in path]
