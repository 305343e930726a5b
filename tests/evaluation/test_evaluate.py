"""Evaluation: metrics worked by hand, on scores made by hand; and what of it stays with the model."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from databases import fill, settings_for, silent

from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.events import Event, Notice
from get_tags_train.core.files import read_json
from get_tags_train.data.extract import extract
from get_tags_train.data.prepared import PreparedData
from get_tags_train.evaluation import evaluate as stage
from get_tags_train.evaluation.evaluate import Evaluation, References, evaluate
from get_tags_train.evaluation.report import record
from get_tags_train.model.live import find_live
from get_tags_train.model.metadata import METADATA_FILE
from get_tags_train.model.second_reader import FILE as SECOND_READER
from get_tags_train.splits.eval_set import EvalSet
from get_tags_train.splits.test_samples import Samples, add_origins
from get_tags_train.text.clean import text_hash
from get_tags_train.text.tokenizer import load_tokenizer
from get_tags_train.training.train import train

TAGS = ["a", "b", "c"]
# Text -> the scores of a, b and c.
SCORES = {
    "unu": [0.9, 0.5, 0.1],
    "doi": [0.2, 0.3, 0.8],
    "trei": [0.5, 0.5, 0.5],
    "patru": [0.1, 0.2, 0.3],
}


class FakeModel:
    """A model whose scores are the ones above."""

    second_reader = None

    def __init__(self, folder: Path, device: str) -> None:
        self.tags = TAGS

    def scores_and_bert_alone(self, texts: list[str]) -> Any:
        scores = np.array([SCORES[text] for text in texts], np.float32)
        return scores, scores


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stage, "TagModel", FakeModel)
    made = tmp_path / "tags_v1-20250101-000000"
    made.mkdir()
    counts = {"a": 2, "b": 5, "c": 1}
    facts = {"tags": [{"tag": tag, "documents": n} for tag, n in counts.items()], "evaluations": []}
    (made / "get_tags.json").write_text(json.dumps(facts), encoding="utf-8")
    return made


def samples(tmp_path: Path, rows: list[tuple[str, str]]) -> Samples:
    path = tmp_path / "test_samples_tags.csv"
    write_csv(path, [("text", "labels"), *rows])
    return Samples.read(path)


ROWS = [("unu", "a;b"), ("doi", "a"), ("trei", "b;x"), ("patru", ""), ("patru", "x;y")]


def scored(tmp_path: Path, folder: Path, rows: list[tuple[str, str]] = ROWS, top_k: int = 3) -> Evaluation:
    test_set = EvalSet.of_samples(samples(tmp_path, rows))
    return evaluate(folder, test_set, top_k=top_k, device="cpu", on_event=silent)


def test_precision_by_hand(tmp_path: Path, folder: Path) -> None:
    # unu: a b c, true a b.  doi: c b a, true a.  trei, all equal: a b c in tag order, true b.  patru: none known.
    found = scored(tmp_path, folder)
    assert found.precision_at_k == {
        "1": pytest.approx((1 + 0 + 0 + 0) / 4),
        "2": pytest.approx((1 + 0 + 1 / 2 + 0) / 4),
        "3": pytest.approx((2 / 3 + 1 / 3 + 1 / 3 + 0) / 4, abs=1e-6),
    }


def test_the_most_frequent_tags_by_hand(tmp_path: Path, folder: Path) -> None:
    # Always b a c. unu: a b, doi: a, trei: b, patru: none.
    assert scored(tmp_path, folder).most_frequent_precision_at_k == {
        "1": pytest.approx((1 + 0 + 1 + 0) / 4),
        "2": pytest.approx((1 + 1 / 2 + 1 / 2 + 0) / 4),
        "3": pytest.approx((2 / 3 + 1 / 3 + 1 / 3 + 0) / 4, abs=1e-6),
    }


def test_unknown_tags_are_listed_and_count_as_missed(tmp_path: Path, folder: Path) -> None:
    assert scored(tmp_path, folder).unknown_tags == {"x": 2, "y": 1}
    assert scored(tmp_path, folder, [("unu", "x")], 1).precision_at_k == {"1": 0.0}


def test_examples_without_tags_are_left_out_and_counted(tmp_path: Path, folder: Path) -> None:
    found = scored(tmp_path, folder)
    assert (found.examples, found.examples_without_tags) == (4, 1)
    with pytest.raises(InputError, match=r"No example in .* has a label"):
        scored(tmp_path, folder, [("unu", ""), ("doi", "")])


def test_k_beyond_the_tags_still_divides_by_k(tmp_path: Path, folder: Path) -> None:
    found = scored(tmp_path, folder, [("unu", "a;b;c")], 6)
    assert list(found.precision_at_k) == ["1", "2", "3", "4", "5", "6"]
    assert found.precision_at_k["6"] == 0.5


def test_the_samples_are_named(tmp_path: Path, folder: Path) -> None:
    found = scored(tmp_path, folder)
    path = tmp_path / "test_samples_tags.csv"
    assert (found.samples, found.model, found.top_k) == (str(path), folder.name, 3)
    assert found.samples_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_labels_are_normalised_as_tags_are(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "TAGS", ["știință", "b", "c"])
    assert scored(tmp_path, folder, [("unu", " ştiinţă ")], 1).precision_at_k == {"1": 1.0}


def test_f1_goes_by_the_models_own_thresholds(tmp_path: Path, folder: Path) -> None:
    """a from .6 on: unu. b from .25 on: unu, doi, trei. c, which has none, from .5 on."""
    facts = read_json(folder / METADATA_FILE)
    for entry, threshold in zip(facts["tags"], (0.6, 0.25), strict=False):
        entry["threshold"] = threshold
    (folder / "get_tags.json").write_text(json.dumps(facts), encoding="utf-8")
    rows = {row["tag"]: (row["precision"], row["recall"]) for row in scored(tmp_path, folder).tags}
    assert rows["a"] == (1.0, 0.5)
    assert rows["b"] == (pytest.approx(2 / 3, abs=1e-6), 1.0)
    assert rows["c"] == (0.0, None)


def test_every_evaluation_is_kept(tmp_path: Path, folder: Path, small_model: Path) -> None:
    first, second = scored(tmp_path, folder), scored(tmp_path, folder, ROWS[:2], 1)
    model = Path(shutil.copytree(small_model, tmp_path / small_model.name))
    record(model, first, silent)
    record(model, second, silent)
    kept = read_json(model / METADATA_FILE)["evaluations"]
    assert [entry["top_k"] for entry in kept] == [3, 1]
    assert [entry["precision_at_k"] for entry in kept] == [first.precision_at_k, second.precision_at_k]
    assert all("date" in entry for entry in kept)
    assert f"| 1 | {second.precision_at_k['1']:.3f} |" in (model / "README.md").read_text(encoding="utf-8")
    page = (model / "report.html").read_text(encoding="utf-8")
    assert f"{second.precision_at_k['1']:.3f}" in page
    assert "http" not in page  # it opens without a network


def test_samples_chosen_for_rare_tags_are_scored_apart(tmp_path: Path, folder: Path) -> None:
    rows = [("unu", "a;b"), ("doi", "a"), ("trei", "b")]
    path = samples(tmp_path, rows).path
    add_origins(path, [("doi", "7", "rare")])
    whole = Samples.read(path)
    found = evaluate(
        folder,
        EvalSet.of_samples(whole),
        top_k=1,
        device="cpu",
        on_event=silent,
        further=EvalSet.of_chosen_samples(whole),
    )
    assert (found.examples, found.precision_at_k) == (2, {"1": 0.5})
    assert found.rare is not None
    assert (found.rare.examples, found.rare.precision_at_k) == (1, {"1": 0.0})
    assert found.held_out is None


def test_a_foreign_model_is_scored_and_left_as_it_is(tmp_path: Path, folder: Path) -> None:
    (folder / "get_tags.json").unlink()
    found = scored(tmp_path, folder)
    assert found.most_frequent_precision_at_k is None
    record(folder, found, silent)
    assert not list(folder.iterdir())


def test_a_real_model_is_scored(tmp_path: Path, small_model: Path, demo_home: Path) -> None:
    copy = Path(shutil.copytree(small_model, tmp_path / small_model.name))
    whole = Samples.read(demo_home / "test_samples_tags.csv")
    found = evaluate(copy, EvalSet.of_samples(whole), top_k=2, device="cpu", on_event=silent)
    assert found.examples == 300
    assert list(found.precision_at_k) == ["1", "2"]
    assert 0 <= found.precision_at_k["1"] <= 1
    record(copy, found, silent)
    assert len(read_json(copy / METADATA_FILE)["evaluations"]) == 1


def test_a_folder_that_is_no_model(tmp_path: Path, demo_home: Path) -> None:
    with pytest.raises(GetTagsError, match="is not a model folder"):
        test_set = EvalSet.of_samples(Samples.read(demo_home / "test_samples_tags.csv"))
        evaluate(tmp_path, test_set, top_k=1, device="cpu", on_event=silent)


def test_intervals_best_possible_and_bands_are_given(tmp_path: Path, folder: Path) -> None:
    found = scored(tmp_path, folder)
    assert found.best_possible_precision_at_k == {"1": 1.0, "2": 0.875, "3": pytest.approx((2 + 1 + 2 + 2) / 12)}
    low, high = found.intervals["precision_at_k"]["1"]
    assert low < found.precision_at_k["1"] < high
    # All tags are on fewer than ten documents. Of a b | a | b x | x y, the model has a b | a | b among its first 3.
    (rare,) = [band for band in found.bands or [] if band["tags"]]
    assert (rare["band"], rare["tags"], rare["true_tags"]) == ("rare", 4, 7)
    assert rare["recall_at_k"] == pytest.approx(4 / 7, abs=1e-6)


def test_the_table_of_tags_by_hand(tmp_path: Path, folder: Path) -> None:
    # From 0.5 on: unu a b, doi c, trei a b c, patru none.
    rows = {row.pop("tag"): row for row in scored(tmp_path, folder, top_k=1).tags}
    assert rows["a"] == {"support": 2, "precision": 0.5, "recall": 0.5, "f1": 0.5, "named": 2}
    assert rows["b"] == {"support": 2, "precision": 1.0, "recall": 1.0, "f1": 1.0, "named": 0}
    assert rows["c"] == {"support": 0, "precision": 0.0, "recall": None, "f1": 0.0, "named": 2}
    assert rows["x"] == {"support": 2, "precision": None, "recall": 0.0, "f1": 0.0, "named": 0}


def test_f1_and_tags_never_predicted_by_hand(tmp_path: Path, folder: Path) -> None:
    found = scored(tmp_path, folder, top_k=1)
    assert found.micro_f1 == pytest.approx(2 * 3 / (6 + 7), abs=1e-6)  # 3 right of 6 predicted and 7 true ones
    assert found.macro_f1 == pytest.approx((0.5 + 1 + 0 + 0) / 4)  # a, b, and the unknown x and y
    assert found.never_named == ["b", "x", "y"]


def test_the_worst_examples_come_first(tmp_path: Path, folder: Path) -> None:
    worst = scored(tmp_path, folder, top_k=1).worst_examples
    assert [example["text"] for example in worst] == ["patru", "doi", "trei"]
    assert worst[1]["true"] == ["a"]
    assert worst[1]["predicted"] == [["c", pytest.approx(0.8)]]


def real_set(demo_home: Path) -> EvalSet:
    return EvalSet.of_samples(Samples.read(demo_home / "test_samples_tags.csv"))


def test_the_live_model_is_scored_on_the_same_examples(tmp_path: Path, small_model: Path, demo_home: Path) -> None:
    live = Path(shutil.copytree(small_model, tmp_path / "live"))
    for folder in (live, new := Path(shutil.copytree(small_model, tmp_path / "new"))):
        np.save(folder / "trained_texts.npy", np.zeros(0, np.uint64))
    found = evaluate(new, real_set(demo_home), top_k=2, device="cpu", on_event=silent, references=References(live))
    (comparison,) = found.comparisons
    assert (comparison.examples, comparison.verdict) == (300, "not distinguishable")
    assert comparison.rival_precision_at_k == found.precision_at_k
    assert found.trained_on == 0


def test_a_live_model_that_was_trained_on_the_test_set_is_refused(
    tmp_path: Path, small_model: Path, demo_home: Path
) -> None:
    test_set = real_set(demo_home)
    live, new = (Path(shutil.copytree(small_model, tmp_path / name)) for name in ("live", "new"))
    by_heart = [int.from_bytes(text_hash(text)[:8], "little") for text in test_set.texts]
    np.save(live / "trained_texts.npy", np.sort(np.array(by_heart, np.uint64)))
    np.save(new / "trained_texts.npy", np.zeros(0, np.uint64))
    found = evaluate(new, test_set, top_k=2, device="cpu", on_event=silent, references=References(live))
    assert found.comparisons[0].verdict == "no fair comparison"
    events: list[Event] = []
    own = evaluate(live, test_set, top_k=2, device="cpu", on_event=events.append)
    assert own.trained_on == 300
    assert any("trained on 300 of these 300 examples" in e.message for e in events if isinstance(e, Notice))


def test_a_live_model_that_knows_the_test_set_by_heart_is_refused(
    tmp_path: Path, small_model: Path, demo_home: Path
) -> None:
    test_set = real_set(demo_home)
    url, base_model = f"sqlite:///{tmp_path / 'test.db'}", str(demo_home / "demo_bert")
    texts, labels = test_set.raw_texts[:60], test_set.labels[:60]
    pairs = [(n, tag) for n, tags in enumerate(labels) for tag in tags]
    fill(url, [(n, None, text) for n, text in enumerate(texts)], pairs)
    values = {"base_model": base_model, "epochs": 40, "context_length": 48, "learning_rate": 2e-3, "batch_size": 8}
    settings = settings_for(tmp_path, url=url, training=values)
    data = PreparedData(Path(extract(settings, silent).path))
    none, tokenizer = np.zeros(data.manifest.documents_kept, bool), load_tokenizer(base_model)
    live = train(settings, data, none, tokenizer=tokenizer, device="cpu", on_event=silent).folder
    known = replace(test_set, texts=test_set.texts[:60], raw_texts=texts, labels=labels, groups=test_set.groups[:60])
    found = evaluate(small_model, known, top_k=1, device="cpu", on_event=silent, references=References(live))
    (comparison,) = found.comparisons
    assert comparison.rival_precision_at_k["1"] > 0.9 > found.precision_at_k["1"]  # it would win by far
    assert comparison.verdict == "no fair comparison"


def test_a_live_model_of_another_tool_is_refused(tmp_path: Path, small_model: Path, demo_home: Path) -> None:
    live_dir, new = tmp_path / "_live", Path(shutil.copytree(small_model, tmp_path / "new"))
    shutil.copytree(small_model, live_dir / "get_tags")
    for name in ("get_tags.json", "trained_texts.npy"):
        (live_dir / "get_tags" / name).unlink()
    np.save(new / "trained_texts.npy", np.zeros(0, np.uint64))
    live = find_live(new, live_dir)
    assert live == live_dir / "get_tags"
    found = evaluate(new, real_set(demo_home), top_k=2, device="cpu", on_event=silent, references=References(live))
    assert found.comparisons[0].sentence.startswith("No fair comparison with the live model get_tags: it keeps no rec")
    assert found.tag_changes is not None
    assert found.tag_changes.gone == []


def test_a_live_model_that_does_not_load_does_not_spoil_the_evaluation(
    tmp_path: Path, small_model: Path, demo_home: Path
) -> None:
    live = Path(shutil.copytree(small_model, tmp_path / "live"))
    (live / "model.safetensors").write_bytes(b"torn")
    events: list[Event] = []
    found = evaluate(
        small_model, real_set(demo_home), top_k=1, device="cpu", on_event=events.append, references=References(live)
    )
    assert found.comparisons == []
    assert any("no comparison with the live model" in e.message for e in events if isinstance(e, Notice))


def test_the_bert_alone_is_scored_beside_the_blend(blended_model: Path, demo_home: Path, tmp_path: Path) -> None:
    found = evaluate(blended_model, real_set(demo_home), top_k=2, device="cpu", on_event=silent)
    assert found.bert_alone is not None
    alone = without_second_reader(blended_model, tmp_path / "alone")
    plain = evaluate(alone, real_set(demo_home), top_k=2, device="cpu", on_event=silent)
    assert plain.bert_alone is None
    assert found.bert_alone["precision_at_k"] == plain.precision_at_k
    assert found.bert_alone["micro_f1"] == plain.micro_f1
    assert found.precision_at_k != plain.precision_at_k


@pytest.mark.parametrize("read_by", ["get-tags", "transformers"])
def test_what_the_api_answers_is_compared_with_the_live_model(
    blended_model: Path, small_model: Path, demo_home: Path, read_by: Any
) -> None:
    references = References(live=small_model, read_by=read_by)
    test_set = real_set(demo_home)
    found = evaluate(blended_model, test_set, top_k=1, device="cpu", on_event=silent, references=references)
    (comparison,) = found.comparisons
    assert comparison.difference_at_k is not None and found.bert_alone is not None
    own = found.precision_at_k if read_by == "get-tags" else found.bert_alone["precision_at_k"]
    assert comparison.difference_at_k["1"] == pytest.approx(own["1"] - comparison.rival_precision_at_k["1"], abs=1e-5)


def without_second_reader(folder: Path, target: Path) -> Path:
    """The plain folder, as a program with transformers knows it; its get_tags.json as before there was a reader."""
    shutil.copytree(folder, target)
    (target / SECOND_READER).unlink()
    facts = read_json(target / METADATA_FILE)
    del facts["second_reader"], facts["files"][SECOND_READER]
    (target / METADATA_FILE).write_text(json.dumps(facts), encoding="utf-8")
    return target
