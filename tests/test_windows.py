"""Windows as far as wine goes: the batch files under cmd.exe, the program and its tests under a Windows Python."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import windows
from windows import DRIVE_C, NEWER_DIR, PYTHON_DIR, ROOT, STORE_DIR, windows_path

pytestmark = [pytest.mark.wine, pytest.mark.timeout(1200)]

USER = DRIVE_C / "users" / "Ștefan Ionescu"
NASTY = ["--ids", "două ids.csv", "a&b", "!x!", "(y)", "x^y"]
# Stands in for the package: says how it was called, and ends as it is told to.
MAIN = """
import json, os, sys
said = {"arguments": sys.argv[1:], "safe": sys.flags.safe_path, "utf8": sys.flags.utf8_mode}
print(json.dumps(said, ensure_ascii=False))
sys.exit(int(os.environ.get("EXIT", "0")))
"""

REMEMBER = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import setup_env
setup_env.remember(pathlib.Path(sys.argv[2]))
"""
FORGET = """
import winreg
with winreg.OpenKey(winreg.HKEY_CURRENT_USER, "Environment", access=winreg.KEY_ALL_ACCESS) as key:
    try:
        winreg.DeleteValue(key, "GET_TAGS_REPOSITORY")
    except FileNotFoundError:
        pass
"""
NOTED = """
import winreg
with winreg.OpenKey(winreg.HKEY_CURRENT_USER, "Environment") as key:
    print(winreg.QueryValueEx(key, "GET_TAGS_REPOSITORY")[0])
"""


@pytest.fixture(scope="session", autouse=True)
def wine() -> Iterator[None]:
    """wine, made ready; its server stays up between the tests, which saves seconds each."""
    required = os.environ.get("GET_TAGS_TEST_REQUIRE_WINE") == "1"
    if tools := windows.missing_tools():
        reason = f"not on this machine: {', '.join(tools)}"
        pytest.fail(f"GET_TAGS_TEST_REQUIRE_WINE=1, but {reason}") if required else pytest.skip(reason)
    if not windows.is_ready():
        if not required:
            pytest.skip("run python tests/windows.py first: it downloads some 300 MB")
        windows.make()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": windows.environment()}
    subprocess.run(["wineserver", "-p"], **quiet)
    subprocess.run(["wineboot"], **quiet)
    # Hidden windows can be made without a screen then.
    driver = ["reg", "add", r"HKCU\Software\Wine\Drivers", "/v", "Graphics", "/d", "null", "/f"]
    subprocess.run(["wine", *driver], **quiet)
    yield
    subprocess.run(["wineserver", "-k"], **quiet)


@pytest.fixture(scope="module")
def clone(wine: None) -> Path:
    """A repository with the real batch files, an accent and parentheses in its path, and a stand-in for the rest."""
    folder = USER / "get tags (x86)"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    (folder / "scripts" / "setup_env.py").write_text(
        "import os, sys\nsys.exit(int(os.environ.get('SET_UP_EXIT', '0')))\n", encoding="utf-8"
    )
    made = windows.python("-m", "venv", "--without-pip", windows_path(folder / ".venv"))
    assert made.returncode == 0, made.stderr
    package = folder / ".venv" / "Lib" / "site-packages" / "get_tags_train"
    package.mkdir()
    (package / "__main__.py").write_text(MAIN, encoding="utf-8")
    return folder


@pytest.fixture
def forgotten(wine: None) -> None:
    """No repository is noted, as before the first use."""
    windows.python("-c", FORGET)


@pytest.fixture(scope="module")
def desktop(clone: Path) -> Path:
    """A copy of the file that people double-click, where they keep it."""
    folder = USER / "Desktop"
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy(clone / "scripts" / "train_tags.bat", folder))


