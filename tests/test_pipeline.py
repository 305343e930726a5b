"""The whole chain on the embedded example: what it returns, what it leaves, and what it finds before the long work."""

import json
import os
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from databases import settings_for, silent
from transformers import pipeline

from get_tags_train.core.claims import claimed
from get_tags_train.core.csv import write_csv
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.events import Event, Notice, StageFinished
from get_tags_train.core.files import read_json
from get_tags_train.core.home import live_model
from get_tags_train.core.settings import FROM_DATABASE, Settings, Source
from get_tags_train.data.input_files import read_ids
from get_tags_train.metrics.blending import Answers
from get_tags_train.model.metadata import METADATA_FILE
from get_tags_train.model.tagger import TagModel
from get_tags_train.pipeline import RunResult, _work_name, run
from get_tags_train.splits.test_samples import read_samples

DATA_KEYS = {
    "name", "path", "source", "documents_read", "documents_kept", "dropped", "missing_ids", "tags", "checksum",
    "resumed", "seconds", "parts",
}  # fmt: skip
MODEL_KEYS = {
    "name", "path", "base_model", "epochs", "batch_size", "context_length", "examples", "device", "precision",
    "resumed", "seconds",
}  # fmt: skip
TEXTS = [
    "Autoritatea contractantă a publicat anunţul de participare pentru achiziţia de servicii.",
    "AUTORITATEA   a stabilit\nşi ţine seama de taxa pe valoarea adăugată\u00a0datorată",
    "Salariatul are dreptul la concediu de odihnă și la plata orelor suplimentare. " * 20,
]


def make_home(home: Path, demo_home: Path) -> Path:
    home.mkdir()
    shutil.copy(demo_home / "test_samples_tags.csv", home)
    return home


def demo_settings(home: Path, demo_home: Path, source: Source = FROM_DATABASE, **sections: dict[str, Any]) -> Settings:
    training = {"base_model": str(demo_home / "demo_bert"), "epochs": 1, "context_length": 64, "batch_size": 64}
    sections["training"] = {**training, **sections.get("training", {})}
    return settings_for(home, url=f"sqlite:///{demo_home / 'demo.db'}", source=source, **sections)


class Chain:
    """One run of the chain from the database, and the events of it."""

    def __init__(self, home: Path, demo_home: Path) -> None:
        self.home, self.demo_home, self.asked = home, demo_home, list[RunResult]()
        self.events: list[Event] = []
        self.result = run(demo_settings(home, demo_home), self.events.append, self.yes)

    def yes(self, result: RunResult) -> bool:
        self.asked.append(result)
        return True

    @property
    def model(self) -> Path:
        return Path(self.result.model.path)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, demo_home: Path) -> Chain:
    return Chain(make_home(tmp_path_factory.mktemp("chain") / "home", demo_home), demo_home)


def test_the_result_has_what_other_programs_rely_on(chain: Chain) -> None:
    result = json.loads(json.dumps(chain.result.as_json()))
    assert set(result) == {"data", "model", "evaluation", "verdict", "deployed", "live", "seconds"}
    assert set(result["data"]) == DATA_KEYS
    assert set(result["model"]) == MODEL_KEYS
    assert {"examples", "top_k", "precision_at_k"} <= set(result["evaluation"])
    assert list(result["evaluation"]["precision_at_k"]) == ["1", "2", "3", "4", "5"]
    assert result["data"]["dropped"] == {
        "undecodable": 0,
        "too_long": 0,
        "no_text": 20,
        "no_tags": 15,
        "duplicate": 25,
        "boilerplate": 0,
    }
    assert (result["data"]["documents_read"], result["data"]["documents_kept"]) == (2400, 2340)
    assert (result["model"]["epochs"], result["model"]["context_length"], result["model"]["examples"]) == (1, 64, 2294)
    assert result["evaluation"]["examples"] == 300
    assert result["evaluation"]["held_out"]["examples"] == 23


