"""Search on written-down logits: no model takes part."""

from collections.abc import Callable
from itertools import product
from math import exp, log

import numpy as np
import pytest
import tensorflow as tf

from model.beam import beam, n_best
from model.config import SearchConfig
from model.hypotheses import IMPOSSIBLE, Shared
from model.search import search
from model.walk import greedy
from pipeline.vocabulary import EOS

A, B = 4, 5
NEVER = -1e9

# Log-probabilities of the next token after a beginning; what is not listed is uniform over A, B and the end.
GARDEN_PATH = {
    (): {A: log(0.6), B: log(0.4)},
    (A,): {A: log(0.35), B: log(0.35), EOS: log(0.3)},
    (B,): {EOS: log(0.9), A: log(0.1)},
}


def table_step(tables: list[dict[tuple[int, ...], dict[int, float]]], beams: int) -> Callable[..., object]:
    """A step whose state is what each row has written, five tokens at most."""

    def logits_of(written: np.ndarray, sentences: np.ndarray) -> np.ndarray:
        rows = np.full((len(written), 6), NEVER, np.float32)
        for row, (tokens, sentence) in enumerate(zip(written.tolist(), sentences.tolist(), strict=True)):
            beginning = tuple(token for token in tokens if token)
            uniform = {A: log(1 / 3), B: log(1 / 3), EOS: log(1 / 3)}
            for token, value in tables[sentence].get(beginning, uniform).items():
                rows[row, token] = value
        return rows

    def step(tokens: tf.Tensor, state: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, object]:
        written, count, sentences = state
        place = tf.one_hot(count - 1, 5, dtype=tf.int32)  # before the first token the count is 0, which marks none
        written += place * tokens[:, tf.newaxis]
        logits = tf.numpy_function(logits_of, [written, sentences], tf.float32)
        return tf.ensure_shape(logits, [None, 6]), (written, count + 1, sentences)

    return step


