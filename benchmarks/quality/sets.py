"""The real sets of ../shared/data as arrays: clean texts, tags of the training documents, the part of each."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from get_tags_train.data.near_duplicates import group_texts
from get_tags_train.splits.training_set import TrainingSet
from get_tags_train.text.clean import clean_text
from get_tags_train.text.encoder import CleanTextEncoder
from get_tags_train.text.shingles import shingle
from get_tags_train.text.tags import normalise_tag
from get_tags_train.text.tokenizer import load_tokenizer
from get_tags_train.training.batches import Documents, _Lists

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
_WORD = re.compile(r"[^\W\d_]+")
# Where a set has no validation split, this share of its training documents selects.
_SELECTING = 0.1
# What is kept of a document: four windows of 512 and more.
_TOKENS = 2_048


@dataclass(frozen=True)
class RealSet:
    """Documents of one set: places of those that train, select and test in `texts`.

    labels: (documents, tags of the training documents); true_counts: (documents,) tags, unknown ones included;
    groups: (test documents,) near-duplicates share a number.
    """

    name: str
    texts: list[str]
    tags: list[str]
    labels: NDArray[np.bool_]
    true_counts: NDArray[np.int64]
    train: NDArray[np.int64]
    selecting: NDArray[np.int64]
    test: NDArray[np.int64]
    unknown_tags: int

    @property
    def groups(self) -> NDArray[np.int64]:
        """Which test documents are nearly the same."""
        return group_texts(shingle([self.texts[row] for row in self.test]))

    @property
    def counts(self) -> NDArray[np.int64]:
        """(tags,) training documents of each."""
        counts: NDArray[np.int64] = self.labels[self.train].sum(axis=0)
        return counts

    def documents(self, base_model: str, context_length: int) -> tuple[Documents, TrainingSet]:
        """The documents as the product's learner reads them."""
        tokenizer = load_tokenizer(base_model)
        examples = TrainingSet(self.train, self.tags, self.counts.tolist(), np.arange(len(self.tags)))
        numbers = pa.array([np.flatnonzero(row).astype(np.int32) for row in self.labels], pa.list_(pa.int32()))
        input_ids = CleanTextEncoder(tokenizer, _TOKENS)(pa.array(self.texts))
        lists = (_Lists([numbers]), _Lists([input_ids]))
        pad, length = tokenizer.pad_token_id, context_length
        return Documents(*lists, examples, pad_token_id=pad, context_length=length), examples

    def reduced(self, share: float) -> "RealSet":
        """The same without words that stand in this share of the training documents, and without marks and digits."""
        words = [_WORD.findall(text) for text in self.texts]
        seen = Counter(word for row in self.train for word in {word.lower() for word in words[row]})
        common = {word for word, documents in seen.items() if documents >= share * len(self.train)}
        return replace(self, texts=[" ".join(w for w in own if w.lower() not in common) or "-" for own in words])

    def with_tags_on(self, least_documents: int) -> "RealSet":
        """The same without the tags that fewer training documents have."""
        kept = np.flatnonzero(self.counts >= least_documents)
        return replace(self, tags=[self.tags[n] for n in kept], labels=self.labels[:, kept])

    def cut(self, base_model: str, context_length: int) -> "RealSet":
        """The same with each text ended where a model with this context stops reading."""
        encoded = load_tokenizer(base_model)(
            self.texts, truncation=True, max_length=context_length, return_offsets_mapping=True
        )
        ends = [offsets[-2][1] for offsets in encoded["offset_mapping"]]  # the closing token stands last
        return replace(self, texts=[text[:end] for text, end in zip(self.texts, ends, strict=True)])


def read(name: str, train_limit: int = 0, test_limit: int = 0) -> RealSet:
    """One set, by its folder or its name in ../shared/data.

    Of a larger one only so many documents of each split, drawn by a fixed chance (0: all).
    """
    folder = Path(name) if Path(name).is_dir() else DATA / name
    frame = pd.read_parquet(folder / "documents.parquet")
    frame["text"] = [clean_text(text) for text in frame["text"]]
    frame["tags"] = [sorted({normalise_tag(tag) for tag in row}) for row in frame["tags"]]
    frame = frame.drop_duplicates("text", keep="last").reset_index(drop=True)  # the test split comes last
    chance = np.random.default_rng(6)
    places = {split: chance.permutation(np.flatnonzero(frame["split"] == split)) for split in ("train", "test")}
    selecting = np.flatnonzero(frame["split"] == "validation")
    train, test = places["train"], np.sort(places["test"][: test_limit or None])
    if not len(selecting):
        most = train_limit or len(train)
        selecting, train = train[: int(most * _SELECTING)], train[int(most * _SELECTING) :]
    elif train_limit:
        selecting = chance.permutation(selecting)[: train_limit // 4]
    train = np.sort(train[: train_limit or None])
    tags = sorted({tag for row in frame["tags"][train] for tag in row})
    place = {tag: n for n, tag in enumerate(tags)}
    labels = np.zeros((len(frame), len(tags)), bool)
    for row, own in enumerate(frame["tags"]):
        labels[row, [place[tag] for tag in own if tag in place]] = True
    unknown = {tag for row in frame["tags"][test] for tag in row} - place.keys()
    true_counts = np.array([len(row) for row in frame["tags"]], np.int64)
    return RealSet(folder.name, frame["text"].tolist(), tags, labels, true_counts, train, selecting, test, len(unknown))
