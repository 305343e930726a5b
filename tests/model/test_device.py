"""What the machine has, and who else uses it."""

import os
import stat
from pathlib import Path

import pytest
import torch

from get_tags_train.model.device import gpu_users, is_out_of_memory, nvidia_gpu

ANSWERS = f"""#!/bin/sh
case "$1" in
  --query-gpu=name) echo "NVIDIA RTX A4000" ;;
  --query-compute-apps*) echo "123, 2048 MiB, C:/api/python.exe"; echo "{os.getpid()}, 10 MiB, /usr/bin/python" ;;
esac
"""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's tool, answering."""
    if os.name == "nt":
        pytest.skip("a shell script stands in for the driver's tool")
    tool = tmp_path / "nvidia-smi"
    tool.write_text(ANSWERS)
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


def test_the_gpu_and_the_others_that_use_it(driver: None) -> None:
    assert nvidia_gpu() == "NVIDIA RTX A4000"
    assert gpu_users() == ["python.exe (process 123, 2048 MiB)"]


def test_without_a_driver_there_is_nothing_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nvidia_gpu() is None
    assert gpu_users() == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"), False),
    ],
)
def test_what_means_that_memory_has_ended(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
