"""Out-of-fold evidence: no document by a model that saw it, bounded candidates, folds that are not done twice."""

from pathlib import Path

import numpy as np
import pytest
from corpora import REMOVED, data
from databases import silent
from prepared import prepared, texts_of

from get_tags_train.core.errors import InputError
from get_tags_train.review.out_of_fold import FOLDS, BertLogits, Corpus, Evidence, collect, folds_of


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus.read(data(tmp_path_factory.mktemp("home")), seed=1)


@pytest.fixture(scope="module")
def evidence(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return collect(corpus, tmp_path_factory.mktemp("folds"), seed=1, on_event=silent)[0]


def test_near_duplicates_share_a_fold() -> None:
    groups = np.array([0, 1, 0, 3, 1, 5, 6, 7, 8, 9])
    folds = folds_of(groups, seed=1)
    assert folds[0] == folds[2]
    assert folds[1] == folds[4]
    assert set(folds.tolist()) == set(range(FOLDS))


def test_every_given_tag_is_a_candidate(corpus: Corpus, evidence: Evidence) -> None:
    assert evidence.is_given.sum() == corpus.tags.nnz
    assert (corpus.tags[evidence.document, evidence.tag].A1 > 0).tolist() == evidence.is_given.tolist()


def test_weights_stand_for_all_pairs(corpus: Corpus, evidence: Evidence) -> None:
    assert evidence.weight.sum() == pytest.approx(corpus.tags.shape[0] * corpus.tags.shape[1], rel=0.05)


def test_a_removed_tag_is_found_by_each_score(evidence: Evidence, corpus: Corpus) -> None:
    own = (evidence.document == REMOVED[0]) & ~evidence.is_given & (evidence.weight <= 1)
    best = evidence.tag[own][np.argmax(evidence.linear[own])]
    assert evidence.tag[own][np.argmax(evidence.nearest[own])] == best
    assert evidence.linear[own].max() > 0.5


def test_a_label_says_nothing_of_its_own_document(corpus: Corpus, evidence: Evidence, tmp_path: Path) -> None:
    changed = corpus.tags.tolil()
    changed[3] = 0
    changed[3, 0] = 1
    other = Corpus(corpus.tfidf, corpus.features, changed.tocsr(), corpus.folds)
    again = collect(other, tmp_path, seed=1, on_event=silent)[0]
    scores = {int(tag): score for tag, score in zip(evidence.tag, evidence.linear, strict=True)}
    before = dict(zip(*(getattr(evidence, name)[evidence.document == 3] for name in ("tag", "linear")), strict=True))
    after = dict(zip(*(getattr(again, name)[again.document == 3] for name in ("tag", "linear")), strict=True))
    common = set(before) & set(after)
    assert scores and len(common) > 3
    assert [after[tag] for tag in common] == pytest.approx([before[tag] for tag in common], abs=1e-4)


def test_folds_that_are_done_are_kept(corpus: Corpus, tmp_path: Path) -> None:
    first = collect(corpus, tmp_path, seed=1, on_event=silent)[0]
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (tmp_path / "fold-2.npz").unlink()
    again = collect(corpus, tmp_path, seed=1, on_event=silent)[0]
    assert {p for p, t in times.items() if p.stat().st_mtime_ns != t} == {tmp_path / "fold-2.npz"}
    assert np.array_equal(first.linear, again.linear)


def test_a_bert_adds_its_logits(corpus: Corpus, tmp_path: Path) -> None:
    documents = corpus.tags.shape[0]
    bert = BertLogits(np.tile(np.array([[2, 5]], np.int32), (documents, 1)), np.full((documents, 2), -1, np.float32))
    found = collect(corpus, tmp_path, seed=1, on_event=silent, bert=bert)[0]
    assert set(found.bert.tolist()) == {-1.0}


def test_too_few_documents_are_refused(tmp_path: Path) -> None:
    few = prepared(tmp_path, [(n, text, ["a"]) for n, text in enumerate(texts_of(20))])
    with pytest.raises(InputError, match="only 20 documents"):
        Corpus.read(few, seed=1)
