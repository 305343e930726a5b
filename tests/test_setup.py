"""Set-up: what an environment needs is judged rightly, and whatever stopped the last set-up, the next one mends it."""

import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import venv
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import setup_env
from setup_env import ROOT, Step

OVERVIEW = "| NVIDIA-SMI 580.65.06   Driver Version: 580.65.06   CUDA Version: {} |"


class Pip:
    """Stands in for pip: records what it is asked, and installs one small package."""

    def __init__(self, failure: BaseException | None = None):
        self.calls: list[list[str]] = []
        self.failure = failure

    def __call__(self, root, arguments):
        assert not (root / ".venv" / setup_env.MARKER).exists(), "the marker stands while packages change"
        self.calls.append(list(arguments))
        packages = site_packages(root)
        (packages / "torch" / "nn").mkdir(parents=True, exist_ok=True)
        (packages / "torch-2.13.0.dist-info").mkdir(exist_ok=True)
        if self.failure:
            raise self.failure


def site_packages(root):
    return setup_env.site_packages(root, "{}.{}".format(*sys.version_info[:2]))


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small checkout; its environment is a real one, but without pip, which would take seconds."""
    real = venv.EnvBuilder
    monkeypatch.setattr(venv, "EnvBuilder", lambda with_pip, symlinks: real(symlinks=symlinks))
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling>=1"]\n[dependency-groups]\ndev = ["pytest>=8", "ruff"]\n'
    )
    (root / "constraints.txt").write_text("pytest==9.0\ntorch==2.13.0\n")
    return root


def needed(root, dev=False):
    return setup_env.plan(root, dev=dev)[0]


def test_first_run_makes_it_and_second_does_nothing(checkout):
    first, second = Pip(), Pip()
    assert setup_env.set_up(checkout, dev=False, run_pip=first) is Step.REBUILD
    assert setup_env.set_up(checkout, dev=False, run_pip=second) is Step.NOTHING
    assert first.calls
    assert not second.calls


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), setup_env.SetupError("no network"), OSError("disk full")])
def test_interrupted_set_up_starts_from_nothing(checkout, failure):
    with pytest.raises(type(failure)):
        setup_env.set_up(checkout, dev=False, run_pip=Pip(failure))
    half_installed = site_packages(checkout) / "half"
    half_installed.mkdir()
    assert setup_env.set_up(checkout, dev=False, run_pip=Pip()) is Step.REBUILD
    assert not half_installed.exists()
    assert needed(checkout) is Step.NOTHING


@pytest.mark.parametrize(
    "damaged",
    [
        lambda root: setup_env.venv_python(root),
        lambda root: site_packages(root) / "torch",
        lambda root: site_packages(root) / "torch" / "nn",
        lambda root: site_packages(root) / "torch-2.13.0.dist-info",
        lambda root: site_packages(root),
        lambda root: root / ".venv" / setup_env.MARKER,
    ],
    ids=["interpreter", "package", "part of a package", "metadata", "everything", "marker"],
)
def test_damaged_environment_is_made_again(checkout, damaged):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    path = damaged(checkout)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert setup_env.set_up(checkout, dev=False, run_pip=Pip()) is Step.REBUILD
    assert needed(checkout) is Step.NOTHING


@pytest.mark.parametrize("text", ["", "{", "[]", '{"recipe": {"sources": 1}}'])
def test_torn_marker_counts_as_none(checkout, text):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    (checkout / ".venv" / setup_env.MARKER).write_text(text)
    assert needed(checkout) is Step.REBUILD


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_dependencies_are_installed_in_place(checkout, name):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    with (checkout / name).open("a") as stream:
        stream.write("# changed\n")
    added_by_hand = site_packages(checkout) / "added_by_hand"
    added_by_hand.mkdir()
    assert setup_env.set_up(checkout, dev=False, run_pip=Pip()) is Step.INSTALL
    assert added_by_hand.exists()
    assert needed(checkout) is Step.NOTHING


def test_moved_checkout_is_installed_again_in_place(checkout):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    moved = checkout.rename(checkout.with_name("mutat în altă parte"))
    assert setup_env.set_up(moved, dev=False, run_pip=Pip()) is Step.INSTALL
    assert needed(moved) is Step.NOTHING


def test_path_with_diacritics_works_in_every_locale(checkout):
    def pip_of_hatchling(root, arguments):
        Pip()(root, arguments)
        (site_packages(root) / "_editable_impl_x.pth").write_bytes(str(root / "src").encode())

    root = checkout.rename(checkout.with_name("Ștefan's"))
    (root / "src").mkdir()
    setup_env.set_up(root, dev=False, run_pip=pip_of_hatchling)
    assert (site_packages(root) / "_editable_impl_x.pth").read_bytes().isascii()
    paths = setup_env.output_of(
        [str(setup_env.venv_python(root)), "-X", "utf8", "-c", "import sys; print(ascii(sys.path))"]
    )
    assert ascii(str(root / "src")) in paths


def test_packages_and_pip_upgraded_by_hand_change_nothing(checkout):
    def pip_of_this_environment(root, arguments):
        Pip()(root, arguments)
        (site_packages(root) / "pip-23.2.dist-info").mkdir(exist_ok=True)

    setup_env.set_up(checkout, dev=False, run_pip=pip_of_this_environment)
    (site_packages(checkout) / "pip-23.2.dist-info").rename(site_packages(checkout) / "pip-26.0.dist-info")
    (site_packages(checkout) / "pymysql").mkdir()
    assert needed(checkout) is Step.NOTHING


def test_development_tools_are_added_and_stay(checkout):
    plain, dev, changed = Pip(), Pip(), Pip()
    setup_env.set_up(checkout, dev=False, run_pip=plain)
    assert "ruff" not in plain.calls[-1]
    assert setup_env.set_up(checkout, dev=True, run_pip=dev) is Step.INSTALL
    assert dev.calls[-1][-2:] == ["pytest>=8", "ruff"]
    assert needed(checkout, dev=False) is Step.NOTHING
    (checkout / "constraints.txt").write_text("torch==2.13.0\n")
    setup_env.set_up(checkout, dev=False, run_pip=changed)
    assert "ruff" in changed.calls[-1]


def test_two_set_ups_at_once_do_the_work_once(checkout):
    pips = [Pip(), Pip()]
    threads = [
        threading.Thread(target=setup_env.set_up, args=(checkout,), kwargs={"dev": False, "run_pip": pip})
        for pip in pips
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(bool(pip.calls) for pip in pips) == [False, True]
    assert needed(checkout) is Step.NOTHING


def test_killed_set_up_frees_the_lock(tmp_path):
    lock_path = tmp_path / ".venv" / "lock"
    holder = (
        "import sys, time, pathlib, setup_env\n"
        "with setup_env.only_one(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(lock_path)], cwd=ROOT / "scripts", stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "held\n"
        with lock_path.open("a") as stream:
            assert not setup_env.try_lock(stream)
            process.kill()
            process.wait()
            assert setup_env.try_lock(stream)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("overview", "capabilities", "build"),
    [
        (OVERVIEW.format("13.0"), "8.9", "cu130"),
        (OVERVIEW.format("13.2"), "7.5\n12.0", "cu130"),
        ("| NVIDIA-SMI 610.47   KMD Version: 610.47   CUDA UMD Version: 13.3 |", "8.6", "cu130"),
        (OVERVIEW.format("13.0"), "", "cu130"),
        (OVERVIEW.format("12.6"), "8.9", "cu126"),
        (OVERVIEW.format("12.9"), "[N/A]", "cu126"),
        # A driver for CUDA 13 runs older builds too, and these GPUs need one: Pascal, Volta.
        (OVERVIEW.format("13.0"), "6.1", "cu126"),
        (OVERVIEW.format("13.0"), "7.0\n8.6", "cu126"),
        # Blackwell runs only builds that this driver can't.
        (OVERVIEW.format("12.8"), "12.0", None),
        (OVERVIEW.format("12.5"), "8.9", None),
        (OVERVIEW.format("11.4"), "", None),
        (OVERVIEW.format("N/A"), "8.9", None),
    ],
)
def test_torch_build_fits_driver_and_gpu(overview, capabilities, build):
    assert setup_env.choose_torch(overview, capabilities) == build


@pytest.fixture
def windows(monkeypatch):
    """Windows with the nvidia-smi outputs that the test sets: None for the command that doesn't answer."""
    answers: dict[int, str | None] = {}
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(setup_env, "find_nvidia_smi", lambda: "nvidia-smi" if answers else None)
    monkeypatch.setattr(setup_env, "output_of", lambda command: answers[len(command)])
    return answers


