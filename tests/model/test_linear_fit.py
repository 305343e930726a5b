"""The linear reader: it learns what words tell, as well as LinearSVC, within its limits of memory."""

from pathlib import Path

import numpy as np
import pytest
from databases import settings_for, silent
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from get_tags_train.core.events import Event, StageProgress
from get_tags_train.data.extract import extract
from get_tags_train.data.prepared import PreparedData
from get_tags_train.evaluation.predictions import Predictions
from get_tags_train.metrics.ranking import precision_at_k
from get_tags_train.model import linear_fit as stage
from get_tags_train.model.linear_fit import FittedReader, fit_linear
from get_tags_train.model.linear_reader import LinearReader
from get_tags_train.splits.eval_set import EvalSet
from get_tags_train.splits.held_out import texts_and_labels
from get_tags_train.splits.test_samples import Samples
from get_tags_train.splits.training_set import TrainingSet, choose_training_set, text_batches

NONE = np.zeros(0, np.int64)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, demo_home: Path) -> PreparedData:
    home = tmp_path_factory.mktemp("baseline")
    base_model = str(demo_home / "demo_bert")
    settings = settings_for(home, url=f"sqlite:///{demo_home / 'demo.db'}", training={"base_model": base_model})
    return PreparedData(Path(extract(settings, silent).path))


@pytest.fixture(scope="module")
def training_set(data: PreparedData) -> TrainingSet:
    return choose_training_set(data, np.zeros(data.manifest.documents_kept, bool), 1)


@pytest.fixture(scope="module")
def few(training_set: TrainingSet) -> TrainingSet:
    return TrainingSet(training_set.rows[:100], training_set.tags, training_set.counts, training_set.label_of)


def fitted(
    data: PreparedData, training_set: TrainingSet, *, held_out: np.ndarray = NONE, on_event: object = silent
) -> FittedReader:
    parts = (text_batches(data, training_set, rows) for rows in (training_set.rows, held_out))
    return fit_linear(*parts, len(training_set.tags), seed=1, on_event=on_event)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def linear(data: PreparedData, training_set: TrainingSet) -> LinearReader:
    return fitted(data, training_set).linear


def precision_at_1(linear: LinearReader, demo_home: Path, tags: list[str]) -> float:
    test_set = EvalSet.of_samples(Samples.read(demo_home / "test_samples_tags.csv"))
    predictions = Predictions.of(test_set, tags, linear.scores(test_set.texts))
    return precision_at_k(predictions.y_true, predictions.y_score, 1)[0]


def margins(linear: LinearReader, texts: list[str]) -> np.ndarray:
    return linear.margins(linear.tfidf.features(texts))


def test_it_learns_which_words_tell_which_tags(
    demo_home: Path, training_set: TrainingSet, linear: LinearReader
) -> None:
    assert precision_at_1(linear, demo_home, training_set.tags) > 0.8


def test_with_working_sets_and_the_least_memory_it_learns_as_well(
    data: PreparedData,
    demo_home: Path,
    training_set: TrainingSet,
    linear: LinearReader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stage, "_MOST_WORK", 0)
    monkeypatch.setattr(stage, "MOST_DENSE", 0)
    monkeypatch.setattr(stage, "_BLOCK_WEIGHTS", 1)  # a tag at a time
    found = fitted(data, training_set).linear
    whole, few = (precision_at_1(each, demo_home, training_set.tags) for each in (linear, found))
    assert few > max(0.8, whole - 0.02)


