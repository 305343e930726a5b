"""Where to look in a text."""

from pathlib import Path

import numpy as np
from corpora import data, documents

from get_tags_train.review.out_of_fold import Corpus
from get_tags_train.review.passages import Passages


def test_the_passage_speaks_for_the_tag(tmp_path: Path) -> None:
    stored = data(tmp_path)
    corpus = Corpus.read(stored, seed=1)
    text = documents()[0][1] + " " + " ".join(f"cuvânt{n}" for n in range(200))
    [tag, *_] = [tag for tag in documents()[0][2] if tag in text]
    found = Passages(corpus).find(0, stored.tags.index(tag), text)
    assert found.count(tag) >= 4
    assert len(found) < 170
    assert found.endswith(" …")


def test_a_text_without_a_word_for_the_tag_shows_its_beginning(tmp_path: Path) -> None:
    stored = data(tmp_path)
    passages = Passages(Corpus.read(stored, seed=1))
    assert passages.find(0, 0, "necunoscut") == "necunoscut"
    assert np.all([len(passages.find(0, 0, "necunoscut " * 40)) < 170])
