"""`get-tags drift` and `train --if-worth-it`: what a scheduler goes by."""

import shutil
from pathlib import Path

import pytest
from databases import write_settings
from sqlalchemy import create_engine

from get_tags_train import pipeline
from get_tags_train.review import drift_advice


@pytest.fixture
def home(drift_home, demo_home, tmp_path):
    home = Path(shutil.copytree(drift_home, tmp_path / "home"))
    write_settings(home, "sqlite:///demo.db", demo_home / "demo_bert")
    with (home / "get-tags.toml").open("a", encoding="utf-8") as stream:
        stream.write("\nepochs = 1\ncontext_length = 16\n")
    return home


@pytest.fixture
def advise(monkeypatch):
    """Have the decision be this one, whatever the documents say."""

    def set_decision(advice, **more):
        decision = drift_advice.Decision(advice, **more)
        monkeypatch.setattr("get_tags_train.review.drift.decide", lambda _: decision)

    return set_decision


@pytest.mark.parametrize(("advice", "code"), [("retrain", 0), ("wait", 4), ("not enough", 5)])
def test_the_exit_code_tells(get_tags, home, advise, advice, code):
    advise(advice, reasons=["loss"] if advice == "retrain" else [], needed=900 if code == 5 else None)
    result = get_tags("drift", "--json", "--home", home)
    assert (result.code, result.json["advice"]) == (code, advice)
    assert result.json["sentence"].startswith({0: "Retrain. ", 4: "Wait. ", 5: "Not enough to say. "}[code])


def test_people_read_the_sentence_first_and_then_why(get_tags, home):
    seen = get_tags("drift", "--home", home).out
    assert "Newer documents" in seen
    assert "120 documents with an id above" in seen
    assert "precision@5" in seen
    assert "held-out documents; the difference is between" in " ".join(seen.split())
    assert "The texts" in seen


def test_newer_documents_that_all_lack_tags_are_told(get_tags, home):
    last_old = max(map(int, (home / "ids.csv").read_text(encoding="utf-8").split()))
    engine = create_engine(f"sqlite:///{home / 'demo.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM document_tags WHERE document_id > {last_old}")
    engine.dispose()
    seen = " ".join(get_tags("drift", "--home", home).out.split())
    assert "documents can be used:" in seen
    assert "without tags" in seen


def test_the_log_ends_with_the_sentence(get_tags, home, advise):
    advise("wait")
    get_tags("drift", "--home", home)
    assert "result: Wait. On" in get_tags("logs", "drift", "--home", home).out


def test_train_ends_where_it_is_not_worth_it(get_tags, home, advise, monkeypatch):
    advise("wait")
    monkeypatch.setattr(pipeline, "run", None)
    result = get_tags("train", "--if-worth-it", "--yes", "--json", "--home", home)
    assert result.code == 4
    assert result.json["drift"]["advice"] == "wait"


def test_train_goes_on_where_it_is_worth_it(get_tags, home, advise):
    advise("retrain", reasons=["loss"])
    result = get_tags("train", "--if-worth-it", "--yes", "--json", "--home", home)
    assert result.code == 0
    assert result.json["model"]["name"].startswith("tags_v2-")
    assert "Retrain. On" in result.err
    # Now there is a training to judge by; what is live is another model still.
    assert get_tags("drift", "--json", "--home", home).json["retraining_seconds"] > 0


def test_the_first_model_is_always_worth_it(get_tags, home):
    shutil.rmtree(home / "_live")
    assert get_tags("train", "--if-worth-it", "--yes", "--json", "--home", home).code == 0


def test_drift_without_a_live_model_says_what_to_do(get_tags, home):
    shutil.rmtree(home / "_live")
    result = get_tags("drift", "--json", "--home", home)
    assert result.code == 2
    assert result.json["error"]["message"].startswith("No model is live")
