"""Training: the model folder, what is left out, and that a kill changes nothing in the model."""

import json
import os
import shutil
import signal
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
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import AutoConfig, AutoTokenizer, BertForSequenceClassification

from get_tags_train.core.errors import GetTagsError, InputError, TrainingInterrupted
from get_tags_train.core.events import EpochFinished, Event, Notice, StageFinished, StageProgress, StageStarted
from get_tags_train.core.files import read_json, write_json
from get_tags_train.core.home import data_dir, model_names, models_dir
from get_tags_train.core.settings import Settings
from get_tags_train.data.prepared import PreparedData
from get_tags_train.model.base_model import check_base_model
from get_tags_train.model.metadata import METADATA_FILE, read_metadata, verify
from get_tags_train.model.tagger import TagModel
from get_tags_train.splits.held_out import texts_and_labels
from get_tags_train.text.tokenizer import load_tokenizer
from get_tags_train.training import train as stage
from get_tags_train.training.checkpoints import Checkpoints, Progress
from get_tags_train.training.step import StepResult, TrainingStep

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
        validation: Any = None,
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
            validation=validation,
        ).folder

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
        "model.onnx",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "trained_texts.npy",
    ]


def test_the_graph_is_checked_like_the_weights(trained: tuple[Path, Home]) -> None:
    metadata = read_metadata(trained[0])
    assert metadata is not None and "model.onnx" in metadata.files


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
    facts = read_json(folder / METADATA_FILE)
    assert facts["name"] == folder.name
    assert facts["data"]["checksum"] == prepared.manifest.checksum
    assert facts["data"]["summary"]["documents_kept"] == prepared.manifest.documents_kept
    assert facts["settings"] == home.settings().training.model_dump()
    assert facts["examples"] == prepared.manifest.documents_kept
    assert [{key: entry[key] for key in entry if key != "ids"} for entry in facts["tags"]] == [
        {"tag": tag, "documents": count, "threshold": 0.5, "scale": 1.0, "shift": 0.0}
        for tag, count in zip(prepared.tags, prepared.tag_counts, strict=True)
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


def test_memory_that_is_short_from_the_third_step_on(
    prepared: PreparedData, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, seen = BertForSequenceClassification.forward, []

    def limited(self: Any, input_ids: torch.Tensor, **more: Any) -> Any:
        if self.training:
            seen.append(len(input_ids))
            if len(seen) > 4 and len(input_ids) > 3:
                raise torch.OutOfMemoryError("simulated")
        return forward(self, input_ids=input_ids, **more)

    monkeypatch.setattr(BertForSequenceClassification, "forward", limited)
    facts = read_json(home.train(prepared) / METADATA_FILE)
    assert facts["steps"] == 2 * -(-facts["examples"] // 16)
    assert facts["settings"]["batch_size"] == 16
    assert facts["tokens_at_once"] <= 3 * 48
    assert any("Memory was short" in event.message for event in home.events if isinstance(event, Notice))


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
    facts = read_json(folder / METADATA_FILE)
    common = {tag for tag, n in enumerate(counts) if n >= minimum}
    assert [{"tag": entry["tag"], "documents": entry["documents"]} for entry in facts["tags"]] == expected
    assert facts["left_out"] == 20
    assert facts["examples"] == sum(bool(common & set(row)) for row in rows[20:])
    assert AutoConfig.from_pretrained(folder).num_labels == len(expected)


def test_nothing_left_to_train_on(prepared: PreparedData, home: Home) -> None:
    with pytest.raises(InputError, match="every tag has fewer than 1000 documents") as caught:
        home.train(prepared, min_tag_count=1000)
    assert "min_tag_count" in caught.value.hint
    with pytest.raises(InputError):
        home.train(prepared, np.ones(prepared.manifest.documents_kept, bool))
    assert not models_dir(home.folder).exists()


def test_a_context_beyond_the_models_positions(prepared: PreparedData, home: Home, tmp_path: Path) -> None:
    short = Path(shutil.copytree(home.base_model, tmp_path / "short"))
    config = json.loads((short / "config.json").read_text(encoding="utf-8"))
    tensors = safetensors.torch.load_file(short / "model.safetensors")
    tensors["embeddings.position_embeddings.weight"] = tensors["embeddings.position_embeddings.weight"][:32].clone()
    safetensors.torch.save_file(tensors, short / "model.safetensors", metadata={"format": "pt"})
    (short / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 32}), encoding="utf-8")
    with pytest.raises(InputError, match="reads at most 32 tokens, and context_length is 48") as caught:
        home.train(prepared, base_model=str(short))
    assert "context_length of 32 or less" in caught.value.hint
    home.train(prepared, base_model=str(short), context_length=32, epochs=1)


def test_a_base_model_that_is_not_there(demo_tokenizer_folder: Path) -> None:
    with pytest.raises(GetTagsError, match="The base model no/such cannot be loaded"):
        check_base_model("no/such", 512, load_tokenizer(str(demo_tokenizer_folder)))


def test_another_tokenizer_reads_the_text_again(
    prepared: PreparedData, home: Home, tmp_path: Path, demo_home: Path
) -> None:
    other = Path(shutil.copytree(demo_home / "demo_bert", tmp_path / "other"))
    tokenizer = read_json(other / "tokenizer.json")
    numbers = tokenizer["model"]["vocab"]
    numbers["de"], numbers["la"] = numbers["la"], numbers["de"]
    write_json(other / "tokenizer.json", tokenizer)
    own = PreparedData(prepare_small(tmp_path / "own", demo_home, other))
    options = {"base_model": str(other), "epochs": 1, "context_length": 24}
    again = home.train(prepared, **options)
    assert "was tokenised for another base model" in "".join(e.message for e in home.events if isinstance(e, Notice))
    assert home.names() == [again.name]
    assert not (again / "input_ids.arrow").exists()
    home.events.clear()
    assert weights(again) == weights(home.train(own, **options))
    assert "tokenised" not in "".join(e.message for e in home.events if isinstance(e, Notice))


# --- the same again, and after a kill ---


def test_equal_seeds_give_equal_models(trained: tuple[Path, Home], prepared: PreparedData, home: Home) -> None:
    again = home.train(prepared)
    assert weights(again) == weights(trained[0])
    assert read_json(again / METADATA_FILE)["files"] == read_json(trained[0] / METADATA_FILE)["files"]
    assert weights(home.train(prepared, seed=1)) != weights(again)
    assert len(home.names()) == 2


TRIALS = """
import hashlib, json, os, random, signal, sys, time
from pathlib import Path
import numpy as np
from get_tags_train.training import train
from get_tags_train.data.prepared import PreparedData
from get_tags_train.core.events import Notice, StageProgress
from get_tags_train.core.config import load_settings
from get_tags_train.text.tokenizer import load_tokenizer

homes, data, training = Path(sys.argv[1]), PreparedData(Path(sys.argv[2])), json.loads(sys.argv[3])
steps, trials = int(sys.argv[4]), int(sys.argv[5])

def train_in(home, on_event):
    settings = load_settings(home, overrides={"training": training}, environ={})
    left_out = np.zeros(data.manifest.documents_kept, bool)
    tokenizer = load_tokenizer(settings.base_model)
    return train.train(settings, data, left_out, tokenizer=tokenizer, device="cpu", on_event=on_event).folder

def forked(work):
    pid = os.fork()
    if not pid:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return pid

def finish(home):
    heard = []
    def work():
        folder = train_in(home, heard.append)
        done = [event.done for event in heard if isinstance(event, StageProgress)]
        sha256 = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        (home / "result.json").write_text(json.dumps([done[0], len(done) - 1, sha256]))
    assert os.waitpid(forked(work), 0)[1] == 0
    return json.loads((home / "result.json").read_text())

results = [["undisturbed", *finish(homes / "undisturbed")]]
chance = random.Random(4)
for trial in range(trials):
    home, at, pause = homes / str(trial), chance.randrange(1, steps), chance.random() * 0.02
    heard, told = os.pipe()
    def tell(event):
        if isinstance(event, StageProgress) and event.done:
            os.write(told, b".")
    pid = forked(lambda: train_in(home, tell))
    os.close(told)
    for _ in range(at):
        assert os.read(heard, 1) == b"."
    time.sleep(pause)  # somewhere in the step, or in the writing of its checkpoint
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    os.close(heard)
    results.append([at, *finish(home)])
print(json.dumps(results))
"""


@pytest.mark.skipif(os.name == "nt", reason="needs fork and SIGKILL")
def test_a_training_killed_at_any_step_gives_the_same_model(prepared: PreparedData, home: Home) -> None:
    training = home.settings(batch_size=8, context_length=16, checkpoint_minutes=1e-6).training
    steps = -(-prepared.manifest.documents_kept // 8) * training.epochs
    arguments = [str(home.folder), str(prepared.folder), json.dumps(training.model_dump()), str(steps), "6"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", TRIALS, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(stage.__file__).parents[2])},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    undisturbed, *killed = json.loads(done.stdout)
    assert undisturbed[1:3] == [0, steps]
    assert len(killed) == 6
    for at, began, taken, sha256 in killed:
        assert at - 1 <= began  # nothing but the step under way was lost
        assert began + taken == steps
        assert sha256 == undisturbed[3]


def interrupted_at(home: Home, data: PreparedData, step: int, error: type[BaseException], **training: Any) -> Path:
    """Train until an event of this step raises; returns the unfinished folder."""

    def stop(event: Event) -> None:
        if isinstance(event, StageProgress) and event.done == step:
            raise error

    with pytest.raises(error):
        home.train(data, on_event=stop, **training)
    (partial,) = models_dir(home.folder).iterdir()
    return partial


class Stop(Exception):
    """Stands in for whatever ends a run."""


def test_a_continued_training_says_so(trained: tuple[Path, Home], prepared: PreparedData, home: Home) -> None:
    steps = -(-prepared.manifest.documents_kept // TRAINING["batch_size"])
    partial = interrupted_at(home, prepared, steps + 1, Stop)
    assert model_names(home.folder) == []
    folder = home.train(prepared)
    assert folder.name == partial.name.removesuffix(".partial")
    assert f"from step {steps}." in "".join(event.message for event in home.events if isinstance(event, Notice))
    assert next(event.done for event in home.events if isinstance(event, StageProgress)) == steps
    assert read_json(folder / METADATA_FILE)["resumed"] is True
    assert weights(folder) == weights(trained[0])
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in trained[0].iterdir())
    assert home.names() == [folder.name]


def test_a_damaged_checkpoint_is_passed_over(trained: tuple[Path, Home], prepared: PreparedData, home: Home) -> None:
    partial = interrupted_at(home, prepared, 5, Stop, checkpoint_minutes=1e-6)
    (partial / "checkpoints" / "checkpoint-000000005" / "weights.safetensors").write_bytes(b"torn")
    folder = home.train(prepared)
    said = "".join(event.message for event in home.events if isinstance(event, Notice))
    assert "checkpoint-000000005 is damaged" in said
    assert "from step 4." in said
    assert weights(folder) == weights(trained[0])


def test_how_often_it_is_saved_may_change_on_the_way(
    trained: tuple[Path, Home], prepared: PreparedData, home: Home
) -> None:
    interrupted_at(home, prepared, 5, Stop, checkpoint_minutes=1e-6)
    assert weights(home.train(prepared, checkpoint_minutes=0)) == weights(trained[0])
    assert "from step 5." in "".join(event.message for event in home.events if isinstance(event, Notice))


@pytest.mark.skipif(os.name == "nt", reason="sends itself signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])  # by name: Windows has no SIGHUP
def test_asked_to_stop_it_finishes_the_step_and_saves(
    trained: tuple[Path, Home], prepared: PreparedData, home: Home, name: str
) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)

    def ask(event: Event) -> None:
        if isinstance(event, StageProgress) and event.done == 2:
            os.kill(os.getpid(), number)

    with pytest.raises(TrainingInterrupted, match="saved at step 3 of 8") as caught:
        home.train(prepared, on_event=ask)
    assert caught.value.data_name == "tags_v1"
    assert signal.getsignal(number) is before
    folder = home.train(prepared)
    assert next(event.done for event in home.events if isinstance(event, StageProgress)) == 3
    assert weights(folder) == weights(trained[0])


@pytest.mark.skipif(os.name == "nt", reason="sends itself signals")
def test_asked_twice_it_stops_at_once(prepared: PreparedData, home: Home) -> None:
    def ask(event: Event) -> None:
        if isinstance(event, StageProgress) and event.done == 2:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        home.train(prepared, on_event=ask)


def test_other_settings_are_not_continued(prepared: PreparedData, home: Home) -> None:
    partial = interrupted_at(home, prepared, 1, Stop)
    folder = home.train(prepared, epochs=1, context_length=16)
    assert f"{partial.name} is not resumed: epochs was 2 and is 1" in home.events[0].message  # type: ignore[union-attr]
    assert read_json(folder / METADATA_FILE)["resumed"] is False
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
    assert "is not resumed: documents changed" in home.events[0].message  # type: ignore[union-attr]
    assert read_json(folder / METADATA_FILE)["resumed"] is False


def test_a_disk_too_small_is_found_before_the_start(
    prepared: PreparedData, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(
        GetTagsError, match=r"has 0\.0 GB free; the training's checkpoints and the model take"
    ) as caught:
        home.train(prepared)
    assert "another disk" in caught.value.hint
    assert not [event for event in home.events if isinstance(event, StageStarted)]


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_training(
    trained: tuple[Path, Home], prepared: PreparedData, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Checkpoints.save

    def fail_once(self: Checkpoints, progress: Progress, *state: Any) -> None:
        if progress.step == 4:
            raise OSError(28, "No space left on device")
        save(self, progress, *state)

    monkeypatch.setattr(Checkpoints, "save", fail_once)
    folder = home.train(prepared)
    said = "".join(event.message for event in home.events if isinstance(event, Notice))
    assert "checkpoint of step 4 could not be written (No space left on device)" in said
    assert weights(folder) == weights(trained[0])


# --- validation documents ---


def test_a_full_disk_at_the_best_epoch_does_not_end_the_training(
    prepared: PreparedData, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    validation = np.zeros(prepared.manifest.documents_kept, bool)
    validation[::3] = True
    scores = iter([[0.5], [0.6], [0.4]])
    monkeypatch.setattr(TrainingStep, "validate", lambda self, rows, top_k: next(scores))
    keep_best = Checkpoints.keep_best

    def full(self: Checkpoints, epoch: int, state: Any) -> None:
        if epoch == 2:
            raise OSError(28, "No space left on device")
        keep_best(self, epoch, state)

    monkeypatch.setattr(Checkpoints, "keep_best", full)
    facts = read_json(home.train(prepared, validation=validation, epochs=3, context_length=16) / METADATA_FILE)
    assert facts["best_epoch"] == 1
    told = "".join(event.message for event in home.events if isinstance(event, Notice))
    assert "The weights of epoch 2 could not be written (No space left on device)" in told


def test_an_epoch_is_saved_before_it_is_validated(
    prepared: PreparedData, tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    validation = np.zeros(prepared.manifest.documents_kept, bool)
    validation[::3] = True
    options = {"validation": validation, "context_length": 16}
    undisturbed = Home(tmp_path / "other", home.base_model).train(prepared, **options)

    def killed(*_: Any) -> None:
        raise Stop

    with monkeypatch.context() as patched:
        patched.setattr(TrainingStep, "validate", killed)
        with pytest.raises(Stop):
            home.train(prepared, **options)
    folder = home.train(prepared, **options)
    assert weights(folder) == weights(undisturbed)
    epochs, as_undisturbed = (read_json(each / METADATA_FILE)["epochs"] for each in (folder, undisturbed))
    assert epochs == as_undisturbed


def test_the_epoch_that_scores_best_becomes_the_model(
    prepared: PreparedData, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    validation = np.zeros(prepared.manifest.documents_kept, bool)
    validation[::3] = True
    scores = iter([[0.5, 0.4], [0.6, 0.5], [0.6, 0.3]])
    monkeypatch.setattr(TrainingStep, "validate", lambda self, rows, top_k: next(scores))
    kept: list[dict[str, torch.Tensor]] = []
    keep_best = Checkpoints.keep_best

    def watched(self: Checkpoints, epoch: int, state: dict[str, torch.Tensor]) -> None:
        kept.append({name: tensor.clone() for name, tensor in state.items()})
        keep_best(self, epoch, state)

    monkeypatch.setattr(Checkpoints, "keep_best", watched)
    folder = home.train(prepared, validation=validation, epochs=3, context_length=16)
    facts = read_json(folder / METADATA_FILE)
    assert (facts["best_epoch"], facts["selecting"], facts["left_out"]) == (2, validation.sum(), validation.sum())
    assert facts["examples"] <= (~validation).sum()
    assert [epoch["precision_at_k"] for epoch in facts["epochs"]] == [[0.5, 0.4], [0.6, 0.5], [0.6, 0.3]]
    told = [event for event in home.events if isinstance(event, EpochFinished)]
    assert [(event.epoch, event.precision_at_k) for event in told] == [
        (1, [0.5, 0.4]),
        (2, [0.6, 0.5]),
        (3, [0.6, 0.3]),
    ]
    stored = safetensors.torch.load_file(folder / "model.safetensors")
    last = {"classifier.weight", "classifier.bias"}  # calibrated since
    assert all(torch.equal(stored[name], tensor) for name, tensor in kept[1].items() if name not in last)
    scale, shift = (torch.tensor([entry[key] for entry in facts["tags"]]) for key in ("scale", "shift"))
    assert torch.allclose(stored["classifier.weight"], scale[:, None] * kept[1]["classifier.weight"], atol=1e-5)
    assert torch.allclose(stored["classifier.bias"], scale * kept[1]["classifier.bias"] + shift, atol=1e-5)
    assert not list(folder.glob("**/*best*"))


def test_validation_documents_are_scored_and_not_trained_on(prepared: PreparedData, home: Home) -> None:
    validation = np.zeros(prepared.manifest.documents_kept, bool)
    validation[:20] = True
    facts = read_json(home.train(prepared, validation=validation, epochs=1) / METADATA_FILE)
    assert facts["examples"] <= prepared.manifest.documents_kept - 20
    assert len(facts["epochs"][0]["precision_at_k"]) == 5
    assert facts["best_epoch"] == 1


def test_scores_are_calibrated_by_the_validation_documents(prepared: PreparedData, home: Home) -> None:
    """They say these documents' tags better than they did before the last layer was mapped."""
    validation = np.zeros(prepared.manifest.documents_kept, bool)
    validation[::3] = True
    folder = home.train(prepared, validation=validation, epochs=1, head_learning_rate=0.05)
    facts, model = read_json(folder / METADATA_FILE), TagModel(folder)
    texts, tags = texts_and_labels(prepared, validation)
    logits = torch.logit(torch.from_numpy(model.scores(texts)).double())
    labels = torch.tensor([[float(tag in own) for tag in model.tags] for own in tags], dtype=torch.float64)
    scale, shift = (torch.tensor([entry[key] for entry in facts["tags"]]) for key in ("scale", "shift"))
    before = (logits - shift) / scale
    assert binary_cross_entropy_with_logits(logits, labels) < binary_cross_entropy_with_logits(before, labels)
    assert {0.5} != {entry["threshold"] for entry in facts["tags"]}


def test_killed_after_the_best_epoch_it_is_still_the_model(prepared: PreparedData, tmp_path: Path, home: Home) -> None:
    validation = np.zeros(prepared.manifest.documents_kept, bool)
    validation[::2] = True
    options = {"validation": validation, "epochs": 3, "learning_rate": 1e-4, "head_learning_rate": 1e-2}
    other = Home(tmp_path / "other", home.base_model)
    undisturbed = other.train(prepared, **options)
    interrupted_at(home, prepared, 5, Stop, **options)
    assert weights(home.train(prepared, **options)) == weights(undisturbed)


# --- what ends it ---


def test_a_loss_that_is_no_number_ends_the_training(prepared: PreparedData, home: Home, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(home.base_model, tmp_path / "broken"))
    tensors = safetensors.torch.load_file(broken / "model.safetensors")
    tensors["embeddings.LayerNorm.bias"][0] = float("nan")
    safetensors.torch.save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(GetTagsError, match="The loss became nan at step 1: training diverged") as caught:
        home.train(prepared, base_model=str(broken))
    assert "learning_rate" in caught.value.hint
    assert "No checkpoint was saved yet" in caught.value.hint
    assert home.names()[0].endswith(".partial")


def test_diverging_later_leaves_the_last_good_state(
    trained: tuple[Path, Home], prepared: PreparedData, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = TrainingStep.step

    def diverge(self: TrainingStep, number: int, *more: Any) -> StepResult:
        result = step(self, number, *more)
        return result._replace(gradient_norm=float("nan")) if number == 6 else result

    with monkeypatch.context() as patched:
        patched.setattr(TrainingStep, "step", diverge)
        with pytest.raises(GetTagsError, match="The gradient became nan at step 7") as caught:
            home.train(prepared)
    assert "The checkpoint of step 4 is kept" in caught.value.hint
    assert weights(home.train(prepared)) == weights(trained[0])