def test_windows_without_gpu_takes_the_registrys_torch(windows):
    assert setup_env.wanted_torch(setup_env.REGISTRY) == setup_env.REGISTRY


def test_windows_gpu_that_does_not_answer_takes_the_registrys_torch(windows):
    windows[1] = None
    assert setup_env.wanted_torch(setup_env.REGISTRY) == setup_env.REGISTRY


def test_windows_with_gpu_takes_a_cuda_build(windows):
    windows.update({1: OVERVIEW.format("13.0"), 3: "8.9"})
    assert setup_env.wanted_torch(setup_env.REGISTRY) == "cu130"


def test_windows_keeps_its_cuda_build_without_asking(windows):
    windows[1] = None
    assert setup_env.wanted_torch("cu126") == "cu126"


def test_windows_with_old_driver_says_what_to_do(windows, capsys):
    windows.update({1: OVERVIEW.format("12.4"), 3: "8.9"})
    assert setup_env.wanted_torch(setup_env.REGISTRY) == setup_env.REGISTRY
    assert setup_env.OLD_DRIVER in capsys.readouterr().err


def test_elsewhere_the_registrys_torch_carries_cuda(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert setup_env.wanted_torch(setup_env.REGISTRY) == setup_env.REGISTRY


def test_cuda_build_comes_alone_from_pytorchs_index(checkout):
    recipe = setup_env.Recipe(sources="", checkout="", torch="cu130", dev=False)
    torch, *others = setup_env.installs(checkout, recipe)
    assert torch == ["--no-deps", "--index-url=https://download.pytorch.org/whl/cu130", "torch==2.13.0+cu130"]
    assert all("constraints.txt" in install and "--no-deps" not in install for install in others)


def test_failed_pip_is_an_error_that_says_what_to_do(checkout):
    with pytest.raises(setup_env.SetupError, match="run the same command again"):
        setup_env.set_up(checkout, dev=False)  # the environment of these tests has no pip


@pytest.mark.parametrize(
    ("failure", "code"),
    [(setup_env.SetupError("no luck"), 1), (PermissionError(13, "Denied", "x.pyd"), 1), (KeyboardInterrupt(), 130)],
)
def test_failure_is_told_on_standard_error_without_traceback(monkeypatch, capsys, failure, code):
    def fail(root, dev):
        raise failure

    monkeypatch.setattr(setup_env, "set_up", fail)
    assert setup_env.main([]) == code
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.startswith("set-up: ")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("home", "variables", "said"),
    [
        ("", {"GET_TAGS_DISPLAY_LANGUAGE": "ro"}, "instalare: utilizare"),
        ("", {"LC_ALL": "ro_RO.UTF-8"}, "instalare: utilizare"),
        ('[display]\nlanguage = "ro"\n', {}, "instalare: utilizare"),
        ('[display]\nlanguage = "en"\n', {"LC_ALL": "ro_RO.UTF-8"}, "set-up: usage"),
    ],
)
def test_set_up_speaks_as_get_tags_will_and_needs_nothing_installed(tmp_path, home, variables, said):
    (tmp_path / "get-tags.toml").write_text(home)
    without_packages = [sys.executable, "-I", "-S", ROOT / "scripts" / "setup_env.py", "--what"]
    environment = os.environ | {"GET_TAGS_HOME": str(tmp_path)} | variables
    done = subprocess.run(without_packages, capture_output=True, text=True, encoding="utf-8", env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith(said)


def test_constraints_pin_all_that_pyproject_asks_for():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [
        *pyproject["project"]["dependencies"],
        *(name for names in pyproject["project"]["optional-dependencies"].values() for name in names),
        *pyproject["dependency-groups"]["dev"],
        *pyproject["build-system"]["requires"],
    ]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {line.partition("==")[0] for line in lines if not line.startswith("#")}
    names = {re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-") for requirement in asked}
    assert names <= pins, "run python scripts/lock.py"
    assert not [pin for pin in pins if pin.startswith(("nvidia-", "cuda-", "triton"))]


@pytest.mark.skipif(sys.platform == "win32", reason="train_tags.bat is the one for Windows")
def test_train_script_passes_arguments_and_exit_code(tmp_path):
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "scripts" / "setup_env.py").write_text("")
    interpreter = tmp_path / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text('#!/bin/sh\nprintf "%s|" "$@"\nexit 7\n')
    interpreter.chmod(0o755)
    link = tmp_path / "on the desktop.sh"
    link.symlink_to(tmp_path / "scripts" / "train_tags.sh")
    done = subprocess.run(["bash", link, "--ids", "a b.csv"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (7, "-P|-m|get_tags_train|train|--ids|a b.csv|")


def test_batch_files_end_their_lines_as_windows_wants():
    for path in (ROOT / "scripts").glob("*.bat"):
        lines = path.read_bytes().split(b"\n")
        assert lines.pop() == b""
        assert all(line.endswith(b"\r") and line.isascii() for line in lines), path.name
