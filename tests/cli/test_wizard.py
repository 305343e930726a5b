"""The real prompts, answered through a pipe as a person's keys would."""

import pytest
from filelock import FileLock
from keyboard import BACK, CTRL_C, DOWN, ENTER, retype

from get_tags_train.cli import wizard
from get_tags_train.cli.conversation import Conversation
from get_tags_train.cli.main import app
from get_tags_train.cli.prompts import GoBack
from get_tags_train.core import i18n
from get_tags_train.core.config import load_settings
from get_tags_train.core.errors import InterruptedByUser
from get_tags_train.core.events import StageProgress
from get_tags_train.core.home import data_dir, last_source_path, live_model, locks_dir, model_names, models_dir
from get_tags_train.core.settings import Source
from get_tags_train.data import extract as data_extract
from get_tags_train.data import read
from get_tags_train.data.prepared import PreparedData
from get_tags_train.demo.write import write_demo

YES, NO = "y" + ENTER, "n" + ENTER


def ask_source(settings, chosen):
    return wizard.ask_source(settings, chosen, {}, Conversation())


@pytest.fixture
def home(tmp_path):
    write_demo(tmp_path)
    return tmp_path


def run(*args):
    with pytest.raises(SystemExit) as end:
        app(args=[str(arg) for arg in args])
    return end.value.code


def test_the_whole_chain_answered_by_keys(keys, home):
    keys(ENTER + retype("1") + ENTER + retype("16") + retype("2") + YES + YES)
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
    keys(ENTER * 5 + NO)
    assert run("train", "--home", home) == 130
    assert sorted(home.rglob("*")) == before


def test_numbers_are_checked_where_they_are_typed(keys, home):
    keys(ENTER + ENTER + "\x15" + "600" + ENTER + retype("100") + "\x15" + "zwei" + ENTER + retype("3"))
    answers = wizard.ask_settings(load_settings(home), {}, Conversation())
    assert answers == {"training": {"epochs": 5, "batch_size": 16, "context_length": 100}, "evaluation": {"top_k": 3}}


def test_settings_change_what_is_offered_and_flags_skip_questions(keys, home):
    settings = load_settings(home, overrides={"training": {"epochs": 7}})
    keys(ENTER * 2)
    answered = {"training": {"context_length": 64}, "evaluation": {"top_k": 1}}
    assert wizard.ask_settings(settings, answered, Conversation()) == {"training": {"epochs": 7, "batch_size": 16}}


def test_a_batch_size_may_be_left_to_the_machine(keys, home):
    keys(ENTER + retype("auto") + ENTER * 2)
    assert wizard.ask_settings(load_settings(home), {}, Conversation())["training"]["batch_size"] == "auto"


def test_ids_are_asked_for_with_the_homes_file_offered(keys, home):
    keys(DOWN + ENTER + ENTER)
    assert ask_source(load_settings(home), None) == Source("ids", ids_path=home / "ids.csv")


def test_an_unusable_ids_file_is_refused_where_it_is_typed(keys, home):
    (home / "wrong.csv").write_text("1,2\n3,4\n")
    keys(retype(str(home / "wrong.csv")) + retype(str(home / "ids.csv")))
    assert ask_source(load_settings(home), Source("ids")) == Source("ids", ids_path=home / "ids.csv")


def test_prepared_data_are_offered_newest_first(keys, home):
    for _ in range(2):
        assert run("extract", "--source", "ids", "--ids", home / "ids.csv", "--home", home) == 0
    keys(ENTER)
    assert ask_source(load_settings(home), Source("cached")) == Source("cached", data_name="tags_v2")


def test_without_a_database_setting_one_up_and_the_example_are_offered(keys, tmp_path):
    keys(ENTER)
    assert ask_source(load_settings(tmp_path), None) == wizard.SET_UP
    keys(DOWN + ENTER)
    assert ask_source(load_settings(tmp_path), None) == wizard.EXAMPLE


