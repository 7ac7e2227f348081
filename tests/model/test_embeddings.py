"""Token vectors from files in the form of word2vec and GloVe."""

from pathlib import Path

import numpy as np
import pytest

from model.architectures import build_model
from model.config import ModelConfig
from model.embeddings import Vectors, fill, read_vectors
from pipeline.errors import InputError
from pipeline.vocabulary import Vocabulary, VocabularyConfig, train_vocabulary

GLOVE = "rain 1 2 3 4\nsnow 0.5 -1e-1 0 2\n. . . 9 9 9 9\nrain 7 7 7 7\n"


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    texts = ["rain snow", "snow rain", "rain", "snow", "train", "brain"] * 5
    return Vocabulary(train_vocabulary(VocabularyConfig(size=22, character_coverage=1), texts))


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "vectors.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def by_piece(found: Vectors, vocabulary: Vocabulary) -> dict[str, list[float]]:
    return {vocabulary.piece(token): row.tolist() for token, row in zip(found.tokens, found.values, strict=True)}


@pytest.mark.parametrize("header", ["", "4 4\n"])
@pytest.mark.parametrize("end", ["\n", " \n", "\r\n"])
def test_pieces_are_found_with_and_without_the_mark_of_a_word(
    tmp_path: Path, vocabulary: Vocabulary, header: str, end: str
) -> None:
    text = (header + GLOVE).replace("\n", end)
    found = by_piece(read_vectors(write(tmp_path, text), vocabulary, 4), vocabulary)
    snow = np.float32([0.5, -0.1, 0, 2]).tolist()
    pieces = {vocabulary.piece(token) for token in range(vocabulary.size)}
    assert {"▁rain", "▁snow", "rain"} <= pieces
    expected = {"▁rain": [1, 2, 3, 4], "rain": [1, 2, 3, 4], "▁snow": snow, "snow": snow}
    assert found == {piece: row for piece, row in expected.items() if piece in pieces}


def test_a_piece_as_it_is_spelt_comes_first(tmp_path: Path, vocabulary: Vocabulary) -> None:
    found = by_piece(read_vectors(write(tmp_path, "rain 1\n▁rain 2\n"), vocabulary, 1), vocabulary)
    assert found == {"rain": [1], "▁rain": [2]}


def test_control_symbols_keep_their_vectors(tmp_path: Path, vocabulary: Vocabulary) -> None:
    found = read_vectors(write(tmp_path, "<s> 1\n</s> 1\n<unk> 1\n<pad> 1\nrain 2\n"), vocabulary, 1)
    assert found.tokens.min() > 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rain 1 2 3 4\nsnow 1 2 3\n", r"= .*, line 2: .*expected a token and 4 numbers.*\(it has 4 fields\)"),
        ("rain 1 2 3 4\nsnow 1 2 3 4 5\n", r"= .*, line 2: .*\(it has 6 fields\)"),
        ("rain 1 2 3 4\n\nsnow 1 2 3 4\n", r"= .*, line 2: .*\(it has 1 fields\)"),
        ("9 3\nrain 1 2 3\n", r"= .*, line 1: .*\(its first line promises 3 numbers\)"),
        ("9 4\nrain 1 2 x 4\n", r"= .*, line 2: .*\(could not convert string to float: 'x'\)"),
        ("rain 1 2 nan 4\n", r"= .*, line 1: .*\(one of them is not finite\)"),
        ("hail 1 2 3 4\n", r"vectors = .*: expected vectors of tokens that the vocabulary has"),
        ("", r"vectors = .*: expected vectors of tokens that the vocabulary has"),
        (b"rain 1 2 3 4\nsn\xffw 1 2 3 4\n", r"vectors = .*: expected UTF-8"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(
    tmp_path: Path, vocabulary: Vocabulary, text: str | bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_vectors(write(tmp_path, text), vocabulary, 4)


def test_a_missing_file_is_named(tmp_path: Path, vocabulary: Vocabulary) -> None:
    with pytest.raises(
        InputError, match=r"train.vectors = .*none.txt: expected a text file of token vectors \(No such"
    ):
        read_vectors(tmp_path / "none.txt", vocabulary, 4)


@pytest.mark.parametrize("is_frozen", [False, True])
def test_vectors_fill_the_rows_of_one_side(is_frozen: bool) -> None:
    model = build_model(ModelConfig(embedding_size=4, tied=False, attention="none"), vocabulary=10, seed=1)
    before = {side: table.numpy() for side, table in model.tables.items()}
    fill(model, Vectors(np.array([5, 7]), np.ones((2, 4), np.float32)), "source", is_frozen=is_frozen)
    after = {side: table.numpy() for side, table in model.tables.items()}
    assert (after["source"][[5, 7]] == 1).all()
    others = np.setdiff1d(np.arange(10), [5, 7])
    assert np.array_equal(after["source"][others], before["source"][others])
    for side in ("target", "output"):
        assert np.array_equal(after[side], before[side])
    assert list(model.frozen) == ([model.tables["source"].path] if is_frozen else [])
