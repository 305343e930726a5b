"""Which device and which number format the machine has, for training and for prediction."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PureWindowsPath

import torch

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.i18n import _

_SHARE_OF_FREE = 0.95
_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_GPU_USER = re.compile(r"(?P<pid>\d+), *(?P<memory>\d+ \w+), *(?P<name>.*)")
# What CUDA, cuBLAS, NCCL and CPU kernels say when memory runs out; torch has a class of its own for some of it.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "could not create a memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "Failed to CUDA calloc",
)


def nvidia_gpu() -> str | None:
    """The name of the first NVIDIA GPU that the driver answers for; None where there is none."""
    names = _ask_nvidia("gpu=name")
    return names[0] if names else None


def gpu_users() -> list[str]:
    """The other programs that hold memory of NVIDIA GPUs, each with how much.

    On a Windows desktop the driver names every program with a window and knows the memory of none: [N/A].
    """
    found = map(_GPU_USER.fullmatch, _ask_nvidia("compute-apps=pid,used_memory,process_name"))
    return [
        f"{PureWindowsPath(user['name']).name} (process {user['pid']}, {user['memory']})"
        for user in found
        if user and user["pid"] != str(os.getpid())
    ]


def _ask_nvidia(query: str) -> list[str]:
    """The lines that the driver's own tool answers; none where it is absent or fails."""
    command = shutil.which("nvidia-smi")
    if command is None and os.name == "nt":
        command = str(Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32" / "nvidia-smi.exe")
    try:
        answer = subprocess.run(
            [command or "nvidia-smi", f"--query-{query}", "--format=csv,noheader"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.strip().splitlines()]


def choose_device(wanted: str) -> str:
    """`cpu` or `cuda` for the setting auto, cpu or cuda.

    Raises GetTagsError where a GPU is there or asked for and torch cannot compute on it: a run of days instead of
    hours should be somebody's decision.
    """
    if wanted == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        _try_gpu()
        return "cuda"
    gpu = nvidia_gpu()
    hint = _('Run the set-up again, or train on the CPU: device = "cpu" under [training].')
    if gpu is not None:
        raise GetTagsError(
            _(
                "There is a GPU ({gpu}) that this build of torch, {version}, cannot use.",
                gpu=gpu,
                version=torch.__version__,
            ),
            hint,
        )
    if wanted == "cuda":
        raise GetTagsError(_("There is no NVIDIA GPU on this machine that its driver answers for."), hint)
    return "cpu"


@cache
def _try_gpu() -> None:
    """Compute on the GPU of this process as training will; a build without code for it says that it is available."""
    here = int(os.environ.get("LOCAL_RANK", "0"))
    try:
        multiply_matrices(f"cuda:{here if here < torch.cuda.device_count() else 0}")
    except (RuntimeError, AssertionError) as error:
        if is_out_of_memory(error):
            raise GetTagsError(
                _("The GPU has no memory left, not even for a small computation."),
                _(
                    "Stop what uses it ({users}), or train on the processor: --device cpu.",
                    users=", ".join(gpu_users()),
                ),
            ) from error
        raise GetTagsError(
            _(
                "The GPU ({gpu}) cannot compute with this build of torch, {version}: {reason}",
                gpu=_describe_gpu(),
                version=torch.__version__,
                reason=str(error).strip().split("\n")[0],
            ),
            _(
                "Run the set-up again (scripts/train_tags), which takes the build that driver and GPU can run; update "
                "the driver if that does not help. Or train on the processor: --device cpu."
            ),
        ) from error


def multiply_matrices(device: str) -> None:
    """Multiply two small matrices in each number format that training uses on a device; RuntimeError if it cannot."""
    for name in {"fp32", choose_precision("auto", torch.device(device).type)}:
        ones = torch.ones(64, 64, device=device, dtype=_TYPES[name])
        found = (ones @ ones).sum().item()
        if found != 64**3:
            raise RuntimeError(f"64 x 64 x 64 is {found} in {name}")


def _describe_gpu() -> str:
    """Name and compute capability, from the driver: torch itself may know neither."""
    described = _ask_nvidia("gpu=name,compute_cap")
    if not described:
        return nvidia_gpu() or "?"
    name, _comma, capability = described[0].rpartition(",")
    return _("{name}, compute capability {capability}", name=name, capability=capability.strip())


def choose_precision(wanted: str, device: str) -> str:
    """`bf16`, `fp16` or `fp32`; for the setting auto the fastest that the device computes in hardware."""
    if wanted != "auto":
        return wanted
    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16"
        # Tensor cores came with Volta (7.0); a card without them gains nothing from fp16.
        return "fp16" if torch.cuda.get_device_capability() >= (7, 0) else "fp32"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "fp32"


def prediction_precision(wanted: str, device: str) -> str:
    """`fp32` or `bf16` to predict with, for the setting auto, fp32 or bf16."""
    if wanted != "auto":
        return wanted
    return "fp32" if device == "cpu" else choose_precision("auto", device)


@contextmanager
def prepared_device(device: str, *, deterministic: bool) -> Iterator[None]:
    """Settings of torch for a training; what other work of this process would feel is undone at the end."""
    if device == "cpu":
        torch.set_flush_denormal(True)
        try:
            yield
        finally:
            torch.set_flush_denormal(False)
        return
    matmul_precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")  # TF32, where the card has it
    if os.name == "nt":
        # Beyond what is free the driver would go on in the computer's own memory, many times slower, instead of
        # failing: then nothing would ever be computed in smaller parts.
        free, total = torch.cuda.mem_get_info()
        torch.cuda.set_per_process_memory_fraction(_SHARE_OF_FREE * free / total)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul_precision)
        torch.use_deterministic_algorithms(False)
        if os.name == "nt":
            torch.cuda.set_per_process_memory_fraction(1.0)
        # Given back, so that an API on the same card can start.
        torch.cuda.empty_cache()


def gpu_memory() -> float:
    """Gigabytes of the GPU's memory that this process holds."""
    return torch.cuda.memory_reserved() / 2**30


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a failure means that what was computed at once does not fit into memory."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(
        said in str(error) for said in _OUT_OF_MEMORY
    )