def test_its_margins_are_those_of_tfidf_and_linear_svc(
    data: PreparedData, few: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_C_TRIED", (1.0,))
    found = fitted(data, few).linear
    mask = np.zeros(data.manifest.documents_kept, bool)
    mask[few.rows] = True
    texts, labels = texts_and_labels(data, mask)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    tag = max(few.tags, key=lambda own: min(sum(own in row for row in labels), 50))
    svm = LinearSVC(random_state=1).fit(vectorizer.fit_transform(texts), [tag in row for row in labels])
    others = ["Legea fondului funciar", *texts[:5]]
    expected = svm.decision_function(vectorizer.transform(others))
    # A little apart: LinearSVC's bias costs something.
    assert margins(found, others)[:, few.tags.index(tag)] == pytest.approx(expected, abs=0.06)


def test_with_held_out_documents_its_scores_are_probabilities(data: PreparedData, training_set: TrainingSet) -> None:
    rows = training_set.rows
    some = TrainingSet(rows[200:], training_set.tags, training_set.counts, training_set.label_of)
    found = fitted(data, some, held_out=rows[:200])
    labels = found.held_out.labels.toarray()
    texts = [text for part, _labels in text_batches(data, some, rows[:200]) for text in part]
    scores = found.linear.scores(texts)
    assert scores.sum() == pytest.approx(labels.sum(), rel=0.1)
    assert ((scores >= found.linear.thresholds) == labels).mean() > 0.97


def test_the_same_seed_gives_the_same_model(data: PreparedData, few: TrainingSet) -> None:
    one, again = (fitted(data, few).linear.scores(["Legea"]) for _ in range(2))
    assert np.array_equal(one, again)


def test_progress_ends_with_all_tags(data: PreparedData, few: TrainingSet) -> None:
    events: list[Event] = []
    fitted(data, few, on_event=events.append)
    assert [event.done for event in events if isinstance(event, StageProgress)][-1] == len(few.tags)


def test_only_the_documents_it_is_given_are_learned(data: PreparedData, few: TrainingSet) -> None:
    assert fitted(data, few).linear.documents == 100


def test_of_more_weights_than_it_may_hold_the_strongest_stay(
    data: PreparedData, few: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_C_TRIED", (1.0,))
    whole = fitted(data, few).linear.weights.toarray()
    monkeypatch.setattr(stage, "_MOST_WEIGHTS", 10 * len(few.tags))
    found = fitted(data, few).linear.weights.toarray()
    for own, kept in zip(whole.T, found.T, strict=True):
        assert np.count_nonzero(kept) == min(10, np.count_nonzero(own))  # none where no document has the tag
        assert np.abs(own[kept == 0]).max() <= np.abs(kept[kept != 0]).min(initial=np.inf)


def test_of_more_counts_than_it_may_hold_the_frequent_words_stay(
    data: PreparedData, few: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitted(data, few)
    most = whole.training.features.nnz // 2
    monkeypatch.setattr(stage, "_MOST_COUNTS", most)
    found = fitted(data, few)
    assert 0 < found.training.features.nnz <= most
    documents_of = dict(zip(whole.linear.tfidf.hashes, whole.training.features.getnnz(axis=0), strict=True))
    left_out = set(whole.linear.tfidf.hashes) - set(found.linear.tfidf.hashes)
    assert max(documents_of[n] for n in left_out) <= min(documents_of[n] for n in found.linear.tfidf.hashes)


def test_as_few_documents_as_leave_room_for_the_counts() -> None:
    # Five words on 1, 1, 2, 3 and 9 documents, of which 1, 1, 2, 3 and 4 counts are kept.
    documents_of, kept_of = np.array([1, 1, 2, 3, 9], np.int32), np.array([1, 1, 2, 3, 4], np.int32)
    least = [stage._least_for(documents_of, kept_of, most) for most in (11, 10, 9, 8, 7, 6, 4, 3)]
    assert least == [1, 2, 2, 3, 3, 4, 4, 10]


def test_words_are_told_apart_without_case_and_punctuation(linear: LinearReader) -> None:
    one, other = margins(linear, ["Legea, legea!", "legea  LEGEA"])
    assert np.array_equal(one, other)


def test_a_text_without_words_has_the_margins_of_no_words(linear: LinearReader) -> None:
    assert np.array_equal(margins(linear, ["", "?!"]), np.tile(linear.biases, (2, 1)))
