"""The commands as a shell sees them: what is printed where, and exit codes."""

import gc
import json
import os
import shlex
import shutil
import signal
from pathlib import Path

import pytest
from databases import fill

from get_tags_train import pipeline
from get_tags_train.cli.main import app
from get_tags_train.core.home import data_dir, model_names, models_dir
from get_tags_train.core.version import __version__
from get_tags_train.demo.write import write_demo
from get_tags_train.training.step import TrainingStep


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with the example, its data prepared, and a briefly trained model."""
    home = tmp_path_factory.mktemp("homes") / "casă nouă"
    write_demo(home)
    flags = ["train", "--yes", "--json", "--home", str(home), "--epochs", "1", "--context-length", "24"]
    with pytest.raises(SystemExit) as end:
        app(args=flags)
    assert end.value.code == 0
    return home


def test_train_prints_one_json_object_with_the_agreed_keys(get_tags, home):
    name = model_names(home)[0]
    result = get_tags(
        "train", "--source", "cached", "--yes", "--json", "--home", home, "--epochs", 1, "--context-length", 16
    )
    assert result.code == 0
    assert set(result.json) == {"data", "model", "evaluation", "verdict", "deployed", "live", "seconds"}
    assert set(result.json["data"]) == {
        *("name", "path", "source", "documents_read", "documents_kept", "dropped"),
        *("missing_ids", "tags", "checksum", "resumed", "seconds", "parts"),
    }
    assert set(result.json["model"]) == {
        *("name", "path", "base_model", "epochs", "batch_size", "context_length", "examples"),
        *("device", "precision", "resumed", "seconds"),
    }
    assert {"examples", "top_k", "precision_at_k"} <= set(result.json["evaluation"])
    assert list(result.json["evaluation"]["precision_at_k"]) == ["1", "2", "3", "4", "5"]
    assert result.json["deployed"] is False
    assert result.json["live"] is None
    assert name != result.json["model"]["name"]


@pytest.mark.skipif(os.name == "nt", reason="sends itself signals")
def test_an_interrupted_training_names_the_command_that_continues_it(get_tags, home, monkeypatch):
    def step(self, number, rows, share):
        if number == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return take_step(self, number, rows, share)

    monkeypatch.setenv("COLUMNS", "40")
    take_step = TrainingStep.step
    monkeypatch.setattr(TrainingStep, "step", step)
    interrupted = get_tags("train", "--source", "cached", "--yes", "--home", home, "--epochs", 1, "--batch-size", 32)
    assert interrupted.code == 130
    assert "saved at step 3 of" in interrupted.err
    monkeypatch.setattr(TrainingStep, "step", take_step)
    command = interrupted.err.partition("To resume it:\n")[2].splitlines()[0]
    assert shlex.split(command)[1:] == [
        *("train", "--data", "tags_v1", "--yes", "--epochs", "1", "--batch-size", "32", "--home", str(home)),
    ]
    assert get_tags(*shlex.split(command)[1:], "--json").json["model"]["resumed"]


def test_extract_needs_no_test_samples(get_tags, tmp_path):
    write_demo(tmp_path)
    (tmp_path / "test_samples_tags.csv").unlink()
    result = get_tags("extract", "--yes", "--json", "--home", tmp_path)
    assert result.code == 0
    assert result.json["data"]["name"] == "tags_v1"


def test_without_a_terminal_the_flags_that_would_answer_are_named(get_tags, tmp_path):
    result = get_tags("train", "--home", tmp_path, "--epochs", 3)
    assert result.code == 2
    assert "--source, --batch-size, --context-length, --top-k. Add --yes" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--context-length", "600"], "--context-length: it should be at most 512"),
        (["--source", "database", "--ids", "x.csv"], "--ids goes with --source ids"),
        (["--source", "floppy"], "floppy"),
        (["--epochs", "many"], "--epochs"),
        (["--data", "tags_v99"], "tags_v99"),
        (["--nonsense"], "--nonsense"),
        (["--source", "cached", "--full"], "--full does not go with --source cached"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_wrong(get_tags, home, flags, said):
    result = get_tags("train", "--yes", "--json", "--home", home, *flags)
    assert result.code == 2
    assert said in result.json["error"]["message"] + result.json["error"]["hint"]


def test_nothing_to_score_on_stops_a_training_before_any_work(get_tags, tmp_path, monkeypatch):
    write_demo(tmp_path)
    (tmp_path / "test_samples_tags.csv").unlink()
    monkeypatch.setenv("GET_TAGS_EVALUATION_HELD_OUT", "0.0")
    result = get_tags("train", "--yes", "--json", "--home", tmp_path)
    assert result.code == 2
    assert "test_samples_tags.csv" in result.json["error"]["message"]
    assert not data_dir(tmp_path).exists()


def test_a_weak_model_is_refused_under_deploy_and_the_log_says_so(get_tags, home, tmp_path, monkeypatch):
    copy = shutil.copytree(home, tmp_path / "home")
    monkeypatch.setenv("GET_TAGS_TRAINING_BLEND", "false")
    monkeypatch.setenv("GET_TAGS_NOTIFY_COMMAND", f"cat > '{tmp_path / 'told.json'}'")
    flags = ["--source", "cached", "--epochs", 1, "--context-length", 8, "--deploy", "--yes", "--home", copy]
    result = get_tags("train", *flags)
    assert result.code == 3
    assert result.out.startswith("Do not deploy tags_v1-")
    assert not (copy / "_live").exists()
    told = json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))
    assert (told["outcome"], told["command"], told["deployed"]) == ("refused", "train", False)
    assert told["text"].endswith("It was not deployed.")
    log = get_tags("logs", "train", "--home", copy).out
    for said in ("settings: [training] ", "epochs=1", "result: Do not deploy", "It was not deployed.", "checksum "):
        assert said in log
    assert told["log"] == get_tags("logs", "--json", "--home", copy).json["path"]


def test_a_run_that_fails_is_told(get_tags, tmp_path, home, monkeypatch):
    monkeypatch.setenv("GET_TAGS_NOTIFY_COMMAND", f"cat > '{tmp_path / 'told.json'}'")
    get_tags("extract", "--yes", "--home", tmp_path, "--base-model", home / "demo_bert")
    told = json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))
    assert told["outcome"] == "failed"
    assert told["text"] == "get-tags extract did not finish: No database is set."


def test_the_report_of_a_model(get_tags, home):
    result = get_tags("report", "--home", home)
    assert result.code == 0
    assert "recall@5" in result.out
    assert "Report: " in result.out
    assert Path(get_tags("report", "--json", "--home", home).json["path"]).is_file()


def test_logs_where_there_are_none(get_tags, tmp_path):
    result = get_tags("logs", "--json", "--home", tmp_path)
    assert (result.code, "There is no log" in result.json["error"]["message"]) == (2, True)


def test_no_database_is_said_with_what_to_do(get_tags, tmp_path, home):
    (tmp_path / "test_samples_tags.csv").write_bytes((home / "test_samples_tags.csv").read_bytes())
    result = get_tags("train", "--yes", "--json", "--home", tmp_path, "--base-model", home / "demo_bert")
    assert result.code == 2
    assert result.json["error"]["message"] == "No database is set."


def test_ctrl_c_is_exit_code_130(get_tags, home, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run", interrupt)
    result = get_tags("train", "--yes", "--home", home)
    assert result.code == 130
    assert "Interrupted" in result.err


def test_an_unexpected_error_leaves_its_traceback_in_the_log_only(get_tags, home, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("tripped")

    monkeypatch.setattr(pipeline, "run", fail)
    result = get_tags("train", "--yes", "--home", home)
    assert result.code == 1
    assert "Traceback" not in result.err + result.out
    log = Path(result.err.rpartition("The log of this run: ")[2].strip())
    assert "ZeroDivisionError: tripped" in log.read_text(encoding="utf-8")


def test_a_planted_password_appears_nowhere(get_tags, tmp_path, home):
    url = "postgresql+psycopg://operator:h%40rd-secret@127.0.0.1:1/nowhere"
    (tmp_path / "get-tags.toml").write_text(f'[database]\nurl = "{url}"\n')
    (tmp_path / "test_samples_tags.csv").write_bytes((home / "test_samples_tags.csv").read_bytes())
    result = get_tags("train", "--yes", "--json", "--home", tmp_path, "--base-model", home / "demo_bert")
    assert result.code == 1
    written = "".join(p.read_text(encoding="utf-8") for p in tmp_path.rglob("*.log"))
    for secret in ("h@rd-secret", "h%40rd-secret"):
        assert secret not in result.out + result.err + written


def test_predict_takes_a_text_a_file_or_standard_input(get_tags, home, tmp_path, monkeypatch):
    text = "Angajatorul a desfăcut contractul de muncă fără preaviz."
    file = tmp_path / "text.txt"
    file.write_text(text, encoding="cp1250")
    stdin = tmp_path / "stdin.txt"
    stdin.write_text(text, encoding="utf-8")
    flags = ["--model", model_names(home)[0], "--home", home, "--json", "--top-n", 3]
    by_argument = get_tags("predict", text, *flags).json
    with stdin.open(encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        by_stdin = get_tags("predict", *flags).json
    assert [len(one["tags"]) for one in by_argument] == [3]
    assert set(by_argument[0]["tags"][0]) == {"tag", "score"}
    assert get_tags("predict", "--file", file, *flags).json == by_argument == by_stdin


def test_predict_without_a_live_model_says_how_to_get_one(get_tags, tmp_path):
    result = get_tags("predict", "text", "--json", "--home", tmp_path)
    assert result.code == 2
    assert "get-tags deploy" in result.json["error"]["hint"]


def test_programs_read_a_plain_command_and_people_one_to_type(get_tags, tmp_path):
    read = get_tags("predict", "text", "--json", "--home", tmp_path).json
    assert read["error"]["hint"] == "To deploy one: get-tags deploy"
    seen = get_tags("predict", "text", "--home", tmp_path).err
    assert f"deploy --home {tmp_path}" in " ".join(seen.split())


def test_a_retired_setting_is_named_and_ignored(get_tags, tmp_path):
    (tmp_path / "get-tags.toml").write_text("[serve]\nmax_top_n = 5\n")
    result = get_tags("models", "--json", "--home", tmp_path)
    assert (result.code, result.json["models"]) == (0, [])
    assert "No longer a setting, ignored: [serve] max_top_n" in result.err


def test_deploy_predict_live_and_rollback(get_tags, home):
    name = model_names(home)[0]
    copy = home / "another"
    shutil.copytree(models_dir(home) / name, copy)
    assert get_tags("deploy", name, "--yes", "--json", "--home", home).json["live"].endswith(name)
    assert get_tags("predict", "un text", "--json", "--home", home).code == 0
    assert get_tags("deploy", copy, "--yes", "--json", "--home", home).json["live"].endswith("another")
    assert get_tags("rollback", "--json", "--home", home).json["live"].endswith(name)
    assert get_tags("rollback", "--json", "--home", home).code == 2


def test_evaluate_defaults_to_the_newest_model_and_keeps_the_result(get_tags, home):
    newest = model_names(home)[0]
    before = len(get_tags("models", "show", "--json", "--home", home).json["evaluations"])
    result = get_tags("evaluate", "--json", "--home", home, "--top-k", 2)
    assert (result.json["model"], list(result.json["precision_at_k"])) == (newest, ["1", "2"])
    after = get_tags("models", "show", newest, "--json", "--home", home).json["evaluations"]
    assert len(after) == before + 1


def test_data_are_listed_shown_verified_and_removed(get_tags, tmp_path):
    write_demo(tmp_path)
    get_tags("extract", "--source", "ids", "--yes", "--home", tmp_path)
    listed = get_tags("data", "--json", "--home", tmp_path).json
    assert [entry["name"] for entry in listed["data"]] == ["tags_v1"]
    shown = get_tags("data", "show", "tags_v1", "--json", "--home", tmp_path).json
    assert shown["source"]["kind"] == "ids"
    assert get_tags("data", "verify", "--json", "--home", tmp_path).json["checksum"] == shown["checksum"]
    assert get_tags("data", "remove", "tags_v1", "--home", tmp_path).code == 2  # nobody there to ask
    assert get_tags("data", "remove", "tags_v1", "--yes", "--home", tmp_path).code == 0
    assert list(data_dir(tmp_path).iterdir()) == []


@pytest.fixture
def two_versions(get_tags, tmp_path, demo_tokenizer_folder):
    """A home with tags_v1 and tags_v2 of a database that changed in between."""
    base_model = f"[training]\nbase_model = '{demo_tokenizer_folder}'\n"
    (tmp_path / "get-tags.toml").write_text(f"[database]\nurl = 'sqlite:///test.db'\n{base_model}", encoding="utf-8")
    texts = [(1, None, "pleacă"), (2, None, "textul"), (3, None, "etichete"), (4, None, "ambele"), (5, None, "rămâne")]
    pairs = [(1, "veche"), *((n, "comună") for n in range(2, 6))]
    fill(f"sqlite:///{tmp_path / 'test.db'}", texts, pairs)
    assert get_tags("extract", "--yes", "--home", tmp_path).code == 0
    texts[1:4] = [(2, None, "textul nou"), (3, None, "etichete"), (4, None, "ambele noi")]
    pairs = [(6, "nouă"), (3, "nouă"), (4, "nouă"), *((n, "comună") for n in (2, 3, 5))]
    fill(f"sqlite:///{tmp_path / 'test.db'}", [*texts[1:], (6, None, "vine")], pairs)
    assert get_tags("extract", "--yes", "--home", tmp_path).code == 0
    return tmp_path


def test_data_diff(get_tags, two_versions, tmp_path):
    listed = tmp_path / "diff.csv"
    result = get_tags("data", "diff", "tags_v1", "tags_v2", "--json", "--csv", listed, "--home", two_versions)
    assert (result.code, result.json["old"], result.json["new"]) == (0, "tags_v1", "tags_v2")
    assert result.json["documents"] == {
        "came": {"count": 1, "first": [6]},
        "went": {"count": 1, "first": [1]},
        "text_changed": {"count": 1, "first": [2]},
        "tags_changed": {"count": 1, "first": [3]},
        "text_and_tags_changed": {"count": 1, "first": [4]},
        "unchanged": {"count": 1},
    }
    assert result.json["tags"] == {
        "came": {"count": 1, "first": [{"tag": "nouă", "old": 0, "new": 3}]},
        "went": {"count": 1, "first": [{"tag": "veche", "old": 1, "new": 0}]},
        "renamed": {"count": 0, "first": []},
        "documents_changed": {"count": 1, "first": [{"tag": "comună", "old": 4, "new": 3}]},
    }
    assert listed.read_text(encoding="utf-8-sig").splitlines() == [
        "id,what", "6,came", "1,went", "2,text changed", "3,tags changed", "4,text and tags changed",
    ]  # fmt: skip
    seen = get_tags("data", "diff", "tags_v1", "tags_v2", "--csv", listed, "--home", two_versions).out
    assert "comună 4 → 3" in seen
    assert str(listed) in seen.replace("\n", "")
    assert get_tags("data", "diff", "tags_v1", "tags_v9", "--home", two_versions).code == 2


def test_data_show_says_all_of_it(get_tags, two_versions):
    shown = get_tags("data", "show", "--json", "--home", two_versions).json
    assert (shown["name"], shown["figures"]["tags_by_documents"]["2-9"]) == ("tags_v2", 2)
    assert shown["figures"]["unknown_token_rate"] is not None
    seen = get_tags("data", "show", "tags_v1", "--home", two_versions).out
    for line in (
        "5 of 5 documents",
        "sqlite:///test.db",
        "Cut at 512 tokens",
        "0 documents, 0.0%",
    ):
        assert line in seen


def test_data_verify_all_lists_what_is_damaged(get_tags, two_versions):
    assert get_tags("data", "verify", "--all", "--home", two_versions).code == 0
    path = data_dir(two_versions) / "tags_v1" / "documents-00000.arrow"
    gc.collect()  # Windows does not let a file change that this process has mapped
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    result = get_tags("data", "verify", "--all", "--json", "--home", two_versions)
    assert result.code == 1
    good, damaged = result.json["data"]
    assert (good["name"], damaged["name"]) == ("tags_v2", "tags_v1")
    assert "documents-00000.arrow has changed" in damaged["damaged"]
    assert "get-tags data remove tags_v1" in get_tags("data", "verify", "--all", "--home", two_versions).out
    assert get_tags("data", "verify", "--home", two_versions).code == 0  # the newest
    one = get_tags("data", "verify", "tags_v1", "--json", "--home", two_versions)
    assert (one.code, "has changed" in one.json["error"]["message"]) == (1, True)
    assert get_tags("data", "verify", "tags_v1", "--all", "--home", two_versions).code == 2


def test_data_that_a_training_needs_are_kept(get_tags, two_versions):
    checksum = get_tags("data", "show", "tags_v1", "--json", "--home", two_versions).json["checksum"]
    training = models_dir(two_versions) / "tags_v1-20260101-000000.partial"
    training.mkdir(parents=True)
    (training / "plan.json").write_text(json.dumps({"data": checksum}))
    result = get_tags("data", "remove", "tags_v1", "--yes", "--home", two_versions)
    assert result.code == 1
    assert f"get-tags models remove {training.name}" in result.err.replace("\n", " ")
    assert get_tags("models", "remove", training.name, "--yes", "--home", two_versions).code == 0
    assert get_tags("data", "remove", "tags_v1", "--yes", "--home", two_versions).code == 0


def test_the_live_model_is_not_removed(get_tags, small_model, tmp_path):
    copy = models_dir(tmp_path) / small_model.name
    shutil.copytree(small_model, copy)
    assert get_tags("deploy", "--home", tmp_path).code == 0
    result = get_tags("models", "remove", copy.name, "--yes", "--home", tmp_path)
    assert result.code == 1
    assert f"{copy.name} is the live model" in result.err
    assert copy.is_dir()


def test_nothing_outside_the_folder_of_data_can_be_removed(get_tags, home):
    for name in ("..", "../..", "../../tags_v1", "."):
        assert get_tags("data", "remove", name, "--yes", "--home", home).code == 2


def test_models_verify_names_a_changed_file(get_tags, home):
    folder = models_dir(home) / model_names(home)[0]
    config = folder / "config.json"
    original = config.read_bytes()
    try:
        config.write_bytes(original + b" ")
        result = get_tags("models", "verify", "--json", "--home", home)
    finally:
        config.write_bytes(original)
    assert result.code == 1
    assert "config.json" in result.json["error"]["message"]
    assert get_tags("models", "verify", "--home", home).code == 0


def test_the_demo_refuses_a_home_that_holds_other_peoples_files(get_tags, tmp_path):
    (tmp_path / "ids.csv").write_text("1\n")
    result = get_tags("train", "--demo", "--yes", "--json", "--home", tmp_path)
    assert result.code == 2
    assert (tmp_path / "ids.csv").read_text() == "1\n"


def test_doctor_finds_what_is_missing(get_tags, home, tmp_path):
    whole = get_tags("doctor", "--json", "--home", home)
    assert whole.code == 0
    assert {check["name"] for check in whole.json["checks"]} >= {"home", "disk", "database", "base model", "device"}
    (tmp_path / "get-tags.toml").write_text("[training]\nbase_model = 'nowhere'\n")
    empty = get_tags("doctor", "--json", "--home", tmp_path)
    assert empty.code == 1
    missing = {check["name"] for check in empty.json["checks"] if check["status"] == "error"}
    assert missing == {"database", "base model"}


def test_no_arguments_show_the_help(get_tags):
    result = get_tags()
    assert result.code == 2
    assert "train" in result.err + result.out


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_has_a_short_flag_everywhere(get_tags, flag):
    for command in ([], ["data"], ["models", "show"], ["train"]):
        assert get_tags(*command, flag).code == 0


def test_the_version(get_tags):
    assert get_tags("--version").out == f"get-tags {__version__}\n"


def test_the_shell_completes_commands_and_names(get_tags, home, monkeypatch):
    monkeypatch.setenv("_GET_TAGS_COMPLETE", "complete_bash")
    of_home = f"get-tags models show --home {shlex.quote(str(home))} tags"
    for words, completed in {"get-tags tra": "train", of_home: "tags_v1-"}.items():
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(shlex.split(words)) - 1))
        assert get_tags().out.strip().startswith(completed)


def test_a_dry_run_checks_and_leaves_no_trace(get_tags, home):
    before = sorted(home.rglob("*"))
    result = get_tags("train", "--dry-run", "--json", "--home", home)
    assert result.code == 0
    assert result.json["ready"]
    assert "database" in [check["name"] for check in result.json["checks"]]
    assert "About to start" in get_tags("train", "--dry-run", "--home", home).out
    assert sorted(home.rglob("*")) == before


def test_a_dry_run_says_what_is_missing(get_tags, tmp_path):
    result = get_tags("train", "--dry-run", "--json", "--home", tmp_path)
    assert result.code == 1
    assert not result.json["ready"]


def test_options_before_a_subcommand_are_refused_instead_of_forgotten(get_tags, home, tmp_path):
    result = get_tags("data", "--home", tmp_path, "remove", "tags_v1", "--yes")
    assert result.code == 2
    assert "after the subcommand" in result.err


def test_prepared_data_need_no_database_at_all(get_tags, home, tmp_path):
    config = tmp_path / "elsewhere.toml"
    config.write_text('[database]\nurl = "nonsense+driver://server/database"\n')
    flags = ["--source", "cached", "--epochs", 1, "--context-length", 8, "--config", config]
    assert get_tags("train", "--yes", "--home", home, *flags).code == 0


def test_a_password_with_an_at_sign_is_refused_before_it_leaks(get_tags, tmp_path, home):
    (tmp_path / "get-tags.toml").write_text('[database]\nurl = "mssql+pyodbc://user:p@ss1word@server/db"\n')
    result = get_tags("extract", "--yes", "--json", "--home", tmp_path, "--base-model", home / "demo_bert")
    assert result.code == 2
    assert "%40" in result.json["error"]["hint"]
    written = "".join(p.read_text(encoding="utf-8") for p in tmp_path.rglob("*.log"))
    assert "ss1word" not in result.out + result.err + written


def test_what_is_deployed_is_never_changed_by_an_evaluation(get_tags, home):
    live = Path(get_tags("deploy", "--yes", "--json", "--home", home).json["live"])
    before = (live / "get_tags.json").read_bytes()
    assert get_tags("evaluate", live, "--home", home).code == 0
    assert (live / "get_tags.json").read_bytes() == before


@pytest.fixture
def samples_home(home, tmp_path):
    """A home of its own with the data of the shared one, a few samples in Excel's style, and settings."""
    shutil.copytree(data_dir(home), data_dir(tmp_path))
    rows = "text;labels\r\nUn text al meu;taxe\r\nUn text al meu, tot;nicăieri\r\n"
    (tmp_path / "test_samples_tags.csv").write_bytes(rows.encode("cp1250"))
    return tmp_path


