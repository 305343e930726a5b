"""Checkpoints: written whole, found again, and never mistaken for another run's."""

import errno
import json
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from get_tags_train.training.checkpoints import Checkpoints, Progress

WEIGHTS = {"layer.weight": torch.arange(12.0).reshape(3, 4)}
OPTIMIZER_STATE = {"exp_avg.layer.weight": torch.full((3, 4), 0.1), "exp_avg_sq.layer.weight": torch.full((3, 4), 0.2)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


def save(folder: Path, *steps: int, run: str = "ours") -> None:
    checkpoints = Checkpoints(folder, run, keep=2)
    for step in steps:
        checkpoints.save(Progress(step=step), {"layer.weight": WEIGHTS["layer.weight"] + step}, OPTIMIZER_STATE)


def newest_step(folder: Path, run: str = "ours") -> int | None:
    checkpoint = Checkpoints(folder, run, keep=2).newest()
    return checkpoint.progress.step if checkpoint else None


def test_all_comes_back_as_it_was(folder: Path) -> None:
    progress = Progress(7, ({"epoch": 1, "loss": 0.1 + 0.2, "precision_at_k": [0.5]},), 1, 1 / 3, 10, 12, 1.5, 64, 16)
    Checkpoints(folder, "ours", keep=2).save(progress, WEIGHTS, OPTIMIZER_STATE)
    found = Checkpoints(folder, "ours", keep=2).newest()
    assert found is not None
    assert found.progress == progress
    assert {name: tensor.tolist() for name, tensor in found.weights.items()} == {
        name: tensor.tolist() for name, tensor in WEIGHTS.items()
    }
    assert all(torch.equal(found.optimizer_state[name], tensor) for name, tensor in OPTIMIZER_STATE.items())


def test_there_is_none_at_first(folder: Path) -> None:
    assert newest_step(folder) is None


def test_the_last_good_ones_are_kept(folder: Path) -> None:
    save(folder, 5, 99, 100, 1000)
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-000000100", "checkpoint-000001000"]
    assert newest_step(folder) == 1000


def test_what_was_not_finished_goes(folder: Path) -> None:
    save(folder, 5, 6)
    (folder / "checkpoint-000000006").rename(folder / "checkpoint-000000007.partial")
    assert newest_step(folder) == 5
    assert [path.name for path in folder.iterdir()] == ["checkpoint-000000005"]


@pytest.mark.parametrize("name", ["weights.safetensors", "moments.safetensors"])
@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b""])
def test_a_damaged_one_is_passed_over_and_named(folder: Path, name: str, damage: object) -> None:
    save(folder, 5, 6)
    path = folder / "checkpoint-000000006" / name
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    checkpoints = Checkpoints(folder, "ours", keep=2)
    found = checkpoints.newest()
    assert found is not None
    assert (found.progress.step, checkpoints.saved_step) == (5, 5)
    assert found.weights["layer.weight"].tolist() == (WEIGHTS["layer.weight"] + 5).tolist()
    assert checkpoints.damaged == ["checkpoint-000000006"]


@pytest.mark.parametrize("state", [b"[" * 100_000, b"{", b"\xff", b"null"])
def test_so_is_one_whose_state_is_no_state(folder: Path, state: bytes) -> None:
    save(folder, 5, 6)
    (folder / "checkpoint-000000006" / "state.json").write_bytes(state)
    assert newest_step(folder) == 5


def test_a_file_that_is_missing_is_damage_too(folder: Path) -> None:
    save(folder, 5, 6)
    (folder / "checkpoint-000000006" / "moments.safetensors").unlink()
    assert newest_step(folder) == 5


def test_another_runs_is_never_taken_however_high_its_number(folder: Path) -> None:
    save(folder, 500, run="theirs")
    save(folder, 5)
    (folder / "checkpoint-999999999").mkdir()
    assert newest_step(folder) == 5
    assert newest_step(folder, "theirs") == 500


def test_a_damaged_one_of_the_same_step_is_replaced(folder: Path) -> None:
    save(folder, 5)
    (folder / "checkpoint-000000005" / "weights.safetensors").write_bytes(b"")
    save(folder, 5)
    assert newest_step(folder) == 5


def test_the_best_epochs_weights_stay_until_a_better_ones_are_safe(folder: Path) -> None:
    checkpoints = Checkpoints(folder, "ours", keep=2)
    for epoch in (1, 2):
        checkpoints.keep_best(epoch, WEIGHTS)
    assert checkpoints.best_path(1).exists()
    checkpoints.save(Progress(step=9, best_epoch=2), WEIGHTS, OPTIMIZER_STATE)
    assert not checkpoints.best_path(1).exists()
    assert checkpoints.best_path(2).exists()


def test_a_full_disk_leaves_the_one_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(folder, 5)

    def full(tensors: object, path: Path) -> None:
        path.write_bytes(b"a beginning")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("get_tags_train.training.checkpoints.save_file", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        save(folder, 6)
    assert caught.value.errno == errno.ENOSPC
    assert newest_step(folder) == 5
    assert [path.name for path in folder.iterdir()] == ["checkpoint-000000005"]


def test_an_old_one_that_cannot_be_removed_does_not_fail_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder, 5, 6)

    def held_open(path: Path) -> None:
        if path.name == "checkpoint-000000005":
            raise PermissionError(13, "in use", str(path))

    with monkeypatch.context() as patched:
        patched.setattr("get_tags_train.training.checkpoints.remove_folder", held_open)
        save(folder, 7)
    assert newest_step(folder) == 7
    save(folder, 8)
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-000000007", "checkpoint-000000008"]


def test_one_of_an_earlier_version_is_read(folder: Path) -> None:
    """Its state.json has other names than the code."""
    save(folder, 5)
    path = folder / "checkpoint-000000005" / "state.json"
    state = json.loads(path.read_text(encoding="utf-8"))
    state["progress"] = {
        "step": 5, "epochs": [], "best_epoch": 0, "loss_sum": 1.5, "useful_tokens": 9, "computed_tokens": 10,
        "seconds": 0.5, "physical_tokens": 1024, "batch_size": 16,
    }  # fmt: skip
    path.write_text(json.dumps(state), encoding="utf-8")
    found = Checkpoints(folder, "ours").newest()
    assert found is not None
    assert found.progress == Progress(5, (), 0, 1.5, 9, 10, 0.5, 1024, 16)
