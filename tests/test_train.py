"""Training: the model folder, what is left out, and that a kill changes nothing in the model."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from databases import prepare_small, settings_for
from transformers import AutoConfig, AutoTokenizer, BertForSequenceClassification

from get_tags_train import demo
from get_tags_train import train as stage
from get_tags_train.dataset import PreparedData
from get_tags_train.errors import GetTagsError, InputError
from get_tags_train.events import Event, Notice, StageFinished, StageProgress, StageStarted
from get_tags_train.home import data_dir, model_names, models_dir
from get_tags_train.modelfacts import read_facts, verify
from get_tags_train.settings import Settings
from get_tags_train.tokens import load_tokenizer

TRAINING = {"epochs": 2, "batch_size": 16, "context_length": 48, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def prepared(small_home: Path) -> PreparedData:
    return PreparedData(data_dir(small_home) / "tags_v1")


@pytest.fixture
def home(tmp_path: Path, demo_home: Path) -> "Home":
    return Home(tmp_path, demo_home / "demo_bert")


class Home:
    """A home to train in."""

    def __init__(self, folder: Path, base_model: Path) -> None:
        self.folder, self.base_model = folder, base_model
        self.events: list[Event] = []

    def settings(self, **training: Any) -> Settings:
        return settings_for(self.folder, training={**TRAINING, "base_model": str(self.base_model), **training})

    def train(
        self,
        data: PreparedData,
        left_out: Any = None,
        on_event: Callable[[Event], None] | None = None,
        **training: Any,
    ) -> Path:
        settings = self.settings(**training)
        if left_out is None:
            left_out = np.zeros(data.manifest.documents_kept, bool)
        return stage.train(
            settings,
            data,
            left_out,
            tokenizer=load_tokenizer(settings.base_model),
            device="cpu",
            on_event=on_event or self.events.append,
        )

    def names(self) -> list[str]:
        return sorted(path.name for path in models_dir(self.folder).iterdir())


@pytest.fixture(scope="module")
def trained(prepared: PreparedData, tmp_path_factory: pytest.TempPathFactory, demo_home: Path) -> tuple[Path, "Home"]:
    """One undisturbed training; only look at it."""
    home = Home(tmp_path_factory.mktemp("undisturbed"), demo_home / "demo_bert")
    return home.train(prepared), home


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


# --- the model folder ---


def test_the_folder_has_a_model_and_nothing_else(trained: tuple[Path, Home]) -> None:
    folder, home = trained
    assert folder.parent == models_dir(home.folder)
    assert folder.name.startswith("tags_v1-")
    assert home.names() == [folder.name] == model_names(home.folder)
    assert sorted(path.name for path in folder.rglob("*")) == [
        "config.json",
        "get_tags.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_the_config_names_the_tags(trained: tuple[Path, Home], prepared: PreparedData) -> None:
    config = AutoConfig.from_pretrained(trained[0])
    assert [config.id2label[label] for label in range(config.num_labels)] == prepared.tags
    assert config.label2id == {tag: label for label, tag in enumerate(prepared.tags)}
    assert config.problem_type == "multi_label_classification"


def test_the_weights_are_fp32(trained: tuple[Path, Home]) -> None:
    with safetensors.safe_open(trained[0] / "model.safetensors", "pt") as stored:
        assert {stored.get_tensor(name).dtype for name in stored.keys()} == {torch.float32}  # noqa: SIM118


def test_the_tokenizer_has_no_truncation_of_its_own(trained: tuple[Path, Home]) -> None:
    stored = json.loads((trained[0] / "tokenizer.json").read_text(encoding="utf-8"))
    assert stored["truncation"] is None
    assert stored["padding"] is None
    tokenizer = AutoTokenizer.from_pretrained(trained[0])
    assert tokenizer.model_max_length == TRAINING["context_length"]
    assert len(tokenizer("cuvânt " * 300)["input_ids"]) > 300
    assert tokenizer("şi ţara")["input_ids"] == tokenizer("și țara")["input_ids"]


def test_the_facts(trained: tuple[Path, Home], prepared: PreparedData) -> None:
    folder, home = trained
    facts = read_facts(folder)
    assert facts["name"] == folder.name
    assert facts["data"] == {"name": "tags_v1", "checksum": prepared.manifest.checksum}
    assert facts["settings"] == home.settings().training.model_dump()
    assert facts["examples"] == prepared.manifest.documents_kept
    assert facts["tags"] == [
        {"tag": tag, "documents": count} for tag, count in zip(prepared.tags, prepared.tag_counts, strict=True)
    ]
    assert (facts["resumed"], facts["device"], facts["precision"], facts["evaluations"]) == (False, "cpu", "fp32", [])
    verify(folder)


def test_a_changed_weight_is_found(trained: tuple[Path, Home], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained[0], tmp_path / "copy"))
    content = bytearray(weights(copy))
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(content))
    with pytest.raises(GetTagsError, match=r"model\.safetensors is missing or has changed"):
        verify(copy)


def test_progress_is_told(trained: tuple[Path, Home], prepared: PreparedData) -> None:
    events = trained[1].events
    steps = -(-prepared.manifest.documents_kept // TRAINING["batch_size"]) * TRAINING["epochs"]
    assert StageStarted("train", total=steps, unit="steps") in events
    done = [event for event in events if isinstance(event, StageProgress)]
    assert [event.done for event in done] == list(range(steps + 1))
    assert "epoch 2/2, loss " in done[-1].note
    assert isinstance(events[-1], StageFinished)


# --- what is trained on ---


def test_left_out_documents_and_rare_tags(prepared: PreparedData, home: Home) -> None:
    left_out = np.zeros(prepared.manifest.documents_kept, bool)
    left_out[:20] = True
    rows = [row for batch in prepared.batches() for row in batch.column("tags").to_pylist()]
    counts = np.bincount([tag for row in rows[20:] for tag in row], minlength=len(prepared.tags))
    minimum = int(np.median(counts[counts > 0])) + 1
    expected = [{"tag": tag, "documents": int(n)} for tag, n in zip(prepared.tags, counts, strict=True) if n >= minimum]
    assert 1 < len(expected) < len(prepared.tags)
    folder = home.train(prepared, left_out, min_tag_count=minimum, epochs=1, context_length=16)
    facts = read_facts(folder)
    common = {tag for tag, n in enumerate(counts) if n >= minimum}
    assert facts["tags"] == expected
    assert facts["left_out"] == 20
    assert facts["examples"] == sum(bool(common & set(row)) for row in rows[20:])
    assert AutoConfig.from_pretrained(folder).num_labels == len(expected)


def test_nothing_left_to_train_on(prepared: PreparedData, home: Home) -> None:
    with pytest.raises(InputError, match="no tag is on 1000 documents or more") as caught:
        home.train(prepared, min_tag_count=1000)
    assert "min_tag_count" in caught.value.hint
    with pytest.raises(InputError):
        home.train(prepared, np.ones(prepared.manifest.documents_kept, bool))
    assert not models_dir(home.folder).exists()


def test_a_shorter_context_keeps_the_closing_token(
    prepared: PreparedData, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    forward = BertForSequenceClassification.forward

    def watched(self: Any, input_ids: Any = None, attention_mask: Any = None, labels: Any = None, **more: Any) -> Any:
        if labels is not None:  # a training step, and no probe of the finished model
            seen.append((input_ids, attention_mask, labels))
        return forward(self, input_ids=input_ids, attention_mask=attention_mask, labels=labels, **more)

    monkeypatch.setattr(BertForSequenceClassification, "forward", watched)
    home.train(prepared, epochs=1, context_length=16)
    tokenizer = AutoTokenizer.from_pretrained(home.base_model)
    texts = [text for batch in prepared.batches() for text in batch.column("text").to_pylist()]
    tags = [set(row) for batch in prepared.batches() for row in batch.column("tags").to_pylist()]
    expected = {
        tuple(tokenizer(text, truncation=True, max_length=16)["input_ids"]): t
        for text, t in zip(texts, tags, strict=True)
    }
    read = {}
    for input_ids, mask, labels in seen:
        assert input_ids.shape[1] <= 16
        for row, row_mask, label in zip(input_ids, mask, labels, strict=True):
            read[tuple(row[row_mask.bool()].tolist())] = set(label.nonzero().flatten().tolist())
    assert read == expected


def test_a_context_beyond_the_models_positions(prepared: PreparedData, home: Home, tmp_path: Path) -> None:
    short = Path(shutil.copytree(home.base_model, tmp_path / "short"))
    config = json.loads((short / "config.json").read_text(encoding="utf-8"))
    tensors = safetensors.torch.load_file(short / "model.safetensors")
    tensors["embeddings.position_embeddings.weight"] = tensors["embeddings.position_embeddings.weight"][:32].clone()
    safetensors.torch.save_file(tensors, short / "model.safetensors", metadata={"format": "pt"})
    (short / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 32}), encoding="utf-8")
    with pytest.raises(InputError, match="reads at most 32 tokens, and context_length is 48") as caught:
        home.train(prepared, base_model=str(short))
    assert "--context-length 32" in caught.value.hint
    home.train(prepared, base_model=str(short), context_length=32, epochs=1)


def test_a_base_model_that_is_not_there(prepared: PreparedData, home: Home) -> None:
    with pytest.raises(GetTagsError, match="The base model no/such cannot be loaded"):
        stage.check_base_model("no/such", 512)


def test_another_tokenizer_reads_the_text_again(
    prepared: PreparedData, home: Home, tmp_path: Path, demo_home: Path
) -> None:
    demo.write_demo(tmp_path / "other", seed=8)
    other = tmp_path / "other" / "demo_bert"
    own = PreparedData(prepare_small(tmp_path / "own", demo_home, other))
    options = {"base_model": str(other), "epochs": 1, "context_length": 24}
    again = home.train(prepared, **options)
    assert "was tokenised for another base model" in "".join(e.message for e in home.events if isinstance(e, Notice))
    assert home.names() == [again.name]
    assert not (again / "input_ids.arrow").exists()
    home.events.clear()
    assert weights(again) == weights(home.train(own, **options))
    assert not [event for event in home.events if isinstance(event, Notice)]


# --- the same again, and after a kill ---


def test_equal_seeds_give_equal_models(trained: tuple[Path, Home], prepared: PreparedData, home: Home) -> None:
    again = home.train(prepared)
    assert weights(again) == weights(trained[0])
    assert read_facts(again)["files"] == read_facts(trained[0])["files"]
    assert weights(home.train(prepared, seed=1)) != weights(again)
    assert len(home.names()) == 2


KILLED_TRAINING = """
import json, os, signal, sys
from pathlib import Path
import numpy as np
from get_tags_train import train
from get_tags_train.dataset import PreparedData
from get_tags_train.settings import load_settings
from get_tags_train.tokens import load_tokenizer

