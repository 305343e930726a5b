"""Make the environment .venv in this checkout, or mend it: `python scripts/setup_env.py [--dev]`.

Exit code 0 when it is ready; all it says goes to standard error. A finished environment holds a marker, written
last and removed before any change: without it, whatever is there was interrupted and is made again. Standard library
only, and the two modules of ours that need no more, so that any Python from 3.11 on can run it.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever has an older Python is to read a sentence, not a traceback
    sys.exit("set-up: this is Python {}.{}; Python 3.11 or newer is needed.".format(*sys.version_info[:2]))

import contextlib
import enum
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import time
import tomllib
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from get_tags_train.core.bootstrap import chosen_language, default_home  # noqa: E402 - only there once it is named above
from get_tags_train.core.i18n import N_, _, set_language  # noqa: E402

MARKER = "get-tags-ready.json"
LOCK = "get-tags-setup.lock"
LOG = "get-tags-setup.log"
TEMPORARY = "get-tags-tmp"
REPOSITORY = "GET_TAGS_REPOSITORY"

# PyTorch's own index: on Windows the registry's torch is CPU-only. "registry" is the build that pip takes by itself.
TORCH_INDEX = "https://download.pytorch.org/whl"
REGISTRY = "registry"
OLD_DRIVER = N_(
    "The NVIDIA driver is too old for this GPU and torch; training will run on the CPU, many times slower. "
    "Install the newest driver, then run the same command again."
)

RunPip = Callable[[Path, Sequence[str]], None]


class SetupError(Exception):
    """What stopped the set-up and what to do about it, in words for people."""


class Step(enum.Enum):
    """What an environment needs."""

    NOTHING = "nothing"
    INSTALL = "install"
    REBUILD = "rebuild"


@dataclass(frozen=True)
class Recipe:
    """What an environment is made from; `sources` is a hash of the files that say what to install."""

    sources: str
    checkout: str
    torch: str
    dev: bool


@dataclass(frozen=True)
class Marker:
    """What a finished environment was made from, its Python (major.minor), and what its site-packages held."""

    recipe: Recipe
    python: str
    contents: list[str]


def say(text: str) -> None:
    """One line for people; standard output belongs to the command that runs after this one."""
    print(_("set-up: {text}", text=text), file=sys.stderr, flush=True)


# What is there, and what it needs


def plan(root: Path, *, dev: bool) -> tuple[Step, Recipe]:
    """Compare the environment with what it should be; cheap, because every run starts with it."""
    found = read_marker(root)
    whole = found is not None and is_whole(root, found)
    recipe = Recipe(
        sources=hash_sources(root),
        checkout=str(root),
        torch=wanted_torch(found.recipe.torch if found is not None and whole else REGISTRY),
        # The development tools stay, and stay current, in an environment that has them.
        dev=dev or (found is not None and found.recipe.dev),
    )
    if found is None or not whole:
        return Step.REBUILD, recipe
    return (Step.NOTHING if found.recipe == recipe else Step.INSTALL), recipe


def hash_sources(root: Path) -> str:
    """SHA-256 over the files that say what to install."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((root / name).read_bytes() + b"\0")
    return digest.hexdigest()


