"""Which device and which number format the machine has for training."""

import os
import shutil
import subprocess
from pathlib import Path

import torch

from get_tags_train.errors import GetTagsError


def nvidia_gpu() -> str | None:
    """The name of the first NVIDIA GPU that the driver answers for; None where there is none."""
    command = shutil.which("nvidia-smi")
    if command is None and os.name == "nt":
        command = str(Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32" / "nvidia-smi.exe")
    try:
        answer = subprocess.run(
            [command or "nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    names = answer.stdout.strip().splitlines()
    return names[0].strip() if names else None


def choose_device(wanted: str) -> str:
    """`cpu` or `cuda` for the setting auto, cpu or cuda.

    Raises GetTagsError where a GPU is there or asked for and torch cannot use it: a run of days instead of
    hours should be somebody's decision.
    """
    if wanted == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    gpu = nvidia_gpu()
    hint = "Run the set-up again (scripts/train_tags), or train on the processor: --device cpu."
    if gpu is not None:
        raise GetTagsError(f"There is a GPU ({gpu}) that this build of torch, {torch.__version__}, cannot use.", hint)
    if wanted == "cuda":
        raise GetTagsError("There is no NVIDIA GPU on this machine that its driver answers for.", hint)
    return "cpu"


def choose_precision(wanted: str, device: str) -> str:
    """`bf16` or `fp32` for the setting auto, bf16 or fp32: auto is bf16 where it is computed in hardware."""
    if wanted != "auto":
        return wanted
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "fp32"