home, data, training, at = Path(sys.argv[1]), PreparedData(Path(sys.argv[2])), json.loads(sys.argv[3]), int(sys.argv[4])

def on_event(event):
    if getattr(event, "done", 0) == at:
        os.kill(os.getpid(), signal.SIGKILL)

settings = load_settings(home, overrides={"training": training}, environ={})
left_out = np.zeros(data.manifest.documents_kept, bool)
train.train(
    settings, data, left_out, tokenizer=load_tokenizer(settings.base_model), device="cpu", on_event=on_event
)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_training_is_continued(trained: tuple[Path, Home], prepared: PreparedData, home: Home) -> None:
    steps = -(-prepared.manifest.documents_kept // TRAINING["batch_size"])
    arguments = [str(home.folder), str(prepared.folder), json.dumps(home.settings().training.model_dump())]
    killed = subprocess.run(
        [sys.executable, "-P", "-c", KILLED_TRAINING, *arguments, str(steps + 1)],
        env={**os.environ, "PYTHONPATH": str(Path(stage.__file__).parents[1])},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr.decode(errors="replace")
    (partial,) = models_dir(home.folder).iterdir()
    assert partial.name.endswith(".partial")
    assert model_names(home.folder) == []
    assert (partial / "checkpoints" / f"checkpoint-{steps}" / stage.COMPLETE).exists()
    folder = home.train(prepared)
    assert folder.name == partial.name.removesuffix(".partial")
    assert f"from step {steps}." in "".join(event.message for event in home.events if isinstance(event, Notice))
    assert next(event.done for event in home.events if isinstance(event, StageProgress)) == steps
    assert read_facts(folder)["resumed"] is True
    assert weights(folder) == weights(trained[0])
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in trained[0].iterdir())
    assert home.names() == [folder.name]


class Stop(Exception):
    """Stands in for whatever ends a run."""


def test_a_torn_checkpoint_is_not_used(trained: tuple[Path, Home], prepared: PreparedData, home: Home) -> None:
    steps = -(-prepared.manifest.documents_kept // TRAINING["batch_size"])

    def stop(event: Event) -> None:
        if isinstance(event, StageProgress) and event.done == 2 * steps:
            raise Stop

    with pytest.raises(Stop):
        home.train(prepared, on_event=stop)
    (partial,) = models_dir(home.folder).iterdir()
    checkpoints = partial / "checkpoints"
    torn = checkpoints / f"checkpoint-{2 * steps}"
    shutil.copytree(checkpoints / f"checkpoint-{steps}", torn)
    (torn / stage.COMPLETE).unlink()
    (torn / "model.safetensors").write_bytes(b"torn")
    folder = home.train(prepared)
    assert f"from step {steps}." in "".join(event.message for event in home.events if isinstance(event, Notice))
    assert weights(folder) == weights(trained[0])


def test_other_settings_are_not_continued(prepared: PreparedData, home: Home) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, StageProgress) and event.done == 1:
            raise Stop

    with pytest.raises(Stop):
        home.train(prepared, on_event=stop)
    (partial,) = models_dir(home.folder).iterdir()
    folder = home.train(prepared, epochs=1, context_length=16)
    assert f"{partial.name} is not continued: epochs was 2 and is 1" in home.events[0].message  # type: ignore[union-attr]
    assert read_facts(folder)["resumed"] is False
    assert partial.is_dir()


def test_other_documents_are_not_continued(prepared: PreparedData, home: Home) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, StageProgress) and event.done == 1:
            raise Stop

    left_out = np.zeros(prepared.manifest.documents_kept, bool)
    left_out[0] = True
    with pytest.raises(Stop):
        home.train(prepared, left_out, on_event=stop, context_length=16)
    folder = home.train(prepared, np.roll(left_out, 1), epochs=2, context_length=16)
    assert "is not continued: documents changed" in home.events[0].message  # type: ignore[union-attr]
    assert read_facts(folder)["resumed"] is False


def test_a_loss_that_is_no_number_ends_the_training(prepared: PreparedData, home: Home, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(home.base_model, tmp_path / "broken"))
    tensors = safetensors.torch.load_file(broken / "model.safetensors")
    tensors["embeddings.LayerNorm.bias"][0] = float("nan")
    safetensors.torch.save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(GetTagsError, match="The loss became nan at step 1: training has come apart") as caught:
        home.train(prepared, base_model=str(broken))
    assert "learning_rate" in caught.value.hint
    assert home.names()[0].endswith(".partial")