def test_ctrl_c_before_the_example_is_written_leaves_no_trace(keys, tmp_path):
    keys(DOWN + ENTER + ENTER + CTRL_C)
    assert run("train", "--home", tmp_path) == 130
    keys(ENTER + CTRL_C)
    assert run("train", "--demo", "--home", tmp_path) == 130
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_at_the_question_of_deploying_still_says_where_the_model_is(keys, home, capsys):
    keys(retype("1") + ENTER + retype("16") + ENTER + YES + CTRL_C)
    assert run("train", "--home", home, "--source", "database") == 130
    assert model_names(home)[0] in capsys.readouterr().out


@pytest.fixture
def said(monkeypatch):
    """What the wizard has said above its questions, as one text."""
    lines = []
    monkeypatch.setattr("questionary.print", lines.append)
    return lambda: " ".join("\n".join(lines).split())


@pytest.fixture
def interrupt(home, monkeypatch):
    """Begin an extraction and stop it when 250 documents have been read and 200 of them are kept."""
    monkeypatch.setattr(read, "SHARD_DOCUMENTS", 100)

    def stop(event):
        if event.__class__ is StageProgress and event.done >= 250:
            raise KeyboardInterrupt

    def extract(source):
        settings = load_settings(home, source=source, overrides={"database": {"page_size": 50}})
        with pytest.raises(InterruptedByUser):
            data_extract.extract(settings, stop)

    return extract


def test_an_unfinished_extraction_is_said_and_continued_first(keys, home, said, interrupt, capsys):
    interrupt(Source("database"))
    keys(ENTER)
    assert run("extract", "--home", home) == 0
    assert "The extraction of tags_v1 has not finished: sqlite:///demo.db, begun 20" in said()
    assert "200 of 1,600 documents read." in said()
    assert "get-tags data remove tags_v1.partial" in said()
    assert "Continuing the extraction of tags_v1" in capsys.readouterr().err
    assert PreparedData(data_dir(home) / "tags_v1").manifest.resumed


def test_an_unfinished_extraction_of_all_texts_goes_on_as_one(keys, home, said, interrupt):
    interrupt(Source("database", reads_all=True))
    keys(ENTER)
    assert ask_source(load_settings(home), None) == Source("database", reads_all=True)


def test_the_rest_of_the_choices_stay(keys, home, interrupt):
    interrupt(Source("database"))
    keys(DOWN + ENTER + ENTER)
    assert ask_source(load_settings(home), None) == Source("ids", ids_path=home / "ids.csv")


def test_an_unfinished_extraction_of_ids_goes_on_with_the_same_file(keys, home, said, interrupt):
    interrupt(Source("ids", home / "ids.csv"))
    keys(ENTER)
    assert ask_source(load_settings(home), None) == Source("ids", ids_path=home / "ids.csv")
    assert "ids of a file, in sqlite:///demo.db" in said()
    (home / "ids.csv").write_text("1014\n")
    keys(ENTER)
    assert ask_source(load_settings(home), None) == Source("database")
    assert "It cannot be continued now: ids changed." in said()
    (home / "ids.csv").unlink()
    keys(ENTER)
    assert ask_source(load_settings(home), None) == Source("database")
    assert f"there is no {home / 'ids.csv'}" in said()


@pytest.mark.parametrize(
    ("section", "value", "reason"),
    [
        ("database", {"tags_query": "SELECT 1 AS id, 'a' AS tag"}, "tags query changed"),
        ("database", {"url": "sqlite:///other.db"}, "database changed"),
        ("training", {"base_model": "nowhere"}, "The base model nowhere cannot be loaded"),
    ],
)
def test_what_the_settings_do_not_match_is_not_offered(keys, home, said, interrupt, section, value, reason):
    interrupt(Source("database"))
    keys(ENTER)
    settings = load_settings(home, overrides={section: value})
    assert ask_source(settings, None) == Source("database")
    assert f"It cannot be continued now: {reason}" in said()