def bat(path: Path, *arguments: str, text: str = "", **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a batch file as a shell does, each argument in quotes.

    wine does not tell a batch file how cmd was called; so it is told here.
    """
    variables = {"cmdcmdline": "cmd.exe", **variables}
    quoted = "".join(f' "{argument}"' for argument in arguments)
    return windows.run(f'cmd /c ""{windows_path(path)}"{quoted}"', text=text, **variables)


def said(done: "subprocess.CompletedProcess[str]") -> dict[str, object]:
    found: dict[str, object] = json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])
    return found


def test_arguments_arrive_as_they_were_given(clone: Path) -> None:
    done = bat(clone / "scripts" / "train_tags.bat", *NASTY)
    assert said(done) == {"arguments": ["train", *NASTY], "safe": True, "utf8": 1}


@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_exit_code_of_the_program_is_that_of_the_batch_file(clone: Path, code: int) -> None:
    assert bat(clone / "scripts" / "train_tags.bat", EXIT=str(code)).returncode == code


@pytest.mark.parametrize("name", ["train_tags.bat", "test.bat"])
def test_nothing_starts_after_a_set_up_that_failed(clone: Path, name: str) -> None:
    done = bat(clone / "scripts" / name, SET_UP_EXIT="1")
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("code", ["0", "1"])
def test_a_window_that_a_double_click_opened_waits_for_a_key(clone: Path, code: str) -> None:
    script = clone / "scripts" / "train_tags.bat"
    done = bat(script, text="\r\n", EXIT=code, cmdcmdline=f'cmd.exe /c ""{windows_path(script)}" "')
    assert done.returncode == int(code)
    assert "Press any key" in done.stdout[done.stdout.index("}") :]


@pytest.mark.parametrize("line", ['cmd /c ""{}""', 'cmd /c "{}" --yes', 'cmd /c ""{}" --yes"', "cmd", "cmd.exe /k"])
def test_a_shell_does_not_wait_for_a_key(clone: Path, line: str) -> None:
    script = clone / "scripts" / "train_tags.bat"
    done = bat(script, cmdcmdline=line.format(windows_path(script)))
    assert "Press any key" not in done.stdout


@pytest.mark.parametrize(
    "path", [f"{STORE_DIR};{PYTHON_DIR}", f"{PYTHON_DIR};{STORE_DIR}", STORE_DIR, f'C:\\none;"{PYTHON_DIR}"']
)
def test_the_stub_of_the_store_is_stepped_over(clone: Path, path: str) -> None:
    done = bat(clone / "scripts" / "train_tags.bat", WINEPATH=path)
    assert said(done)["arguments"] == ["train"]
    assert "Microsoft Store" not in done.stdout + done.stderr


def test_a_python_that_is_too_new_is_stepped_over(clone: Path) -> None:
    done = bat(clone / "scripts" / "train_tags.bat", WINEPATH=f"{NEWER_DIR};{PYTHON_DIR}")
    assert said(done)["arguments"] == ["train"]
    assert "set-up:" not in done.stderr


@pytest.mark.parametrize(("path", "newer"), [(STORE_DIR, False), (f"{STORE_DIR};{NEWER_DIR}", True)])
def test_without_a_python_it_says_where_to_get_one(clone: Path, path: str, newer: bool) -> None:
    hidden = DRIVE_C / "Program Files" / "hidden"
    (DRIVE_C / "Program Files" / "Python311").rename(hidden)
    try:
        program = f"{windows_path(hidden)}\\python.exe"
        command = ["wine", program, "-I", "-c", windows.CALL]
        line = f'cmd /c ""{windows_path(clone / "scripts" / "train_tags.bat")}""'
        env = windows.environment(COMMAND_LINE=line, WINEPATH=path)
        done = subprocess.run(command, input="", capture_output=True, encoding="utf-8", errors="replace", env=env)
    finally:
        hidden.rename(DRIVE_C / "Program Files" / "Python311")
    assert done.returncode == 1
    assert "https://www.python.org/downloads/windows/" in done.stderr
    assert ("is newer than that" in done.stderr) is newer
    assert "is older than that" not in done.stderr
    assert not done.stdout


@pytest.mark.usefixtures("forgotten")
def test_a_copy_hands_on_arguments_and_exit_code(clone: Path, desktop: Path) -> None:
    done = bat(desktop, *NASTY, GET_TAGS_REPOSITORY=windows_path(clone), EXIT="2")
    assert said(done)["arguments"] == ["train", *NASTY]
    assert done.returncode == 2


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("noted", ["", "C:\\gone"])
@pytest.mark.parametrize("answer", [r"C:\the (clone)", r'"C:\the (clone)"'], ids=["typed", "dragged"])
def test_a_copy_that_does_not_know_the_repository_asks(clone: Path, desktop: Path, noted: str, answer: str) -> None:
    """Where a console's letters come from, a pipe brings bytes in a code page; so this path has no accents."""
    plain = DRIVE_C / "the (clone)"
    if not plain.is_symlink():
        plain.symlink_to(clone)
    done = bat(desktop, "--yes", text=f"{answer}\r\n", GET_TAGS_REPOSITORY=noted)
    assert said(done)["arguments"] == ["train", "--yes"]


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("answer", ["", "\r\n", "C:\\elsewhere\r\n"])
def test_a_copy_that_gets_no_answer_says_what_to_do(clone: Path, desktop: Path, answer: str) -> None:
    done = bat(desktop, text=answer)
    assert done.returncode == 1
    assert "Run scripts\\train_tags.bat in the repository once" in done.stderr


@pytest.mark.usefixtures("forgotten")
def test_set_up_notes_where_the_repository_is_until_it_has_gone(clone: Path) -> None:
    for root, expected in ((clone.with_name("gone"), clone.with_name("gone")), (clone, clone), (USER, clone)):
        done = windows.python("-c", REMEMBER, windows_path(ROOT / "scripts"), windows_path(root))
        assert done.returncode == 0, done.stderr
        assert windows.python("-X", "utf8", "-c", NOTED).stdout.strip() == windows_path(expected)


def test_a_copy_finds_the_repository_by_what_set_up_noted(clone: Path, desktop: Path) -> None:
    windows.python("-c", REMEMBER, windows_path(ROOT / "scripts"), windows_path(clone))
    assert said(bat(desktop, "--yes"))["arguments"] == ["train", "--yes"]


@pytest.fixture(scope="module")
def checkout(wine: None) -> Path:
    """This repository as it stands, where an accented user keeps it."""
    folder = USER / "Documents" / "get-tags (nou)"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("configs", "scripts", "src"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    shutil.copy(windows.FOLDER / "constraints.txt", folder)
    return folder


def test_one_command_sets_everything_up_and_trains(checkout: Path) -> None:
    """The real set-up, with pip, mends one that was interrupted; then the demo is trained, with the real torch."""
    (checkout / ".venv" / "Lib").mkdir(parents=True)
    (checkout / ".venv" / "Lib" / "half").write_text("", encoding="utf-8")
    home = USER / "Acasă"
    arguments = ["--demo", "--yes", "--json", "--epochs", "1", "--home", windows_path(home), "--no-deploy"]
    script = checkout / "scripts" / "train_tags.bat"
    variables = {"PYTHONPATH": windows_path(windows.PACKAGES), "GET_TAGS_TRAINING_CONTEXT_LENGTH": "32"}
    quoted = " ".join(f'"{argument}"' for argument in arguments)
    done = windows.run(f'cmd /c ""{windows_path(script)}" {quoted}"', timeout_seconds=1100, **variables)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "making the environment" in done.stderr
    assert not (checkout / ".venv" / "Lib" / "half").exists()
    result = json.loads(done.stdout)
    assert result["model"]["epochs"] == 1
    assert Path(DRIVE_C, *Path(result["model"]["path"].replace("\\", "/")).parts[1:], "report.html").is_file()
    again = bat(script, "--help", **variables)
    assert "making the environment" not in again.stderr
    assert again.returncode == 0
    # What pip writes there names its interpreter, which was somewhere else while the environment was made.
    program = windows_path(checkout / ".venv" / "Scripts" / "get-tags.exe")
    assert windows.run(f'"{program}" --help', **variables).returncode == 0


RUNTIME = ["msvcp140.dll", "msvcp140_atomic_wait.dll"]
TORCH = "import get_tags_train, torch; print(torch.ones(3).sum().item())"
LACKS = "import pathlib, sys; sys.path.insert(0, sys.argv[1]); import setup_torch; "
LACKS += "print(setup_torch.lacks_runtime(pathlib.Path(sys.argv[2])))"


@pytest.fixture
def without_runtime(wine: None) -> Iterator[dict[str, str]]:
    """No Visual C++ runtime: wine's own is switched off, and the one beside the Python is put away."""
    program, away = DRIVE_C / "Program Files" / "Python311", DRIVE_C / "away"
    away.mkdir(exist_ok=True)
    for name in RUNTIME:
        (program / name).rename(away / name)
    yield {"WINEDLLOVERRIDES": ";".join(f"{Path(name).stem}=n" for name in RUNTIME)}
    for name in RUNTIME:
        (away / name).rename(program / name)


def test_without_the_visual_cpp_runtime_its_package_is_named_and_does(without_runtime: dict[str, str]) -> None:
    venv = USER / "runtime" / ".venv"
    shutil.rmtree(venv, ignore_errors=True)
    windows.python("-m", "venv", "--without-pip", windows_path(venv))
    program = f"{windows_path(venv)}\\Scripts\\python.exe"
    packages = ";".join(map(windows_path, (windows.PACKAGES, ROOT / "src")))
    variables = {**without_runtime, "PYTHONPATH": packages, "PYTHONUTF8": "1"}
    lacks = ["-c", LACKS, windows_path(ROOT / "scripts"), windows_path(venv)]
    assert windows.python(*lacks, variables=variables).stdout.split() == ["True"]
    home = windows_path(USER / "Fără")
    told = windows.run(f'"{program}" -m get_tags_train doctor --home "{home}"', **variables)
    assert told.returncode == 1
    assert "-m pip install --upgrade msvc-runtime" in told.stderr
    # Where pip puts what is in that package.
    for name in RUNTIME:
        shutil.copy(DRIVE_C / "away" / name, venv / "Scripts")
    assert windows.python(*lacks, variables=variables).stdout.split() == ["False"]
    assert windows.run(f'"{program}" -c "{TORCH}"', timeout_seconds=600, **variables).stdout.split() == ["3.0"]


# Of this project's own tests, those whose modules touch files, folders, locks, names and code pages.
LIGHT = [
    "core/test_files.py", "core/test_home.py", "core/test_logs.py", "core/test_settings.py", "core/test_shutdown.py",
    "core/test_system.py", "core/test_workspace.py", "cli/test_wizard.py", "data/test_prepared.py",
    "deployment/test_deploy.py", "maintenance/test_doctor.py::test_a_drive_that_is_not_there",
    "maintenance/test_inventory.py", "training/test_checkpoints.py",
]  # fmt: skip


def test_its_own_tests_pass_under_a_windows_python() -> None:
    tests = [ROOT / "tests" / name for name in LIGHT]
    options = ["-p", "no:cacheprovider", "--timeout=300", "-m", "not server and not wine", r"--basetemp=C:\t"]
    packages = ";".join(map(windows_path, (windows.PACKAGES, ROOT / "src")))
    variables = {"PYTHONPATH": packages, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    arguments = ["-m", "pytest", *options, "--rootdir", windows_path(ROOT), *map(windows_path, tests)]
    done = windows.python(*arguments, variables=variables, timeout_seconds=1100)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) > 300
