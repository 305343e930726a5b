"""`get-tags bases`: base models trained on the same documents, beside each other and the linear model."""

import json
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from get_tags_train.core.home import bases_dir, model_names


@pytest.fixture(scope="module")
def home(small_home: Path, demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data without a model, test samples, and a base model."""
    home = tmp_path_factory.mktemp("bases") / "home"
    shutil.copytree(small_home, home, ignore=shutil.ignore_patterns("_models", "_logs", "_locks"))
    shutil.copytree(demo_home / "demo_bert", home / "demo_bert")
    shutil.copy(demo_home / "test_samples_tags.csv", home)
    return home


@pytest.fixture(scope="module")
def other_base(home: Path) -> str:
    """The same base model with other weights in one layer less."""
    from transformers import AutoModel

    shutil.copytree(home / "demo_bert", home / "other_bert")
    model = AutoModel.from_pretrained(home / "demo_bert", num_hidden_layers=1)
    model.save_pretrained(home / "other_bert")
    return "other_bert"


def _name(record: Path) -> str:
    with suppress(ValueError):
        return str(json.loads(record.read_text())["base_model"])
    return ""


def test_each_is_shown_beside_the_best_and_the_linear_model(get_tags, home, other_base):
    result = get_tags("bases", "demo_bert", other_base, "--share", 1, "--epochs", 1, "--json", "--home", home)
    assert result.code == 0, result.err
    first, second, linear = result.json["tried"]
    assert {first["base_model"], second["base_model"], linear["base_model"]} == {"demo_bert", "other_bert", ""}
    k = str(result.json["top_k"])
    assert first["precision_at_k"][k] >= second["precision_at_k"][k]
    assert (first["standing"], first["difference"]) == ("best", None)
    assert first["pieces_per_word"] == second["pieces_per_word"] > 1
    sizes = {own["base_model"]: own["megabytes"] for own in (first, second)}
    assert sizes["other_bert"] < sizes["demo_bert"]


def test_what_was_trained_is_not_trained_again_and_nothing_is_left_but_figures(get_tags, home, other_base):
    command = ["bases", "demo_bert", other_base, "--share", 1, "--epochs", 1, "--json", "--home", home]
    first, again = get_tags(*command), get_tags(*command)
    assert again.json["tried"][:2] == first.json["tried"][:2]
    assert again.err.count("has been trained on these documents before") == 2
    assert model_names(home) == []
    assert {path.suffix for path in bases_dir(home).iterdir()} == {".json"}


def test_a_model_that_a_kill_left_unscored_is_scored_and_not_trained_again(get_tags, home, monkeypatch):
    command = ["bases", "demo_bert", "--share", 1, "--epochs", 1, "--home", home]
    for record in bases_dir(home).glob("*.json"):
        record.unlink()
    with monkeypatch.context() as patched:
        patched.setattr("get_tags_train.bases.own_metadata", lambda folder: sys.exit(9))
        assert get_tags(*command).code == 9
    again = get_tags(*command)
    assert (again.code, "epoch 1 of 1" in again.err) == (0, False)
    assert {path.suffix for path in bases_dir(home).iterdir()} == {".json"}


def test_a_damaged_record_is_made_anew(get_tags, home):
    command = ["bases", "demo_bert", "--share", 1, "--epochs", 1, "--json", "--home", home]
    first = get_tags(*command).json["tried"][0]
    for record in bases_dir(home).glob("*.json"):
        record.write_text('{"base_model": ')
    again = get_tags(*command).json["tried"][0]
    assert first["precision_at_k"] == again["precision_at_k"]
    assert "demo_bert" in {_name(record) for record in bases_dir(home).glob("*.json")}


def test_a_base_model_that_cannot_be_trained_is_told_before_the_first_is(get_tags, home, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    result = get_tags("bases", "demo_bert", tmp_path, "--epochs", 3, "--home", home)
    assert (result.code, str(tmp_path) in result.err.replace("\n", "")) == (1, True)
    assert not list(bases_dir(home).glob("*/_models/*"))


def test_too_few_documents_are_refused(get_tags, home):
    result = get_tags("bases", "demo_bert", "--share", 0.01, "--home", home)
    assert (result.code, "too few to compare" in result.err) == (2, True)
