"""Fine-tune a BERT to name several tags for a document: prepared data -> a model folder. The only user of Trainer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_pt_utils import LengthGroupedSampler

from get_tags_train import __version__
from get_tags_train.dataset import PreparedData, file_sha256, list_column, write_batches
from get_tags_train.device import choose_precision
from get_tags_train.errors import GetTagsError, InputError
from get_tags_train.events import Notice, OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.folders import remove_folder, write_json
from get_tags_train.home import PARTIAL, models_dir
from get_tags_train.modelfacts import FACTS
from get_tags_train.settings import Settings, TrainingSettings
from get_tags_train.tokens import CleanTextEncoder, base_model_error, cut, fingerprint, save_tokenizer
from get_tags_train.workspace import Workspace, open_workspace

CHECKPOINTS = "checkpoints"
COMPLETE = "complete"

datasets.disable_progress_bars()


@dataclass(frozen=True)
class Examples:
    """What is trained on: places of documents in the data, and the tags that become labels.

    rows: (examples,) places in stored order; label_of: (tags of the data,) label or -1; counts per label.
    """

    rows: NDArray[np.int64]
    tags: list[str]
    counts: list[int]
    label_of: NDArray[np.int64]


def choose_examples(data: PreparedData, left_out: NDArray[np.bool_], min_tag_count: int) -> Examples:
    """All documents but those in `left_out` that have a tag on at least `min_tag_count` of them.

    Raises InputError where none is left.
    """
    offsets = np.concatenate([pc.list_value_length(b.column("tags")).to_numpy() for b in data.batches()])
    numbers = np.concatenate([b.column("tags").flatten().to_numpy() for b in data.batches()])
    documents = np.repeat(np.arange(len(offsets)), offsets)
    counts = np.bincount(numbers[~left_out[documents]], minlength=len(data.tags))
    common = np.flatnonzero(counts >= min_tag_count)
    label_of = np.full(len(data.tags), -1, np.int64)
    label_of[common] = np.arange(len(common))
    has_label = np.zeros(len(offsets), bool)
    has_label[documents[label_of[numbers] >= 0]] = True
    rows = np.flatnonzero(has_label & ~left_out)
    if not len(rows):
        raise InputError(
            f"No document of {data.name} can be trained on: no tag is on {min_tag_count} documents or more.",
            "Lower min_tag_count under [training], or extract other documents.",
        )
    return Examples(rows, [data.tags[n] for n in common], [int(counts[n]) for n in common], label_of)


def train(
    settings: Settings,
    data: PreparedData,
    left_out: NDArray[np.bool_],
    *,
    tokenizer: PreTrainedTokenizerFast,
    device: str,
    on_event: OnEvent,
) -> Path:
    """Fine-tune the base model on the data, without the documents `left_out`; returns the model's folder.

    An interrupted training of the same data and settings is continued from its last checkpoint.
    """
    started = perf_counter()
    training = settings.training
    examples = choose_examples(data, left_out, training.min_tag_count)
    plan = {
        "data": data.manifest.checksum,
        "base_model": settings.base_model,
        "tokenizer": fingerprint(tokenizer),
        "documents": len(examples.rows),
        "settings": training.model_dump(),
    }
    parent = models_dir(settings.home)
    workspace = open_workspace(
        settings.home, parent, plan, new_name=lambda: _new_name(parent, data.name), on_event=on_event
    )
    if not (workspace.folder / FACTS).exists():
        model = _load_base(settings.base_model, examples, training)
        precision = choose_precision(training.precision, device)
        dataset, lengths = _dataset(data, examples.rows, tokenizer, workspace.folder, training.context_length, on_event)
        _fit(model, dataset, lengths, examples, workspace, tokenizer, training, device, precision, on_event)
        model.save_pretrained(workspace.folder)
        save_tokenizer(tokenizer, workspace.folder, training.context_length)
        facts = {
            "format": 1,
            "name": workspace.name,
            "created": datetime.now().astimezone().isoformat(timespec="seconds"),
            "version": __version__,
            "data": {"name": data.name, "checksum": data.manifest.checksum},
            "base_model": training.base_model,
            "settings": training.model_dump(),
            "examples": len(examples.rows),
            "left_out": int(left_out.sum()),
            "tags": [{"tag": t, "documents": n} for t, n in zip(examples.tags, examples.counts, strict=True)],
            "device": device,
            "precision": precision,
            "resumed": workspace.resumed,
            "seconds": round(perf_counter() - started, 3),
            "files": {p.name: file_sha256(p) for p in sorted(workspace.folder.iterdir()) if _is_model_file(p)},
            "evaluations": [],
        }
        write_json(workspace.folder / FACTS, facts)
    remove_folder(workspace.folder / CHECKPOINTS)
    (workspace.folder / "input_ids.arrow").unlink(missing_ok=True)
    return workspace.publish()


def check_base_model(base_model: str) -> None:
    """Load the base model once and let it go, so that it is there when it is needed hours later."""
    try:
        AutoModelForSequenceClassification.from_pretrained(base_model, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise base_model_error(base_model, error) from error


def _new_name(parent: Path, data_name: str) -> str:
    moment = datetime.now()
    while True:
        name = f"{data_name}-{moment:%Y%m%d-%H%M%S}"
        if not (parent / name).exists() and not (parent / (name + PARTIAL)).exists():
            return name
        moment += timedelta(seconds=1)


def _is_model_file(path: Path) -> bool:
    return path.is_file() and path.suffix in {".json", ".safetensors"} and path.name != "plan.json"


def _load_base(base_model: str, examples: Examples, training: TrainingSettings) -> PreTrainedModel:
    """The base model with a new head, whose biases start at each tag's log-odds."""
    set_seed(training.seed)
    try:
        model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
            base_model,
            num_labels=len(examples.tags),
            id2label=dict(enumerate(examples.tags)),
            label2id={tag: label for label, tag in enumerate(examples.tags)},
            problem_type="multi_label_classification",
            dtype=torch.float32,
            attention_probs_dropout_prob=training.attention_dropout,
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError) as error:
        raise base_model_error(base_model, error) from error
    positions = getattr(model.config, "max_position_embeddings", training.context_length)
    if positions < training.context_length:
        raise InputError(
            f"The base model {base_model} reads at most {positions} tokens, and context_length is "
            f"{training.context_length}.",
            f"Give --context-length {positions} or less, or another base model.",
        )
    outputs = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == len(examples.tags)]
    share = torch.tensor(examples.counts, dtype=torch.float64) / len(examples.rows)
    share = share.clamp(0.5 / len(examples.rows), 1 - 0.5 / len(examples.rows))
    with torch.no_grad():
        outputs[-1].bias.copy_(torch.logit(share))
    return model


