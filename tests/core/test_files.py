"""Files and folders appear whole or not at all; a lock lives no longer than its holder."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.files import (
    atomic_write,
    copy_folder,
    folder_bytes,
    locked,
    read_json,
    remove_folder,
    rename,
    try_lock,
    write_json,
    write_text,
)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_file_appears_with_its_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "x.txt", "șapte\n")
    assert contents(tmp_path) == {"a/b/x.txt": "șapte\n".encode()}


def test_a_file_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "x") as stream:
        stream.write(b"half")
        stream.flush()
        assert not (tmp_path / "x").exists()
    assert contents(tmp_path) == {"x": b"half"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_while_writing_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, error: type[BaseException]
) -> None:
    write_text(tmp_path / "x", "old")
    with pytest.raises(error), atomic_write(tmp_path / "x") as stream:
        stream.write(b"new, half")
        raise error
    assert contents(tmp_path) == {"x": b"old"}


def test_an_error_while_renaming_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="x"), atomic_write(tmp_path / "x") as stream:
        stream.write(b"new")
    assert contents(tmp_path) == {}


def test_a_file_is_replaced_by_the_new_one(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", [1])
    write_json(tmp_path / "x.json", {"ă": "ț"})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"ă": "ț"}
    assert "ț" in (tmp_path / "x.json").read_text(encoding="utf-8")


def test_a_folder_is_renamed(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "x", "1")
    rename(tmp_path / "a", tmp_path / "b")
    assert contents(tmp_path) == {"b/x": b"1"}


def test_a_folder_is_never_renamed_onto_another(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "x", "1")
    write_text(tmp_path / "b" / "y", "2")
    with pytest.raises(OSError):
        rename(tmp_path / "a", tmp_path / "b")
    assert contents(tmp_path) == {"a/x": b"1", "b/y": b"2"}


def test_a_folder_is_removed_with_all_in_it_and_absence_is_fine(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "x", "1")
    remove_folder(tmp_path / "a")
    remove_folder(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_copied_whole_whatever_an_interrupted_copy_left(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "x", "1")
    write_text(tmp_path / "new" / "c.partial" / "torn", "?")
    copy_folder(tmp_path / "a", tmp_path / "new" / "c")
    assert contents(tmp_path / "new") == {"c/b/x": b"1"}


def test_a_copy_that_fails_leaves_nothing_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "a" / "x", "1")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "x")

    monkeypatch.setattr(shutil, "copystat", full)
    with pytest.raises(OSError, match=r"^\[Errno 28\] No space left on device: 'x'$"):
        copy_folder(tmp_path / "a", tmp_path / "c")
    assert contents(tmp_path) == {"a/x": b"1"}


@pytest.mark.skipif(os.name == "nt", reason="links need a right of their own there")
def test_of_a_link_to_a_folder_only_the_link_is_removed(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "x", "1")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    remove_folder(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert contents(tmp_path) == {"a/x": b"1"}


def test_the_bytes_of_a_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "123")
    write_text(tmp_path / "a" / "y", "ș")
    assert folder_bytes(tmp_path) == 5


def busy() -> GetTagsError:
    return GetTagsError("It is busy.", "Wait.")


HOLD = """
import sys, time
from pathlib import Path
from get_tags_train.core.files import try_lock
lock = try_lock(Path(sys.argv[1]))
print("held" if lock else "refused", flush=True)
time.sleep(60)
"""


@contextmanager
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock."""
    with subprocess.Popen([sys.executable, "-P", "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_lock_that_another_process_holds_is_not_had(tmp_path: Path) -> None:
    with holder(tmp_path / "locks" / "x.lock"):
        assert try_lock(tmp_path / "locks" / "x.lock") is None
        with pytest.raises(GetTagsError, match="It is busy"), locked(tmp_path / "locks" / "x.lock", busy):
            pytest.fail("two hold one lock")


def test_a_killed_holder_loses_its_lock(tmp_path: Path) -> None:
    with holder(tmp_path / "x.lock") as process:
        process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        process.wait(10)
        lock = try_lock(tmp_path / "x.lock")
    assert lock is not None
    lock.release()


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    with holder(tmp_path / "x.lock") as process:
        started = time.monotonic()
        with pytest.raises(GetTagsError), locked(tmp_path / "x.lock", busy, timeout_seconds=0.2):
            pytest.fail("two hold one lock")
        assert time.monotonic() - started >= 0.2
        process.kill()
        with locked(tmp_path / "x.lock", busy, timeout_seconds=30):
            pass


def test_a_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path / "x.lock", busy):
        raise RuntimeError
    lock = try_lock(tmp_path / "x.lock")
    assert lock is not None
    lock.release()


def test_json_that_could_not_be_written_again_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(r'{"whole pair": "\ud83d\ude00"}', encoding="utf-8")
    assert read_json(path) == {"whole pair": "😀"}
    path.write_text(r'{"half": ["\uD83D"]}', encoding="utf-8")
    with pytest.raises(ValueError, match="surrogates"):
        read_json(path)