def test_samples_are_shown(get_tags, samples_home):
    result = get_tags("samples", "--json", "--home", samples_home)
    assert (result.code, result.json["examples"], result.json["unknown_tags"]["nicăieri"]) == (0, 2, [3])
    seen = get_tags("samples", "--home", samples_home).out
    for said in ("2 of your own", "nicăieri (line 3)", "lines 2, 3", "precision@1 is known to within"):
        assert said in seen
    assert get_tags("samples", "--home", samples_home, "add").code == 2


def test_samples_are_added_and_the_old_file_is_kept(get_tags, samples_home):
    path = samples_home / "test_samples_tags.csv"
    old = path.read_bytes()
    result = get_tags("samples", "add", "--count", 10, "--rare", 2, "--yes", "--json", "--home", samples_home)
    assert result.code == 0
    assert len(result.json["added"]) == 10
    assert Path(result.json["backup"]).read_bytes() == old
    assert path.read_bytes().startswith(old)
    shown = get_tags("samples", "--json", "--home", samples_home).json
    assert (shown["written_by_people"], shown["random"] + shown["rare"], shown["leaks"]) == (2, 10, [])


def test_samples_are_made_where_there_are_none(get_tags, samples_home):
    path = samples_home / "test_samples_tags.csv"
    path.unlink()
    result = get_tags("samples", "add", "--count", 10, "--rare", 0, "--yes", "--json", "--home", samples_home)
    assert (result.code, result.json["backup"], len(result.json["added"])) == (0, None, 10)
    shown = get_tags("samples", "--json", "--home", samples_home).json
    assert (shown["random"], shown["written_by_people"], shown["leaks"]) == (10, 0, [])


