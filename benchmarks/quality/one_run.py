"""One run: train one variant (or a reference) with one seed on one set, and write its scores of other documents."""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import Floats
from numpy.typing import NDArray
from sets import RealSet, read
from starts import fit_head
from variants import VARIANTS, Variant

from get_tags_train.core.config import load_settings
from get_tags_train.core.settings import TrainingSettings
from get_tags_train.metrics.ranking import precision_at_k
from get_tags_train.model.device import prepared_device
from get_tags_train.text.tokenizer import load_tokenizer
from get_tags_train.training.batches import Batch, Documents, split_by_tokens
from get_tags_train.training.distributed import ProcessGroup
from get_tags_train.training.head import load_for_tags
from get_tags_train.training.schedule import Schedule
from get_tags_train.training.step import TrainingStep

LINEAR, LINEAR_CUT, TRAINER = "linear", "linear, same tokens", "trainer"
_SCORED_TOKENS = 8_192
_MOST_WINDOWS = 4
_OVERLAP = 8  # a window begins so great a part of its width before the end of the one before
_NEVER = -20.0  # the logit of a tag that was not trained on


@dataclass(frozen=True)
class Plan:
    """What every run of a set shares."""

    base_model: str
    context_length: int
    epochs: int
    results: Path
    device: str = "cpu"


def path_of(plan: Plan, name: str, variant: str, seed: int) -> Path:
    """Where a run writes its scores."""
    safe = re.sub(r"[^a-z0-9.-]+", "_", variant)
    return plan.results / f"{name}-{plan.context_length}-{safe}-{seed}.npz"


def stored(plan: Plan, data: RealSet, variant: str, seed: int) -> tuple[Floats, Floats, dict[str, Any]]:
    """Logits of a run for the documents that select and for those that test: (documents, tags) each; and its facts."""
    kept = np.load(path_of(plan, data.name, variant, seed))
    place = {row: n for n, row in enumerate(kept["rows"].tolist())}
    select, test = (
        kept["logits"][[place[row] for row in rows.tolist()]].astype(float) for rows in (data.selecting, data.test)
    )
    return select, test, json.loads(str(kept["facts"]))


