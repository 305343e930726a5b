"""Make the environment .venv in this checkout, or mend it: `python scripts/setup_env.py [--dev]`.

Exit code 0 when it can be used; all it says goes to standard error. A finished environment holds a marker. What only
has to change is changed in place, as pip does it: whole or not at all. What has to be made anew is made beside the old
one, which gives way when its successor is ready. Standard library only, and the two modules of ours that need no more,
so that any Python from 3.11 to 3.14 can run it.
"""

import sys

if not (3, 11) <= sys.version_info < (3, 15):
    sys.exit("set-up: this is Python {}.{}; one from 3.11 to 3.14 is needed.".format(*sys.version_info[:2]))

import contextlib
import enum
import hashlib
import importlib.util
import os
import platform
import subprocess
import tomllib
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "src")]

from setup_pip import LOG, pip_install, pip_version, version_numbers  # noqa: E402 - only there once src is named above
from setup_torch import REGISTRY, RUNTIME, TORCH_INDEX, lacks_runtime, wanted_torch  # noqa: E402
from setup_venv import (  # noqa: E402
    BEFORE,
    CUDA_PACKAGES,
    PROJECT,
    READY,
    VENV,
    WORK,
    Marker,
    Recipe,
    SetupError,
    canonical,
    changed_packages,
    exchange,
    installed_packages,
    installed_versions,
    is_sound,
    misfits,
    name_final_place,
    name_source_in_ascii,
    only_one,
    programs_in,
    python_version,
    read_marker,
    remove,
    resume_exchange,
    say,
    venv_python,
    write_marker,
)

from get_tags_train.core.bootstrap import chosen_language, default_home  # noqa: E402
from get_tags_train.core.i18n import _, set_language  # noqa: E402

LOCK = "lock"
REPOSITORY = "GET_TAGS_REPOSITORY"

# The checkout, the environment, the arguments of `pip install`.
RunPip = Callable[[Path, Path, Sequence[str]], None]


class Step(enum.Enum):
    """What an environment needs."""

    NOTHING = "nothing"
    INSTALL = "install"
    REBUILD = "rebuild"


@dataclass(frozen=True)
class Plan:
    """What an environment needs to become what the recipe says, and what it is now: None where it does not work."""

    step: Step
    recipe: Recipe
    now: Marker | None = None


# What is there, and what it needs


def plan(root: Path, *, dev: bool) -> Plan:
    """Compare the environment with what it should be; cheap, because every run starts with it."""
    folder = root / VENV
    ready = read_marker(folder)
    # Set aside by a set-up that was killed while it changed packages.
    found = ready or read_marker(folder, BEFORE)
    recipe = Recipe(
        sources=hash_sources(root),
        checkout=str(root),
        torch=wanted_torch(found.recipe.torch if found is not None else None),
        # The development tools stay, and stay current, in an environment that has them.
        dev=dev or (found is not None and found.recipe.dev),
    )
    if found is None or not is_sound(folder, found):
        return Plan(Step.REBUILD, recipe)
    if changed_packages(folder, found):
        wrong = misfits(folder, found.packages)
        if wrong is None:
            return Plan(Step.REBUILD, recipe)
        if wrong:
            return Plan(Step.INSTALL, recipe, found)
        found = replace(found, packages=installed_packages(folder, found.python, found.packages))
        if ready is not None:
            # Another time pip need not be asked. A checkout that cannot be written does without.
            with contextlib.suppress(OSError):
                write_marker(folder, found)
    if ready is not None and found.recipe == recipe:
        return Plan(Step.NOTHING, recipe, found)
    # Another build of torch has other CUDA packages, gigabytes of them: the old ones are to go.
    anew = found.recipe.torch != recipe.torch or not pip_version(folder)
    return Plan(Step.REBUILD if anew else Step.INSTALL, recipe, found)


