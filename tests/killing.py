"""Extractions in processes of their own, killed at random moments; benchmarks/kills.py makes the long version."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from get_tags_train.core.files import remove_folder
from get_tags_train.core.home import data_dir, data_names, unfinished
from get_tags_train.data.prepared import MANIFEST, PreparedData
from get_tags_train.data.shards import shard_paths

# Forks a process for each line it reads, so that starting Python and loading libraries is done once. Shards are small
# there, so that a run can be killed in many places.
_FORKS = """
import os, signal, sys, time
from pathlib import Path
from get_tags_train.data import database, extract, read, source, unchanged
from get_tags_train.text import encoder
from get_tags_train.core.config import load_settings
from get_tags_train.text.tokenizer import load_tokenizer
read.SHARD_DOCUMENTS = 40
settings = load_settings(Path(sys.argv[1]), environ={})
load_tokenizer(settings.base_model)
for kill_after_seconds in sys.stdin:
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            extract.extract(settings, lambda event: None)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if kill_after_seconds.strip():
        time.sleep(float(kill_after_seconds))
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code, time.monotonic() - started, flush=True)
"""


class Extractions:
    """Starts extractions of a home by its get-tags.toml."""

    def __init__(self, server: "subprocess.Popen[str]") -> None:
        self._server = server

    def run(self, kill_after_seconds: float | None = None) -> tuple[int, float]:
        """The exit code of an extraction, and its seconds; -9 where it was killed."""
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(f"{'' if kill_after_seconds is None else kill_after_seconds}\n")
        self._server.stdin.flush()
        code, seconds = self._server.stdout.readline().split()
        return int(code), float(seconds)


@contextmanager
def extractions(home: Path) -> Iterator[Extractions]:
    """`with extractions(home) as started: started.run(kill_after_seconds=0.1)`."""
    command = [sys.executable, "-c", _FORKS, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield Extractions(server)


def kill_extractions(home: Path, kills: int, rng: random.Random) -> dict[str, int]:
    """Extract again and again, each time killed, until so many were; a last one ends undisturbed.

    Asserts that every complete tags_vX is whole and the same, and that no shard is ever lost. Returns how many were
    killed, how many ended before their kill, and how many went on with another's work.
    """
    counts = {"killed": 0, "ended": 0, "continued": 0}
    with extractions(home) as started:
        code, longest = started.run()
        assert code == 0
        checksums, shards = {_take_away(home)}, 0
        while counts["killed"] < kills:
            code, _ = started.run(rng.uniform(0, longest))
            assert code in {0, -signal.SIGKILL}
            counts["ended" if code == 0 else "killed"] += 1
            counts["continued"] += shards > 0
            if data_names(home):  # a kill may come between the last rename and the end
                checksums.add(_take_away(home))
                shards = 0
                continue
            had, shards = shards, _count_shards(home)
            assert shards >= had, "what was read once stays"
        assert started.run()[0] == 0
    assert len({*checksums, _take_away(home)}) == 1
    assert not list(unfinished(data_dir(home)))
    return counts


def _count_shards(home: Path) -> int:
    """How many shards the unfinished extraction of a home has; once it lacks only its name, more than any other."""
    partial = next(unfinished(data_dir(home)), None)
    if partial and (partial / MANIFEST).exists():
        return sys.maxsize
    return len(shard_paths(partial)) if partial else 0


def _take_away(home: Path) -> str:
    """The checksum of the one complete tags_vX of a home, found to be whole, and removed."""
    (name,) = data_names(home)
    data = PreparedData(data_dir(home) / name)
    data.verify()
    remove_folder(data.folder)
    return data.manifest.checksum