def _dataset(
    data: PreparedData,
    rows: NDArray[np.int64],
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    context_length: int,
    on_event: OnEvent,
) -> tuple[datasets.Dataset, NDArray[np.int32]]:
    """The rows with the columns tags and input_ids, memory-mapped, and how many tokens of each are read."""
    stored = datasets.concatenate_datasets([datasets.Dataset.from_file(str(path)) for path in data.document_paths])
    if fingerprint(tokenizer) == data.manifest.tokenizer["fingerprint"]:
        documents = stored.select_columns(["tags", "input_ids"])
    else:
        on_event(Notice(f"{data.name} was tokenised for another base model: tokenising its text again."))
        path = folder / "input_ids.arrow"
        if not path.exists():
            _tokenise_again(data, tokenizer, path)
        again = datasets.Dataset.from_file(str(path))
        documents = datasets.concatenate_datasets([stored.select_columns(["tags"]), again], axis=1)
    chunks = documents.data.column("input_ids").chunks
    lengths = np.minimum(np.concatenate([pc.list_value_length(chunk).to_numpy() for chunk in chunks]), context_length)
    return documents.select(rows).with_format("numpy"), lengths[rows]


def _tokenise_again(data: PreparedData, tokenizer: PreTrainedTokenizerFast, path: Path) -> None:
    encoder = CleanTextEncoder(tokenizer)
    schema = pa.schema([("input_ids", pa.list_(pa.int32()))])
    columns = (list_column(encoder(batch.column("text").to_pylist())) for batch in data.batches())
    write_batches(path, schema, (pa.record_batch([column], schema=schema) for column in columns))


class _Collator:
    """Documents -> tensors as wide as the longest: input_ids, attention_mask and multi-hot float labels."""

    def __init__(self, examples: Examples, pad_token_id: int, context_length: int) -> None:
        self._examples, self._pad_token_id, self._context_length = examples, pad_token_id, context_length

    def __call__(self, documents: Sequence[dict[str, NDArray[np.int64]]]) -> dict[str, torch.Tensor]:
        rows = [cut(document["input_ids"], self._context_length) for document in documents]
        lengths = np.array([len(row) for row in rows])
        mask = np.arange(lengths.max()) < lengths[:, None]
        input_ids = np.full(mask.shape, self._pad_token_id, np.int64)
        input_ids[mask] = np.concatenate(rows)
        labels = np.zeros((len(rows), len(self._examples.tags)), np.float32)
        for row, document in enumerate(documents):
            known = self._examples.label_of[document["tags"]]
            labels[row, known[known >= 0]] = 1
        return {
            "input_ids": torch.from_numpy(input_ids),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)),
            "labels": torch.from_numpy(labels),
        }


