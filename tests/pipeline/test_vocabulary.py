import io
from functools import cache

import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.vocabulary import BOS, EOS, PAD, UNK, Vocabulary, VocabularyConfig, train_vocabulary

TEXT = ["Light rain in the evening.", "Rain tonight.", "Pluie faible dans la soirée."] * 20


def learn(**fields):
    return train_vocabulary(VocabularyConfig(size=60, character_coverage=1.0, **fields), TEXT)


@cache
def learn_once(model_type):
    size = {"bpe": 60, "unigram": 30}[model_type]
    return train_vocabulary(VocabularyConfig(size=size, character_coverage=1.0, model_type=model_type), TEXT)


@pytest.mark.parametrize(("model_type", "size"), [("bpe", 60), ("unigram", 30)])
def test_text_survives_encoding(model_type, size):
    vocabulary = Vocabulary(
        train_vocabulary(VocabularyConfig(size=size, character_coverage=1.0, model_type=model_type), TEXT)
    )
    assert vocabulary.size == size
    assert vocabulary.decode(vocabulary.encode(TEXT[:3])) == TEXT[:3]


def test_control_symbols_have_the_promised_ids():
    vocabulary = Vocabulary(learn())
    assert [vocabulary.piece(token) for token in (PAD, UNK, BOS, EOS)] == ["<pad>", "<unk>", "<s>", "</s>"]
    assert vocabulary.encode(["Light 雪"])[0].count(UNK) == 1


def test_the_same_text_gives_the_same_bytes_in_any_folder(monkeypatch, tmp_path):
    here = learn()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert learn() == here
    assert b".tsv" not in here


@pytest.mark.parametrize(("size", "allowed"), [(8000, r"at most \d+ "), (16, r"more than \d+ ")])
@pytest.mark.parametrize("model_type", ["bpe", "unigram"])
def test_a_size_that_the_text_does_not_allow(size, allowed, model_type):
    with pytest.raises(InputError, match=f"vocabulary.size = {size}: expected {allowed}"):
        train_vocabulary(VocabularyConfig(size=size, character_coverage=1.0, model_type=model_type), TEXT)


def test_the_largest_size_that_is_named_works():
    with pytest.raises(InputError) as caught:
        train_vocabulary(VocabularyConfig(size=8000, character_coverage=1.0), TEXT)
    largest = int(caught.value.allowed.removeprefix("at most "))
    assert Vocabulary(train_vocabulary(VocabularyConfig(size=largest, character_coverage=1.0), TEXT)).size == largest


@given(
    st.lists(
        st.text(st.sampled_from([*"Light rain.soé", "雪", "\u00a0", "\u3000", "\u2581", "\x1c", "\n", "\0", "🙂"]))
    )
)
@settings(deadline=None)
@pytest.mark.parametrize("model_type", ["bpe", "unigram"])
def test_columns_are_encoded_as_sentences_are(model_type, sentences):
    vocabulary = Vocabulary(learn_once(model_type))
    column = vocabulary.encode_column(pa.array([*sentences, *TEXT], pa.large_string()))
    assert column.to_pylist() == vocabulary.encode([*sentences, *TEXT])
    assert vocabulary.is_of_words == (model_type == "bpe")


@pytest.mark.parametrize("odd", ["split_by_whitespace", "add_dummy_prefix", "remove_extra_whitespaces"])
def test_models_whose_words_depend_on_their_sentence_are_seen(odd):
    model = io.BytesIO()
    learn = {"vocab_size": 60, "model_type": "bpe", odd: False, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXT), model_writer=model, **learn)
    vocabulary = Vocabulary(model.getvalue())
    assert not vocabulary.is_of_words
    assert vocabulary.encode_column(pa.array(TEXT, pa.large_string())).to_pylist() == vocabulary.encode(TEXT)


def test_a_file_that_is_no_vocabulary(tmp_path):
    (tmp_path / "vocabulary.model").write_bytes(b"not a model")
    with pytest.raises(InputError, match="expected a SentencePiece model"):
        Vocabulary.load(tmp_path / "vocabulary.model")
    (tmp_path / "vocabulary.model").write_bytes(b"")
    with pytest.raises(InputError, match=r"ids 0 to 3 for padding, unknown, beginning and end \(it is empty\)"):
        Vocabulary.load(tmp_path / "vocabulary.model")
    with pytest.raises(InputError, match=r"expected a SentencePiece model \(No such file or directory\)"):
        Vocabulary.load(tmp_path / "another.model")


def test_a_model_that_was_made_elsewhere(tmp_path):
    model = io.BytesIO()  # with SentencePiece's own ids: unknown is 0, the beginning 1, the end 2, padding none
    given = {"vocab_size": 29, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXT), model_writer=model, **given)
    (tmp_path / "vocabulary.model").write_bytes(model.getvalue())
    with pytest.raises(InputError, match=r"vocabulary = .*ids 0 to 3 for padding.*\(it was made elsewhere\)"):
        Vocabulary.load(tmp_path / "vocabulary.model")


def test_any_white_space_is_a_space():
    vocabulary = Vocabulary(learn())
    odd, plain = vocabulary.encode(["Light\u00a0rain\u2009in  the\u3000 evening. ", "Light rain in the evening."])
    assert odd == plain


def test_nothing_that_cleaning_left_is_rewritten():
    text = ["下午有小雨，晚上有雾。", "بارش‌های پراکنده", "Ｆｕｌｌ ﬁn ①"] * 20
    vocabulary = Vocabulary(train_vocabulary(VocabularyConfig(size=70, character_coverage=1.0), text))
    assert vocabulary.decode(vocabulary.encode(text[:3])) == text[:3]
