"""Take the pictures of docs/images anew: a terminal by tmux, the report and the page by Chromium.

    python tests/pictures.py [--person /home/ana] [--only wizard init ...]

Trains the example once for each language, in the home folder of a made-up person, which is removed in the end. Needs
Debian's tmux, chromium and chromium-driver.
"""

import argparse
import io
import json
import os
import random
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from browser import browser
from openpyxl import load_workbook
from rich.console import Console
from rich.text import Text

from get_tags_train.demo.corpus import draw_document

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
LANGUAGES = ("en", "ro")
COLUMNS, ROWS = 100, 60
PORT = 8011
SECONDS = {"a question": 60, "a training": 1800}
# What the screen shows of a question, and the key for yes.
SEEN = {
    "en": {
        "source": "Where do the documents",
        "epochs": "Epochs",
        "start": "Start?",
        "deploy": "Deploy tags_v1",
        "yes": "y",
    },
    "ro": {"source": "De unde", "epochs": "Epoci", "start": "Porniți", "deploy": "Puneți", "yes": "d"},
}
TEXT = (
    "Angajatorul poate încheia contracte individuale de muncă pe durată determinată "
    "numai în cazurile prevăzute de lege."
)
TITLES = {
    "wizard": "get-tags train",
    "back": "get-tags train",
    "training": "get-tags train",
    "end": "get-tags train",
    "init": "get-tags init",
    "audit": "get-tags audit",
    "judge": "get-tags judge import",
    "drift": "get-tags drift",
}


class Terminal:
    """A terminal of tmux with one program in it."""

    def __init__(self, command: list[str], person: Path, language: str) -> None:
        env = _env(person, language) | {"TERM": "xterm-256color"}
        words = ["env", "-C", str(person), *(f"{key}={env[key]}" for key in sorted(env)), *command]
        size = ["-x", str(COLUMNS), "-y", str(ROWS)]
        self._tmux("new-session", "-d", "-s", "pictures", *size, f"{shlex.join(words)}; sleep 3600")

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-L", "get-tags-pictures", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def shown(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p", "-t", "pictures")

    def press(self, *keys: str) -> None:
        """Press keys, as tmux names them, one after the other."""
        for key in keys:
            self._tmux("send-keys", "-t", "pictures", key)
            time.sleep(1.5)

    def wait_for(self, text: str, seconds: int) -> None:
        """Wait until the screen shows a text."""
        ends = time.monotonic() + seconds
        while text not in self.shown():
            if time.monotonic() > ends:
                raise TimeoutError(f"not on the screen: {text}\n{self.shown()}")
            time.sleep(0.5)
        time.sleep(1)

    def take(self, name: str, language: str) -> None:
        """Save the screen as a picture."""
        shown = self._tmux("capture-pane", "-e", "-p", "-t", "pictures").rstrip()
        console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
        console.print(Text.from_ansi(shown), soft_wrap=True)
        console.save_svg(str(IMAGES / f"{name}-{language}.svg"), title=TITLES[name])

    def close(self) -> None:
        """End the program."""
        self._tmux("kill-server")


@contextmanager
def terminal(person: Path, language: str, *words: str) -> Iterator[Terminal]:
    """A terminal with a command of get-tags."""
    opened = Terminal(["get-tags", *words], person, language)
    try:
        yield opened
    finally:
        opened.close()


def take_training(person: Path, language: str, only: list[str]) -> None:
    """The questions, going back, and the end of the run that follows."""
    home = str(person / "allan")
    subprocess.run(["get-tags", "demo", "--home", home], check=True, env=_env(person, language))
    seen = SEEN[language]
    with terminal(person, language, "train", "--home", home) as screen:
        screen.wait_for(seen["source"], SECONDS["a question"])
        screen.press("Enter", "3", "Enter", "Escape")
        screen.wait_for(seen["epochs"], SECONDS["a question"])
        if "back" in only:
            screen.take("back", language)
        screen.press("C-u", "5", "Enter", "Enter", "Enter", "Enter")
        screen.wait_for(seen["start"], SECONDS["a question"])
        if "wizard" in only:
            screen.take("wizard", language)
        if {"training", "end", "report", "serve", "judge", "drift"} & set(only):
            screen.press("Enter")
            if "training" in only and language == "en":  # for the README
                screen.wait_for("epoch 3/5", SECONDS["a training"])
                screen.take("training", language)
        if {"end", "report", "serve", "judge", "drift"} & set(only):
            screen.wait_for(seen["deploy"], SECONDS["a training"])
            if "end" in only:
                screen.take("end", language)
            screen.press(seen["yes"], "Enter")
            time.sleep(10)


def take_init(person: Path, language: str) -> None:
    """The questions of init, against the example's database; Enter takes what is proposed."""
    home = person / "site"
    home.mkdir()
    with terminal(person, language, "init", "--home", str(home)) as screen:
        screen.wait_for("SQLite", SECONDS["a question"])
        screen.press("5", "Enter", str(person / "allan" / "demo.db"), "Enter")
        screen.wait_for("documents", SECONDS["a question"])
        while "get-tags train" not in screen.shown():
            screen.press("Enter")
        screen.take("init", language)