def start(sentences: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    return tf.zeros([sentences, 5], tf.int32), tf.zeros([sentences], tf.int32), tf.range(sentences)


def all_answers(
    table: dict[tuple[int, ...], dict[int, float]], longest: int, penalty: float
) -> list[tuple[float, list[int]]]:
    """All answers that end within some tokens, the best one first, found by trying every one."""
    uniform = {A: log(1 / 3), B: log(1 / 3), EOS: log(1 / 3)}
    found = []
    for size in range(longest):
        for tokens in product((A, B), repeat=size):
            steps = [table.get(tokens[:i], uniform).get(token, NEVER) for i, token in enumerate((*tokens, EOS))]
            found.append((sum(steps) / ((5 + size + 1) / 6) ** penalty, list(tokens)))
    return sorted(found, reverse=True)


def random_tables(seed: int, count: int) -> list[dict[tuple[int, ...], dict[int, float]]]:
    """Tables with a distribution of its own after each beginning of up to three tokens."""
    chance = np.random.default_rng(seed)
    beginnings = [beginning for size in range(4) for beginning in product((A, B), repeat=size)]
    return [
        {
            beginning: dict(zip((A, B, EOS), np.log(chance.dirichlet([1, 1, 1])).tolist(), strict=True))
            for beginning in beginnings
        }
        for _ in range(count)
    ]


def test_greedy_takes_the_best_token_of_each_step() -> None:
    table = {(): {A: log(0.7), B: log(0.3)}, (A,): {B: log(0.8), EOS: log(0.2)}, (A, B): {EOS: 0.0}}
    found = greedy(table_step([table], 1), start(1), tf.constant(1), max_length=5)
    assert found.tokens.numpy().tolist() == [[A, B, 0]]
    assert found.scores.numpy() == pytest.approx([log(0.7 * 0.8)])


def test_greedy_walks_into_the_garden_path_and_a_beam_does_not() -> None:
    table = GARDEN_PATH | {(A, A): {EOS: 0.0}, (A, B): {EOS: 0.0}}
    walked = greedy(table_step([table], 1), start(1), tf.constant(1), max_length=5)
    assert exp(walked.scores.numpy()[0]) == pytest.approx(0.6 * 0.35)
    found = beam(table_step([table], 2), start(1), tf.constant(1), beams=2, max_length=5)
    assert found.tokens.numpy()[0].tolist()[:1] == [B]
    assert exp(found.scores.numpy()[0]) == pytest.approx(0.4 * 0.9)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_beam_as_wide_as_all_answers_finds_the_best_of_all(seed: int, penalty: float) -> None:
    tables = random_tables(seed, 3)
    found = beam(table_step(tables, 16), start(3), tf.constant(3), beams=16, max_length=4, length_penalty=penalty)
    for row, table in enumerate(tables):
        score, tokens = all_answers(table, 4, penalty)[0]
        assert [token for token in found.tokens.numpy()[row].tolist() if token] == tokens
        assert found.scores.numpy()[row] == pytest.approx(score, rel=1e-5)


def test_one_beam_is_greedy() -> None:
    table = GARDEN_PATH | {(A, A): {EOS: 0.0}}
    walked = greedy(table_step([table], 1), start(1), tf.constant(1), max_length=5)
    found = beam(table_step([table], 1), start(1), tf.constant(1), beams=1, max_length=5)
    assert found.tokens.numpy().tolist() == walked.tokens.numpy().tolist()
    assert found.scores.numpy() == pytest.approx(walked.scores.numpy())


def test_a_length_penalty_lets_the_longer_answer_win() -> None:
    table = {(): {EOS: log(0.5), A: log(0.5)}, (A,): {A: log(0.9), EOS: log(0.1)}, (A, A): {EOS: 0.0}}
    step = table_step([table], 2)
    short = beam(step, start(1), tf.constant(1), beams=2, max_length=5, length_penalty=0.0)
    long = beam(step, start(1), tf.constant(1), beams=2, max_length=5, length_penalty=1.0)
    assert short.tokens.numpy()[0, 0] == 0
    assert long.tokens.numpy()[0].tolist()[:2] == [A, A]


def test_the_hypotheses_of_a_narrow_beam_are_compared_with_their_length_penalty() -> None:
    table = {
        (): {EOS: log(0.3), A: log(0.7)},
        (A,): {A: log(0.42), B: log(0.41), EOS: log(0.17)},
        (A, B): {EOS: 0.0},
    }
    found = beam(table_step([table], 2), start(1), tf.constant(1), beams=2, max_length=4, length_penalty=1.0)
    assert found.tokens.numpy()[0].tolist()[:3] == [A, B, 0]  # 0.7 * 0.41 is less than 0.3, and not so by its length
    assert found.scores.numpy() == pytest.approx([log(0.7 * 0.41) / (8 / 6)])


def test_a_beam_remembers_the_best_answer_that_was_pushed_out() -> None:
    pushed_out = {(): {A: log(0.62), B: log(0.08), EOS: log(0.3)}, (A,): {A: log(0.505), B: log(0.495)}}
    endless = {(A,) * size: {A: 0.0} for size in range(5)}
    found = beam(table_step([pushed_out, endless], 2), start(2), tf.constant(2), beams=2, max_length=4)
    assert found.tokens.numpy().tolist() == [[0, 0, 0, 0], [A, A, A, A]]
    assert found.scores.numpy() == pytest.approx([log(0.3), 0.0])


def test_greedy_writes_nothing_after_the_end() -> None:
    tables = [{(): {EOS: log(0.9), A: log(0.1)}}, {(): {A: 0.0}, (A,): {B: 0.0}, (A, B): {EOS: log(0.8), A: log(0.2)}}]
    found = greedy(table_step(tables, 1), start(2), tf.constant(2), max_length=5, length_penalty=1.0)
    assert found.tokens.numpy().tolist() == [[0, 0, 0], [A, B, 0]]
    assert found.scores.numpy() == pytest.approx([log(0.9), log(0.8) / (8 / 6)])


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("beams", [1, 3, 9])
def test_an_answer_that_never_ends_is_cut_off(beams: int, penalty: float) -> None:
    tables = [{(A,) * size: {A: 0.0} for size in range(5)}]
    config = SearchConfig(beams=beams, max_length=3, length_penalty=penalty)
    found = search(table_step(tables, beams), start(1), tf.constant(1), config)
    assert found.tokens.numpy().tolist() == [[A, A, A]]


@pytest.mark.parametrize("beams", [1, 3])
def test_no_sentences_have_no_answers(beams: int) -> None:
    found = search(table_step([], beams), start(0), tf.constant(0), SearchConfig(beams=beams))
    assert (found.tokens.shape[0], found.scores.shape) == (0, (0,))


@pytest.mark.parametrize("beams", [1, 2])
def test_a_search_stops_when_every_answer_has_ended(beams: int) -> None:
    calls = []

    def step(tokens: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        calls.append(1)
        return tf.tile([[NEVER, NEVER, NEVER, 0.0, NEVER, NEVER]], [tf.size(tokens), 1]), state

    config = SearchConfig(beams=beams, max_length=50)
    found = search(step, tf.zeros([2]), tf.constant(2), config)
    assert len(calls) == 1
    assert not found.tokens.numpy().any()


def test_the_answer_to_a_sentence_does_not_depend_on_the_others() -> None:
    quick = {(): {EOS: log(0.9), A: log(0.1)}}
    together = beam(table_step([quick, GARDEN_PATH], 3), start(2), tf.constant(2), beams=3, max_length=5)
    alone = beam(table_step([quick], 3), start(1), tf.constant(1), beams=3, max_length=5)
    assert [token for token in together.tokens.numpy()[0].tolist() if token] == [
        token for token in alone.tokens.numpy()[0].tolist() if token
    ]
    assert together.scores.numpy()[0] == pytest.approx(alone.scores.numpy()[0])


def test_more_beams_than_tokens_are_no_mistake() -> None:
    found = beam(table_step([{(): {EOS: 0.0}}], 9), start(1), tf.constant(1), beams=9, max_length=5)
    assert found.scores.numpy() == pytest.approx([0.0])


def written(row: np.ndarray) -> list[int]:
    """The tokens of an answer without the padding after them."""
    return [token for token in row.tolist() if token]


@pytest.mark.parametrize("penalty", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_n_best_of_a_beam_as_wide_as_all_answers_are_all_answers(seed: int, penalty: float) -> None:
    tables = random_tables(seed, 2)
    wide = {"beams": 32, "max_length": 4, "length_penalty": penalty}
    found = n_best(table_step(tables, 32), start(2), tf.constant(2), answers=18, **wide)
    for row, table in enumerate(tables):
        expected = all_answers(table, 4, penalty)
        assert len(expected) == 15  # of no token, one, two or three; the other three of the 18 are cut off
        assert [written(answer) for answer in found.tokens.numpy()[row]][:15] == [tokens for _, tokens in expected]
        assert found.scores.numpy()[row][:15] == pytest.approx([score for score, _ in expected], rel=1e-5)
        assert all(len(written(answer)) == 4 for answer in found.tokens.numpy()[row][15:])


@pytest.mark.parametrize("seed", range(3))
def test_fewer_of_the_n_best_are_the_first_of_more(seed: int) -> None:
    tables = random_tables(seed, 3)
    how = {"beams": 5, "max_length": 5, "length_penalty": 0.6}
    more = n_best(table_step(tables, 5), start(3), tf.constant(3), answers=5, **how)
    best = beam(table_step(tables, 5), start(3), tf.constant(3), **how)
    for answers in (1, 2, 4):
        found = n_best(table_step(tables, 5), start(3), tf.constant(3), answers=answers, **how)
        assert found.scores.numpy().tolist() == more.scores.numpy()[:, :answers].tolist()
        for row, other in zip(found.tokens.numpy(), more.tokens.numpy(), strict=True):
            assert [written(answer) for answer in row] == [written(answer) for answer in other[:answers]]
    assert best.scores.numpy().tolist() == more.scores.numpy()[:, 0].tolist()
    assert [written(row) for row in best.tokens.numpy()] == [written(row[0]) for row in more.tokens.numpy()]


def test_the_three_best_of_the_garden_path() -> None:
    table = GARDEN_PATH | {(A, A): {EOS: 0.0}, (A, B): {EOS: 0.0}}
    found = n_best(table_step([table], 3), start(1), tf.constant(1), answers=3, beams=3, max_length=5)
    assert found.tokens.numpy()[0].tolist() == [[B, 0, 0], [A, A, 0], [A, B, 0]]
    assert np.exp(found.scores.numpy()[0]) == pytest.approx([0.4 * 0.9, 0.6 * 0.35, 0.6 * 0.35])


def test_missing_answers_are_cut_off_and_come_after_those_that_ended() -> None:
    table = {(): {A: log(0.9), EOS: log(0.1)}, (A,): {A: 0.0}, (A, A): {A: 0.0}}
    found = n_best(table_step([table], 2), start(1), tf.constant(1), answers=2, beams=2, max_length=3)
    assert found.tokens.numpy()[0].tolist() == [[0, 0, 0], [A, A, A]]
    assert np.exp(found.scores.numpy()[0]) == pytest.approx([0.1, 0.9])


def test_answers_that_do_not_exist_are_told_by_their_score() -> None:
    found = n_best(table_step([{(): {EOS: 0.0}}], 9), start(1), tf.constant(1), answers=3, beams=9, max_length=5)
    assert found.tokens.numpy()[0].tolist() == [[0], [0], [0]]
    assert found.scores.numpy()[0].tolist() == [0.0, IMPOSSIBLE, IMPOSSIBLE]


def read_until_now(state: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """As attention weights, what a row has been told it wrote: it gives away whose row it was."""
    return tf.cast(state[0], tf.float32)


def rows_of_attention(tokens: list[int], steps: int) -> list[list[float]]:
    """What `read_until_now` shows of an answer: its tokens before each step, and nothing after its end."""
    shown = [tokens[:step] + [0] * (5 - step) for step in range(min(len(tokens) + 1, steps))]
    return shown + [[0] * 5] * (steps - len(shown))


@pytest.mark.parametrize("seed", range(4))
def test_attention_follows_the_reordering_of_the_beams(seed: int) -> None:
    step, how = table_step(random_tables(seed, 3), 4), {"beams": 4, "max_length": 5}
    found = n_best(step, start(3), tf.constant(3), answers=4, observe=read_until_now, **how)
    steps = found.tokens.shape[2]
    for answers, seen in zip(found.tokens.numpy(), found.attention.numpy(), strict=True):
        for answer, rows in zip(answers, seen, strict=True):
            assert rows.tolist() == rows_of_attention(written(answer), steps)
    best = beam(step, start(3), tf.constant(3), observe=read_until_now, **how)
    for answer, rows in zip(best.tokens.numpy(), best.attention.numpy(), strict=True):
        assert rows.tolist() == rows_of_attention(written(answer), best.tokens.shape[1])


def test_attention_of_greedy_search_ends_with_the_answer() -> None:
    tables = [{(): {EOS: log(0.9), A: log(0.1)}}, {(): {A: 0.0}, (A,): {B: 0.0}, (A, B): {EOS: log(0.8)}}]
    found = search(table_step(tables, 1), start(2), tf.constant(2), SearchConfig(beams=1), observe=read_until_now)
    assert found.attention.numpy().tolist() == [rows_of_attention([], 3), rows_of_attention([A, B], 3)]


def test_who_does_not_observe_gets_no_attention() -> None:
    for beams in (1, 2):
        found = search(table_step(random_tables(1, 1), beams), start(1), tf.constant(1), SearchConfig(beams=beams))
        assert found.attention is None


@pytest.mark.parametrize("beams", [1, 3])
def test_a_part_of_the_state_may_grow_in_a_graph(beams: int) -> None:
    """As the keys and values of a transformer do: the step finds in it whatever was written before."""

    def step(tokens: tf.Tensor, past: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        past = tf.concat([past, tokens[:, tf.newaxis]], axis=1)
        scores = tf.one_hot(tf.where(tf.shape(past)[1] > 3, EOS, 3 + tf.shape(past)[1]), 7, 0.0, NEVER)
        return tf.tile(scores[tf.newaxis], [tf.size(tokens), 1]), past

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def graph(past: tf.Tensor) -> tf.Tensor:
        return search(step, past, tf.shape(past)[0], SearchConfig(beams=beams)).tokens

    assert graph(tf.zeros([2, 0], tf.int32)).numpy().tolist() == [[4, 5, 6, 0]] * 2


@pytest.mark.parametrize("beams", [1, 3])
def test_what_hypotheses_share_leaves_with_its_sentence(beams: int) -> None:
    """Each of 20 sentences ends after a number of tokens that it alone knows."""

    def step(tokens: tf.Tensor, state: tuple[Shared, tf.Tensor]) -> tuple[tf.Tensor, tuple[Shared, tf.Tensor]]:
        known, written = state
        left = tf.repeat(known.parts, tf.size(tokens) // tf.maximum(tf.size(known.parts), 1)) - written
        return tf.one_hot(tf.where(left > 0, A, EOS), 6, 0.0, NEVER), (known, written + 1)

    lengths = tf.random.stateless_uniform([20], [1, beams], 0, 15, tf.int32)
    config = SearchConfig(beams=beams, max_length=20)
    graph = tf.function(lambda: search(step, (Shared(lengths), tf.zeros([20], tf.int32)), tf.constant(20), config))
    found = graph()
    assert [written(row) for row in found.tokens.numpy()] == [[A] * length for length in lengths.numpy().tolist()]
    assert found.scores.numpy() == pytest.approx(0.0)