def hash_sources(root: Path) -> str:
    """SHA-256 over the files that say what to install."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((root / name).read_bytes() + b"\0")
    return digest.hexdigest()


def pinned_versions(root: Path) -> dict[str, str]:
    """Name -> version of all that constraints.txt pins."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def can_stay(root: Path, plan: Plan) -> bool:
    """Whether the environment as it is does for now: it works, and has all that today's pyproject.toml asks for."""
    folder = root / VENV
    if plan.now is None or (plan.now.recipe.checkout, plan.now.recipe.dev) != (plan.recipe.checkout, plan.recipe.dev):
        return False
    if not is_sound(folder, plan.now):
        return False
    pyproject: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    asked = pyproject["project"]["dependencies"]
    # pip answers from what is installed, or would install; it may not go to an index.
    pip = [str(venv_python(folder)), "-I", "-m", "pip", "install", "--disable-pip-version-check"]
    try:
        done = subprocess.run(
            [*pip, "--dry-run", "--no-deps", "--no-index", *asked],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=300, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and "Would install" not in done.stdout and misfits(folder, plan.now.packages) == []


# Making it


def check_path(root: Path) -> None:
    """Raise SetupError where the checkout's path is no Unicode: pip would fail at the end of its work."""
    try:
        str(root).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(root).decode(errors="backslashreplace")
        raise SetupError(
            _("the path {path} is not UTF-8. Rename the folder, or copy it elsewhere.", path=shown)
        ) from None


def set_up(root: Path, *, dev: bool, run_pip: RunPip = pip_install) -> Step:
    """Make or mend the environment, and return what was needed."""
    check_path(root)
    planned = plan(root, dev=dev)
    if planned.step is Step.NOTHING:
        return planned.step
    try:
        with only_one(root / WORK / LOCK):
            resume_exchange(root)
            # Another set-up may have done the work while this one waited.
            planned = plan(root, dev=dev)
            carry_out(root, planned, run_pip)
    except SetupError as error:
        if not can_stay(root, planned):
            raise
        say(str(error))
        say(_("the environment stays as it was and still works; the next start tries again."))
    return planned.step


def carry_out(root: Path, plan: Plan, run_pip: RunPip) -> None:
    """Do what a plan says, with a log of its own."""
    if plan.step is not Step.NOTHING:
        (root / WORK / LOG).unlink(missing_ok=True)
    if plan.step is Step.INSTALL:
        change(root, plan, run_pip)
    elif plan.step is Step.REBUILD:
        make_anew(root, plan, run_pip)


def change(root: Path, plan: Plan, run_pip: RunPip) -> None:
    """Bring the environment to the recipe in place."""
    folder = root / VENV
    say(_("bringing the environment {folder} up to date ...", folder=folder))
    with contextlib.suppress(FileNotFoundError):
        (folder / READY).replace(folder / BEFORE)
    try:
        install(root, folder, plan.recipe, run_pip)
    except SetupError:
        # pip has put back what it took out.
        if plan.now is not None and is_sound(folder, plan.now):
            write_marker(folder, plan.now)
            (folder / BEFORE).unlink(missing_ok=True)
        raise
    finish(root, folder, plan.recipe)
    say(_("the environment is ready."))


def make_anew(root: Path, plan: Plan, run_pip: RunPip) -> None:
    """Make the environment, or its successor, beside the one that is there, then put it in its place."""
    folder, successor = root / VENV, root / WORK / "new"
    made = read_marker(successor)
    if made is None or made.recipe != plan.recipe or not is_sound(successor, made):
        say(
            _(
                "making the environment {folder}; this downloads packages and takes some minutes, once ...",
                folder=folder,
            )
        )
        make_venv(successor)
        install(root, successor, plan.recipe, run_pip)
        take_over_additions(root, plan, run_pip)
        name_final_place(successor)
        finish(root, successor, plan.recipe)
    if plan.now is not None and (programs := programs_in(folder)):
        raise SetupError(
            _(
                "the new environment is ready, but programs still run from the old one (process {programs}). The "
                "first start after they have ended puts it in place.",
                programs=", ".join(programs),
            )
        )
    try:
        exchange(root)
    except OSError as error:
        raise SetupError(
            _(
                "the new environment is ready, but {folder} could not be replaced ({reason}). Close the programs that "
                "use it, and run the same command again.",
                folder=folder,
                reason=error.strerror or error,
            )
        ) from error
    say(_("the environment is ready."))


def make_venv(folder: Path) -> None:
    """An empty environment with pip, in place of whatever is there."""
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        raise SetupError(
            _(
                "PyTorch has no packages for this Python, which is for Intel processors. It needs a Mac with Apple "
                "silicon, and a Python for that."
            )
        )
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
    remove(folder)
    try:
        venv.EnvBuilder(with_pip=True, symlinks=sys.platform != "win32", prompt=VENV).create(folder)
    except subprocess.CalledProcessError as error:
        reason = (error.stdout or b"").decode(errors="replace").strip()
        raise SetupError(
            _("could not make {folder} with {python}. {reason}", folder=folder, python=sys.executable, reason=reason)
        ) from error


def install(root: Path, folder: Path, recipe: Recipe, run_pip: RunPip) -> None:
    """Install all that the recipe asks for."""
    pip = pinned_versions(root).get("pip")
    if pip is not None and pip_version(folder) < version_numbers(pip):
        # The one that comes with Python 3.11 begins a broken download anew, and knows no certificates but its own.
        run_pip(root, folder, [f"pip=={pip}"])
    for arguments in installs(root, recipe):
        run_pip(root, folder, arguments)
    if lacks_runtime(folder):
        say(
            _(
                "torch needs Microsoft's Visual C++ runtime, which this Windows does not have: installing the package "
                "{package}, for this environment alone ...",
                package=RUNTIME,
            )
        )
        run_pip(root, folder, [RUNTIME])


def installs(root: Path, recipe: Recipe) -> list[list[str]]:
    """The arguments of each `pip install`, in order."""
    pyproject: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    pins = ["-c", "constraints.txt"]
    torch = []
    if recipe.torch != REGISTRY:
        version = pinned_versions(root)["torch"]
        # Alone: nothing else comes from that index. The CUDA packages that this build asks for, at exact versions, come
        # from the registry, with the rest of what torch needs.
        torch = [["--no-deps", f"--index-url={TORCH_INDEX}/{recipe.torch}", f"torch=={version}+{recipe.torch}"]]
    # The build tools go into the environment, pinned: an isolated build would fetch its own on every install.
    build_tools = [*pins, *pyproject["build-system"]["requires"], "editables"]
    dev_tools = pyproject["dependency-groups"]["dev"] if recipe.dev else []
    return [*torch, build_tools, [*pins, "--no-build-isolation", "-e", ".", *dev_tools]]


def take_over_additions(root: Path, plan: Plan, run_pip: RunPip) -> None:
    """Install what people had added to the old environment; where that fails, they read what it was."""
    old = plan.now or read_marker(root / VENV) or read_marker(root / VENV, BEFORE)
    python = old.python if old is not None else python_version(root / VENV)
    ours = {*map(canonical, pinned_versions(root)), *(old.packages if old is not None else ()), PROJECT}
    # Those that come with an environment are no additions.
    ours |= {"pip", "setuptools", "wheel", RUNTIME}
    there = installed_versions(root / VENV, python) if python is not None else {}
    added = [f"{name}=={there[name]}" for name in sorted(there.keys() - ours) if not name.startswith(CUDA_PACKAGES)]
    if not added:
        return
    try:
        run_pip(root, root / WORK / "new", ["-c", "constraints.txt", *added])
    except SetupError:
        say(
            _(
                "these packages, which were added by hand, are not in the new environment: {names}.",
                names=", ".join(added),
            )
        )


def finish(root: Path, folder: Path, recipe: Recipe) -> None:
    """Mark an environment as finished."""
    python = python_version(folder)
    if python is None:
        raise SetupError(
            _(
                "{python} does not start. Remove the folder .venv and run the same command again.",
                python=venv_python(folder),
            )
        )
    name_source_in_ascii(folder, python, root / "src")
    names = {*map(canonical, pinned_versions(root)), PROJECT}
    write_marker(folder, Marker(recipe, python, installed_packages(folder, python, names)))
    (folder / BEFORE).unlink(missing_ok=True)


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


def language() -> str:
    """The language that get-tags will speak; the system's where there is no home to look into."""
    try:
        return chosen_language(default_home(), None)
    except (OSError, RuntimeError):
        return "auto"


def main(arguments: list[str]) -> int:
    """Set up this checkout and return the exit code."""
    set_language(language())
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
