"""Settings: which layer wins, what is refused and how it is named, and that the shipped defaults explain themselves."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from get_tags_train.core import settings as module
from get_tags_train.core.bootstrap import default_home
from get_tags_train.core.config import RETIRED, defaults_path, load_settings
from get_tags_train.core.errors import InputError
from get_tags_train.core.settings import Settings, Source, describe, problem

SECTIONS = {
    "database": module.DatabaseSettings,
    "data": module.DataSettings,
    "training": module.TrainingSettings,
    "evaluation": module.EvaluationSettings,
    "deploy": module.DeploySettings,
    "keep": module.KeepSettings,
    "notify": module.NotifySettings,
    "serve": module.ServeSettings,
    "display": module.DisplaySettings,
}


def every_field() -> dict[tuple[str, str], FieldInfo]:
    return {(section, key): field for section, model in SECTIONS.items() for key, field in model.model_fields.items()}


def load(home: Path, environ: Mapping[str, str] | None = None, **more: Any) -> Settings:
    return load_settings(home, environ=environ or {}, **more)


def site(home: Path, content: str) -> Path:
    path = home / "get-tags.toml"
    path.write_text(content, encoding="utf-8")
    return path


def refused(home: Path, environ: Mapping[str, str] | None = None, **more: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load(home, environ, **more)
    assert caught.value.hint
    return caught.value


def test_a_home_without_settings_has_the_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    training = loaded.training
    assert (training.epochs, training.batch_size, training.context_length, loaded.evaluation.top_k) == (5, 16, 512, 5)
    assert (training.min_tag_count, loaded.home, loaded.source.kind) == (1, tmp_path, "database")


def test_each_layer_wins_over_the_ones_before_it(tmp_path: Path) -> None:
    config_path = tmp_path / "own.toml"
    layers: dict[int, dict[str, Any]] = {5: {}}
    site(tmp_path, "[training]\nepochs = 6\nbatch_size = 2")
    layers[6] = {}
    config_path.write_text("[training]\nepochs = 7")
    layers[7] = {"config_path": config_path}
    layers[8] = {**layers[7], "environ": {"GET_TAGS_TRAINING_EPOCHS": "8"}}
    layers[9] = {**layers[8], "overrides": {"training": {"epochs": 9}}}
    assert load(tmp_path / "elsewhere").training.epochs == 5
    for epochs in (6, 7, 8, 9):
        loaded = load(tmp_path, **layers[epochs])
        assert loaded.training.epochs == epochs
        assert loaded.training.batch_size == 2


def test_environment_values_are_toml_and_texts_need_no_quotes(tmp_path: Path) -> None:
    environ = {
        "GET_TAGS_TRAINING_LEARNING_RATE": "2e-4",
        "GET_TAGS_DATABASE_URL": "sqlite:///x.db",
        "GET_TAGS_DATABASE_PASSWORD": "12",
        "GET_TAGS_EVALUATION_SAMPLES": "a.csv",
        "GET_TAGS_HOME": "/elsewhere",
        "GET_TAGS_TEST_MSSQL": "anything",
        "PATH": "/bin",
    }
    loaded = load(tmp_path, environ)
    assert (loaded.training.learning_rate, loaded.database.url) == (2e-4, "sqlite:///x.db")
    assert (loaded.database.password, loaded.evaluation.samples, loaded.home) == ("12", "a.csv", tmp_path)


@pytest.mark.parametrize("name", ["GET_TAGS_TRAINING_EPOCH", "GET_TAGS_TRAIN_EPOCHS", "GET_TAGS_EPOCHS", "GET_TAGS_"])
def test_a_variable_that_is_no_setting_is_refused_by_name(tmp_path: Path, name: str) -> None:
    assert name in refused(tmp_path, {name: "3"}).message


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("[training]\nepoch = 3", "Unknown setting [training] epoch in"),
        ("[trainig]\nepochs = 3", "Unknown setting [trainig] in"),
        ("epochs = 3", "'epochs' in"),
        ('[training]\nepochs = "3"', "Setting [training] epochs in"),
        ("[training]\nepochs = 3.0", "Setting [training] epochs in"),
        ("[training]\nepochs = true", "Setting [training] epochs in"),
        ("[training]\nepochs = 0", "Setting [training] epochs in"),
        ("[training]\ncontext_length = 513", "Setting [training] context_length in"),
        ("[training]\ncontext_length = 7", "Setting [training] context_length in"),
        ('[training]\ndevice = "gpu"', "Setting [training] device in"),
        ("[training]\nlearning_rate = 0", "Setting [training] learning_rate in"),
        ("[training]\nlearning_rate = nan", "Setting [training] learning_rate in"),
        ("[training]\nseed = -1", "Setting [training] seed in"),
        ('[training]\nloss = "softmax"', "Setting [training] loss in"),
        ('[training]\nbase_model = ""', "Setting [training] base_model in"),
        ("[evaluation]\ntop_k = 0", "Setting [evaluation] top_k in"),
        ("[database]\nurl = 3", "Setting [database] url in"),
        ("[database]\npage_size = 1001", "Setting [database] page_size in"),
        ("[deploy]\nkeep_versions = 1", "Setting [deploy] keep_versions in"),
        ("[training]\nepochs = ", "is not valid TOML"),
        ('[database]\nurl = "C:\\data\\x.db"', "is not valid TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_refused_by_key_and_file(tmp_path: Path, content: str, named: str) -> None:
    path = site(tmp_path, content)
    message = refused(tmp_path).message
    assert named in message
    assert str(path) in message


def test_each_layer_is_named_where_its_value_is_wrong(tmp_path: Path) -> None:
    config_path = tmp_path / "own.toml"
    config_path.write_text("[training]\nepochs = 0")
    wrong = {"training": {"epochs": 0}}
    assert str(config_path) in refused(tmp_path, config_path=config_path).message
    assert "the environment" in refused(tmp_path, {"GET_TAGS_TRAINING_EPOCHS": "many"}).message
    assert "--epochs: " in refused(tmp_path, overrides=wrong).message


def test_an_unknown_key_comes_with_the_known_ones(tmp_path: Path) -> None:
    site(tmp_path, "[evaluation]\nk = 3")
    assert refused(tmp_path).hint == "Known there: top_k, samples, leaks, held_out, baseline."


def test_a_retired_setting_is_told_and_not_refused(tmp_path: Path) -> None:
    path = site(tmp_path, "[training]\nattention_dropout = 0.1\nepochs = 6\n[serve]\nmax_top_n = 9")
    loaded = load(tmp_path, {"GET_TAGS_SERVE_MAX_WAITING_TEXTS": "5"})
    assert loaded.training.epochs == 6
    assert loaded.retired == (
        f"[training] attention_dropout, {path}",
        f"[serve] max_top_n, {path}",
        "[serve] max_waiting_texts, the environment",
    )


def test_what_is_retired_is_no_setting() -> None:
    retired = {(section, key) for section, keys in RETIRED.items() for key in keys}
    assert retired & set(every_field()) == set()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[training]\nepochs = 0.5", "it should be a whole number"),
        ("[training]\nlearning_rate = 'a'", "it should be a number"),
        ("[training]\ndeterministic = 1", "it should be true or false"),
        ("[training]\ncontext_length = 513", "it should be at most 512"),
        ("[training]\nlearning_rate = 0", "it should be more than 0"),
        ("[training]\nwarmup_ratio = 1", "it should be less than 1"),
        ("[training]\nbase_model = ''", "it should not be empty"),
        ("[training]\ndevice = 'gpu'", "it should be one of 'auto', 'cpu', 'cuda'"),
        ("[database]\nurl = 3", "it should be a text in quotes"),
    ],
)
def test_a_refusal_is_said_in_our_words(tmp_path: Path, content: str, said: str) -> None:
    site(tmp_path, content)
    assert refused(tmp_path).message.endswith(f": {said}.")


def test_a_wrong_value_comes_with_the_settings_description(tmp_path: Path) -> None:
    site(tmp_path, '[training]\nbatch_size = "many"')
    assert "[training] batch_size" in refused(tmp_path).message
    site(tmp_path, "[training]\nbatch_size = 0")
    assert refused(tmp_path).hint == describe("training", "batch_size")


def test_a_settings_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "none.toml" in refused(tmp_path, config_path=tmp_path / "none.toml").message


def test_a_folder_in_the_place_of_a_settings_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "get-tags.toml").mkdir()
    assert "get-tags.toml" in refused(tmp_path).message


def test_a_settings_file_may_have_a_byte_order_mark_and_must_be_utf_8(tmp_path: Path) -> None:
    path = site(tmp_path, "\ufeff[training]\nepochs = 6")
    assert load(tmp_path).training.epochs == 6
    path.write_bytes('[training]\nbase_model = "ş"'.encode("cp1250"))
    assert "is not UTF-8" in refused(tmp_path).message


SECRET = "hunter2-geheim"


def test_the_url_and_the_password_are_not_shown(tmp_path: Path) -> None:
    loaded = load(tmp_path, overrides={"database": {"url": f"mssql://u:{SECRET}@h/d", "password": SECRET}})
    assert loaded.database.password == SECRET
    for shown in (repr(loaded), str(loaded), repr(loaded.database), str(loaded.database)):
        assert SECRET not in shown


def test_a_secret_that_is_wrong_is_not_shown_in_the_error(tmp_path: Path) -> None:
    error = refused(tmp_path, overrides={"database": {"password": [SECRET]}})
    assert SECRET not in error.message + error.hint
    assert error.__suppress_context__


def test_relative_paths_lie_in_the_home(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.samples_path == tmp_path / "test_samples_tags.csv"
    assert loaded.live_dir == tmp_path / "_live"


def test_absolute_paths_and_the_users_own_folder_are_taken_as_they_are(tmp_path: Path) -> None:
    live = tmp_path / "live"
    loaded = load(
        tmp_path / "home", overrides={"deploy": {"live_dir": str(live)}, "evaluation": {"samples": "~/s.csv"}}
    )
    assert loaded.live_dir == live
    assert loaded.samples_path == Path.home() / "s.csv"


def test_the_base_model_is_a_folder_of_the_home_or_a_name(tmp_path: Path) -> None:
    loaded = load(tmp_path, overrides={"training": {"base_model": "bert"}})
    assert loaded.base_model == "bert"
    (tmp_path / "bert").mkdir()
    assert loaded.base_model == str(tmp_path / "bert")


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        loaded.training.epochs = 3  # type: ignore[misc]


def test_the_source_goes_with_the_settings(tmp_path: Path) -> None:
    source = Source("ids", ids_path=tmp_path / "ids.csv")
    assert load(tmp_path, source=source).source == source


def test_the_default_home() -> None:
    assert default_home({"GET_TAGS_HOME": "/srv/tags"}) == Path("/srv/tags").absolute()
    assert default_home({"GET_TAGS_HOME": "~/tags"}) == Path.home() / "tags"
    assert default_home({"GET_TAGS_HOME": "~a user whom nobody knows/tags"}).name == "tags"
    assert default_home({}).name == "allan"


@pytest.mark.skipif(os.name == "nt", reason="the same folder for all users there")
def test_the_default_home_without_a_home_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    of_the_user = Path(pwd.getpwuid(os.getuid()).pw_dir) / "allan"
    assert default_home({"HOME": "/srv/ana"}) == Path("/srv/ana/allan")
    assert [default_home({}), default_home({"HOME": ""})] == [of_the_user, of_the_user]
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    assert default_home({}) == Path("/allan")


@pytest.mark.parametrize(
    ("section", "key", "value", "is_fine"),
    [
        ("training", "epochs", 1, True),
        ("training", "epochs", 0, False),
        ("training", "epochs", "1", False),
        ("training", "context_length", 512, True),
        ("training", "context_length", 513, False),
        ("evaluation", "top_k", 5, True),
        ("evaluation", "top_k", -5, False),
        ("training", "device", "cuda", True),
        ("training", "device", "tpu", False),
        ("evaluation", "samples", "", False),
    ],
)
def test_a_single_value_can_be_judged(section: str, key: str, value: Any, is_fine: bool) -> None:
    assert (problem(section, key, value) == "") is is_fine


@pytest.mark.parametrize(("section", "key"), every_field())
def test_every_setting_has_a_description_of_one_sentence(section: str, key: str) -> None:
    assert re.fullmatch(r"[A-Z].*\.", describe(section, key))
    assert "\n" not in describe(section, key)


def test_what_is_no_setting_has_no_description() -> None:
    assert describe("training", "epoch") == describe("trainig", "epochs") == describe("training", "") == ""


def test_every_setting_has_its_default_in_the_shipped_file_and_nowhere_else() -> None:
    shipped = tomllib.loads(defaults_path().read_text(encoding="utf-8"))
    assert {(section, key) for section, values in shipped.items() for key in values} == set(every_field())
    assert all(field.is_required() for field in every_field().values())


def test_the_comment_above_each_shipped_default_is_its_description() -> None:
    section, comments, documented = "", [], {}
    for line in defaults_path().read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
        elif line.startswith("#"):
            comments.append(line.removeprefix("# "))
            continue
        elif key := re.match(r"(\w+) = ", line):
            documented[section, key[1]] = " ".join(comments)
        comments = []
    assert documented == {name: field.description for name, field in every_field().items()}