def parsed(description: str | None, **own: Any) -> tuple[argparse.Namespace, Plan, RealSet]:
    """The command line of what reads stored runs: which set, which runs; `own` are its own flags, by name."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--base-model", required=True)
    parser.add_argument("--variant", default="before")
    parser.add_argument("--context-length", type=int, default=512)
    parser.add_argument("--train-limit", type=int, default=0)
    parser.add_argument("--test-limit", type=int, default=0)
    parser.add_argument("--results", type=Path, required=True)
    for name, options in own.items():
        parser.add_argument(f"--{name}", **options)
    args = parser.parse_args()
    plan = Plan(args.base_model, args.context_length, 0, args.results)
    return args, plan, read(args.name, args.train_limit, args.test_limit)


def run(plan: Plan, data: RealSet, variant: str, seed: int) -> None:
    """Train, score, write."""
    if plan.device == "cpu":
        torch.set_num_threads(1)
    started = time.process_time()
    if variant == LINEAR:
        logits, notes = _linear(data, seed)
    elif variant == LINEAR_CUT:
        logits, notes = _linear(data.cut(plan.base_model, plan.context_length), seed)
    elif variant == TRAINER:
        logits, notes = _trainer(plan, data, seed)
    else:
        kept = data.with_tags_on(VARIANTS[variant].least_documents)
        logits = np.full((len(data.texts), len(data.tags)), _NEVER, np.float32)
        logits[:, np.isin(data.tags, kept.tags)], notes = _ours(plan, kept, variant, seed)
    seconds = {"seconds": round(notes.pop("ended", time.process_time()) - started, 1)}
    _write(plan, data, variant, seed, logits, seconds | notes)


def _write(
    plan: Plan, data: RealSet, variant: str, seed: int, logits: NDArray[np.float32], notes: dict[str, Any]
) -> None:
    """Keep the logits of the documents that select and test, and add a line to the list of runs."""
    precision = precision_at_k(data.labels[data.test], logits[data.test], 5)
    facts = {"set": data.name, "variant": variant, "seed": seed, "context": plan.context_length, **notes}
    facts |= {"train": len(data.train), "test": len(data.test), "P@k": [round(p, 4) for p in precision]}
    rows = np.concatenate([data.selecting, data.test])
    path = path_of(plan, data.name, variant, seed)
    np.savez_compressed(path, rows=rows, logits=logits[rows], facts=json.dumps(facts))
    with (plan.results / "runs.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(facts) + "\n")


def _settings(plan: Plan, variant: Variant, seed: int) -> TrainingSettings:
    values = {"base_model": plan.base_model, "context_length": plan.context_length, "epochs": plan.epochs, "seed": seed}
    training = load_settings(Path(tempfile.gettempdir()), overrides={"training": values}, environ={}).training
    return training.model_copy(update=variant.settings)  # unchecked: the product knows fewer losses


class _Taught(Documents):
    """Documents whose labels are partly what a teacher says of them."""

    teacher: NDArray[np.float32]
    share: float

    def batch(self, rows: NDArray[np.int64], width_step: int = 1) -> Batch:
        """The documents at these places in the data."""
        batch = super().batch(rows, width_step)
        taught = (1 - self.share) * batch.labels + self.share * torch.from_numpy(self.teacher[rows])
        return batch._replace(labels=taught)


class _Read(Documents):
    """Documents of which a training step sees a part: windows drawn by chance, and not every word piece."""

    context_length: int
    chance: np.random.Generator | None  # None: while scoring
    windows: float
    masked: float
    mask_token_id: int

    def batch(self, rows: NDArray[np.int64], width_step: int = 1) -> Batch:
        """The documents at these places in the data."""
        self.starts = np.zeros(len(rows), np.int64)
        if self.chance is not None and self.windows:
            spare = np.maximum(self._input_ids.lengths[rows] - self.context_length, 0)
            drawn = (self.chance.random(len(rows)) * (spare + 1)).astype(np.int64)
            self.starts = drawn * (self.chance.random(len(rows)) < self.windows)
        return self._from(rows)

    def window(self, rows: NDArray[np.int64], number: int) -> Batch:
        """The window of that number of each."""
        lengths = self._input_ids.lengths[rows]
        self.starts = np.array([window_starts(int(own), self.context_length)[number] for own in lengths])
        return self._from(rows)

    def _from(self, rows: NDArray[np.int64]) -> Batch:
        pairs = zip(rows, self.starts, strict=True)
        parts = [read_from(self._input_ids[row], start, self.context_length) for row, start in pairs]
        whole, lengths = super().batch(rows), np.array([len(part) for part in parts])
        mask = np.arange(lengths.max()) < lengths[:, None]
        input_ids = np.full(mask.shape, self._pad_token_id, np.int64)
        input_ids[mask] = np.concatenate(parts)
        if self.chance is not None and self.masked:
            unseen = (self.chance.random(mask.shape) < self.masked) & mask
            unseen[:, 0] = False
            input_ids[unseen] = self.mask_token_id
        masks = torch.from_numpy(mask.astype(np.int64))
        return Batch(torch.from_numpy(input_ids), masks, whole.labels, int(lengths.sum()))


def read_from(input_ids: NDArray[np.int32], start: int, context_length: int) -> NDArray[np.int32]:
    """As many word pieces from `start` on as the context holds, between the opening and the closing token."""
    body = input_ids[1:-1][start : start + context_length - 2]
    return np.concatenate([input_ids[:1], body, input_ids[-1:]])


def window_starts(tokens: int, context_length: int) -> NDArray[np.int64]:
    """Where the windows of a document begin, at most four: as wide as the context, each a little over the one before.

    Beyond what four can hold nothing is read.
    """
    width = context_length - 2
    step = width - width // _OVERLAP
    spare = max(tokens - 2 - width, 0)
    count = min(-(-spare // step) + 1, _MOST_WINDOWS)
    return np.linspace(0, min(spare, (count - 1) * step), count).astype(np.int64)


class _VariantStep(TrainingStep):
    """The product's training step with what a variant changes."""

    def change(self, variant: Variant) -> None:
        """Take over the variant's rates."""
        self._groups_by_depth(variant)
        for group in self._optimizer.param_groups:
            group["betas"] = variant.betas
        self._decay, self._averages = variant.average, dict[str, torch.Tensor]()

    def _groups_by_depth(self, variant: Variant) -> None:
        if variant.pooler_rate is None and variant.layer_decay == 1 and variant.embedding_rate is None:
            return
        layers = self._model.config.num_hidden_layers
        groups = []
        for name, parameter in self._model.named_parameters():
            rate = self._training.learning_rate
            if "word_embeddings" in name and variant.embedding_rate:
                rate = variant.embedding_rate
            elif ".pooler." in name:
                rate = variant.pooler_rate or self._training.head_learning_rate
            elif not name.startswith(f"{self._model.base_model_prefix}."):
                rate = self._training.head_learning_rate
            else:
                layer = re.search(r"\.layer\.(\d+)\.", name)
                rate *= variant.layer_decay ** (layers - 1 - int(layer[1]) if layer else layers)
            decay = self._training.weight_decay * (parameter.ndim > 1)
            groups.append({"params": [(name, parameter)], "weight_decay": decay, "peak_lr": rate})
        self._optimizer = torch.optim.AdamW(groups, fused=True)

    def average(self) -> None:
        """Count the weights of now into their moving average."""
        if self._decay:
            for name, weight in self._model.named_parameters():
                before = self._averages.setdefault(name, weight.detach().clone())
                before.lerp_(weight.detach(), 1 - self._decay)

    def best_weights(self) -> dict[str, torch.Tensor]:
        """A copy of the weights, averaged ones where there are any."""
        return {name: weight.clone() for name, weight in (self.weights() | self._averages).items()}

    def score_windows(self, rows: NDArray[np.int64], weights: dict[str, torch.Tensor]) -> NDArray[np.float32]:
        """Logits of each window of documents: (documents, windows, tags), NaN where a document has fewer."""
        lengths, context = self._documents._input_ids.lengths, self._documents.context_length
        counts = np.array([len(window_starts(int(own), context)) for own in lengths[rows]])
        logits = np.full((len(rows), _MOST_WINDOWS, self._model.num_labels), np.nan, np.float32)
        for number in range(counts.max()):
            own = np.flatnonzero(counts > number)
            logits[own, number] = self.score(rows[own], weights, number)
        return logits

    def score(
        self, rows: NDArray[np.int64], weights: dict[str, torch.Tensor], number: int | None = None
    ) -> NDArray[np.float32]:
        """Logits of documents in float32, (documents, tags), with these weights."""
        kept = {name: weight.clone() for name, weight in self.weights().items()}
        self._model.load_state_dict(weights)
        result = np.zeros((len(rows), self._model.num_labels), np.float32)
        place = {row: n for n, row in enumerate(rows.tolist())}
        self._model.eval()
        with torch.inference_mode():
            for part in split_by_tokens(rows, self._documents.lengths, _SCORED_TOKENS):
                batch = self._documents.batch(part) if number is None else self._documents.window(part, number)
                inputs = (batch.input_ids.to(self.device), batch.attention_mask.to(self.device))
                logits = self._model(input_ids=inputs[0], attention_mask=inputs[1]).logits
                result[[place[row] for row in part.tolist()]] = logits.float().cpu().numpy()
        self._model.load_state_dict(kept)
        return result


