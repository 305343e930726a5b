"""Which model is live, beside another one."""

import shutil
from pathlib import Path

from get_tags_train.model.live import find_live


def test_a_model_is_not_compared_with_itself(tmp_path: Path, small_model: Path) -> None:
    live_dir = tmp_path / "_live"
    shutil.copytree(small_model, live_dir / "versions" / "now")
    assert find_live(small_model, live_dir) is None
    (live_dir / "current").write_text("now\n", encoding="utf-8")
    assert find_live(small_model, live_dir) is None
    (live_dir / "versions" / "now" / "get_tags.json").write_text('{"files": {}}', encoding="utf-8")
    assert find_live(small_model, live_dir) == live_dir / "versions" / "now"
