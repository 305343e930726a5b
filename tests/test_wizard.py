"""The real prompts, answered through a pipe as a person's keys would."""

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from get_tags_train import wizard
from get_tags_train.cli import app
from get_tags_train.demo import write_demo
from get_tags_train.home import data_dir, live_model, model_names
from get_tags_train.settings import Source, load_settings

ENTER, DOWN, CTRL_C = "\r", "\x1b[B", "\x03"


def retype(text):
    """Clear what a prompt offers and type this."""
    return "\x15" + text + ENTER


@pytest.fixture
def keys(monkeypatch):
    """Type keys ahead of what runs."""
    monkeypatch.setattr(wizard, "can_ask", lambda: True)
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe.send_text


@pytest.fixture
def home(tmp_path):
    write_demo(tmp_path)
    return tmp_path


def run(*args):
    with pytest.raises(SystemExit) as end:
        app(args=[str(arg) for arg in args])
    return end.value.code


def test_the_whole_chain_answered_by_keys(keys, home):
    keys(ENTER + retype("1") + ENTER + retype("16") + retype("2") + "y" + "y")
    assert run("train", "--home", home) == 0
    assert data_dir(home).joinpath("tags_v1").is_dir()
    assert live_model(home / "_live").name == model_names(home)[0]


def test_ctrl_c_at_any_prompt_leaves_no_trace(keys, home, capsys):
    before = sorted(home.rglob("*"))
    for answered in range(6):
        keys(ENTER * answered + CTRL_C)
        assert run("train", "--home", home) == 130
        assert "Nothing was started" in capsys.readouterr().err
    assert sorted(home.rglob("*")) == before


def test_a_no_to_the_summary_starts_nothing(keys, home):
    before = sorted(home.rglob("*"))
    keys(ENTER * 5 + "n")
    assert run("train", "--home", home) == 130
    assert sorted(home.rglob("*")) == before


def test_numbers_are_checked_where_they_are_typed(keys, home):
    keys(ENTER + ENTER + "\x15" + "600" + ENTER + retype("100") + "\x15" + "zwei" + ENTER + retype("3"))
    answers = wizard.ask_settings(load_settings(home), {})
    assert answers == {"training": {"epochs": 5, "batch_size": 16, "context_length": 100}, "evaluation": {"top_k": 3}}


def test_settings_change_what_is_offered_and_flags_skip_questions(keys, home):
    settings = load_settings(home, overrides={"training": {"epochs": 7}})
    keys(ENTER * 2)
    answered = {"training": {"context_length": 64}, "evaluation": {"top_k": 1}}
    assert wizard.ask_settings(settings, answered) == {"training": {"epochs": 7, "batch_size": 16}}


def test_ids_are_asked_for_with_the_homes_file_offered(keys, home):
    keys(DOWN + ENTER + ENTER)
    assert wizard.ask_source(load_settings(home), None) == Source("ids", ids_path=home / "ids.csv")


def test_an_unusable_ids_file_is_refused_where_it_is_typed(keys, home):
    (home / "wrong.csv").write_text("1,2\n3,4\n")
    keys(retype(str(home / "wrong.csv")) + retype(str(home / "ids.csv")))
    assert wizard.ask_source(load_settings(home), Source("ids")) == Source("ids", ids_path=home / "ids.csv")


def test_prepared_data_are_offered_newest_first(keys, home):
    for _ in range(2):
        assert run("extract", "--source", "ids", "--ids", home / "ids.csv", "--home", home) == 0
    keys(ENTER)
    assert wizard.ask_source(load_settings(home), Source("cached")) == Source("cached", data_name="tags_v2")


def test_without_a_database_the_example_is_offered(keys, tmp_path):
    keys(ENTER)
    assert wizard.ask_source(load_settings(tmp_path), None) is None


def test_ctrl_c_before_the_example_is_written_leaves_no_trace(keys, tmp_path):
    keys(ENTER + ENTER + CTRL_C)
    assert run("train", "--home", tmp_path) == 130
    keys(ENTER + CTRL_C)
    assert run("train", "--demo", "--home", tmp_path) == 130
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_at_the_question_of_deploying_still_says_where_the_model_is(keys, home, capsys):
    keys(retype("1") + ENTER + retype("16") + ENTER + "y" + CTRL_C)
    assert run("train", "--home", home, "--source", "database") == 130
    assert model_names(home)[0] in capsys.readouterr().out
