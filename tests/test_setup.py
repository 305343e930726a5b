"""Set-up: what an environment needs is judged rightly, and whatever stopped the last set-up, the next one mends it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
import tomllib
import venv
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import setup_env
import setup_pip
import setup_torch
import setup_venv
from setup_env import ROOT, Step
from setup_torch import CPU, CUDA_12, CUDA_13, REGISTRY
from setup_venv import BEFORE, READY, VENV, WORK

OVERVIEW = "| NVIDIA-SMI 580.65.06   Driver Version: 580.65.06   CUDA Version: {} |"
PYTHON = "{}.{}".format(*sys.version_info[:2])


class Pip:
    """Stands in for pip: records what it is asked, and installs torch and the project, small ones."""

    def __init__(self, failure: BaseException | None = None):
        self.calls: list[list[str]] = []
        self.failure = failure

    def __call__(self, root, venv, arguments):
        assert not (venv / READY).exists(), "the marker stands while packages change"
        self.calls.append(list(arguments))
        if self.failure:
            raise self.failure
        add_package(venv, "torch", "2.13.0")
        add_package(venv, "pip", "25.3")
        add_package(venv, "get_tags_train", "0.1.0")


def add_package(venv, name, version):
    """Install a package with a folder in its folder, as pip does: its list of files comes last."""
    packages = setup_venv.site_packages(venv, PYTHON)
    for path in packages.glob(f"{name}-*.dist-info"):
        shutil.rmtree(path)
    files = [f"{name}/nn/layer.py", f"{name}-{version}.dist-info/METADATA", f"../../../bin/{name}"]
    for path in files[:2]:
        (packages / path).parent.mkdir(parents=True, exist_ok=True)
        (packages / path).write_text("")
    (packages / f"{name}-{version}.dist-info" / "RECORD").write_text("".join(f"{path},,\n" for path in files))


def missing(venv, names):
    """Stands in for `pip check`: any version does."""
    there = setup_venv.installed_versions(venv, PYTHON)
    return [f"{name} is missing" for name in names if name not in there] if "pip" in there else None


def site_packages(root):
    return setup_venv.site_packages(root / VENV, PYTHON)


@pytest.fixture(autouse=True)
def no_gpu_and_no_network(monkeypatch):
    monkeypatch.setattr(setup_torch, "find_nvidia_smi", lambda: None)
    monkeypatch.setattr(setup_torch, "index_answers", lambda url: False)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small checkout; its environment is a real one, but without pip, which would take seconds."""
    real = venv.EnvBuilder
    monkeypatch.setattr(venv, "EnvBuilder", lambda with_pip, symlinks, prompt: real(symlinks=symlinks, prompt=prompt))
    monkeypatch.setattr(setup_env, "misfits", missing)
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "pyproject.toml").write_text(
        '[project]\ndependencies = ["torch==2.13.0"]\n'
        '[build-system]\nrequires = ["hatchling>=1"]\n[dependency-groups]\ndev = ["pytest>=8", "ruff"]\n'
    )
    (root / "constraints.txt").write_text("# pinned\npip==25.3\npytest==9.0\ntorch==2.13.0\n")
    return root


def needed(root, dev=False):
    return setup_env.plan(root, dev=dev).step


def test_first_run_makes_it_and_second_does_nothing(checkout):
    first, second = Pip(), Pip()
    assert setup_env.set_up(checkout, dev=False, run_pip=first) is Step.REBUILD
    assert setup_env.set_up(checkout, dev=False, run_pip=second) is Step.NOTHING
    assert first.calls
    assert not second.calls


@pytest.mark.parametrize("lacks", [True, False])
def test_what_a_windows_without_its_runtime_needs_is_installed_and_named(checkout, monkeypatch, capsys, lacks):
    monkeypatch.setattr(setup_env, "lacks_runtime", lambda venv: lacks)
    pip = Pip()
    setup_env.set_up(checkout, dev=False, run_pip=pip)
    assert (pip.calls[-1] == ["msvc-runtime"]) is lacks
    said = capsys.readouterr().err
    assert ("Visual C++ runtime" in said, "package msvc-runtime" in said) == (lacks, lacks)


