"""What the pages promise: their links lead somewhere, their commands exist with these flags, their settings too."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from babel.messages.pofile import read_po

from get_tags_train.cli.main import app
from get_tags_train.core.config import load_settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(get-tags [^`]+)`")
FILE = re.compile(r"`([\w.]+/[\w./]+\.(?:py|toml|jinja))`")
LAUNCHERS = re.compile(r"(?:.*[/\\])?train_tags\.(?:sh|bat)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(text_of(page)):
        if link.startswith(("http://", "https://")):
            continue
        path, _hash, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if heading:
            assert heading in [anchor(line) for line in text_of(target).splitlines() if line.startswith("#")], link


@pytest.mark.parametrize("page", [*PAGES, *sorted((ROOT / "docs" / "adr").glob("*.md"))], ids=lambda page: page.stem)
def test_files_that_are_named_exist(page: Path) -> None:
    for name in FILE.findall(text_of(page)):
        assert (ROOT / name).exists() or (ROOT / "src" / "get_tags_train" / name).exists(), name


def anchor(heading: str) -> str:
    """As a page's headings are linked to."""
    return re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()).replace(" ", "-")


def commands_of(page: Path) -> list[str]:
    """Every get-tags command of a page, without the launcher in front of it."""
    found = list(INLINE.findall(text_of(page)))
    for language, block in BLOCK.findall(text_of(page)):
        if language in ("bash", "bat", "text"):
            found += [line.strip() for line in block.splitlines() if re.match(r" *get-tags ", line)]
            for line in block.splitlines():
                words = line.replace('"', " ").split()
                at = next((n for n, word in enumerate(words) if LAUNCHERS.fullmatch(word)), None)
                if at is not None:
                    found.append(f"get-tags train {' '.join(words[at + 1 :])}")
                if "-m get_tags_train" in line:
                    found.append(f"get-tags {line.split('-m get_tags_train ')[1]}")
    return found


@each_page
def test_commands_exist_with_these_flags(page: Path) -> None:
    for command in commands_of(page):
        group: Any = typer.main.get_command(app)
        words = shlex.split(command.replace("\\", "/"))[1:]
        if "--" in words:  # what comes after it is no flag
            words = words[: words.index("--")]
        while words and hasattr(group, "commands") and words[0] in group.commands:
            group = group.commands[words.pop(0)]
        assert not hasattr(group, "commands") or not words or words[0].startswith("-"), command
        flags = {flag for option in group.params for flag in (*option.opts, *option.secondary_opts)} | {"--help"}
        assert [word for word in words if word.startswith("--") and word.partition("=")[0] not in flags] == [], command


def test_the_pages_have_commands_to_try() -> None:
    assert sum(len(commands_of(page)) for page in PAGES) > 40


@each_page
def test_settings_in_examples_exist(page: Path, tmp_path: Path) -> None:
    for language, block in BLOCK.findall(text_of(page)):
        if language == "toml":
            settings = tomllib.loads(re.sub(r"^ +", "", block, flags=re.MULTILINE))
            load_settings(tmp_path, overrides=settings, environ={})


def test_both_guides_have_the_same_parts() -> None:
    """Headings of the same levels, tables of the same sizes and the same code blocks, in the same order."""
    english, romanian = (parts_of(text_of(ROOT / "docs" / name)) for name in ("guide.md", "ghid.md"))
    assert english == romanian


def parts_of(text: str) -> list[str]:
    return [match[0] for line in text.splitlines() if (match := re.match(r"##+ |\||```\w*|- |!", line))]


def test_quoted_messages_are_messages_of_the_program() -> None:
    """`...` stands for what differs from case to case."""
    with (ROOT / "src/get_tags_train/locale/ro/LC_MESSAGES/get_tags_train.po").open("rb") as file:
        entries = [entry.id for entry in read_po(file) if entry.id]
    messages = [text for entry in entries for text in ((entry,) if isinstance(entry, str) else entry)]
    rows = [line for line in text_of(ROOT / "docs" / "troubleshooting.md").splitlines() if line.startswith("| ")]
    quoted = [text for row in rows for text in re.findall(r"`([^`]+ [^`]+)`", row.split("|")[1])]
    assert len(quoted) > 20
    for text in quoted:
        pattern = ".*".join(re.escape(part) for part in text.split("..."))
        assert any(re.search(pattern, message) for message in messages), text


def test_every_command_is_in_the_readme() -> None:
    group: Any = typer.main.get_command(app)
    for name in group.commands:
        assert f"get-tags {name}" in text_of(ROOT / "README.md")
