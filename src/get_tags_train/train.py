"""Fine-tune a BERT to name several tags for a document: prepared data -> a model folder. The only user of Trainer."""

import hashlib
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    AutoConfig,
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

from get_tags_train import __version__
from get_tags_train.batches import TOKENISED_AGAIN, Collator, Examples, LengthGroups, choose_examples, open_rows
from get_tags_train.dataset import PreparedData, file_sha256
from get_tags_train.device import choose_precision
from get_tags_train.errors import GetTagsError, InputError
from get_tags_train.events import Notice, OnEvent, StageFinished, StageProgress, StageStarted
from get_tags_train.folders import remove_folder, write_json
from get_tags_train.home import PARTIAL, models_dir
from get_tags_train.model import TagModel
from get_tags_train.modelfacts import FACTS
from get_tags_train.probes import take_probes
from get_tags_train.settings import Settings, TrainingSettings
from get_tags_train.tokens import base_model_error, fingerprint, save_tokenizer
from get_tags_train.workspace import PLAN, Workspace, open_workspace

CHECKPOINTS = "checkpoints"
# These count positions from the padding token's number on, so that the first ones are never used.
_POSITIONS_AFTER_PADDING = {"roberta", "xlm-roberta", "camembert"}
COMPLETE = "complete"


@dataclass(frozen=True)
class _Run:
    """One training: what is trained on what, where."""

    base_model_path: str
    training: TrainingSettings
    data: PreparedData
    examples: Examples
    tokenizer: PreTrainedTokenizerFast
    device: str
    workspace: Workspace
    on_event: OnEvent

    @property
    def precision(self) -> str:
        """bf16 or fp32."""
        return choose_precision(self.training.precision, self.device)


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
    training, parent = settings.training, models_dir(settings.home)
    examples = choose_examples(data, left_out, training.min_tag_count)
    plan = {
        "data": data.manifest.checksum,
        "base_model": _identity(settings.base_model),
        "tokenizer": fingerprint(tokenizer),
        "documents": hashlib.sha256(examples.rows.tobytes()).hexdigest(),
        "settings": training.model_dump(),
    }
    new_name = partial(_new_name, parent, data.name)
    with open_workspace(settings.home, parent, plan, new_name=new_name, on_event=on_event) as workspace:
        if not (workspace.folder / FACTS).exists():
            run = _Run(settings.base_model, training, data, examples, tokenizer, device, workspace, on_event)
            model = _fit(run)
            model.save_pretrained(workspace.folder)
            # safetensors keeps its files to their owner; whoever runs the API is to read them too.
            shutil.copymode(workspace.folder / "config.json", workspace.folder / "model.safetensors")
            save_tokenizer(tokenizer, workspace.folder, training.context_length)
            facts = _facts(run) | {"left_out": int(left_out.sum()), "seconds": round(perf_counter() - started, 3)}
            write_json(workspace.folder / FACTS, facts)
        remove_folder(workspace.folder / CHECKPOINTS)
        (workspace.folder / TOKENISED_AGAIN).unlink(missing_ok=True)
        return workspace.publish()


def _facts(run: _Run) -> dict[str, Any]:
    """What the model folder says of itself."""
    folder, examples = run.workspace.folder, run.examples
    model_files = [p for p in sorted(folder.iterdir()) if p.suffix in {".json", ".safetensors"} and p.name != PLAN]
    return {
        "format": 1,
        "name": run.workspace.name,
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "version": __version__,
        "data": {"name": run.data.name, "checksum": run.data.manifest.checksum},
        "base_model": run.training.base_model,
        "settings": run.training.model_dump(),
        "examples": len(examples.rows),
        "tags": [{"tag": t, "documents": n} for t, n in zip(examples.tags, examples.counts, strict=True)],
        "device": run.device,
        "precision": run.precision,
        "resumed": run.workspace.resumed,
        "files": {path.name: file_sha256(path) for path in model_files},
        "probes": [probe.as_json() for probe in take_probes(TagModel(folder))],
        "evaluations": [],
    }


def check_base_model(base_model: str, context_length: int) -> None:
    """Load the base model once and let it go, so that it is there, and long enough, when it is needed hours later."""
    _load(base_model, context_length)


def _identity(base_model: str) -> str:
    """What tells a base model from one that was put into the same folder later."""
    files = sorted(p for p in Path(base_model).glob("*") if p.suffix in {".json", ".safetensors", ".bin"})
    return " ".join([base_model, *(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files)])


def _new_name(parent: Path, data_name: str) -> str:
    moment = datetime.now()
    while True:
        name = f"{data_name}-{moment:%Y%m%d-%H%M%S}"
        if not (parent / name).exists() and not (parent / (name + PARTIAL)).exists():
            return name
        moment += timedelta(seconds=1)