@pytest.mark.skipif(sys.platform == "win32", reason="which may lack it")
def test_only_windows_lacks_that_runtime(checkout):
    assert not setup_torch.lacks_runtime(checkout / VENV)


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="names there are Unicode")
def test_a_folder_that_is_not_utf8_is_refused_before_anything_is_made(checkout):
    moved = checkout.rename(checkout.with_name(os.fsdecode(b"ma\xff")))
    pip = Pip()
    with pytest.raises(setup_env.SetupError, match=r"ma\\xff is not UTF-8"):
        setup_env.set_up(moved, dev=False, run_pip=pip)
    assert not pip.calls
    assert not (moved / WORK).exists()


def test_pip_is_upgraded_before_anything_else_and_only_once(checkout):
    first, second = Pip(), Pip()
    setup_env.set_up(checkout, dev=False, run_pip=first)
    setup_env.set_up(checkout, dev=True, run_pip=second)
    assert first.calls[0] == ["pip==25.3"]
    assert ["pip==25.3"] not in second.calls


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), setup_env.SetupError("no network"), OSError("disk full")])
def test_interrupted_first_set_up_starts_from_nothing(checkout, failure):
    with pytest.raises(type(failure)):
        setup_env.set_up(checkout, dev=False, run_pip=Pip(failure))
    half_installed = setup_venv.site_packages(checkout / WORK / "new", PYTHON) / "half"
    half_installed.mkdir()
    assert setup_env.set_up(checkout, dev=False, run_pip=Pip()) is Step.REBUILD
    assert not (site_packages(checkout) / "half").exists()
    assert needed(checkout) is Step.NOTHING


