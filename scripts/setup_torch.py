"""Which build of torch a machine takes: the one that its NVIDIA driver and GPUs can run. Standard library only."""

import os
import re
import shutil
import ssl
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from setup_venv import output_of, say, venv_python

from get_tags_train.core.i18n import N_, _

# PyTorch's own index has a build for each CUDA, and one for processors alone. "registry" is the one that pip takes by
# itself: for CUDA 13 on Linux, for the processor on Windows and macOS.
TORCH_INDEX = "https://download.pytorch.org/whl"
REGISTRY, CPU, CUDA_13, CUDA_12 = "registry", "cpu", "cu130", "cu126"
_ANSWER_SECONDS = 5
# The package that brings Microsoft's Visual C++ runtime without an administrator's rights, and what torch takes of it.
RUNTIME = "msvc-runtime"
_RUNTIME_LIBRARIES = ("msvcp140", "msvcp140_atomic_wait", "vcruntime140", "vcruntime140_1")
OLD_DRIVER = N_(
    "The NVIDIA driver is too old for this GPU and torch; training will run on the CPU, many times slower. "
    "Install the newest driver, then run the same command again."
)


@dataclass(frozen=True)
class Gpus:
    """The newest CUDA that the driver can run, (0, 0) where it does not say, and each GPU's compute capability."""

    cuda: tuple[int, int]
    capabilities: list[tuple[int, int]]


def wanted_torch(noted: str | None) -> str:
    """The build that this machine takes, given the one that its environment was made with, if there is one.

    That one stays as long as the machine can run it, whatever else there is by now.
    """
    if sys.platform not in ("win32", "linux"):
        return REGISTRY
    gpus = find_gpus()
    if gpus is None:
        # A GPU that doesn't answer today is no reason to remove its torch.
        return noted or build_for_processors()
    fitting = fitting_builds(gpus)
    if not fitting:
        say(_(OLD_DRIVER))
        return noted or build_for_processors()
    return noted if noted in fitting else fitting[0]


def fitting_builds(gpus: Gpus) -> list[str]:
    """The builds that driver and GPUs can run, the best first.

    Builds for CUDA 13 left out GPUs before Turing (compute capability 7.5), the one for 12.6 knows none from
    Blackwell (10.0) on. Every driver for CUDA 12 (from 525 on) runs what was built for any 12.x. Where nvidia-smi is
    too old to tell the capability, the driver's version decides alone.
    """
    builds = []
    if gpus.cuda >= (13, 0) and min(gpus.capabilities, default=(7, 5)) >= (7, 5):
        builds.append(REGISTRY if sys.platform == "linux" else CUDA_13)
    if gpus.cuda >= (12, 0) and max(gpus.capabilities, default=(7, 5)) < (10, 0):
        builds.append(CUDA_12)
    return builds


def find_gpus() -> Gpus | None:
    """What nvidia-smi says; None where it is absent, fails, or knows no GPU."""
    tool = find_nvidia_smi()
    overview = output_of([tool]) if tool else None
    if tool is None or overview is None:
        return None
    capabilities = output_of([tool, "--query-gpu=compute_cap", "--format=csv,noheader"]) or ""
    # Drivers from 610 on say "CUDA UMD Version".
    match = re.search(r"CUDA (?:\w+ )?Version\s*:\s*(\d+)\.(\d+)", overview)
    return Gpus(
        (int(match[1]), int(match[2])) if match else (0, 0),
        [(int(major), int(minor)) for major, minor in re.findall(r"(\d+)\.(\d+)", capabilities)],
    )


def find_nvidia_smi() -> str | None:
    """NVIDIA's tool: on the PATH, or where the driver puts it on Windows and under Windows' Linux."""
    usual = [Path("/usr/lib/wsl/lib/nvidia-smi")]
    if sys.platform == "win32":
        usual = [
            Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "nvidia-smi.exe"),
            Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"), "NVIDIA Corporation", "NVSMI", "nvidia-smi.exe"),
        ]
    return shutil.which("nvidia-smi") or next((str(path) for path in usual if path.is_file()), None)


def lacks_runtime(venv: Path) -> bool:
    """Whether torch in this environment will not find its runtime, which not every Windows has."""
    if sys.platform != "win32":
        return False
    # As get_tags_train/__init__.py does: Windows would not look there by itself.
    load = r"import ctypes, os, sys; os.add_dll_directory(sys.prefix + '\Scripts'); "
    load += f"[ctypes.WinDLL(name) for name in {_RUNTIME_LIBRARIES}]"
    return output_of([str(venv_python(venv)), "-I", "-c", load]) is None


def build_for_processors() -> str:
    """On Linux the build without CUDA, a quarter of the usual one's size, where PyTorch's index can be reached."""
    return CPU if sys.platform == "linux" and index_answers(f"{TORCH_INDEX}/{CPU}/torch/") else REGISTRY


def index_answers(url: str) -> bool:
    """Whether a page can be had within seconds, through the proxies that the environment names."""
    if os.environ.get("PIP_NO_INDEX"):
        return False
    answers = []

    def ask() -> None:
        try:
            context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT") or None)
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS, context=context) as response:
                answers.append(response.status == 200)
        except (OSError, ValueError, urllib.error.URLError):
            answers.append(False)

    # Looking up a name may take longer than any time-out that can be given.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_ANSWER_SECONDS + 1)
    return any(answers)
