"""What people see of a training while it runs."""

import pytest

from get_tags_train import progress
from get_tags_train.console import Console
from get_tags_train.events import EpochFinished, StageFinished, StageProgress, StageStarted


def test_lines_without_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PLAIN_LINE_SECONDS", -1.0)
    drawn = Console(as_json=False)
    drawn.on_event(StageStarted("train", 1200, "steps"))
    drawn.on_event(StageProgress("train", 300, "epoch 1/4, loss 0.0412, lr 9.0e-05, 8.1 docs/s", seconds_left=1860))
    drawn.on_event(EpochFinished(1, 4, 0.0523, [0.91, 0.7456]))
    drawn.on_event(EpochFinished(2, 4, 0.0411, []))
    drawn.on_event(StageFinished("train", 2480))
    assert " ".join(capsys.readouterr().err.split()) == (
        "Training: 1,200 steps ... "
        "Training: 300 of 1,200 steps, epoch 1/4, loss 0.0412, lr 9.0e-05, 8.1 docs/s, 31 min 0 s left "
        "epoch 1 of 4 loss 0.0523, P@1 0.910, P@2 0.746 "
        "epoch 2 of 4 loss 0.0411 "
        "done Training, 41 min 20 s"
    )