@pytest.mark.parametrize(
    "damaged",
    [
        lambda root: setup_venv.venv_python(root / VENV),
        lambda root: site_packages(root) / "torch",
        lambda root: site_packages(root) / "torch" / "nn",
        lambda root: site_packages(root) / "torch-2.13.0.dist-info" / "RECORD",
        lambda root: site_packages(root),
        lambda root: root / VENV / READY,
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
    (checkout / VENV / READY).write_text(text)
    assert needed(checkout) is Step.REBUILD


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_dependencies_are_installed_in_place(checkout, name):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    with (checkout / name).open("a") as stream:
        stream.write("# changed\n")
    add_package(checkout / VENV, "added_by_hand", "1.0")
    assert setup_env.set_up(checkout, dev=False, run_pip=Pip()) is Step.INSTALL
    assert (site_packages(checkout) / "added_by_hand").exists()
    assert needed(checkout) is Step.NOTHING


def test_moved_checkout_is_installed_again_in_place(checkout):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    moved = checkout.rename(checkout.with_name("mutat în altă parte"))
    assert setup_env.set_up(moved, dev=False, run_pip=Pip()) is Step.INSTALL
    assert needed(moved) is Step.NOTHING


def test_path_with_diacritics_works_in_every_locale(checkout):
    def pip_of_hatchling(root, venv, arguments):
        Pip()(root, venv, arguments)
        packages = setup_venv.site_packages(venv, PYTHON)
        (packages / "_editable_impl_x.pth").write_bytes(str(root / "src").encode())

    root = checkout.rename(checkout.with_name("Ștefan's"))
    (root / "src").mkdir()
    setup_env.set_up(root, dev=False, run_pip=pip_of_hatchling)
    assert (site_packages(root) / "_editable_impl_x.pth").read_bytes().isascii()
    command = [str(setup_venv.venv_python(root / VENV)), "-X", "utf8", "-c", "import sys; print(ascii(sys.path))"]
    assert ascii(str(root / "src")) in (setup_venv.output_of(command) or "")


# An environment that people change


def test_packages_added_and_upgraded_by_hand_change_nothing(checkout):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    for name, version in (("pip", "26.9"), ("pymysql", "1.0"), ("torch", "2.13.1")):
        add_package(checkout / VENV, name, version)
    assert needed(checkout) is Step.NOTHING


def test_pip_is_asked_once_about_an_upgrade(checkout, monkeypatch):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    add_package(checkout / VENV, "torch", "2.13.1")
    assert needed(checkout) is Step.NOTHING
    monkeypatch.delattr(setup_env, "misfits")
    assert needed(checkout) is Step.NOTHING


def test_a_package_that_no_longer_fits_is_mended_in_place(checkout, monkeypatch):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    add_package(checkout / VENV, "torch", "1.0")
    monkeypatch.setattr(
        setup_env, "misfits", lambda venv, names: ["get-tags-train 0.1.0 has requirement torch==2.13.0"]
    )
    assert setup_env.set_up(checkout, dev=False, run_pip=Pip()) is Step.INSTALL
    assert needed(checkout) is Step.NOTHING


@pytest.mark.parametrize("lost", [READY, "pyvenv.cfg"])
def test_additions_move_to_an_environment_made_anew(checkout, lost):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    add_package(checkout / VENV, "added_by_hand", "1.0")
    (checkout / VENV / lost).unlink()
    shutil.rmtree(site_packages(checkout) / "torch" / "nn")
    pip = Pip()
    setup_env.set_up(checkout, dev=False, run_pip=pip)
    assert pip.calls[-1] == ["-c", "constraints.txt", "added-by-hand==1.0"]


def test_a_python_that_has_no_packages_makes_it_anew(checkout, monkeypatch):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    monkeypatch.setattr(setup_venv, "NEWEST", (3, 10))
    assert needed(checkout) is Step.REBUILD


# What works stays until its successor does


def works(root):
    return setup_venv.python_version(root / VENV) == PYTHON and (site_packages(root) / "torch").is_dir()


@pytest.fixture
def another_gpu(checkout, monkeypatch):
    """An environment that works, on a machine whose GPU now wants another build of torch."""
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    monkeypatch.setattr(setup_env, "wanted_torch", lambda noted: CUDA_12)
    return checkout


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError("disk full")])
def test_a_rebuild_that_is_interrupted_leaves_the_old_one(another_gpu, failure):
    with pytest.raises(type(failure)):
        setup_env.set_up(another_gpu, dev=False, run_pip=Pip(failure))
    assert works(another_gpu)
    assert setup_env.set_up(another_gpu, dev=False, run_pip=Pip()) is Step.REBUILD
    assert works(another_gpu)
    assert needed(another_gpu) is Step.NOTHING


def test_a_rebuild_without_a_network_goes_on_with_the_old_one(another_gpu, monkeypatch, capsys):
    monkeypatch.setattr(setup_env, "can_stay", lambda root, plan: True)
    setup_env.set_up(another_gpu, dev=False, run_pip=Pip(setup_env.SetupError("no network")))
    assert "no network" in capsys.readouterr().err
    assert works(another_gpu)
    assert needed(another_gpu) is Step.REBUILD


def test_an_update_without_a_network_leaves_the_old_one(checkout):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    with (checkout / "pyproject.toml").open("a") as stream:
        stream.write("# changed\n")
    with pytest.raises(setup_env.SetupError):  # the environment of these tests has no pip to say what it holds
        setup_env.set_up(checkout, dev=False, run_pip=Pip(setup_env.SetupError("no network")))
    assert works(checkout)
    assert needed(checkout) is Step.INSTALL


def test_an_update_that_was_killed_goes_on_in_place(checkout):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    (checkout / VENV / READY).rename(checkout / VENV / BEFORE)
    assert setup_env.set_up(checkout, dev=False, run_pip=Pip()) is Step.INSTALL
    assert not (checkout / VENV / BEFORE).exists()
    assert needed(checkout) is Step.NOTHING


