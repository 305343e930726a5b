"""The linear baseline: it learns what words tell, within its limits of time and memory."""

from pathlib import Path

import numpy as np
import pytest
from databases import settings_for, silent
from get_tags_train.evaluation.linear_baseline import LinearBaseline, fit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from get_tags_train.core.events import Event, StageProgress
from get_tags_train.data.extract import extract
from get_tags_train.data.prepared import PreparedData
from get_tags_train.evaluation import linear_baseline as stage
from get_tags_train.evaluation.predictions import Predictions
from get_tags_train.metrics.ranking import precision_at_k
from get_tags_train.splits.eval_set import EvalSet
from get_tags_train.splits.held_out import texts_and_labels
from get_tags_train.splits.test_samples import Samples
from get_tags_train.splits.training_set import TrainingSet, choose_training_set


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


@pytest.fixture(scope="module")
def linear(data: PreparedData, training_set: TrainingSet) -> LinearBaseline:
    return fit(data, training_set, training_seconds=1000, seed=1, on_event=silent)


def precision_at_1(linear: LinearBaseline, demo_home: Path, tags: list[str]) -> float:
    test_set = EvalSet.of_samples(Samples.read(demo_home / "test_samples_tags.csv"))
    predictions = Predictions.of(test_set, tags, linear.scores(test_set.texts))
    return precision_at_k(predictions.y_true, predictions.y_score, 1)[0]


def always(training_set: TrainingSet, demo_home: Path) -> float:
    """precision@1 of the most frequent tag."""
    test_set = EvalSet.of_samples(Samples.read(demo_home / "test_samples_tags.csv"))
    most_frequent = training_set.tags[int(np.argmax(training_set.counts))]
    return float(np.mean([most_frequent in labels for labels in test_set.labels]))


def test_it_learns_which_words_tell_which_tags(
    demo_home: Path, training_set: TrainingSet, linear: LinearBaseline
) -> None:
    assert precision_at_1(linear, demo_home, training_set.tags) > always(training_set, demo_home) + 0.3


def test_without_time_it_still_makes_one_pass_and_learns(
    data: PreparedData, demo_home: Path, training_set: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "LEAST_SECONDS", 0.0)
    found = fit(data, training_set, training_seconds=0, seed=1, on_event=silent)
    assert found.as_json()["documents_seen"] == len(training_set.rows)
    assert precision_at_1(found, demo_home, training_set.tags) > always(training_set, demo_home) + 0.3


def test_its_scores_are_those_of_tfidf_and_linear_svc(
    data: PreparedData, few: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_C_TRIED", (1.0,))
    found = fit(data, few, training_seconds=1000, seed=1, on_event=silent)
    mask = np.zeros(data.manifest.documents_kept, bool)
    mask[few.rows] = True
    texts, labels = texts_and_labels(data, mask)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    tag = max(few.tags, key=lambda own: min(sum(own in row for row in labels), 50))
    svm = LinearSVC(random_state=1).fit(vectorizer.fit_transform(texts), [tag in row for row in labels])
    others = ["Legea fondului funciar", *texts[:5]]
    expected = svm.decision_function(vectorizer.transform(others))
    assert found.scores(others)[:, few.tags.index(tag)] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("least_seconds", [120.0, 0.0], ids=["LinearSVC", "SGD"])
def test_the_same_seed_gives_the_same_model(
    data: PreparedData, few: TrainingSet, least_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "LEAST_SECONDS", least_seconds)
    one, again = (fit(data, few, training_seconds=0, seed=1, on_event=silent).scores(["Legea"]) for _ in range(2))
    assert np.array_equal(one, again)


def test_each_tag_is_told(data: PreparedData, few: TrainingSet) -> None:
    events: list[Event] = []
    fit(data, few, training_seconds=0, seed=1, on_event=events.append)
    assert [event.done for event in events if isinstance(event, StageProgress)] == list(range(1, len(few.tags) + 1))


def test_only_the_documents_it_is_given_are_learned(data: PreparedData, few: TrainingSet) -> None:
    assert fit(data, few, training_seconds=0, seed=1, on_event=silent).documents == 100


def test_of_more_weights_than_it_may_hold_the_strongest_stay(
    data: PreparedData, few: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(data, few, training_seconds=0, seed=1, on_event=silent).weights.toarray()
    monkeypatch.setattr(stage, "_MOST_WEIGHTS", 10 * len(few.tags))
    found = fit(data, few, training_seconds=0, seed=1, on_event=silent).weights.toarray()
    for own, kept in zip(whole.T, found.T, strict=True):
        assert np.count_nonzero(kept) == min(10, np.count_nonzero(own))  # none where no document has the tag
        assert np.abs(own[kept == 0]).max() <= np.abs(kept[kept != 0]).min(initial=np.inf)


def test_of_more_counts_than_it_may_hold_the_frequent_words_stay(
    data: PreparedData, few: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stage._read(data, few)
    monkeypatch.setattr(stage, "_MOST_COUNTS", whole.counts.nnz // 2)
    found = stage._read(data, few)
    assert 0 < found.counts.nnz <= whole.counts.nnz // 2
    documents_of = dict(zip(whole.columns, whole.counts.getnnz(axis=0), strict=True))
    left_out = set(whole.columns) - set(found.columns)
    assert max(documents_of[n] for n in left_out) <= min(documents_of[n] for n in found.columns)


def test_words_are_told_apart_without_case_and_punctuation(linear: LinearBaseline) -> None:
    one, other = linear.scores(["Legea, legea!", "legea  LEGEA"])
    assert np.array_equal(one, other)


def test_a_text_without_words_has_the_scores_of_no_words(linear: LinearBaseline) -> None:
    assert np.array_equal(linear.scores(["", "?!"]), np.tile(linear.biases, (2, 1)))
