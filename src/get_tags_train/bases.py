"""Which base model suits these documents: each is trained on the same share of them, and scored beside the others."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from get_tags_train.core.errors import InputError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.files import read_json, remove_folder, write_json
from get_tags_train.core.home import bases_dir, find_data, model_names, models_dir
from get_tags_train.core.i18n import _, documents
from get_tags_train.core.settings import Settings
from get_tags_train.core.system import keep_awake
from get_tags_train.data.input_files import read_tags_map
from get_tags_train.data.prepared import PreparedData
from get_tags_train.evaluation.predictions import Predictions
from get_tags_train.evaluation.scorecard import compute_scorecard
from get_tags_train.metrics.intervals import difference_interval
from get_tags_train.metrics.ranking import precision
from get_tags_train.model.base_model import check_base_model
from get_tags_train.model.device import choose_device
from get_tags_train.model.metadata import own_metadata
from get_tags_train.model.tagger import TagModel
from get_tags_train.splits.eval_set import HELD_OUT, EvalSet
from get_tags_train.splits.held_out import HeldOut, ranks, texts_and_labels
from get_tags_train.splits.set_aside import set_aside
from get_tags_train.splits.test_samples import Samples
from get_tags_train.splits.training_set import TrainingSet, choose_training_set
from get_tags_train.text.tokenizer import load_tokenizer
from get_tags_train.training.head import base_model_identity
from get_tags_train.training.linear_baseline import fit_linear_baseline
from get_tags_train.training.train import train

# Documents whose words and pieces are counted.
_COUNTED = 1_000
_FEWEST = 50

Standing = Literal["best", "better", "not distinguishable", "worse"]


@dataclass(frozen=True)
class Tried:
    """How one base model did, or the linear model, which has no pieces and no size.

    precision_at_k and intervals (95%) by k as text; pieces_per_word and cut_share of the documents by its tokenizer;
    seconds of training; megabytes of its weights. `difference` is the 90% interval of the paired difference to the base
    model with the best precision@top_k, None for that one itself; where it leaves out 0, `standing` says so.
    """

    base_model: str
    precision_at_k: dict[str, float]
    intervals: dict[str, list[float]]
    micro_f1: float
    macro_f1: float
    seconds: float
    pieces_per_word: float | None
    cut_share: float | None
    megabytes: float | None
    difference: list[float] | None
    standing: Standing


@dataclass(frozen=True)
class Comparison:
    """Base models side by side, best first; the last is the linear model on the same documents."""

    data: str
    documents: int
    validation: int
    examples: int
    tags: int
    epochs: int
    top_k: int
    tried: list[Tried]

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@keep_awake("base models are compared")
def compare_bases(settings: Settings, names: Sequence[str], share: float, on_event: OnEvent) -> Comparison:
    """Train each base model on the same share of prepared data, and score it on documents that none was trained on.

    What has been trained with the same documents and settings is not trained again; an interrupted training goes on.
    All base models are checked before the first is trained. Raises InputError or GetTagsError naming what is wrong.
    """
    trials = {name: _trial(settings, name) for name in names}
    for trial in trials.values():
        check_base_model(trial.base_model, trial.training.context_length, load_tokenizer(trial.base_model))
    shared = _Shared.of(settings, share, on_event)
    records = [shared.trained(name, trial, on_event) for name, trial in trials.items()]
    return shared.compared([*records, shared.linear(on_event)])


def _trial(settings: Settings, name: str) -> Settings:
    """A training of the BERT alone: it is what differs."""
    named = settings.model_copy(update={"training": settings.training.model_copy(update={"base_model": name})})
    own = {"base_model": named.base_model, "blend": False, "report_to": "none"}
    return settings.model_copy(update={"training": settings.training.model_copy(update=own)})


@dataclass(frozen=True)
class _Record:
    """What is kept of one that was tried: precision is (examples, top_k), of each example."""

    base_model: str
    precision: list[list[float]]
    card: dict[str, Any]
    seconds: float
    pieces_per_word: float | None = None
    cut_share: float | None = None
    megabytes: float | None = None


def _examples(data: PreparedData, held_out: HeldOut, samples: Samples) -> EvalSet:
    """The held-out test documents and the test samples, as no base model is trained on either."""
    texts, labels = texts_and_labels(data, held_out.test)
    if samples.texts:
        own = EvalSet.of_samples(samples)
        texts, labels = [*texts, *own.texts], [*labels, *own.labels]
    if not texts:
        raise InputError(
            _("There is nothing to score base models on: no held-out documents and no test samples."),
            _("Raise held_out under [evaluation], or write test samples ({path}).", path=samples.path),
        )
    return EvalSet.of_documents(HELD_OUT, texts, labels)


@dataclass(frozen=True)
class _Shared:
    """What all are trained on and scored by: the documents of the share train, left_out holds all others."""

    settings: Settings
    data: PreparedData
    left_out: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    examples: EvalSet

    @classmethod
    def of(cls, settings: Settings, share: float, on_event: OnEvent) -> "_Shared":
        data = PreparedData(find_data(settings.home, settings.source.data_name))
        samples = Samples.read_if_there(settings.samples_path, read_tags_map(settings.tags_map_path))
        leaked, held_out = set_aside(settings, data, samples, on_event)
        trainable = np.flatnonzero(~(leaked | held_out.left_out))
        chosen = trainable[np.argsort(ranks(data)[trainable], kind="stable")[: round(share * len(trainable))]]
        if len(chosen) < _FEWEST:
            raise InputError(
                _("{documents} are too few to compare base models on.", documents=documents(len(chosen))),
                _("Raise --share, or extract more documents."),
            )
        left_out = np.ones(data.manifest.documents_kept, bool)
        left_out[chosen] = False
        return cls(settings, data, left_out, held_out.validation, _examples(data, held_out, samples))

    @cached_property
    def training_set(self) -> TrainingSet:
        """The documents of the share and their tags."""
        return choose_training_set(self.data, self.left_out, self.settings.training.min_tag_count)

    def trained(self, name: str, trial: Settings, on_event: OnEvent) -> _Record:
        """The record of a base model: that of an earlier run, or of a training now.

        It is trained in a home of its own, which goes once the record is written: what a kill leaves there is found.
        """
        home = bases_dir(trial.home) / self._digest(trial)
        path = home.with_suffix(".json")
        with suppress(OSError, ValueError, TypeError):  # none yet, or a damaged one
            record = _Record(**read_json(path))
            on_event(Notice(_("{base_model} has been trained on these documents before.", base_model=name)))
            return replace(record, base_model=name)
        on_event(Notice(_("Base model {base_model}:", base_model=name)))
        made = [models_dir(home) / model for model in model_names(home)]
        folder = made[0] if made else self._train(trial.model_copy(update={"home": home}), on_event)
        record = self._scored(name, folder)
        write_json(path, asdict(record))
        remove_folder(home)
        return record

    def _train(self, trial: Settings, on_event: OnEvent) -> Path:
        return train(
            trial,
            self.data,
            self.left_out,
            tokenizer=load_tokenizer(trial.base_model),
            device=choose_device(trial.training.device),
            on_event=on_event,
            validation=self.validation if self.validation.any() else None,
        ).folder

    def _digest(self, trial: Settings) -> str:
        """What tells this training and its examples from any other."""
        training = trial.training.deciding()
        masks = hashlib.sha256(np.packbits([self.left_out, self.validation]).tobytes()).hexdigest()
        scored = [self.examples.sha256, self.settings.evaluation.top_k]
        decides: list[Any] = [
            base_model_identity(trial.base_model),
            training,
            self.data.manifest.checksum,
            masks,
            *scored,
        ]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]

    def _scored(self, name: str, folder: Path) -> _Record:
        metadata, model = own_metadata(folder), TagModel(folder, choose_device(self.settings.training.device))
        thresholds = {entry.tag: entry.threshold for entry in metadata.tags}
        predictions = Predictions.of(self.examples, model.tags, model.scores(self.examples.texts), thresholds)
        pieces, cut = self._pieces(folder, metadata.settings.context_length)
        size = (folder / "model.safetensors").stat().st_size / 1e6
        return self._record(name, predictions, metadata.seconds, pieces, cut, round(size, 1))

    def _pieces(self, folder: Path, context_length: int) -> tuple[float, float]:
        """Word pieces a word, and the share of documents that are longer than the context."""
        wanted = np.zeros(len(self.left_out), bool)
        wanted[np.flatnonzero(~self.left_out)[:_COUNTED]] = True
        texts, _labels = texts_and_labels(self.data, wanted)
        lengths = [len(ids) for ids in load_tokenizer(str(folder))(texts).input_ids]
        words = sum(len(text.split()) for text in texts)
        return round(sum(lengths) / max(words, 1), 3), round(sum(n > context_length for n in lengths) / len(texts), 4)

    def linear(self, on_event: OnEvent) -> _Record:
        """The record of the linear model, which reads whole texts."""
        started = perf_counter()
        seed = self.settings.training.seed
        reader = fit_linear_baseline(self.data, self.training_set, self.validation, seed=seed, on_event=on_event)
        thresholds = dict(zip(self.training_set.tags, reader.thresholds.tolist(), strict=True))
        scores = reader.scores(self.examples.texts)
        predictions = Predictions.of(self.examples, self.training_set.tags, scores, thresholds)
        return self._record("", predictions, perf_counter() - started)

    def _record(self, name: str, predictions: Predictions, seconds: float, *further: float) -> _Record:
        top_k = self.settings.evaluation.top_k
        card = asdict(compute_scorecard(predictions, top_k, None))
        kept = {key: card[key] for key in ("precision_at_k", "micro_f1", "macro_f1")}
        kept["intervals"] = card["intervals"]["precision_at_k"]
        return _Record(name, precision(predictions.hits(top_k)).round(6).tolist(), kept, round(seconds, 1), *further)

    def compared(self, records: Sequence[_Record]) -> Comparison:
        """The base models by precision@top_k, each against the best; then the linear model, the last record."""
        *models, linear = records
        ranked = sorted(models, key=lambda record: -record.card["precision_at_k"][str(self.settings.evaluation.top_k)])
        return Comparison(
            data=self.data.name,
            documents=len(self.training_set.rows),
            validation=int(self.validation.sum()),
            examples=len(self.examples),
            tags=len(self.training_set.tags),
            epochs=self.settings.training.epochs,
            top_k=self.settings.evaluation.top_k,
            tried=[self._against(ranked[0], record) for record in [*ranked, linear]],
        )

    def _against(self, best: _Record, own: _Record) -> Tried:
        top_k = self.settings.evaluation.top_k
        differences = (np.array(own.precision) - np.array(best.precision))[:, -1]
        low, high = difference_interval(differences, self.examples.groups, unit=1 / top_k)
        standing: Standing = "better" if low > 0 else "worse" if high < 0 else "not distinguishable"
        return Tried(
            base_model=own.base_model,
            **own.card,
            seconds=own.seconds,
            pieces_per_word=own.pieces_per_word,
            cut_share=own.cut_share,
            megabytes=own.megabytes,
            difference=None if own is best else [round(low, 4), round(high, 4)],
            standing="best" if own is best else standing,
        )