def test_an_exchange_that_was_killed_between_its_renames_is_finished(another_gpu):
    setup_env.set_up(another_gpu, dev=False, run_pip=Pip())
    (another_gpu / VENV).rename(another_gpu / WORK / "new")
    pip = Pip()
    setup_env.set_up(another_gpu, dev=False, run_pip=pip)
    assert not pip.calls
    assert works(another_gpu)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which programs run from a folder")
def test_a_program_that_runs_from_the_old_one_keeps_it(another_gpu, monkeypatch, capsys):
    monkeypatch.setattr(setup_env, "can_stay", lambda root, plan: True)
    library = site_packages(another_gpu) / "library.so"
    library.write_bytes(b"x" * 4096)
    mapping = (
        "import mmap, sys, time\nstream = open(sys.argv[1], 'rb')\n"
        "held = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)\nprint('held', flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", mapping, str(library)], stdout=subprocess.PIPE, text=True)
    pip = Pip()
    try:
        assert process.stdout.readline() == "held\n"
        setup_env.set_up(another_gpu, dev=False, run_pip=Pip())
        assert str(process.pid) in capsys.readouterr().err
        assert library.exists()
    finally:
        process.kill()
        process.communicate()
    setup_env.set_up(another_gpu, dev=False, run_pip=pip)
    assert not pip.calls, "the successor was ready"
    assert not library.exists()
    assert needed(another_gpu) is Step.NOTHING


def test_scripts_of_a_successor_name_the_place_where_it_will_be(checkout):
    def pip_that_adds_scripts(root, venv, arguments):
        Pip()(root, venv, arguments)
        script = setup_venv.venv_python(venv).with_name("tool")
        script.write_bytes(f"#!{setup_venv.venv_python(venv)}\n".encode() + b"\x00archive")

    setup_env.set_up(checkout, dev=False, run_pip=pip_that_adds_scripts)
    folder = setup_venv.venv_python(checkout / VENV).parent
    assert (folder / "tool").read_bytes() == f"#!{folder / 'python'}\n".encode() + b"\x00archive"
    assert not [path for path in folder.iterdir() if WORK.encode() in path.read_bytes()]


def test_a_checkout_that_cannot_be_written_is_named(checkout):
    (checkout / WORK).write_text("in the way")
    with pytest.raises(setup_env.SetupError, match=re.escape(str(checkout))):
        setup_env.set_up(checkout, dev=False, run_pip=Pip())


def test_an_environment_that_does_is_used_where_nothing_can_be_written(checkout, monkeypatch):
    setup_env.set_up(checkout, dev=False, run_pip=Pip())
    with (checkout / "constraints.txt").open("a") as stream:
        stream.write("# changed\n")
    shutil.rmtree(checkout / WORK)
    (checkout / WORK).write_text("in the way")
    monkeypatch.setattr(setup_env, "can_stay", lambda root, plan: True)
    assert setup_env.set_up(checkout, dev=False, run_pip=Pip()) is Step.INSTALL
    assert works(checkout)


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
        "import sys, time, pathlib; sys.path.insert(0, sys.argv[2]); import setup_venv\n"
        "with setup_venv.only_one(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(lock_path), str(ROOT / "src")],
        cwd=ROOT / "scripts",
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "held\n"
        with lock_path.open("a") as stream:
            assert not setup_venv.try_lock(stream)
            process.kill()
            process.wait()
            assert setup_venv.try_lock(stream)
    finally:
        process.kill()
        process.communicate()


# Which torch


@pytest.fixture
def machine(monkeypatch):
    """A machine with the system and the nvidia-smi outputs that the test sets; no answer: no GPU."""

    def set_machine(system, overview=None, capabilities=""):
        monkeypatch.setattr(sys, "platform", system)
        monkeypatch.setattr(setup_torch, "find_nvidia_smi", lambda: "nvidia-smi" if overview else None)
        monkeypatch.setattr(setup_torch, "output_of", lambda command: overview if len(command) == 1 else capabilities)

    return set_machine


