"""Files and folders that appear whole or not at all, and locks that a kill releases."""

import codecs
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_exponential

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.i18n import _

# Lists of tags and models' facts are a hundredth of that.
MOST_JSON_BYTES = 1 << 28
_HASHED_AT_ONCE = 4

# Antivirus and indexers on Windows hold a fresh file for a moment; elsewhere a refusal is final.
_retry_while_held = retry(
    retry=retry_if_exception_type(PermissionError),
    stop=stop_after_delay(15 if sys.platform == "win32" else 0),
    wait=wait_exponential(multiplier=0.05, max=1),
    reraise=True,
)


@_retry_while_held
def rename(source: Path, target: Path) -> None:
    """Rename a file or folder; an existing target file is replaced, an existing folder is an error."""
    source.replace(target)


@_retry_while_held
def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it; none there is fine. Of a link only the link goes."""
    if folder.is_symlink():
        folder.unlink()
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)


@_retry_while_held
def read_bytes(path: Path, at_most: int = -1) -> bytes:
    """The bytes of a file that antivirus may hold for a moment, or the first of them."""
    with path.open("rb") as stream:
        return stream.read(at_most)


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Write `path` through a temporary file beside it, which takes its name only when all is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_chunks(path: Path, pieces: Iterable[str], *, for_excel: bool = False) -> None:
    """Write a UTF-8 text file of any size piece by piece, whole or not at all; Excel wants its byte order mark."""
    with atomic_write(path) as stream:
        if for_excel:
            stream.write(codecs.BOM_UTF8)
        for piece in pieces:
            stream.write(piece.encode())


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with atomic_write(path) as stream:
        stream.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file for people and programs, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder so that `target` appears whole, even where the power fails; torn copies are removed.

    Raises OSError.
    """
    staging = target.with_name(f"{target.name}.partial")
    remove_folder(staging)
    staging.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(source, staging)
        for path in staging.rglob("*"):
            if path.is_file():
                _flush(path)
        rename(staging, target)
    except BaseException as error:
        shutil.rmtree(staging, ignore_errors=True)  # a full disk stays full otherwise
        if isinstance(error, shutil.Error):  # every file that failed; the first reason is enough to read
            raise OSError(error.args[0][0][-1]) from error
        raise


def read_json(path: Path) -> Any:
    """A JSON file of ours. Raises OSError, or ValueError where it is not JSON, too deep, too large, or no Unicode."""
    if path.stat().st_size > MOST_JSON_BYTES:
        raise ValueError(_("{path} is larger than {bytes:,} bytes", path=path, bytes=MOST_JSON_BYTES))
    try:
        value = json.loads(raw := read_bytes(path))
        if b"\\ud" in raw.lower():  # half a pair would be found out only where it is written
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except RecursionError as error:
        raise ValueError(_("{path} is nested too deeply", path=path)) from error


def _flush(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def try_lock(path: Path) -> FileLock | None:
    """Take the lock at `path` if nobody holds it; the system releases it when this process ends, however."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock


@contextmanager
def locked(path: Path, busy: Callable[[], GetTagsError], timeout_seconds: float = 0) -> Iterator[None]:
    """Hold the lock at `path`; where another process keeps it for longer than that, raise `busy()`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=timeout_seconds)
    try:
        lock.acquire()
    except Timeout:
        raise busy() from None
    try:
        yield
    finally:
        lock.release()


def files_sha256(paths: Sequence[Path]) -> list[str]:
    """The SHA-256 of each file, several at a time: hashing leaves the interpreter to others."""
    with ThreadPoolExecutor(_HASHED_AT_ONCE) as pool:
        return list(pool.map(file_sha256, paths))


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