def test_without_a_database_nothing_is_continued(keys, home, said, interrupt):
    interrupt(Source("database"))
    keys(DOWN + ENTER)
    assert ask_source(load_settings(home, overrides={"database": {"url": ""}}), None) == wizard.EXAMPLE
    assert "It cannot be continued now: No database is set." in said()


def test_an_extraction_that_is_running_is_not_offered(keys, home, said, interrupt):
    interrupt(Source("database"))
    keys(ENTER)
    with FileLock(locks_dir(home) / "tags_v1.partial.lock"):
        assert ask_source(load_settings(home), None) == Source("database")
    assert "It cannot be continued now: a run is at work on it." in said()
    assert "data remove" not in said()


def test_an_extraction_that_has_read_nothing_yet(keys, home, said, interrupt):
    interrupt(Source("database"))
    for path in (data_dir(home) / "tags_v1.partial").iterdir():
        if path.name != "plan.json":
            path.unlink()
    keys(ENTER)
    assert ask_source(load_settings(home), None) == Source("database")
    assert "nothing read yet." in said()


@pytest.fixture
def interrupted_training(home, monkeypatch):
    """The name of a training of 3 epochs that was stopped before its first step."""

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("get_tags_train.training.train._fit", stop)
        assert run("train", "--yes", "--home", home, "--epochs", 3, "--context-length", 24) == 130
    (partial,) = models_dir(home).iterdir()
    return partial.name.removesuffix(".partial")


def test_an_unfinished_training_is_said_and_continued_first(keys, home, said, interrupted_training, capsys):
    keys(ENTER * 2 + NO)  # the training, k, and no start
    assert run("train", "--home", home) == 130
    assert f"The training {interrupted_training} of the newest data has not finished" in said()
    assert f"get-tags models remove {interrupted_training}.partial" in said()
    command = " ".join(capsys.readouterr().err.split())
    assert "--data tags_v1 --epochs 3 --batch-size 16 --context-length 24" in command


def test_an_answer_of_an_unfinished_training_can_be_changed(keys, home, interrupted_training, capsys):
    keys(ENTER * 2 + "c" + ENTER + "2" + ENTER + "4" + ENTER + NO)
    assert run("train", "--home", home) == 130
    command = " ".join(capsys.readouterr().err.split())
    assert "--data tags_v1 --epochs 4 --batch-size 16 --context-length 24" in command


def test_a_training_of_other_settings_is_not_offered(keys, home, said, interrupted_training):
    keys(ENTER)
    assert ask_source(load_settings(home, overrides={"training": {"seed": 8}}), None) == Source("database")
    assert "It cannot be continued with these settings: seed was 42 and is 8." in said()


def test_going_back_asks_the_answer_before_again_and_offers_it(keys, home):
    keys("3" + ENTER + "8" + ENTER + BACK + BACK + ENTER + "32" + ENTER + ENTER * 2)
    answers = Conversation().hold(lambda talk: wizard.ask_settings(load_settings(home), {}, talk))
    assert answers["training"] == {"epochs": 3, "batch_size": 32, "context_length": 512}


def test_escape_goes_back_too(keys, home):
    keys("\x1b")
    with pytest.raises(GoBack):
        Conversation().hold(lambda talk: wizard.ask_settings(load_settings(home), {}, talk), is_inner=True)


def test_an_answer_is_changed_at_the_end_and_the_others_stay(keys, home, capsys):
    change = "c" + ENTER
    keys(ENTER + "3" + ENTER + "8" + ENTER + ENTER * 2 + change + "2" + ENTER + "4" + ENTER + NO)
    assert run("train", "--home", home) == 130
    said = " ".join(capsys.readouterr().err.split())
    assert "--source database --epochs 4 --batch-size 8 --context-length 512 --top-k 5" in said


def test_back_from_the_list_of_answers_leads_to_the_start(keys, home):
    keys(ENTER * 5 + "c" + ENTER + BACK + NO)
    assert run("train", "--home", home) == 130