@pytest.mark.parametrize(
    ("overview", "capabilities", "linux", "windows"),
    [
        (OVERVIEW.format("13.0"), "8.9", REGISTRY, CUDA_13),
        (OVERVIEW.format("13.2"), "7.5\n12.0", REGISTRY, CUDA_13),
        ("| NVIDIA-SMI 610.47   KMD Version: 610.47   CUDA UMD Version: 13.3 |", "8.6", REGISTRY, CUDA_13),
        (OVERVIEW.format("13.0"), "", REGISTRY, CUDA_13),
        (OVERVIEW.format("12.6"), "8.9", CUDA_12, CUDA_12),
        (OVERVIEW.format("12.9"), "[N/A]", CUDA_12, CUDA_12),
        (OVERVIEW.format("12.0"), "8.0", CUDA_12, CUDA_12),
        # A driver for CUDA 13 runs older builds too, and these GPUs need one: Pascal, Volta.
        (OVERVIEW.format("13.0"), "6.1", CUDA_12, CUDA_12),
        (OVERVIEW.format("13.0"), "7.0\n8.6", CUDA_12, CUDA_12),
    ],
)
def test_torch_build_fits_driver_and_gpu(machine, overview, capabilities, linux, windows):
    for system, build in (("linux", linux), ("win32", windows)):
        machine(system, overview, capabilities)
        assert setup_torch.wanted_torch(None) == build


@pytest.mark.parametrize(
    ("overview", "capabilities"),
    [
        # Blackwell runs only builds that this driver can't.
        (OVERVIEW.format("12.8"), "12.0"),
        (OVERVIEW.format("11.8"), "8.9"),
        (OVERVIEW.format("11.4"), ""),
        (OVERVIEW.format("N/A"), "8.9"),
    ],
)
@pytest.mark.parametrize("system", ["linux", "win32"])
def test_a_driver_too_old_for_every_build_is_told(machine, capsys, system, overview, capabilities):
    machine(system, overview, capabilities)
    assert setup_torch.wanted_torch(None) == REGISTRY
    assert setup_torch.OLD_DRIVER in capsys.readouterr().err


@pytest.mark.parametrize("noted", [REGISTRY, CPU, CUDA_12, CUDA_13])
def test_a_gpu_that_does_not_answer_costs_nobody_their_torch(machine, noted):
    machine("win32")
    assert setup_torch.wanted_torch(noted) == noted


@pytest.mark.parametrize(
    ("system", "cuda", "capability", "noted", "wanted"),
    [
        ("linux", "13.0", "8.9", CPU, REGISTRY),
        ("linux", "12.4", "8.9", REGISTRY, CUDA_12),
        ("linux", "13.0", "7.0", REGISTRY, CUDA_12),
        ("linux", "13.0", "12.0", CUDA_12, REGISTRY),
        ("win32", "13.0", "8.9", REGISTRY, CUDA_13),
        ("win32", "12.6", "8.9", CUDA_13, CUDA_12),
    ],
)
def test_a_build_that_the_machine_cannot_run_is_replaced(machine, system, cuda, capability, noted, wanted):
    machine(system, OVERVIEW.format(cuda), capability)
    assert setup_torch.wanted_torch(noted) == wanted


@pytest.mark.parametrize("system", ["linux", "win32"])
def test_a_build_that_works_stays_where_a_newer_one_would_do(machine, system):
    machine(system, OVERVIEW.format("13.0"), "8.9")
    assert setup_torch.wanted_torch(CUDA_12) == CUDA_12