def test_nothing_is_added_that_nobody_agreed_to(get_tags, samples_home, monkeypatch):
    path = samples_home / "test_samples_tags.csv"
    old = path.read_bytes()
    assert get_tags("samples", "add", "--count", 5, "--home", samples_home).code == 2
    monkeypatch.setattr("get_tags_train.cli.prompts.can_ask", lambda: True)
    monkeypatch.setattr("get_tags_train.cli.wizard.confirm_adding", lambda *_: False)
    result = get_tags("samples", "add", "--count", 5, "--home", samples_home)
    assert result.code == 130
    assert "New examples" in result.err
    assert path.read_bytes() == old
    assert get_tags("samples", "add", "--count", 5, "--rare", 6, "--yes", "--home", samples_home).code == 2


def test_samples_without_prepared_data(get_tags, tmp_path):
    (tmp_path / "test_samples_tags.csv").write_text("text,labels\nunu,a\n", encoding="utf-8")
    assert get_tags("samples", "--json", "--home", tmp_path).json["data"] is None
    result = get_tags("samples", "add", "--yes", "--json", "--home", tmp_path)
    assert (result.code, "no prepared data" in result.json["error"]["message"]) == (2, True)


def test_predict_reads_a_csv_file_and_writes_one(get_tags, home, tmp_path):
    (tmp_path / "in.csv").write_text("id;text\nA;Contract de muncă.\nB;\nC;Impozit pe venit.\n", encoding="cp1250")
    flags = ["--model", model_names(home)[0], "--home", home, "--file", tmp_path / "in.csv", "--top-n", 2]
    printed = get_tags("predict", *flags, "--json").json
    assert [len(one["tags"]) for one in printed] == [2, 0, 2]
    by_line = [json.loads(line) for line in get_tags("predict", *flags, "--format", "jsonl").out.splitlines()]
    assert [{"tags": one["tags"]} for one in by_line] == printed
    assert [one["id"] for one in by_line] == ["A", "B", "C"]
    result = get_tags("predict", *flags, "--out", tmp_path / "out.csv", "--json")
    assert result.json == {"documents": 3, "out": str(tmp_path / "out.csv")}
    written = (tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines()
    assert written[0] == "id,tag,score"
    assert [row.partition(",")[0] for row in written[1:]] == ["A", "A", "B", "C", "C"]


def test_predict_finds_a_broken_file_before_it_loads_a_model(get_tags, home, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n{"text": 5}\n')
    result = get_tags("predict", "--model", model_names(home)[0], "--home", home, "--file", tmp_path / "in.jsonl")
    assert (result.code, result.out) == (2, "")
    assert "line 2: text is not text" in result.err


@pytest.mark.parametrize(
    ("line", "log"),
    [
        (["predict", "--file", "IN", "--out", "OUT"], "predict"),
        (["predict", "un text"], None),
        (["samples", "add", "--count", "1", "--yes"], "samples"),
        (["samples"], None),
        (["evaluate"], "evaluate"),
        (["deploy", "--yes"], "deploy"),
        (["data", "verify"], None),
        (["models"], None),
        (["doctor"], None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_changes_something_or_runs_long_leaves_a_log(get_tags, home, tmp_path, line, log):
    copy = shutil.copytree(home, tmp_path / "home")
    shutil.rmtree(copy / "_logs")
    get_tags("deploy", "--yes", "--home", copy)
    shutil.rmtree(copy / "_logs")
    (tmp_path / "IN").write_text("id,text\n1,contract\n2,impozit\n", encoding="utf-8")
    words = [tmp_path / word if word in {"IN", "OUT"} else word for word in line]
    extra = ["--input-format", "csv"] if "IN" in line else []
    get_tags(*words, *extra, "--home", copy)
    left = [path.name.split("-")[-1] for path in copy.glob("_logs/*")]
    assert left == ([f"{log}.log"] if log else [])


def test_who_may_only_read_a_home_may_ask_its_model(get_tags, home, tmp_path):
    copy = shutil.copytree(home, tmp_path / "home")
    get_tags("deploy", "--yes", "--home", copy)
    shutil.rmtree(copy / "_logs")
    (copy / "_logs").write_text("no folder")  # root may write anywhere
    (tmp_path / "in.csv").write_text("id,text\n1,contract\n2,impozit\n", encoding="utf-8")
    assert get_tags("predict", "--file", tmp_path / "in.csv", "--home", copy).code == 0
