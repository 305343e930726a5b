"""Who is at work in a home: noted while a lock is held, and not a moment longer."""

import os
import subprocess
import sys
from pathlib import Path

from get_tags_train.core.claims import claim, holder, holders
from get_tags_train.core.home import locks_dir

HOLD = """
import sys, time
from pathlib import Path
from get_tags_train.core.claims import claim
held = claim(Path(sys.argv[1]), "work")
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_names_who_holds_it(tmp_path: Path) -> None:
    held = claim(tmp_path, "work")
    assert held is not None
    assert f"process {os.getpid()} of " in holder(tmp_path, "work")
    held.release()
    assert holders(tmp_path) == {}


def test_a_note_that_cannot_be_read_names_nobody(tmp_path: Path) -> None:
    locks_dir(tmp_path).mkdir(parents=True)
    (locks_dir(tmp_path) / "work.holder.json").write_text("{")
    assert holder(tmp_path, "work") == "another process"


def test_other_processes_are_listed_until_they_end(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert claim(tmp_path, "work") is None
        found = holders(tmp_path)
        process.kill()
    assert list(found) == ["work"]
    assert f"process {process.pid} of " in found["work"]
    assert holders(tmp_path) == {}  # it could not take back its note