def take_audit(person: Path, language: str) -> None:
    """The first of the list, and what to do with it."""
    home = str(person / "allan")
    subprocess.run(["get-tags", "demo", "--home", home], check=True, env=_env(person, language))
    extract = ["get-tags", "extract", "--source", "database", "--yes", "--home", home]
    subprocess.run(extract, check=True, env=_env(person, language))
    with terminal(person, language, "audit", "--home", home) as screen:
        screen.wait_for("audit import", SECONDS["a training"])
        screen.take("audit", language)


def take_judge(person: Path, language: str) -> None:
    """What a marked sheet says of the live model and its BERT alone, trained for an epoch; the marks are made up."""
    home = str(person / "allan")
    flags = ["--source", "cached", "--epochs", "1", "--no-deploy", "--yes", "--home", home]
    bert_alone = _env(person, language) | {"GET_TAGS_TRAINING_BLEND": "false"}
    subprocess.run(["get-tags", "train", *flags], check=True, env=bert_alone)
    command = ["get-tags", "judge", "--rows", "200", "--json", "--home", home]
    drawn = subprocess.run(command, check=True, env=_env(person, language), stdout=subprocess.PIPE)
    sheet = Path(json.loads(drawn.stdout)["path"])
    _mark(sheet)
    with terminal(person, language, "judge", "import", str(sheet), "--home", home) as screen:
        screen.wait_for("%).", SECONDS["a question"])
        screen.take("judge", language)


def take_drift(person: Path, language: str) -> None:
    """What 600 newer documents say of the live model; one in twelve has a tag that is new."""
    home = person / "allan"
    rng = random.Random("newer documents")
    with closing(sqlite3.connect(home / "demo.db")) as database, database:
        database.execute("INSERT INTO tags VALUES (1000, 'inteligență artificială')")
        of_names = {name: tag for tag, name in database.execute("SELECT id, name FROM tags")}
        for number in range(10_000, 10_600):
            document = draw_document(rng)
            database.execute("INSERT INTO documents VALUES (?, ?, ?)", (number, document.title, document.text))
            tags = {of_names[tag] for tag in document.tags if tag in of_names} | ({1000} if number % 12 == 0 else set())
            database.executemany("INSERT INTO document_tags VALUES (?, ?)", [(number, tag) for tag in tags])
    with terminal(person, language, "drift", "--home", str(home)) as screen:
        screen.wait_for("get-tags train", SECONDS["a training"])
        time.sleep(1)
        screen.take("drift", language)


def _mark(sheet: Path) -> None:
    """Mark it as a judge does who agrees with the database, but for every fifth tag that it lacks."""
    key = json.loads(sheet.with_suffix(".key.json").read_text(encoding="utf-8"))
    book = load_workbook(sheet)
    for number, (row, cells) in enumerate(zip(key["rows"], book.active.iter_rows(min_row=2), strict=True)):
        is_right = row["tag"] in key["judged"][row["document"]]["labels"] or (
            number % 5 == 0 and row["source"] != "absurd"
        )
        cells[3].value = "right" if is_right else "wrong"
    book.save(sheet)


def take_report(person: Path, language: str) -> None:
    """The report of the trained model, in a browser."""
    (report,) = (person / "allan" / "_models").glob("*/report.html")
    with browser(language=language) as window:
        window.look(width=1000, dark=False)
        window.open(report.as_uri())
        window.picture(IMAGES / f"report-{language}.png", height=1600)


def take_serve(person: Path, language: str) -> None:
    """The page of the API, with the tags of a text."""
    home = str(person / "allan")
    command = ["get-tags", "serve", "--home", home, "--port", str(PORT)]
    with subprocess.Popen(command, env=_env(person, language), stderr=subprocess.DEVNULL) as running:
        try:
            with browser(language=language) as window:
                _wait_for_port()
                window.look(width=900, dark=False)
                window.open(f"http://127.0.0.1:{PORT}/")
                window.type("#text", TEXT)
                window.click("#send")
                window.until("return document.querySelector('#tags .score')")
                window.picture(IMAGES / f"serve-{language}.png")
        finally:
            running.terminate()


def _wait_for_port() -> None:
    ends = time.monotonic() + SECONDS["a question"]
    while time.monotonic() < ends:
        with suppress(OSError), socket.create_connection(("127.0.0.1", PORT), timeout=1):
            return
        time.sleep(0.5)
    raise TimeoutError(f"nothing answers on port {PORT}")


def _env(person: Path, language: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {"HOME": str(person), "GET_TAGS_DISPLAY_LANGUAGE": language, "HF_HUB_OFFLINE": "1", "PATH": path}
    return os.environ | own


def main() -> None:
    """Take the pictures of both languages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--person", type=Path, default=Path("/home/ana"))
    every = ["wizard", "back", "training", "end", "init", "report", "serve", "judge", "drift", "audit"]
    parser.add_argument("--only", nargs="+", choices=every, default=every)
    args = parser.parse_args()
    for language in LANGUAGES:
        args.person.mkdir(parents=True)
        try:
            if {"audit"} != set(args.only):
                take_training(args.person, language, args.only)
            if "audit" in args.only:
                take_audit(args.person, language)
            if "init" in args.only:
                take_init(args.person, language)
            if "report" in args.only:
                take_report(args.person, language)
            if "serve" in args.only:
                take_serve(args.person, language)
            if "judge" in args.only:
                take_judge(args.person, language)
            if "drift" in args.only:
                take_drift(args.person, language)
        finally:
            shutil.rmtree(args.person)


if __name__ == "__main__":
    main()
