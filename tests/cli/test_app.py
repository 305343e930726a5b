"""What no command has words for: a command line that is wrong, a name that is no Unicode, a library that is missing."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from get_tags_train.core.home import model_names

DASHED = ["- articolul 5", "-5", "-articolul", "-- articolul", "--articolul 5=3 din", "-hotărârea"]
UNKNOWN = "The specified module could not be found."
TORCH = r'Error loading "C:\\.venv\\Lib\\site-packages\\torch\\lib\\c10.dll" or one of its dependencies.'


@pytest.mark.parametrize("text", DASHED)
def test_a_text_that_begins_with_a_dash_is_told_where_to_stand(get_tags, tmp_path, text):
    result = get_tags("predict", text, "--top-n", 3, "--json", "--home", tmp_path)
    assert result.code == 2
    assert result.json["error"]["message"].startswith(f"There is no option {text}")
    typed = shlex.split(result.json["error"]["hint"].splitlines()[-1])
    assert typed[-8:] == ["predict", "--top-n", "3", "--json", "--home", str(tmp_path), "--", text]


def test_a_mistyped_option_is_not_taken_for_a_text(get_tags, tmp_path):
    result = get_tags("predict", "articolul 5", "--jsn", "--home", tmp_path)
    assert (result.code, "--json" in result.err, "dashes" in result.err) == (2, True, False)


@pytest.mark.parametrize("text", [*DASHED, "-", "--json", "--top-n", "--home", "--", "--help"])
def test_after_two_dashes_any_text_is_one(get_tags, tmp_path, text):
    result = get_tags("predict", "--model", "none", "--home", tmp_path, "--", text)
    assert (result.code, "There is no model none" in result.err) == (2, True)


def test_such_a_text_gets_its_tags(get_tags, small_home):
    flags = ["--model", model_names(small_home)[0], "--home", small_home, "--top-n", 2]
    result = get_tags("predict", *flags, "--format", "jsonl", "--", "--json")
    assert (result.code, result.out.count('"score"')) == (0, 2)


def test_a_text_that_is_an_option_is_told_too(get_tags, small_home, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    result = get_tags("predict", "--json", "--model", model_names(small_home)[0], "--home", small_home)
    assert result.code == 2
    assert "after --" in result.json["error"]["hint"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "-x"], "evaluate --home {home} -- -x"),
        (["models", "show", "-x"], "models show --home {home} -- -x"),
        (["data", "diff", "-1", "-2"], "data diff --home {home} -- -1 -2"),
        (["data", "remove", "-x", "--yes"], "data remove --yes --home {home} -- -x"),
    ],
)
def test_so_are_names(get_tags, tmp_path, words, said):
    result = get_tags(*words, "--home", tmp_path)
    assert result.code == 2
    assert said.format(home=tmp_path) in result.err


def test_a_command_without_texts_does_not_speak_of_them(get_tags):
    result = get_tags("train", "--epochz", 3)
    assert (result.code, "There is no option --epochz" in result.err, "dashes" in result.err) == (2, True, False)


@pytest.mark.parametrize(("name", "option"), [("audit", "--count"), ("judge", "--rows")])
def test_help_of_a_group_that_runs_by_default_shows_its_options_too(get_tags, name, option):
    result = get_tags(name, "--help")
    assert (result.code, option in result.out, "import" in result.out) == (0, True, True)


def test_values_of_options_may_begin_with_a_dash(get_tags, small_home, tmp_path):
    (tmp_path / "in.csv").write_text("id,- titlu,text\n1,a,b\n", encoding="utf-8")
    flags = ["--model", model_names(small_home)[0], "--home", small_home, "--json"]
    result = get_tags("predict", "--file", tmp_path / "in.csv", "--column", "- titlu", *flags)
    assert (result.code, len(result.json)) == (0, 1)


NO_UNICODE = os.fsdecode(b"ma\xff")
names_are_bytes = pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="names there are Unicode")


@names_are_bytes
@pytest.mark.parametrize(
    "line",
    [
        "extract --source ids --yes --ids NAME", "train --source ids --yes --ids NAME", "models --config NAME",
        "predict un-text --out NAME.csv", "predict --file NAME", "predict un-text --model NAME", "evaluate NAME",
        "deploy NAME --yes", "models show NAME", "models verify NAME", "data diff tags_v1 tags_v1 --csv NAME",
    ],
)  # fmt: skip
def test_a_path_that_is_not_utf8_is_refused_by_name(get_tags, tmp_path, line):
    (tmp_path / NO_UNICODE).mkdir()
    words = [word.replace("NAME", str(tmp_path / NO_UNICODE)) for word in line.split()]
    result = get_tags(*words, "--json", "--home", tmp_path / "home")
    assert result.code == 2
    assert f"This path is not UTF-8: {tmp_path}/ma\\xff" in result.json["error"]["message"]
    assert not (tmp_path / "home").exists()


@names_are_bytes
@pytest.mark.parametrize(
    ("line", "variable", "said"),
    [
        ("extract --yes --base-model NAME", "", "--base-model: it is not UTF-8."),
        (
            "evaluate",
            "GET_TAGS_EVALUATION_SAMPLES",
            "Setting [evaluation] samples in the environment: it is not UTF-8.",
        ),
        ("models", "GET_TAGS_DEPLOY_LIVE_DIR", "Setting [deploy] live_dir in the environment: it is not UTF-8."),
        ("extract --yes", "GET_TAGS_DATABASE_URL", "Setting [database] url in the environment: it is not UTF-8."),
    ],
)
def test_so_is_one_in_a_setting(get_tags, tmp_path, monkeypatch, line, variable, said):
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / NO_UNICODE))
    words = [word.replace("NAME", str(tmp_path / NO_UNICODE)) for word in line.split()]
    result = get_tags(*words, "--json", "--home", tmp_path)
    assert (result.code, result.json["error"]["message"]) == (2, said)


@names_are_bytes
def test_in_a_folder_that_is_not_utf8_relative_names_are_found_out_too(get_tags, small_home, tmp_path, monkeypatch):
    (tmp_path / NO_UNICODE / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / NO_UNICODE)
    refused = get_tags("evaluate", "model", "--json", "--home", small_home)
    assert (refused.code, "ma\\xff/model" in refused.json["error"]["message"]) == (2, True)
    done = get_tags("predict", "un text", "--model", model_names(small_home)[0], "--home", small_home, "--out", "o.csv")
    assert done.code == 0
    assert Path("o.csv").read_text(encoding="utf-8-sig").startswith("id,tag,score")


@names_are_bytes
def test_what_is_not_utf8_is_logged_without_a_traceback(get_tags, tmp_path):
    result = get_tags("train", "--data", NO_UNICODE, "--yes", "--home", tmp_path)
    assert result.code in (1, 2)
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (f"error = OSError(22, {f'{UNKNOWN} {TORCH}'!r}); error.winerror = 126; raise error", "c10.dll"),
        ("error = OSError(22, 'A dynamic link library (DLL) initialization routine failed.'); error.winerror = 1114\n"
         "raise error", "initialization routine failed"),
        (f"raise ImportError('DLL load failed while importing _C: {UNKNOWN}')", "importing _C"),
        ("raise FileNotFoundError(\"Could not find module 'c10.dll' (or one of its dependencies).\")", "c10.dll"),
    ],
)  # fmt: skip
def test_a_library_without_its_runtime_is_told_with_the_package_that_brings_it(tmp_path, fails, said):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(fails, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "get_tags_train", "doctor", "--home", str(tmp_path / "home")],
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "300", "LANGUAGE": "en"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert said in done.stderr
    assert f"{sys.executable} -m pip install --upgrade msvc-runtime" in done.stderr
    assert "Traceback" not in done.stderr
    assert "disk" not in done.stderr