def read_marker(root: Path) -> Marker | None:
    """The marker of a finished environment; None if there is none or it can't be read."""
    try:
        value = json.loads((root / ".venv" / MARKER).read_text(encoding="utf-8"))
        return Marker(Recipe(**value["recipe"]), value["python"], value["contents"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_whole(root: Path, marker: Marker) -> bool:
    """Whether the interpreter starts and nothing that was installed is gone; importing it all would take seconds."""
    return (
        venv_python_version(root) == marker.python
        and bool(marker.contents)
        and set(marker.contents) <= set(list_contents(root, marker.python))
    )


def venv_python(root: Path) -> Path:
    """The environment's interpreter."""
    return root / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def site_packages(root: Path, python: str) -> Path:
    """Where the environment of a Python (major.minor) keeps its packages."""
    return root / ".venv" / ("Lib" if sys.platform == "win32" else f"lib/python{python}") / "site-packages"


def venv_python_version(root: Path) -> str | None:
    """major.minor as the environment's interpreter itself says, None if it doesn't start."""
    command = [str(venv_python(root)), "-I", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return output_of(command)


def list_contents(root: Path, python: str) -> list[str]:
    """Names of all that is installed, two levels deep: versions stand in the names of the .dist-info folders."""
    names = []
    with contextlib.suppress(FileNotFoundError), os.scandir(site_packages(root, python)) as entries:
        for entry in entries:
            # People upgrade pip by hand; set-up doesn't depend on which one it is.
            if entry.name.partition("-")[0] in ("pip", "__pycache__"):
                continue
            names.append(entry.name)
            if entry.is_dir():
                names += [f"{entry.name}/{child.name}" for child in os.scandir(entry) if child.name != "__pycache__"]
    return sorted(names)


# Which torch


def wanted_torch(installed: str) -> str:
    """The build of torch that this machine takes, given the one it has: "registry", "cu130" or "cu126"."""
    if sys.platform != "win32":
        return REGISTRY
    if installed != REGISTRY:
        # nvidia-smi takes up to a second, and a GPU that doesn't answer today is no reason to remove its torch.
        return installed
    tool = find_nvidia_smi()
    overview = output_of([tool]) if tool else None
    if tool is None or overview is None:
        return REGISTRY
    capabilities = output_of([tool, "--query-gpu=compute_cap", "--format=csv,noheader"]) or ""
    build = choose_torch(overview, capabilities)
    if build is None:
        say(_(OLD_DRIVER))
    return build or REGISTRY


def find_nvidia_smi() -> str | None:
    """Where NVIDIA's driver puts its tool on Windows, which isn't always on the PATH."""
    usual = [
        Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "nvidia-smi.exe"),
        Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"), "NVIDIA Corporation", "NVSMI", "nvidia-smi.exe"),
    ]
    return shutil.which("nvidia-smi") or next((str(path) for path in usual if path.is_file()), None)


def choose_torch(overview: str, capabilities: str) -> str | None:
    """The CUDA build that both driver and GPUs can run, from what nvidia-smi prints; None: the driver is too old.

    Builds for CUDA 13 left out GPUs before Turing (compute capability 7.5), the one for 12.6 knows none from
    Blackwell (10.0) on. Where nvidia-smi is too old to tell the capability, the driver's version decides alone.
    """
    # Drivers from 610 on say "CUDA UMD Version".
    match = re.search(r"CUDA (?:\w+ )?Version\s*:\s*(\d+)\.(\d+)", overview)
    driver = (int(match[1]), int(match[2])) if match else (0, 0)
    gpus = [(int(major), int(minor)) for major, minor in re.findall(r"(\d+)\.(\d+)", capabilities)]
    if driver >= (13, 0) and min(gpus, default=(7, 5)) >= (7, 5):
        return "cu130"
    if driver >= (12, 6) and max(gpus, default=(7, 5)) < (10, 0):
        return "cu126"
    return None


def output_of(command: list[str]) -> str | None:
    """What a command prints, None if it doesn't start, fails or hangs."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, text=True, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


# Making it


def set_up(root: Path, *, dev: bool, run_pip: RunPip | None = None) -> Step:
    """Make or mend the environment, and return what was needed."""
    step, recipe = plan(root, dev=dev)
    if step is not Step.NOTHING:
        with only_one(root / ".venv" / LOCK):
            # Another set-up may have done the work while this one waited.
            step, recipe = plan(root, dev=dev)
            if step is not Step.NOTHING:
                make(root, recipe, step, run_pip or pip_install)
    return step


def make(root: Path, recipe: Recipe, step: Step, run_pip: RunPip) -> None:
    """Bring the environment to the recipe, from nothing or in place, and mark it as finished."""
    marker_path = root / ".venv" / MARKER
    marker_path.unlink(missing_ok=True)
    if step is Step.REBUILD:
        say(
            _(
                "making the environment {folder}; this downloads packages and takes some minutes, once ...",
                folder=root / ".venv",
            )
        )
        remake_venv(root)
    else:
        say(_("bringing the environment {folder} up to date ...", folder=root / ".venv"))
    for arguments in installs(root, recipe):
        run_pip(root, arguments)
    python = venv_python_version(root)
    if python is None:
        raise SetupError(
            _(
                "{python} does not start. Remove the folder .venv and run the same command again.",
                python=venv_python(root),
            )
        )
    name_source_in_ascii(root, python)
    marker = Marker(recipe, python, list_contents(root, python))
    written_path = marker_path.with_suffix(".tmp")
    written_path.write_text(json.dumps(asdict(marker)), encoding="utf-8")
    written_path.replace(marker_path)
    say(_("the environment is ready."))


def remake_venv(root: Path) -> None:
    """An empty environment with pip, in place of whatever is there but the lock, which is being held."""
    if importlib.util.find_spec("ensurepip") is None:
        version = "{}.{}".format(*sys.version_info[:2])
        raise SetupError(
            _(
                "this Python ({python}) can't make environments. On Debian and Ubuntu, "
                "`apt-get install python{version}-venv`, then run the same command again.",
                python=sys.executable,
                version=version,
            )
        )
    for entry in (root / ".venv").iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name not in (LOCK, LOG):
            entry.unlink()
    try:
        venv.EnvBuilder(with_pip=True, symlinks=sys.platform != "win32").create(root / ".venv")
    except subprocess.CalledProcessError as error:
        reason = (error.stdout or b"").decode(errors="replace").strip()
        raise SetupError(
            _(
                "could not make {folder} with {python}. {reason}",
                folder=root / ".venv",
                python=sys.executable,
                reason=reason,
            )
        ) from error


def installs(root: Path, recipe: Recipe) -> list[list[str]]:
    """The arguments of each `pip install`, in order."""
    pyproject: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    pins = ["-c", "constraints.txt"]
    torch = []
    if recipe.torch != REGISTRY:
        constraints = (root / "constraints.txt").read_text(encoding="utf-8")
        version = next(line for line in constraints.splitlines() if line.startswith("torch=="))
        # Alone and without what it needs: nothing else comes from that index.
        torch = [["--no-deps", f"--index-url={TORCH_INDEX}/{recipe.torch}", f"{version}+{recipe.torch}"]]
    # The build tools go into the environment, pinned: an isolated build would fetch its own on every install.
    build_tools = [*pins, *pyproject["build-system"]["requires"], "editables"]
    dev_tools = pyproject["dependency-groups"]["dev"] if recipe.dev else []
    return [*torch, build_tools, [*pins, "--no-build-isolation", "-e", ".", *dev_tools]]


def pip_install(root: Path, arguments: Sequence[str]) -> None:
    """Run the environment's pip on standard error, progress and all, and keep what it says in a log as well."""
    log_path, temporary = root / ".venv" / LOG, root / ".venv" / TEMPORARY
    # -I, which leaves out PYTHONUTF8: an accented path must not be what pip cannot print into a pipe.
    pip = [str(venv_python(root)), "-I", "-X", "utf8", "-m", "pip", "install", "--no-input"]
    pip += ["--disable-pip-version-check", "--log", str(log_path)]
    # What pip unpacks goes to the disk that it is for: the system's folder for such may lie on one that is full.
    temporary.mkdir(exist_ok=True)
    folders = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    try:
        # close_fds=False hands on the lock: where set-up alone is killed, pip holds it until it ends too.
        done = subprocess.run(
            [*pip, *arguments], cwd=root, stdin=subprocess.DEVNULL, stdout=sys.stderr, close_fds=False,
            env=os.environ | folders,
        )  # fmt: skip
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if done.returncode == 0:
        return
    free_gb = shutil.disk_usage(root).free / 1e9
    if free_gb < 1:
        raise SetupError(
            _(
                "the disk of {folder} is full ({free:.1f} GB free). Free some 8 GB, then run the same command again.",
                folder=root,
                free=free_gb,
            )
        )
    raise SetupError(
        _(
            "pip could not install the packages; its last lines, above, say why ({log_path} has all of them). If it "
            "reached no server, check the network and the proxy (HTTPS_PROXY). Then run the same command again: what "
            "was downloaded is kept.",
            log_path=log_path,
        )
    )


def name_source_in_ascii(root: Path, python: str) -> None:
    """Point the environment at src in a way that holds in every locale.

    The build writes the folder's name as UTF-8, and Python 3.11 and 3.12 read it in the locale's encoding: under
    C:\\Users\\Ștefan the interpreter would not find the package, or not start at all.
    """
    if not str(root).isascii():
        for path in site_packages(root, python).glob("_editable_impl_*.pth"):
            path.write_text(f"import sys; sys.path.append({str(root / 'src')!a})\n", encoding="ascii")


@contextlib.contextmanager
def only_one(lock_path: Path) -> Iterator[None]:
    """Hold a lock that the system releases when the holder ends, however; wait for whoever has it."""
    lock_path.parent.mkdir(exist_ok=True)
    with lock_path.open("a") as stream:
        if not try_lock(stream):
            say(_("another set-up is at work in this folder; waiting for it to end ..."))
            while not try_lock(stream):
                time.sleep(0.2)
        os.set_inheritable(stream.fileno(), True)
        yield


def try_lock(stream: IO[str]) -> bool:
    """Lock an open file if nobody holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


# Where copies of train_tags.bat find it


def remember(root: Path) -> None:
    """Note this checkout in the user's environment variable, unless another one that is still there stands in it.

    A variable, not a file: cmd.exe reads files in a code page, which has not every letter of a path.
    """
    if sys.platform == "win32":
        import ctypes
        import winreg

        with (
            contextlib.suppress(OSError),
            winreg.CreateKeyEx(
                winreg.HKEY_CURRENT_USER, "Environment", access=winreg.KEY_READ | winreg.KEY_WRITE
            ) as key,
        ):
            with contextlib.suppress(OSError):
                noted = winreg.QueryValueEx(key, REPOSITORY)[0]
                if Path(noted, "scripts", "setup_env.py").is_file():
                    return
            winreg.SetValueEx(key, REPOSITORY, 0, winreg.REG_SZ, str(root))
            # Explorer hands its variables to what is double-clicked, and reads them anew when it hears this.
            everybody, setting_change, give_up_if_hung = 0xFFFF, 0x001A, 0x0002
            ctypes.windll.user32.SendMessageTimeoutW(
                everybody, setting_change, 0, "Environment", give_up_if_hung, 2000, None
            )


def main(arguments: list[str]) -> int:
    """Set up this checkout and return the exit code."""
    set_language(chosen_language(default_home(), None))
    if arguments not in ([], ["--dev"]):
        say(_("usage: python scripts/setup_env.py [--dev]"))
        return 2
    try:
        set_up(ROOT, dev=bool(arguments))
        remember(ROOT)
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        hint = _("Check the free space, close programs that use the folder .venv, and run the same command again.")
        say(f"{error.filename or ROOT}: {error.strerror or error}. {hint}")
        return 1
    except KeyboardInterrupt:
        say(_("interrupted; the same command starts again."))
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