class _LengthGroups(LengthGroupedSampler):
    """Documents of similar length together, in an order that depends on nothing but the seed and the epoch."""

    def __init__(self, batch_size: int, lengths: NDArray[np.int32], seed: int) -> None:
        super().__init__(batch_size, lengths=lengths.tolist(), generator=torch.Generator())
        self._seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Called by the training loop before each epoch."""
        self.generator.manual_seed(self._seed + epoch)


class _TagTrainer(Trainer):
    """Trainer with our order of documents, a learning rate of its own for the head, and the fused AdamW."""

    def __init__(self, *, lengths: NDArray[np.int32], head_learning_rate: float, **kwargs: Any) -> None:
        self._lengths, self._head_learning_rate = lengths, head_learning_rate
        super().__init__(**kwargs)

    def _get_train_sampler(self, train_dataset: Any = None) -> _LengthGroups:
        return _LengthGroups(self.args.train_batch_size, self._lengths, self.args.seed)

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        trained = cast(PreTrainedModel, self.model)
        decayed = set(self.get_decay_parameter_names(trained))
        encoder = f"{trained.base_model_prefix}."
        groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
        for name, parameter in trained.named_parameters():
            is_head = not name.startswith(encoder) or name.startswith(f"{encoder}pooler.")
            groups.setdefault((is_head, name in decayed), []).append(parameter)
        self.optimizer = torch.optim.AdamW(
            [
                {
                    "params": parameters,
                    "lr": self._head_learning_rate if is_head else self.args.learning_rate,
                    "weight_decay": self.args.weight_decay if is_decayed else 0.0,
                }
                for (is_head, is_decayed), parameters in groups.items()
            ],
            fused=True,
        )
        return self.optimizer


class _Report(TrainerCallback):
    """Trainer's steps as our events; marks complete checkpoints; stops when the loss is no number."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._loss = ""
        self._began_at, self._began_step = perf_counter(), 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._on_event(StageStarted("train", total=state.max_steps, unit="steps"))
        self._on_event(StageProgress("train", state.global_step))
        self._began_at, self._began_step = perf_counter(), state.global_step

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        if not np.isfinite(loss):
            raise GetTagsError(
                f"The loss became {loss} at step {state.global_step}: training has come apart.",
                'Lower learning_rate under [training], or set precision = "fp32"; checkpoints before it are kept.',
            )
        self._loss = f", loss {loss:.4f}"

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        epoch = min(int(state.epoch or 0) + 1, int(args.num_train_epochs))
        documents = (state.global_step - self._began_step) * args.per_device_train_batch_size
        speed = documents / max(perf_counter() - self._began_at, 1e-9)
        note = f"epoch {epoch}/{args.num_train_epochs:.0f}{self._loss}, {speed:.0f} documents/s"
        self._on_event(StageProgress("train", state.global_step, note))

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        (Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / COMPLETE).touch()


def _fit(
    model: PreTrainedModel,
    dataset: datasets.Dataset,
    lengths: NDArray[np.int32],
    examples: Examples,
    workspace: Workspace,
    tokenizer: PreTrainedTokenizerFast,
    training: TrainingSettings,
    device: str,
    precision: str,
    on_event: OnEvent,
) -> None:
    started = perf_counter()
    steps = -(-len(examples.rows) // training.batch_size) * training.epochs
    arguments = TrainingArguments(
        output_dir=str(workspace.folder / CHECKPOINTS),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        warmup_steps=training.warmup_ratio,
        weight_decay=training.weight_decay,
        seed=training.seed,
        bf16=precision == "bf16",
        use_cpu=device == "cpu",
        save_strategy="epoch",
        save_total_limit=2,
        logging_steps=max(1, min(50, steps // 100)),
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device == "cuda",
    )
    trainer = _TagTrainer(
        lengths=lengths,
        head_learning_rate=training.head_learning_rate,
        model=model,
        args=arguments,
        train_dataset=dataset,
        data_collator=_Collator(examples, tokenizer.pad_token_id, training.context_length),
        callbacks=[_Report(on_event)],
    )
    trainer.remove_callback(PrinterCallback)
    checkpoint = _last_complete(workspace.folder / CHECKPOINTS)
    if checkpoint is not None:
        on_event(Notice(f"Continuing the training {workspace.name} from step {checkpoint.name.rpartition('-')[2]}."))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    on_event(StageFinished("train", perf_counter() - started))


def _last_complete(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; torn ones are removed."""
    complete = []
    for checkpoint in folder.glob("checkpoint-*"):
        if (checkpoint / COMPLETE).exists():
            complete.append(checkpoint)
        else:
            remove_folder(checkpoint)
    return max(complete, key=lambda c: int(c.name.rpartition("-")[2]), default=None)