def _ours(plan: Plan, data: RealSet, name: str, seed: int) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """The product's training step over the product's schedule, best epoch by the selecting documents."""
    variant = VARIANTS[name]
    training = _settings(plan, variant, seed)
    if variant.reduced:
        data = data.reduced(variant.reduced)
    documents, examples = data.documents(plan.base_model, plan.context_length)
    model = load_for_tags(plan.base_model, examples, training)
    if variant.start:
        variant.start(model)
    if variant.hidden_dropout is not None:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = variant.hidden_dropout
    if variant.teacher:
        documents.__class__ = _Taught
        documents.teacher, documents.share = _teacher(data, seed), variant.teacher
    if variant.windows or variant.masked or variant.windows_scored:
        documents.__class__ = _Read
        documents.context_length, documents.chance = plan.context_length, None
        documents.windows, documents.masked = variant.windows, variant.masked
        documents.mask_token_id = load_tokenizer(plan.base_model).mask_token_id
    if variant.head_penalty:
        fit_head(model, documents, data.train, variant.head_penalty)
    training_step = _VariantStep(model, documents, training, ProcessGroup(plan.device), plan.device)
    training_step.change(variant)
    schedule = Schedule(data.train, data.selecting, documents.lengths, training, int(training.batch_size), 5)
    epochs, best, ended = list[list[float]](), (-1.0, training_step.best_weights()), 0.0
    with prepared_device(plan.device, deterministic=False):
        for number, rows in enumerate(schedule.batches(0)):
            documents.chance = np.random.default_rng([seed, number])
            training_step.step(number, rows, schedule.learning_rate_share(number))
            documents.chance = None
            training_step.average()
            if (number + 1) % schedule.steps_per_epoch == 0:
                ended = time.process_time()
                weights = training_step.best_weights()
                scored = training_step.score(data.selecting, weights)
                precision = precision_at_k(data.labels[data.selecting], scored, 5)
                epochs.append([round(p, 4) for p in precision])
                if sum(precision) >= best[0]:
                    best = (sum(precision), weights)
    logits = np.zeros((len(data.texts), len(data.tags)), np.float32)
    other = np.concatenate([data.selecting, data.test])
    logits[other] = training_step.score(other, best[1])
    if variant.windows_scored:
        windows = training_step.score_windows(other, best[1])
        np.savez_compressed(path_of(plan, data.name, f"{name}, windows", seed), rows=other, logits=windows)
    return logits, {"epochs": epochs, "ended": ended, "tokens": schedule.tokens}


