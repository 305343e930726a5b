"""Clean text -> input_ids for columns of documents, as fast as a machine with few cores allows."""

import json
from collections.abc import Sequence
from itertools import chain, repeat

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from get_tags_train.text.tokenizer import MAX_CONTEXT_LENGTH, own_normalizer

# More than nearly all text has on average; a text that has more is read whole.
_CHARACTERS_PER_TOKEN = 6
# Words whose tokens are remembered, about 150 bytes each; a fuller memory is emptied.
_MOST_WORDS = 200_000
# With these parts what becomes of a word never depends on the words around it.
_WORD_MODELS = {"WordPiece", "WordLevel"}
_WORD_SPLITTERS = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Punctuation", "Digits"}
_WORD_NORMALIZERS = {"BertNormalizer", "Lowercase", "StripAccents", "NFC", "NFD", "NFKC", "NFKD"}


class CleanTextEncoder:
    """Encode columns of clean texts; the same input_ids as the tokenizer gives, whose text rules would find nothing.

    Of a long text only as much is read as its first tokens need. Where the tokenizer takes text word by word, as
    BERT's does, each different word is tokenised once and remembered. To be used by one thread.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, context_length: int = MAX_CONTEXT_LENGTH) -> None:
        self.backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self.backend.normalizer = own_normalizer(self.backend)
        self.backend.enable_truncation(context_length)
        self._context_length = context_length
        splitter = self.backend.pre_tokenizer
        # Where words are tokenised one by one, the tokens of a beginning are the beginning of the tokens.
        parts_words = splitter is not None and len(splitter.pre_tokenize_str("a b")) > 1
        self._word_by_word = parts_words and not _has_phrases(self.backend)
        self._words = _Words(self.backend) if _only_words_matter(self.backend) else None

    def __call__(self, clean_texts: pa.StringArray) -> pa.ListArray:
        """input_ids of each text as list<int32>, special tokens included, at most `context_length` of them."""
        beginnings = self.beginnings(clean_texts)
        rows = self._encode(beginnings)
        is_cut = pc.less(pc.binary_length(beginnings), pc.binary_length(clean_texts))
        ran_out = pc.and_(is_cut, pc.less(pc.list_value_length(rows), self._context_length))
        if not pc.any(ran_out).as_py():
            return rows
        whole = self._encode(clean_texts.filter(ran_out))
        places = np.arange(len(rows))
        places[ran_out.to_numpy(zero_copy_only=False)] = len(rows) + np.arange(len(whole))
        return pa.concat_arrays([rows, whole]).take(pa.array(places))

    def beginnings(self, clean_texts: pa.StringArray) -> pa.StringArray:
        """As much of each text, in whole words, as the context nearly always needs."""
        if not self._word_by_word:
            return clean_texts
        characters = self._context_length * _CHARACTERS_PER_TOKEN
        is_long = pc.greater(pc.utf8_length(clean_texts), characters)
        if not pc.any(is_long).as_py():
            return clean_texts
        sliced = pc.utf8_slice_codeunits(clean_texts.filter(is_long), 0, characters)
        return pc.replace_with_mask(clean_texts, is_long, pc.replace_substring_regex(sliced, r"[^ \n]*$", ""))

    def texts_read(self, clean_texts: pa.StringArray) -> list[str]:
        """As much of each text as its input_ids stand for; for few texts, as it takes longer than encoding them."""
        texts = clean_texts.to_pylist()
        encodings = self.backend.encode_batch([text.replace("\n", " ") for text in texts])
        return [
            text[: max(end for _start, end in encoding.offsets)] if encoding.overflowing else text
            for text, encoding in zip(texts, encodings, strict=True)
        ]

    def _encode(self, texts: pa.StringArray) -> pa.ListArray:
        if self._words is not None:
            return self._words.encode(texts, self._context_length)
        encodings = self.backend.encode_batch_fast(pc.replace_substring(texts, "\n", " ").to_pylist())
        return _list_array([encoding.ids for encoding in encodings])


def _list_array(rows: Sequence[Sequence[int]]) -> pa.ListArray:
    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, np.fromiter(chain.from_iterable(rows), np.int32, offsets[-1]))


def _only_words_matter(backend: Tokenizer) -> bool:
    """Whether the tokens of a text are those of its words, as white space parts them, one after the other."""
    parts = json.loads(backend.to_str())
    steps = {"normalizer": _WORD_NORMALIZERS, "pre_tokenizer": _WORD_SPLITTERS}
    for step, known in steps.items():
        part = parts[step]
        listed = [] if part is None else part.get("normalizers") or part.get("pretokenizers") or [part]
        if not {entry["type"] for entry in listed} <= known:
            return False
    is_known = parts["pre_tokenizer"] is not None and parts["model"]["type"] in _WORD_MODELS
    return is_known and not _has_phrases(backend)


def _has_phrases(backend: Tokenizer) -> bool:
    """Whether a token was added that reaches over white space, as no other does."""
    added = [token.content for token in backend.get_added_tokens_decoder().values()]
    return any(content.split() != [content] for content in added)


class _Words:
    """The tokens of the words met so far, in one array, word after word."""

    def __init__(self, backend: Tokenizer) -> None:
        self._backend = backend
        opened, bare = backend.encode("a").ids, backend.encode("a", add_special_tokens=False).ids
        place = next(n for n in range(len(opened)) if opened[n : n + len(bare)] == bare)
        self._before, self._after = opened[:place], opened[place + len(bare) :]
        self._forget()

    def _forget(self) -> None:
        self._number_of: dict[str, int] = {}
        self._tokens = np.zeros(0, np.int32)
        self._starts = self._counts = np.zeros(0, np.int64)

    def encode(self, texts: pa.StringArray, context_length: int) -> pa.ListArray:
        """input_ids of each text; of the tokens of its words as many as fit between the special tokens.

        The words of all texts stand in one row, and so do their tokens. For the texts "ab c" and "c", where ab has the
        tokens 7 8, c has the token 9, and 2 fit:

            words                                     ab   c  | c
            counts: tokens of each                    2    1  | 1
            before: tokens of its text before it      0    2  | 0
            kept: those of them that fit              2    0  | 1
            tokens                                    7 8     | 9
        """
        split = pc.ascii_split_whitespace(texts)
        text_bounds = split.offsets.to_numpy().astype(np.int64)  # in words
        encoded = split.values.slice(text_bounds[0], text_bounds[-1] - text_bounds[0]).dictionary_encode()
        text_bounds -= text_bounds[0]
        words = self._numbers(encoded.dictionary.to_pylist())[encoded.indices.to_numpy()]
        counts = self._counts[words]
        so_far = _running_total(counts)
        before = so_far[:-1] - np.repeat(so_far[text_bounds[:-1]], np.diff(text_bounds))
        kept = np.clip(context_length - len(self._before) - len(self._after) - before, 0, counts)
        tokens = self._tokens[_ranges(self._starts[words], kept)]
        return self._between_special_tokens(tokens, _running_total(kept)[text_bounds])

    def _numbers(self, words: list[str]) -> NDArray[np.int64]:
        """Each word's place in starts and counts; new words are tokenised, all at once."""
        if len(self._number_of) > _MOST_WORDS:
            self._forget()
        known = self._number_of
        numbers = np.fromiter(map(known.get, words, repeat(-1)), np.int64, len(words))
        unknown = np.flatnonzero(numbers < 0)
        if len(unknown):
            new = [words[n] for n in unknown]
            numbers[unknown] = range(len(known), len(known) + len(new))
            known.update(zip(new, numbers[unknown].tolist(), strict=True))
            rows = [row.ids for row in self._backend.encode_batch_fast(new, add_special_tokens=False)]
            counts = np.fromiter(map(len, rows), np.int64, len(rows))
            starts = len(self._tokens) + np.cumsum(counts) - counts
            tokens = np.fromiter(chain.from_iterable(rows), np.int32, counts.sum())
            self._tokens = np.concatenate([self._tokens, tokens])
            self._starts = np.concatenate([self._starts, starts])
            self._counts = np.concatenate([self._counts, counts])
        return numbers

    def _between_special_tokens(self, tokens: NDArray[np.int32], bounds: NDArray[np.int64]) -> pa.ListArray:
        """A row for each text: tokens[bounds[n] : bounds[n + 1]], with the special tokens around them."""
        opening, closing = len(self._before), len(self._after)
        offsets = bounds + (opening + closing) * np.arange(len(bounds))
        input_ids = np.empty(offsets[-1], np.int32)
        is_special = np.zeros(len(input_ids), bool)
        places = [(offsets[:-1] + n, token) for n, token in enumerate(self._before)]
        places += [(offsets[1:] - closing + n, token) for n, token in enumerate(self._after)]
        for place, token in places:
            input_ids[place] = token
            is_special[place] = True
        input_ids[~is_special] = tokens
        return pa.ListArray.from_arrays(offsets.astype(np.int32), input_ids)


def _running_total(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """What stands before each, and in all: [2, 1] gives [0, 2, 3]."""
    return np.concatenate([[0], np.cumsum(counts)])


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """So many numbers from each start on: [5, 0] and [2, 3] give [5, 6, 0, 1, 2]."""
    total = _running_total(counts)
    return np.repeat(starts - total[:-1], counts) + np.arange(total[-1])