@pytest.mark.parametrize(
    ("system", "answers", "build"),
    [("linux", True, CPU), ("linux", False, REGISTRY), ("win32", True, REGISTRY), ("darwin", True, REGISTRY)],
)
def test_without_a_gpu(machine, monkeypatch, system, answers, build):
    machine(system)
    monkeypatch.setattr(setup_torch, "index_answers", lambda url: answers)
    assert setup_torch.wanted_torch(None) == build


@pytest.mark.parametrize(("noted", "answers"), [(REGISTRY, True), (CPU, False)])
def test_a_torch_that_works_stays_whether_the_index_answers_or_not(machine, monkeypatch, noted, answers):
    machine("linux")
    monkeypatch.setattr(setup_torch, "index_answers", lambda url: answers)
    assert setup_torch.wanted_torch(noted) == noted


class Page(BaseHTTPRequestHandler):
    """Answers as its path says; /silent never does."""

    def do_HEAD(self):
        if self.path == "/silent":
            time.sleep(5)
        self.send_response(200 if self.path == "/there" else 404)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize(("path", "answers"), [("there", True), ("gone", False), ("silent", False)])
def test_whether_an_index_answers_is_known_soon(monkeypatch, path, answers):
    monkeypatch.undo()
    monkeypatch.setattr(setup_torch, "_ANSWER_SECONDS", 1)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    started = time.monotonic()
    try:
        assert setup_torch.index_answers(f"http://127.0.0.1:{server.server_port}/{path}") is answers
    finally:
        server.shutdown()
        server.server_close()
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("build", [CPU, CUDA_12, CUDA_13])
def test_a_build_from_pytorchs_index_comes_alone(checkout, build):
    recipe = setup_env.Recipe(sources="", checkout="", torch=build, dev=False)
    torch, *others = setup_env.installs(checkout, recipe)
    assert torch == ["--no-deps", f"--index-url=https://download.pytorch.org/whl/{build}", f"torch==2.13.0+{build}"]
    assert all("constraints.txt" in install and "--no-deps" not in install for install in others)


# The real pip


