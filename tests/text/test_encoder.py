"""Remembering words gives the input_ids of the tokenizer itself, whatever stands in a text."""

from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from get_tags_train.text import encoder as text_encoder
from get_tags_train.text.clean import clean_text
from get_tags_train.text.encoder import CleanTextEncoder

PIECES = ["jude", "##cat", "##ul", "lege", "a", "##a", "##b", "b", ".", ",", "(", ")", "1", "##2", "s", "t", "漢"]
WORDS = [
    "judecatul", "Judecătul", "lege", "LEGE.", "(a)", "a,b", "ab" * 60, "12", "[SEP]", "a[MASK]b", "漢a", "\u0301",
    "\u0378", "necunoscut", "art-b", "\ue000",
]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=6)), max_size=25).map(
    lambda words: clean_text("\n".join(" ".join(words[n : n + 4]) for n in range(0, len(words), 4)))
)


def bert(normalizer: normalizers.Normalizer | None = None) -> Tokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend = Tokenizer(models.WordPiece({p: n for n, p in enumerate(special + PIECES)}, unk_token="[UNK]"))
    backend.normalizer = normalizer or normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    backend.add_special_tokens(special)
    return backend


def with_added_words() -> Tokenizer:
    backend = bert()
    backend.add_tokens([AddedToken("art-b", single_word=True), AddedToken("cod", lstrip=True, rstrip=True)])
    return backend


def with_an_added_phrase() -> Tokenizer:
    backend = bert()
    backend.add_tokens(["lege a"])
    return backend


def without_special_tokens() -> Tokenizer:
    backend = bert()
    backend.post_processor = processors.TemplateProcessing("$A", None, [])
    return backend


def joining_words() -> Tokenizer:
    return bert(normalizers.Sequence([normalizers.Replace("a b", "b"), normalizers.BertNormalizer()]))


def cased() -> Tokenizer:
    return bert(normalizers.Sequence([normalizers.NFKC(), normalizers.BertNormalizer(lowercase=False)]))


TOKENIZERS = [bert, cased, with_added_words, with_an_added_phrase, without_special_tokens, joining_words]


@pytest.mark.parametrize("make", TOKENIZERS)
@settings(max_examples=60, deadline=None)
@given(pages=st.lists(st.lists(texts, max_size=5), max_size=3), context_length=st.sampled_from([3, 8, 40]))
def test_a_column_is_encoded_as_its_texts_are(
    make: Callable[[], Tokenizer], pages: list[list[str]], context_length: int
) -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=make())
    encoder = CleanTextEncoder(tokenizer, context_length)
    for page in pages:
        expected = [tokenizer(text, truncation=True, max_length=context_length)["input_ids"] for text in page]
        assert encoder(pa.array(page, pa.string())).to_pylist() == expected


def test_an_added_phrase_is_found_where_a_long_text_would_be_cut() -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=with_an_added_phrase())
    text = "lege " + "ab" * 60
    expected = tokenizer(text, truncation=True, max_length=3)["input_ids"]
    assert CleanTextEncoder(tokenizer, 3)(pa.array([text])).to_pylist() == [expected]


def test_a_slice_of_a_column_is_encoded_for_itself() -> None:
    encoder = CleanTextEncoder(PreTrainedTokenizerFast(tokenizer_object=bert()))
    column = pa.array(["lege", "a b", "judecatul a", ""])
    assert encoder(column[1:3]).to_pylist() == encoder(column).to_pylist()[1:3]


def test_a_full_memory_of_words_is_emptied_and_filled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_encoder, "_MOST_WORDS", 2)
    encoder = CleanTextEncoder(PreTrainedTokenizerFast(tokenizer_object=bert()))
    page = pa.array(["lege a b", "judecatul"])
    assert encoder(page).equals(encoder(page))


@pytest.mark.parametrize(
    ("text", "context_length"),
    [("a " * 400, 20), ("necunoscut" * 30 + " a" * 20, 8), ("\u0301 " * 60 + "a", 4), ("x" * 500, 4)],
)
def test_a_long_text_is_read_as_far_as_its_tokens_need(text: str, context_length: int) -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bert())
    encoder, text = CleanTextEncoder(tokenizer, context_length), clean_text(text)
    expected = tokenizer(text, truncation=True, max_length=context_length)["input_ids"]
    assert encoder(pa.array(["b", text])).to_pylist()[1] == expected
