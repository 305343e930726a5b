"""The language of what people read: how it is chosen, counted and written; and that nothing goes past it."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from get_tags_train.cli.main import app
from get_tags_train.core import i18n, logs
from get_tags_train.core.bootstrap import chosen_language
from get_tags_train.core.events import Event, Notice
from get_tags_train.core.i18n import (
    Command,
    _,
    _n,
    display_name,
    documents,
    english,
    first_of,
    format_bytes,
    format_duration,
    format_minutes,
    number,
    system_language,
)

PACKAGE = Path(i18n.__file__).parents[1]
# What these are given is read by people.
SAID_BY = {
    "GetTagsError",
    "InputError",
    "NothingToTrainOn",
    "InterruptedByUser",
    "TrainingInterrupted",
    "Notice",
    "Check",
}


@pytest.fixture
def romanian() -> Iterator[None]:
    i18n.set_language("ro")
    yield
    i18n.set_language("en")


def test_a_message_is_said_in_the_chosen_language(romanian: None) -> None:
    assert _("There is no file {path}.", path="a.csv") == "Fișierul a.csv nu există."
    i18n.set_language("en")
    assert _("There is no file {path}.", path="a.csv") == "There is no file a.csv."


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 documente"),
        (1, "1 document"),
        (2, "2 documente"),
        (19, "19 documente"),
        (20, "20 de documente"),
        (101, "101 documente"),
        (120, "120 de documente"),
        (170_000, "170.000 de documente"),
    ],
)
def test_romanian_counts_in_three_forms(romanian: None, count: int, said: str) -> None:
    assert documents(count) == said


def test_english_counts_in_two() -> None:
    assert (documents(1), documents(0), documents(170_000)) == ("1 document", "0 documents", "170,000 documents")


def test_numbers_are_written_as_the_language_writes_them(romanian: None) -> None:
    assert number(1234.5, ",.1f") == "1.234,5"
    assert number(0.912, ".1%") == "91,2%"
    assert number(7) == "7"
    assert _("{low:.3f} to {high:.3f}", low=0.5, high=0.75) == "0,500–0,750"


def test_text_that_is_filled_in_stays_as_it_is(romanian: None) -> None:
    assert _("{path} cannot be read: {reason}.", path="1,5.csv", reason="{odd}") == "1,5.csv nu poate fi citit: {odd}."


def test_a_message_without_values_may_hold_braces() -> None:
    assert _('Write {"text": "..."}.') == 'Write {"text": "..."}.'


def test_a_message_knows_its_english_all_the_way_down(romanian: None) -> None:
    inner = _("No database is set.")
    assert inner != "No database is set."
    outer = _("The model is not compared with the live one. {message}", message=inner)
    assert english(outer) == "The model is not compared with the live one. No database is set."
    assert english(_n("{count} example is too few", "{count} examples are too few", 5)) == "5 examples are too few"
    assert english("said by somebody else") == "said by somebody else"


def test_the_log_stays_english(romanian: None, tmp_path: Path) -> None:
    path = logs.start_log(tmp_path, "train")
    shown: list[Event] = []
    logs.log_events(shown.append)(Notice(_("No database is set.")))
    assert "No database is set." in path.read_text(encoding="utf-8")
    assert [event.message for event in shown if isinstance(event, Notice)] == [
        "Nu este configurată nicio bază de date."
    ]


def test_a_command_is_written_for_its_reader_and_plainly_in_the_log() -> None:
    i18n.set_command_style(lambda command: " ".join(["./get-tags", *command.words, "--home", "/srv"]))
    try:
        said = _("Train one first: {train}", train=Command("train", "--data", "a b"))
    finally:
        i18n.set_command_style(str)
    assert said == "Train one first: ./get-tags train --data a b --home /srv"
    assert english(said) == "Train one first: get-tags train --data 'a b'"


def test_a_thread_speaks_the_language_that_was_chosen(romanian: None) -> None:
    said: list[str] = []
    thread = Thread(target=lambda: said.append(_("No database is set.")))
    thread.start()
    thread.join()
    assert said == ["Nu este configurată nicio bază de date."]


@pytest.mark.parametrize(
    ("seconds", "said"), [(3.21, "3.2 s"), (59.97, "1 min 0 s"), (250, "4 min 10 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds: float, said: str) -> None:
    assert format_duration(seconds) == said


def test_sizes_and_estimates(romanian: None) -> None:
    assert (format_bytes(3_400_000), format_bytes(1_250_000_000)) == ("3,4 MB", "1,2 GB")
    assert (format_minutes(20), format_minutes(7500)) == ("1 min", "2 h 5 min")


def test_codes_have_words(romanian: None) -> None:
    assert display_name("no_text") == "fără text"
    assert display_name("of_a_later_version") == "of a later version"


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "ro_RO.UTF-8"}, "ro"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LC_ALL": "C.UTF-8", "LANG": "ro_RO.UTF-8"}, "en"),
        ({"LANGUAGE": "ro:en", "LANG": "en_US.UTF-8"}, "ro"),
        ({"LANG": "C"}, "en"),
    ],
)
def test_the_system_says_its_language(environ: dict[str, str], language: str) -> None:
    assert system_language(environ) == language


@pytest.mark.skipif(sys.platform == "win32", reason="asks Windows itself there")
def test_a_system_that_says_nothing_speaks_english() -> None:
    assert system_language({}) == "en"


def test_the_setting_is_found_before_all_others_and_in_their_order(tmp_path: Path) -> None:
    site, other = tmp_path / "get-tags.toml", tmp_path / "other.toml"
    assert chosen_language(tmp_path, None, {}) == "auto"
    site.write_text('[display]\nlanguage = "ro"\n[training]\nepochs = "wrong"\n')
    assert chosen_language(tmp_path, None, {}) == "ro"
    other.write_text('[display]\nlanguage = "en"\n')
    assert chosen_language(tmp_path, other, {}) == "en"
    assert chosen_language(tmp_path, other, {"GET_TAGS_DISPLAY_LANGUAGE": "ro"}) == "ro"


@pytest.mark.parametrize("text", ["", "[display\n", "display = 3\n", "[display]\nlanguage = 3\n", "\xff"])
def test_settings_that_are_wrong_do_not_keep_it_from_speaking(tmp_path: Path, text: str) -> None:
    (tmp_path / "get-tags.toml").write_bytes(text.encode("latin-1"))
    assert chosen_language(tmp_path, None, {}) == "auto"


def test_help_and_usage_errors_speak_romanian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GET_TAGS_DISPLAY_LANGUAGE", "ro")
    try:
        shown = CliRunner().invoke(app, ["train", "--help"]).output
        assert "Utilizare: " in shown
        assert "Opțiuni" in shown
        assert "Alege datele, antrenează, evaluează" in shown
        assert "Arată acest mesaj" in shown
        done = CliRunner().invoke(app, ["train", "--epochs", "many", "--home", str(tmp_path)])
        assert done.exit_code == 2
        assert "--epochs: trebuie să fie un număr întreg." in done.output
    finally:
        monkeypatch.delenv("GET_TAGS_DISPLAY_LANGUAGE")
        CliRunner().invoke(app, ["--help"])  # what typer prints around it is shared by the whole process
        i18n.set_language("en")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.stem != "i18n")


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_nothing_is_said_past_the_translation(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    past = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAID_BY:
            # A check's name and state are codes, translated where they are shown; a notice's level is one, too.
            first = (
                node.args[2:] if node.func.id == "Check" else node.args[:1] if node.func.id == "Notice" else node.args
            )
            past += [
                part.lineno
                for given in first
                for part in literals(given)
                if re.search("[a-z]{2}", " ".join(said(part)))
            ]
        is_hint = isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "hint" for target in node.targets)
        if is_hint and path.stem != "app":  # programs read what the API says: it is in English
            past += [part.lineno for part in literals(node.value) if re.search("[a-z]{2}", " ".join(said(part)))]
        if isinstance(node, ast.JoinedStr):  # the extraction does not look into these
            past += [
                call.lineno
                for call in ast.walk(node)
                if isinstance(call, ast.Call)
                and isinstance(call.func, ast.Name)
                and call.func.id in ("_", "_n")
                and call.args
                and isinstance(call.args[0], ast.Constant)
            ]
    assert past == [], f"lines of {path.name} that say something untranslated"


def literals(node: ast.expr) -> list[ast.expr]:
    """The texts that an argument may be; what is translated or only handed on is none."""
    if isinstance(node, ast.IfExp):
        return literals(node.body) + literals(node.orelse)
    if isinstance(node, ast.BinOp):
        return literals(node.left) + literals(node.right)
    return [node] if isinstance(node, ast.JoinedStr | ast.Constant) else []


def said(node: ast.expr) -> list[str]:
    """The words of a text that are in it as such."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def test_of_a_long_list_the_first_are_named_and_the_rest_counted() -> None:
    assert first_of([1, 2, 3], shown=3, joined=", ") == "1, 2, 3"
    assert first_of([1, 2, 3, 4], shown=3, joined=", ") == "1, 2, 3 and 1 more"
    assert first_of(["a"], 1_200) == "a and 1,199 more"
    assert first_of([]) == ""