def write_wheel(folder, name, version, requires=()):
    info = f"{name}-{version}.dist-info"
    metadata = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    files = {
        f"{name}/__init__.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)


@pytest.fixture
def real(tmp_path, monkeypatch):
    """A checkout whose environment the real pip fills, with small wheels from a folder, no network and no settings."""
    wheels, root = tmp_path / "wheels", tmp_path / "un loc nou"
    wheels.mkdir()
    root.mkdir()
    write_wheel(wheels, "torch", "2.13.0+cu126", ["nvidia_cublas_cu12==12.6.4"])
    write_wheel(wheels, "nvidia_cublas_cu12", "12.6.4")
    write_wheel(wheels, "editables", "0.6")
    write_wheel(wheels, "get_tags_train", "0.1.0", ["torch==2.13.0"])
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", wheels.as_uri())
    (root / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\ndependencies = ["torch==2.13.0"]\n'
        "[build-system]\nrequires = []\n[dependency-groups]\ndev = []\n"
    )
    (root / "constraints.txt").write_text("editables==0.6\ntorch==2.13.0\n")
    monkeypatch.setattr(setup_env, "wanted_torch", lambda noted: CUDA_12)
    # The checkout itself would have to be built, which takes hatchling.
    plain = setup_env.installs
    monkeypatch.setattr(
        setup_env,
        "installs",
        lambda root, recipe: [
            ["get_tags_train" if part == "." else part for part in call if part != "-e"] for call in plain(root, recipe)
        ],
    )
    return root, wheels


def versions(root):
    return setup_venv.installed_versions(root / VENV, PYTHON)


@pytest.mark.timeout(600)
def test_with_the_real_pip(real, capfd):
    """One environment, since making it takes seconds: what comes with a build, and what people do to it afterwards."""
    root, wheels = real
    assert setup_env.set_up(root, dev=False) is Step.REBUILD
    assert versions(root)["nvidia-cublas-cu12"] == "12.6.4", "CUDA packages come with their build"
    captured = capfd.readouterr()
    assert not captured.out
    assert "nvidia" not in captured.err
    assert "Successfully installed" in (root / WORK / setup_pip.LOG).read_text(encoding="utf-8")
    assert needed(root) is Step.NOTHING

    write_wheel(wheels, "added_by_hand", "1.0")
    pip = [str(root / VENV / ("Scripts/pip.exe" if os.name == "nt" else "bin/pip"))]
    subprocess.run([*pip, "install", "added_by_hand"], check=True, capture_output=True)
    assert needed(root) is Step.NOTHING

    subprocess.run([*pip, "uninstall", "--yes", "torch"], check=True, capture_output=True)
    (wheels / "torch-2.13.0+cu126-py3-none-any.whl").rename(wheels / "away")
    with pytest.raises(setup_env.SetupError, match="run the same command again"):
        setup_env.set_up(root, dev=False)
    assert "No matching distribution found for torch" in capfd.readouterr().err
    (wheels / "away").rename(wheels / "torch-2.13.0+cu126-py3-none-any.whl")
    assert setup_env.set_up(root, dev=False) is Step.INSTALL
    assert {"torch", "added-by-hand"} <= versions(root).keys()

    with (root / "constraints.txt").open("a") as stream:
        stream.write("nvidia-cublas-cu12==99\n")
    assert setup_env.set_up(root, dev=False) is Step.INSTALL
    assert "still works" in capfd.readouterr().err, "what is there does, where the network does not"
    assert needed(root) is Step.INSTALL


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["Collecting torch==2.13.0"], ["asking which packages are needed"]),
        (["Installing collected packages: a, b, c"], ["installing 3 packages"]),
        (["Installing collected packages: pip"], ["installing pip"]),
        (["  Downloading https://x/y/torch-2.13.0-cp311-cp311-linux.whl (530.1 MB)"], ["fetching torch: 0 of 530 MB"]),
        (["Downloading small-1.0-py3-none-any.whl (30 kB)"], ["fetching packages, 1 so far"]),
        (
            ["  Using cached small-1.0-py3-none-any.whl (30 kB)", "Downloading b-1.0.tar.gz (1 MB)"],
            ["fetching packages, 2 so far"],
        ),
        (
            ["Downloading torch-2.13.0-cp311.whl (530.1 MB)", "Progress 265000000 of 530100000"],
            ["fetching torch: 0 of 530 MB", "fetching torch: 265 of 530 MB"],
        ),
    ],
)
def test_people_read_how_far_pip_is(monkeypatch, capsys, lines, said):
    monkeypatch.setattr(setup_pip, "_LINE_SECONDS", 0)
    progress = setup_pip.Progress(time.monotonic() - 65)
    for line in lines:
        progress.hear(line)
    progress.tick()
    shown = capsys.readouterr().err.splitlines()
    assert all(line.startswith("set-up:   1:05  ") for line in shown)
    assert [found for found in said if not any(found in line for line in shown)] == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HOME": "/home/somebody"}, {}),
        ({"HOME": ""}, {"PIP_NO_CACHE_DIR": "1"}),
        ({"HOME": "", "PIP_CACHE_DIR": "/var/cache/pip"}, {}),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="HOME is none of Windows' variables")