def test_what_the_home_holds_afterwards(chain: Chain) -> None:
    home_files = {"_cache", "_models", "_live", "test_samples_tags.csv", "held_out.csv"}
    assert {path.name for path in chain.home.iterdir()} == home_files
    assert [path.name for path in (chain.home / "_cache" / "_data").iterdir()] == ["tags_v1"]
    assert [path.name for path in (chain.home / "_models").iterdir()] == [chain.result.model.name]
    assert {"config.json", "model.safetensors", "get_tags.json", "README.md", "report.html"} <= {
        p.name for p in chain.model.iterdir()
    }
    assert not [p for p in chain.home.rglob("*") if p.suffix in {".bin", ".pt", ".pth", ".pkl", ".tmp"}]


def test_the_model_says_how_it_was_scored(chain: Chain) -> None:
    (kept,) = read_json(chain.model / METADATA_FILE)["evaluations"]
    assert kept["precision_at_k"] == chain.result.evaluation["precision_at_k"]
    card = (chain.model / "README.md").read_text(encoding="utf-8")
    assert f"| 5 | {kept['precision_at_k']['5']:.3f} |" in card
    assert chain.result.data.checksum in card


def test_deployment_is_asked_once_with_the_evaluation(chain: Chain) -> None:
    (asked,) = chain.asked
    assert (asked.deployed, asked.live) == (False, None)
    assert asked.evaluation == chain.result.evaluation
    assert chain.result.deployed
    assert Path(str(chain.result.live)) == live_model(chain.home / "_live")
    assert live_model(chain.home / "_live").name == chain.result.model.name


def test_the_stages_come_in_order(chain: Chain) -> None:
    finished = [event.stage for event in chain.events if isinstance(event, StageFinished)]
    assert finished == ["ids", "extract", "join", "set_aside", "train", "baseline", "evaluate", "deploy"]


def test_plain_transformers_gives_the_tags_of_the_bert_alone(chain: Chain) -> None:
    name_tags = pipeline("text-classification", model=str(chain.model), top_k=5)
    samples = [text for _, text, _ in read_samples(chain.home / "test_samples_tags.csv")[:5]]
    texts = [*TEXTS, *samples]
    model = TagModel(chain.model)
    _product, alone = model.scores_and_bert_alone(texts)
    for text, mine in zip(texts, model.top_tags(alone, 5), strict=True):
        theirs = name_tags(text, truncation=True)
        if isinstance(theirs[0], list):
            (theirs,) = theirs
        assert [found["label"] for found in theirs] == [found.tag for found in mine]
        assert [found["score"] for found in theirs] == pytest.approx([found.score for found in mine], abs=1e-5)


