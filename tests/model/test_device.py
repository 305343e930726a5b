"""What the machine has, and who else uses it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from get_tags_train.core.errors import GetTagsError
from get_tags_train.model import device
from get_tags_train.model.device import (
    choose_device,
    gpu_users,
    is_out_of_memory,
    multiply_matrices,
    nvidia_gpu,
    prediction_precision,
)

ANSWERS = f"""#!/bin/sh
case "$1" in
  --query-gpu=name,compute_cap) echo "NVIDIA RTX A4000, 8.6" ;;
  --query-gpu=name) echo "NVIDIA RTX A4000" ;;
  --query-compute-apps*) echo "123, 2048 MiB, C:/api/python.exe"; echo "{os.getpid()}, 10 MiB, /usr/bin/python" ;;
esac
"""


# As on a desktop of Windows, and for a user without rights.
WINDOWS = r"""#!/bin/sh
case "$1" in
  --query-compute-apps*) cat <<'END'
1520, [N/A], C:\Windows\explorer.exe
7768, [N/A], C:\Program Files\WindowsApps\Microsoft.WindowsTerminal_1.18\WindowsTerminal.exe
4321, [Insufficient Permissions], [Insufficient Permissions]
[Insufficient Permissions], N/A, [Insufficient Permissions]
99, [Not Supported], C:\a, b\python.exe
98, 512 MiB, C:\a, b\python.exe
No running processes found
END
esac
"""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's tool, answering."""
    install(ANSWERS, tmp_path, monkeypatch)


def install(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.name == "nt":
        pytest.skip("a shell script stands in for the driver's tool")
    tool = folder / "nvidia-smi"
    tool.write_text(script)
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_the_gpu_and_the_others_that_use_it(driver: None) -> None:
    assert nvidia_gpu() == "NVIDIA RTX A4000"
    assert gpu_users() == ["python.exe (process 123, 2048 MiB)"]


def test_programs_whose_memory_is_not_known_are_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(WINDOWS, tmp_path, monkeypatch)
    assert gpu_users() == ["python.exe (process 98, 512 MiB)"]


def test_without_a_driver_there_is_nothing_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nvidia_gpu() is None
    assert gpu_users() == []


@pytest.fixture
def unusable_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """torch says that it has a GPU; computing on one then fails for real, on machines without one."""
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU that can be used")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    device._try_gpu.cache_clear()
    yield
    device._try_gpu.cache_clear()


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_a_gpu_that_cannot_compute_is_told_in_words(driver: None, unusable_gpu: None, wanted: str) -> None:
    with pytest.raises(GetTagsError) as caught:
        choose_device(wanted)
    assert "NVIDIA RTX A4000, compute capability 8.6" in caught.value.message
    assert torch.__version__ in caught.value.message
    assert "set-up" in caught.value.hint
    assert "--device cpu" in caught.value.hint


def test_the_processor_is_taken_without_asking_the_gpu(unusable_gpu: None) -> None:
    assert choose_device("cpu") == "cpu"


def test_a_gpu_without_memory_is_not_taken_for_a_broken_one(
    driver: None, unusable_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(name: str) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(device, "multiply_matrices", fill)
    with pytest.raises(GetTagsError) as caught:
        choose_device("auto")
    assert "python.exe (process 123, 2048 MiB)" in caught.value.hint


def test_matrices_are_multiplied_where_that_works() -> None:
    multiply_matrices("cpu")


def test_wrong_products_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda left, right: left)
    with pytest.raises(RuntimeError):
        multiply_matrices("cpu")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling cublasCreate(handle)"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("NCCL error: Failed to CUDA calloc async 24 bytes"), True),
        (RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"), False),
    ],
)
def test_what_means_that_memory_has_ended(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_a_processor_predicts_in_fp32_whatever_it_could(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert prediction_precision("auto", "cpu") == "fp32"
    assert prediction_precision("bf16", "cpu") == "bf16"


def test_a_gpu_predicts_in_the_fastest_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert prediction_precision("auto", "cuda") == "bf16"
    assert prediction_precision("fp32", "cuda") == "fp32"