def _linear(data: RealSet, seed: int) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """TF-IDF of words and pairs of them, and one-vs-rest LinearSVC, over whole texts."""
    logits = np.zeros((len(data.texts), len(data.tags)), np.float32)
    other = np.concatenate([data.selecting, data.test])
    logits[other] = _svc(data, data.train, other, seed)
    return logits, {}


def _svc(data: RealSet, train: NDArray[np.int64], other: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    features = words.fit_transform([data.texts[row] for row in train])
    known = np.flatnonzero(data.labels[train].any(axis=0))
    model = OneVsRestClassifier(LinearSVC(random_state=seed)).fit(features, data.labels[train][:, known].astype(int))
    result = np.full((len(other), len(data.tags)), -1.0, np.float32)
    result[:, known] = model.decision_function(words.transform([data.texts[row] for row in other]))
    return result


def _teacher(data: RealSet, seed: int) -> NDArray[np.float32]:
    """Probabilities by the linear model for each training document, trained on the other four fifths of them."""
    from sklearn.linear_model import LogisticRegression

    folds = np.random.default_rng(seed).permutation(len(data.train)) % 5
    decisions = np.zeros((len(data.train), len(data.tags)), np.float32)
    for fold in range(5):
        decisions[folds == fold] = _svc(data, data.train[folds != fold], data.train[folds == fold], seed)
    scale = LogisticRegression(C=1e6).fit(decisions.reshape(-1, 1), data.labels[data.train].ravel())
    teacher = np.zeros((len(data.texts), len(data.tags)), np.float32)
    teacher[data.train] = scale.predict_proba(decisions.reshape(-1, 1))[:, 1].reshape(decisions.shape)
    return teacher


def _trainer(plan: Plan, data: RealSet, seed: int) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """transformers' Trainer with its defaults, but for time bf16, batches alike in length, no dropout in attention."""
    import datasets
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    tokenizer = AutoTokenizer.from_pretrained(plan.base_model)
    encoded = tokenizer(data.texts, truncation=True, max_length=plan.context_length)
    columns = {name: encoded[name] for name in ("input_ids", "attention_mask")}
    columns |= {"length": [len(row) for row in encoded["input_ids"]], "labels": list(data.labels.astype(np.float32))}
    everything = datasets.Dataset.from_dict(columns)
    padder = DataCollatorWithPadding(tokenizer)

    def collate(rows: list[dict[str, Any]]) -> Any:
        labels = torch.tensor(np.array([row.pop("labels") for row in rows]), dtype=torch.float32)
        return {**padder([{k: v for k, v in row.items() if k != "length"} for row in rows]), "labels": labels}

    set_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        plan.base_model,
        num_labels=len(data.tags),
        problem_type="multi_label_classification",
        dtype=torch.float32,
        attention_probs_dropout_prob=0.0,
    )
    with tempfile.TemporaryDirectory() as output:
        arguments = TrainingArguments(
            output_dir=output,
            num_train_epochs=plan.epochs,
            use_cpu=plan.device == "cpu",
            bf16=True,
            train_sampling_strategy="group_by_length",
            remove_unused_columns=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
            seed=seed,
        )
        trainer = Trainer(
            model=model, args=arguments, train_dataset=everything.select(data.train), data_collator=collate
        )
        trainer.train()
    ended = time.process_time()
    logits = np.zeros((len(data.texts), len(data.tags)), np.float32)
    other = np.concatenate([data.selecting, data.test])
    model.eval().to(plan.device)
    for rows in _slices(other[np.argsort([columns["length"][row] for row in other])], 32):
        batch = collate([dict(everything[int(row)]) for row in rows])
        batch.pop("labels")
        with torch.inference_mode():
            inputs = {name: tensor.to(plan.device) for name, tensor in batch.items()}
            logits[rows] = model(**inputs).logits.float().cpu().numpy()
    return logits, {"ended": ended}


def _slices(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