def test_prepared_data_are_used_again(chain: Chain, tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", chain.demo_home)
    shutil.copytree(chain.home / "_cache" / "_data" / "tags_v1", home / "_cache" / "_data" / "tags_v4")
    events: list[Event] = []
    settings = demo_settings(home, chain.demo_home, Source("cached"), training={"context_length": 16})
    result = run(settings, events.append, lambda _: False)
    assert (result.data.name, result.data.source) == ("tags_v4", "cached")
    assert result.data.checksum == chain.result.data.checksum
    assert result.model.name.startswith("tags_v4-")
    assert (result.deployed, result.live) == (False, None)
    assert not (home / "_live").exists()
    assert not [e for e in events if isinstance(e, StageFinished) and e.stage in {"ids", "extract"}]


def test_ids_of_a_file_with_unknown_ones(tmp_path: Path, demo_home: Path) -> None:
    home = make_home(tmp_path / "home", demo_home)
    ids = read_ids(demo_home / "ids.csv")[:50]
    write_csv(home / "ids.csv", [["id"], *([i] for i in [*ids, "1", "x", ids[0]])])
    events: list[Event] = []
    settings = demo_settings(home, demo_home, Source("ids", home / "ids.csv"), training={"context_length": 16})
    result = run(settings, events.append, lambda _: False)
    assert (result.data.source, result.data.missing_ids, result.data.documents_read) == ("ids", 2, 50)
    told = "\n".join(event.message for event in events if isinstance(event, Notice))
    assert "2 ids are not in the database" in told
    assert "1 repeated" in told


def home_with_leaks(chain: Chain, tmp_path: Path) -> Path:
    """A home with the prepared data, three documents of which are among the test samples."""
    home = make_home(tmp_path / "home", chain.demo_home)
    shutil.copytree(chain.home / "_cache" / "_data" / "tags_v1", home / "_cache" / "_data" / "tags_v1")
    stored = chain.home / "_cache" / "_data" / "tags_v1"
    from get_tags_train.data.prepared import PreparedData

    texts = next(PreparedData(stored).batches()).column("text").to_pylist()[:3]
    write_csv(
        home / "test_samples_tags.csv", [["text", "labels"], *([text, "taxe"] for text in texts), ["Alt", "taxe"]]
    )
    return home


def test_documents_that_are_test_samples_are_not_trained_on(chain: Chain, tmp_path: Path) -> None:
    home = home_with_leaks(chain, tmp_path)
    events: list[Event] = []
    evaluation = {"held_out": 0.0}
    settings = demo_settings(
        home, chain.demo_home, Source("cached"), training={"context_length": 8}, evaluation=evaluation
    )
    result = run(settings, events.append, lambda _: False)
    assert result.model.examples == 2340 - 3
    assert read_json(Path(result.model.path) / METADATA_FILE)["left_out"] == 3
    assert result.evaluation["held_out"] is None
    assert "3 documents are also test samples" in "".join(e.message for e in events if isinstance(e, Notice))
    assert len((home / "_logs" / "leaks-tags_v1.csv").read_text(encoding="utf-8-sig").splitlines()) == 4


def test_leaks_can_stop_a_training_or_only_be_said(chain: Chain, tmp_path: Path) -> None:
    home = home_with_leaks(chain, tmp_path)
    given = {"source": Source("cached"), "training": {"context_length": 8}}
    stopped = demo_settings(home, chain.demo_home, **given, evaluation={"held_out": 0.0, "leaks": "stop"})
    with pytest.raises(GetTagsError, match=r"3 documents are also test samples.*leaks-tags_v1\.csv"):
        run(stopped, silent, lambda _: False)
    warned = demo_settings(home, chain.demo_home, **given, evaluation={"held_out": 0.0, "leaks": "warn"})
    assert run(warned, silent, lambda _: False).model.examples == 2340


def test_the_same_documents_are_held_out_the_next_time(chain: Chain, tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", chain.demo_home)
    shutil.copytree(chain.home / "_cache" / "_data" / "tags_v1", home / "_cache" / "_data" / "tags_v1")
    shutil.copy(chain.home / "held_out.csv", home)
    settings = demo_settings(home, chain.demo_home, Source("cached"), training={"context_length": 8})
    assert run(settings, silent, lambda _: False).model.examples == chain.result.model.examples
    assert (home / "held_out.csv").read_bytes() == (chain.home / "held_out.csv").read_bytes()


def test_without_test_samples_the_held_out_documents_are_scored(chain: Chain, tmp_path: Path) -> None:
    shutil.copytree(chain.home / "_cache" / "_data" / "tags_v1", tmp_path / "_cache" / "_data" / "tags_v1")
    events: list[Event] = []
    settings = demo_settings(tmp_path, chain.demo_home, Source("cached"), training={"context_length": 8})
    result = run(settings, events.append, lambda _: False)
    assert "There are no test samples yet" in "".join(e.message for e in events if isinstance(e, Notice))
    assert (result.evaluation["set"], result.evaluation["examples"]) == ("held-out documents", 15)
    assert result.evaluation["held_out"] is None
    report = (Path(result.model.path) / "report.html").read_text(encoding="utf-8")
    assert "held-out documents" in report
    assert "test samples" not in report


def test_where_the_blend_is_left_out_the_linear_model_is_fitted_once(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def useless(answers: Answers, *_of_tags: Any, seed: int) -> Any:
        return -answers.linear

    monkeypatch.setattr("get_tags_train.training.second_reader.cross_fitted", useless)
    home = make_home(tmp_path / "home", chain.demo_home)
    shutil.copytree(chain.home / "_cache" / "_data" / "tags_v1", home / "_cache" / "_data" / "tags_v1")
    shutil.copy(chain.home / "held_out.csv", home)
    events: list[Event] = []
    settings = demo_settings(home, chain.demo_home, Source("cached"), training={"context_length": 8})
    result = run(settings, events.append, lambda _: False)
    assert not (Path(result.model.path) / "second_reader.safetensors").exists()
    assert [event.stage for event in events if isinstance(event, StageFinished)].count("baseline") == 1
    (comparison,) = result.evaluation["comparisons"]
    (before,) = chain.result.evaluation["comparisons"]
    assert comparison["rival_precision_at_k"] == pytest.approx(before["rival_precision_at_k"], abs=0.01)


def test_the_same_training_is_refused_while_it_is_under_way(chain: Chain) -> None:
    settings = demo_settings(chain.home, chain.demo_home)
    with claimed(chain.home, _work_name(settings), GetTagsError), pytest.raises(GetTagsError) as caught:
        run(settings, silent, lambda _: False)
    assert f"The same training is under way in this home: process {os.getpid()} of " in caught.value.message


# --- found before the long work ---


def refused(settings: Settings, kind: type[GetTagsError] = InputError) -> GetTagsError:
    with pytest.raises(kind) as caught:
        run(settings, silent, lambda _: True)
    assert not (settings.home / "_cache").exists()
    assert not (settings.home / "_models").exists()
    return caught.value


@pytest.mark.parametrize("content", ["", "text,labels\n", "one column\nonly\n"])
def test_bad_samples_are_found_before_anything_is_made(tmp_path: Path, demo_home: Path, content: str) -> None:
    path = tmp_path / "test_samples_tags.csv"
    path.write_text(content, encoding="utf-8")
    error = refused(demo_settings(tmp_path, demo_home))
    assert str(path) in error.message


def test_nothing_to_score_on_is_found_before_anything_is_made(tmp_path: Path, demo_home: Path) -> None:
    error = refused(demo_settings(tmp_path, demo_home, evaluation={"held_out": 0.0}))
    assert "nothing to score the model on" in error.message


def test_a_missing_base_model_is_found_before_anything_is_made(tmp_path: Path, demo_home: Path) -> None:
    home = make_home(tmp_path / "home", demo_home)
    error = refused(demo_settings(home, demo_home, training={"base_model": "no/such-model"}), GetTagsError)
    assert "no/such-model cannot be loaded" in error.message


def test_a_missing_database_is_found_before_anything_is_made(tmp_path: Path, demo_home: Path) -> None:
    home = make_home(tmp_path / "home", demo_home)
    settings = demo_settings(home, demo_home)
    database = settings.database.model_copy(update={"url": "sqlite:///nowhere.db"})
    refused(settings.model_copy(update={"database": database}))


def test_a_missing_file_of_ids_is_found_before_anything_is_made(tmp_path: Path, demo_home: Path) -> None:
    home = make_home(tmp_path / "home", demo_home)
    error = refused(demo_settings(home, demo_home, Source("ids", home / "ids.csv")))
    assert "ids.csv" in error.message


def test_no_prepared_data(tmp_path: Path, demo_home: Path) -> None:
    home = make_home(tmp_path / "home", demo_home)
    assert "There are no prepared data" in refused(demo_settings(home, demo_home, Source("cached"))).message


def test_the_records_are_plain_values() -> None:
    assert {field.name for field in fields(RunResult)} == {
        "data",
        "model",
        "evaluation",
        "verdict",
        "deployed",
        "live",
        "seconds",
    }
