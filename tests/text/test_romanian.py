"""Doctor, an extraction and a training say what the base model's tokenizer loses of Romanian."""

from pathlib import Path

from databases import fill, settings_for
from transformers import BertConfig, BertModel
from vocabularies import CAPITALS, SIGNS, SMALL, TINY, vocabulary

from get_tags_train.core.events import Event, Notice
from get_tags_train.core.files import write_json
from get_tags_train.data.extract import extract
from get_tags_train.maintenance.doctor import run_checks
from get_tags_train.text.romanian import romanian_loss
from get_tags_train.text.tokenizer import load_tokenizer


def test_a_vocabulary_alone_loses_letters_that_it_has(tmp_path: Path) -> None:
    said = romanian_loss(vocabulary(tmp_path, SMALL + "ăâîșț" + SIGNS))
    assert "drops letters that its vocabulary has, ă, â, î, ș, ț" in said
    assert "sedinta instantei" in said


def test_letters_that_a_vocabulary_does_not_have_are_named(tmp_path: Path) -> None:
    assert "does not have the letters ă, â, î, ș, ț" in romanian_loss(vocabulary(tmp_path, SMALL + SIGNS))


def test_capitals_that_a_vocabulary_has_are_not_to_be_lost(tmp_path: Path) -> None:
    vocabulary(tmp_path, SMALL + "ăâîșț" + CAPITALS + SIGNS)
    write_json(
        tmp_path / "tokenizer_config.json",
        {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": False},
    )
    assert "although its vocabulary has capitals" in romanian_loss(load_tokenizer(str(tmp_path)))


def test_small_letters_are_no_loss_where_there_are_no_capitals(demo_tokenizer_folder: Path) -> None:
    assert romanian_loss(load_tokenizer(str(demo_tokenizer_folder))) == ""


def test_a_cased_tokenizer_loses_nothing(tmp_path: Path) -> None:
    vocabulary(tmp_path, SMALL + "ăâîșț" + CAPITALS + SIGNS)
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "strip_accents": False}
    write_json(tmp_path / "tokenizer_config.json", settings)
    assert romanian_loss(load_tokenizer(str(tmp_path))) == ""


def test_doctor_says_what_the_tokenizer_loses(tmp_path: Path) -> None:
    tokenizer = vocabulary(tmp_path, SMALL + "ăâîșț" + SIGNS)
    BertModel(BertConfig(vocab_size=len(tokenizer), **TINY)).save_pretrained(tmp_path)
    settings = settings_for(tmp_path, training={"base_model": str(tmp_path), "context_length": 64})
    (check,) = [check for check in run_checks(settings, quick=True) if check.name == "base model"]
    assert check.status == "warning"
    assert "ș, ț" in check.message
    assert "do_lower_case" in check.hint


def test_an_extraction_says_what_the_tokenizer_loses(tmp_path: Path) -> None:
    vocabulary(tmp_path, SMALL + "ăâîșț" + SIGNS)
    fill(f"sqlite:///{tmp_path / 'test.db'}", [(1, None, "Ședința")], [(1, "instanțe")])
    events: list[Event] = []
    extract(settings_for(tmp_path, training={"base_model": str(tmp_path)}), events.append)
    warnings = [event.message for event in events if isinstance(event, Notice) and event.level == "warning"]
    assert len(warnings) == 1
    assert "drops letters that its vocabulary has, ă, â, î, ș, ț" in warnings[0]