def test_pip_keeps_nothing_where_there_is_no_home(monkeypatch, variables, expected):
    for name in ("PIP_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert setup_pip._without_home() == expected


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


# Which Python


@pytest.fixture
def pythons(tmp_path):
    """A function that puts stand-ins for Pythons on an empty PATH and starts set-up; it says which one it took."""
    if sys.platform == "win32":
        pytest.skip("set_up.bat is the one for Windows")
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "dirname", "readlink"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))

    def start(**versions):
        for name, version in versions.items():
            # Answers as the version would: without ensurepip where it has a minus before it.
            bare, numbers = version.startswith("-"), version.strip("-").replace(".", ", ")
            (tmp_path / "bin" / name.replace("_", ".")).write_text(
                f"""#!{sys.executable}
import sys
if sys.argv[1] != "-c":
    print("{name} runs", *sys.argv[2:])
elif {bare} and "ensurepip" in sys.argv[2]:
    sys.exit(1)
else:
    sys.version_info = ({numbers}, 0)
    exec(sys.argv[2])
"""
            )
            (tmp_path / "bin" / name.replace("_", ".")).chmod(0o755)
        line = f". {shlex.quote(str(tmp_path / 'scripts' / 'set_up.sh'))}; set_up --dev"
        variables = {"PATH": str(tmp_path / "bin")}
        return subprocess.run(
            [str(tmp_path / "bin" / "bash"), "-c", line], capture_output=True, text=True, env=variables
        )

    return start


@pytest.mark.parametrize(
    ("versions", "taken"),
    [
        ({"python3": "3.11", "python3_13": "3.13", "python3_12": "3.12"}, "python3_13"),
        ({"python3": "3.15", "python3_13": "3.13"}, "python3_13"),
        ({"python3": "3.15", "python3_15": "3.15", "python": "3.12"}, "python"),
        ({"python3": "3.11"}, "python3"),
        ({"python3": "2.7", "python3_11": "3.11"}, "python3_11"),
        # A Python that cannot make environments comes last; set-up then says which package it lacks.
        ({"python3_13": "-3.13", "python3": "3.11"}, "python3"),
        ({"python3_13": "-3.13"}, "python3_13"),
    ],
)
def test_the_newest_python_that_has_packages_is_taken(pythons, versions, taken):
    assert pythons(**versions).stdout == f"{taken} runs --dev\n"


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        ({"python3": "3.15"}, "Found: python3 (3.15)."),
        ({"python3": "3.9", "python3_15": "3.15"}, "Found: python3.15 (3.15), python3 (3.9)."),
        ({}, "is needed. PyTorch"),
    ],
)
def test_where_no_python_does_those_found_are_named(pythons, versions, found):
    done = pythons(**versions)
    assert done.returncode == 1
    assert found in done.stderr
    assert "3.11, 3.12, 3.13" in done.stderr
    assert "instalare: " in done.stderr


@pytest.mark.parametrize("version", ["(3, 10, 9)", "(3, 15, 0)"])
def test_set_up_itself_refuses_other_pythons(version):
    script = ROOT / "scripts" / "setup_env.py"
    code = f"import runpy, sys; sys.version_info = {version}; runpy.run_path({str(script)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "3.11 to 3.14" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_finders_and_pyproject_agree():
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    (oldest, newest), after = (setup_venv.OLDEST, setup_venv.NEWEST), (setup_venv.NEWEST[0], setup_venv.NEWEST[1] + 1)
    assert asked == ">={}.{},<{}.{}".format(*oldest, *after)
    bounds = "({}, {}) <= sys.version_info < ({}, {})".format(*oldest, *after)
    assert bounds in (ROOT / "scripts" / "set_up.sh").read_text(encoding="utf-8")
    assert bounds in (ROOT / "scripts" / "setup_env.py").read_text(encoding="utf-8")
    batch = (ROOT / "scripts" / "set_up.bat").read_text(encoding="utf-8")
    assert "v >= ({}, {})".format(*after) in batch
    assert "v < ({}, {})".format(*oldest) in batch
    assert {f"3.{minor}" for minor in re.findall(r'"py -3\.(\d+)"', batch)} == {
        f"3.{minor}" for minor in range(oldest[1], newest[1] + 1)
    }


def test_batch_files_end_their_lines_as_windows_wants():
    for path in (ROOT / "scripts").glob("*.bat"):
        lines = path.read_bytes().split(b"\n")
        assert lines.pop() == b""
        assert all(line.endswith(b"\r") and line.isascii() for line in lines), path.name