def _load(base_model: str, context_length: int, **config_values: Any) -> PreTrainedModel:
    """The base model in float32, with these values in its configuration where it knows them."""
    try:
        config = AutoConfig.from_pretrained(base_model, trust_remote_code=False)
        for key, value in config_values.items():
            setattr(config, key, value)
        model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
            base_model,
            config=config,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
        )
    except Exception as error:  # a damaged folder fails in many ways inside the library
        raise base_model_error(base_model, error) from error
    positions = getattr(config, "max_position_embeddings", context_length)
    if config.model_type in _POSITIONS_AFTER_PADDING:
        positions -= config.pad_token_id + 1
    if positions < context_length:
        raise InputError(
            f"The base model {base_model} reads at most {positions} tokens, and context_length is {context_length}.",
            f"Give --context-length {positions} or less, or another base model.",
        )
    return model


def _load_base(base_model: str, examples: Examples, training: TrainingSettings) -> PreTrainedModel:
    """The base model with a new head, whose biases start at each tag's log-odds."""
    set_seed(training.seed)
    model = _load(
        base_model,
        training.context_length,
        num_labels=len(examples.tags),
        id2label=dict(enumerate(examples.tags)),
        label2id={tag: label for label, tag in enumerate(examples.tags)},
        problem_type="multi_label_classification",
        attention_probs_dropout_prob=training.attention_dropout,  # BERT's name for it
        attention_dropout=training.attention_dropout,  # DistilBERT's and ModernBERT's
    )
    outputs = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == len(examples.tags)]
    share = torch.tensor(examples.counts, dtype=torch.float64) / len(examples.rows)
    share = share.clamp(0.5 / len(examples.rows), 1 - 0.5 / len(examples.rows))
    with torch.no_grad():
        outputs[-1].bias.copy_(torch.logit(share))
    return model


class _TagTrainer(Trainer):
    """Trainer with our order of documents, a learning rate of its own for the head, and the fused AdamW."""

    def __init__(self, *, lengths: NDArray[np.int32], head_learning_rate: float, **kwargs: Any) -> None:
        self._lengths, self._head_learning_rate = lengths, head_learning_rate
        super().__init__(**kwargs)

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroups:
        return LengthGroups(self.args.train_batch_size, self._lengths, self.args.seed)

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
        note = f"epoch {epoch}/{args.num_train_epochs:.0f}{self._loss}, {speed:.0f} docs/s"
        self._on_event(StageProgress("train", state.global_step, note))

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        (Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / COMPLETE).touch()


def _fit(run: _Run) -> PreTrainedModel:
    """Train, from the last complete checkpoint if there is one; returns the trained model."""
    started = perf_counter()
    training, folder = run.training, run.workspace.folder
    model = _load_base(run.base_model_path, run.examples, training)
    rows, lengths = open_rows(run.data, run.examples, run.tokenizer, folder, run.on_event)
    steps = -(-len(rows) // training.batch_size) * training.epochs
    arguments = TrainingArguments(
        output_dir=str(folder / CHECKPOINTS),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        warmup_steps=training.warmup_ratio,
        weight_decay=training.weight_decay,
        seed=training.seed,
        bf16=run.precision == "bf16",
        use_cpu=run.device == "cpu",
        save_strategy="epoch",
        save_total_limit=2,
        logging_steps=max(1, min(50, steps // 100)),
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=run.device == "cuda",
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several would each take a whole batch
    trainer = _TagTrainer(
        lengths=np.minimum(lengths, training.context_length),
        head_learning_rate=training.head_learning_rate,
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=Collator(run.examples, run.tokenizer.pad_token_id, training.context_length),
        callbacks=[_Report(run.on_event)],
    )
    trainer.remove_callback(PrinterCallback)
    checkpoint = _last_complete(folder / CHECKPOINTS)
    if checkpoint is not None:
        step = checkpoint.name.rpartition("-")[2]
        run.on_event(Notice(f"Continuing the training {run.workspace.name} from step {step}."))
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError:
        raise GetTagsError(
            "The GPU's memory does not hold this batch.",
            "Give a smaller --batch-size or --context-length, or free memory: the API may hold some of it.",
        ) from None
    run.on_event(StageFinished("train", perf_counter() - started))
    return model


def _last_complete(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; torn ones are removed."""
    complete = []
    for checkpoint in folder.glob("checkpoint-*"):
        if (checkpoint / COMPLETE).exists():
            complete.append(checkpoint)
        else:
            remove_folder(checkpoint)
    return max(complete, key=lambda c: int(c.name.rpartition("-")[2]), default=None)