def test_back_from_the_start_asks_the_last_answer_again(keys, home, capsys):
    keys(ENTER * 5 + BACK + "9" + ENTER + NO)
    assert run("train", "--home", home) == 130
    assert "--top-k 9" in " ".join(capsys.readouterr().err.split())


def test_another_source_asks_for_what_goes_with_it(keys, home, capsys):
    keys(ENTER * 5 + "c" + ENTER + "1" + ENTER + "2" + ENTER + ENTER + NO)
    assert run("train", "--home", home) == 130
    assert f"--source ids --ids {home / 'ids.csv'}" in " ".join(capsys.readouterr().err.split())


def test_the_example_is_left_again_by_going_back(keys, tmp_path, capsys):
    keys(DOWN + ENTER + BACK + ENTER + ENTER * 4 + NO)
    assert run("train", "--home", tmp_path) == 130
    assert f"--home {tmp_path / 'demo'}\n" in capsys.readouterr().err + "\n"
    assert list(tmp_path.iterdir()) == []


def test_extract_without_a_database_offers_to_set_one_up(keys, tmp_path):
    keys(CTRL_C)
    assert run("extract", "--home", tmp_path) == 130
    keys(ENTER + BACK + CTRL_C)  # into the questions of init, and out of them
    assert run("extract", "--home", tmp_path) == 130
    assert list(tmp_path.iterdir()) == []


def test_answers_are_chosen_by_number_or_letter(keys, home):
    keys("2" + ENTER + ENTER)
    assert ask_source(load_settings(home), None) == Source("ids", ids_path=home / "ids.csv")
    keys("y" + ENTER + "n" + ENTER + ENTER)
    assert wizard.confirm_deploy("m") is True
    assert wizard.confirm_deploy("m") is False
    assert wizard.confirm_deploy("m") is False


def test_a_number_is_typed_without_erasing_what_is_offered(keys, home):
    keys("7" + ENTER + ENTER * 3)
    assert wizard.ask_settings(load_settings(home), {}, Conversation())["training"]["epochs"] == 7


def test_only_the_source_is_offered_again(keys, home):
    other = home / "other.csv"
    other.write_text((home / "ids.csv").read_text())
    wizard.remember(home, Source("ids", ids_path=other))
    keys(ENTER + ENTER)
    assert ask_source(load_settings(home), None) == Source("ids", ids_path=other)
    wizard.remember(home, Source("cached", data_name="tags_v1"))  # there are no data to offer
    keys(ENTER)
    assert ask_source(load_settings(home), None) == Source("database")


@pytest.mark.parametrize("kept", ["", "[]", "[" * 3000, '{"kind": "floppy"}', '{"kind": 3}', "\x00"])
def test_a_damaged_memory_of_the_source_is_none(keys, home, kept):
    wizard.remember(home, Source("ids"))
    last_source_path(home).write_text(kept)
    keys(ENTER)
    assert ask_source(load_settings(home), None) == Source("database")


def test_what_is_missing_is_shown_in_red_before_the_start(keys, home, capsys):
    (home / "test_samples_tags.csv").write_text("text,labels\n", encoding="utf-8")
    keys(ENTER * 5 + ENTER)
    assert run("train", "--home", home) == 130
    shown = capsys.readouterr().err
    assert "error" in shown
    assert "What to do:" in shown
    assert "About to start" in shown


def test_the_wizard_speaks_romanian(keys, home, capsys, monkeypatch):
    monkeypatch.setenv("GET_TAGS_DISPLAY_LANGUAGE", "ro")
    keys(ENTER * 5 + "n" + ENTER)
    try:
        assert run("train", "--home", home) == 130
    finally:
        i18n.set_language("en")
    shown = " ".join(capsys.readouterr().err.split())
    assert "Urmează să înceapă" in shown
    assert "Nu a fost pornit nimic." in shown
    keys(ENTER)
    assert wizard.confirm_start(Conversation(), expected=True) is True
