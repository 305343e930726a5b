"""The linear model: it learns what words tell, within its limits of time and memory."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from databases import settings_for, silent

from get_tags_train.core.events import Event, StageProgress
from get_tags_train.data.extract import extract
from get_tags_train.data.prepared import PreparedData
from get_tags_train.evaluation import linear_baseline as stage
from get_tags_train.evaluation.linear_baseline import LinearBaseline, fit
from get_tags_train.evaluation.scorecard import Predictions
from get_tags_train.metrics.ranking import precision_at_k
from get_tags_train.splits.eval_set import EvalSet
from get_tags_train.splits.test_samples import Samples
from get_tags_train.splits.training_set import TrainingSet, choose_training_set


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, demo_home: Path) -> PreparedData:
    home = tmp_path_factory.mktemp("baseline")
    base_model = str(demo_home / "demo_bert")
    settings = settings_for(home, url=f"sqlite:///{demo_home / 'demo.db'}", training={"base_model": base_model})
    return PreparedData(Path(extract(settings, silent).path))


@pytest.fixture(scope="module")
def examples(data: PreparedData) -> TrainingSet:
    return choose_training_set(data, np.zeros(data.manifest.documents_kept, bool), 1)


@pytest.fixture(scope="module")
def linear(data: PreparedData, examples: TrainingSet) -> LinearBaseline:
    return fit(data, examples, training_seconds=1000, seed=1, on_event=silent)


def test_it_learns_which_words_tell_which_tags(demo_home: Path, examples: TrainingSet, linear: LinearBaseline) -> None:
    test_set = EvalSet.of_samples(Samples.read(demo_home / "test_samples_tags.csv"))
    scored = Predictions.of(test_set, examples.tags, linear.scores(test_set.texts))
    always = np.tile(np.array(examples.counts, np.float32), (len(test_set), 1))
    found = precision_at_k(scored.y_true, scored.y_score, 1)[0]
    assert found > precision_at_k(scored.y_true, always, 1)[0] + 0.3


def test_the_same_seed_gives_the_same_model(data: PreparedData, examples: TrainingSet, linear: LinearBaseline) -> None:
    again = fit(data, examples, training_seconds=1000, seed=1, on_event=silent)
    assert np.array_equal(linear.weights, again.weights)
    assert linear.documents_seen == stage.PASSES * len(examples.rows)


def test_it_stops_when_its_time_is_over(
    data: PreparedData, examples: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(stage, "_WINDOW", 500)
    events: list[Event] = []
    found = fit(data, examples, training_seconds=0, seed=1, on_event=events.append)
    assert 0 < found.documents_seen < len(examples.rows)
    assert found.as_json()["documents_seen"] == found.documents_seen
    assert sum(isinstance(event, StageProgress) for event in events) == 1


def test_only_the_documents_it_is_given_are_learned(data: PreparedData, examples: TrainingSet) -> None:
    few = TrainingSet(examples.rows[:50], examples.tags, examples.counts, examples.label_of)
    assert fit(data, few, training_seconds=1000, seed=1, on_event=silent).documents_seen == 50 * stage.PASSES


def test_more_tags_than_its_memory_holds_leave_out_the_rarest(
    data: PreparedData, examples: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_MOST_WEIGHTS", 3 * stage._FEWEST_FEATURES)
    found = fit(data, examples, training_seconds=1000, seed=1, on_event=silent)
    scores = found.scores(["un text"])
    assert found.weights.size <= 3 * stage._FEWEST_FEATURES
    assert np.isfinite(scores).sum() == 3
    kept = [examples.counts[n] for n in np.flatnonzero(np.isfinite(scores[0]))]
    assert sorted(kept) == sorted(examples.counts)[-3:]


def test_words_are_told_apart_without_case_and_punctuation() -> None:
    words = stage._HashedWords(1 << 17)
    one, other, third = words.count(pa.array(["Legea, legea!", "legea  LEGEA", "pădure"])).toarray()
    assert np.array_equal(one, other)
    assert not np.array_equal(one, third)
    assert one.sum() == 2


def test_a_text_without_words_has_the_scores_of_no_words(linear: LinearBaseline) -> None:
    assert np.allclose(linear.scores(["", "?!"]), linear.scores([""]))
