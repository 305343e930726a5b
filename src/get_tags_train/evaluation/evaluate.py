"""Evaluate a model on evaluation sets, beside the live model and the linear baseline."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Notice, OnEvent, StageFinished, StageStarted
from get_tags_train.core.i18n import _
from get_tags_train.core.settings import Settings
from get_tags_train.evaluation.compare import Comparison, Reference, compare
from get_tags_train.evaluation.flips import TagFlips, flips
from get_tags_train.evaluation.predictions import Predictions
from get_tags_train.evaluation.scorecard import Scorecard, by_k_text, compute_scorecard
from get_tags_train.evaluation.tag_changes import TagChanges, tag_changes
from get_tags_train.metrics.ranking import precision, rank
from get_tags_train.model import training_record
from get_tags_train.model.linear_reader import LinearReader
from get_tags_train.model.live import find_live, live_folder
from get_tags_train.model.metadata import read_metadata
from get_tags_train.model.tagger import TagModel
from get_tags_train.splits.eval_set import EvalSet
from get_tags_train.splits.test_samples import FEW
from get_tags_train.text.tags import normalise_tag

ReadBy = Literal["get-tags", "transformers"]
# Of the BERT alone these are told; the rest is the product's.
_BERT_ALONE = (
    *("precision_at_k", "recall_at_k", "r_precision_at_k", "ndcg_at_k"),
    *("mean_average_precision", "micro_f1", "macro_f1", "intervals"),
)


@dataclass(frozen=True)
class References:
    """What to measure a model by: the folder of the live model and the linear baseline, where there are such.

    read_by: what the API reads model folders with, whose answers are compared with those of the live model. live_name
    is there too where the model itself is live, and not compared. min_precision_at_k is the least that is wanted of it.
    """

    live: Path | None = None
    baseline: LinearReader | None = None
    read_by: ReadBy = "get-tags"
    live_name: str | None = None
    min_precision_at_k: float = 0.0

    @classmethod
    def of(cls, settings: Settings, folder: Path, baseline: LinearReader | None = None) -> "References":
        """Those of the model in `folder`, as the settings say."""
        live, deploy = find_live(folder, settings.live_dir), settings.deploy
        own_name = folder.name if live_folder(settings.live_dir) else None
        return cls(
            live=live,
            baseline=baseline,
            read_by=deploy.read_by,
            live_name=live.name if live else own_name,
            min_precision_at_k=deploy.min_precision_at_k,
        )


@dataclass(frozen=True, kw_only=True)
class SetEvaluation(Scorecard):
    """All metrics on one set, and the comparisons on it.

    most_frequent_precision_at_k is that of always predicting the most frequent tags of the training data; None for a
    model without those counts. bert_alone has the same metrics of the BERT alone, as plain transformers reads the
    folder; None where the model has no second reader. trained_on counts examples that the model was trained on, None
    where it does not say. `flips` are true tags that the live model found and this one misses, and the reverse; empty
    without a live model.
    """

    most_frequent_precision_at_k: dict[str, float] | None
    bert_alone: dict[str, Any] | None
    trained_on: int | None
    comparisons: list[Comparison]
    flips: list[TagFlips]


@dataclass(frozen=True, kw_only=True)
class Evaluation(SetEvaluation):
    """The metrics on the test samples, with those on further sets inside, where there are such.

    Where there are no test samples, the metrics are on the held-out documents: `set` names them. `live` was live then.
    held_out are the held-out test documents, newest those of them that are of the newest tenth of all, rare the test
    samples that were chosen for rare tags, judged those whose tags people judged. Verdicts are told for the test
    samples and held_out.
    """

    model: str
    set: str
    live: str | None
    read_by: ReadBy
    min_precision_at_k: float
    held_out: SetEvaluation | None
    newest: SetEvaluation | None
    rare: SetEvaluation | None
    judged: SetEvaluation | None
    tag_changes: TagChanges | None
    baseline: dict[str, Any] | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Candidate:
    """A loaded model with what its folder says of it; `entries` are its tags, with documents where these are known."""

    folder: Path
    model: TagModel
    tags: list[str]
    entries: list[dict[str, Any]]
    is_ours: bool

    @classmethod
    def load(cls, folder: Path, device: str) -> "_Candidate":
        metadata, model = read_metadata(folder), TagModel(folder, device)
        if metadata is None:  # another tool's spelling
            tags = [normalise_tag(tag) for tag in model.tags]
            return cls(folder, model, tags, [{"tag": tag} for tag in tags], is_ours=False)
        return cls(folder, model, model.tags, [entry.model_dump() for entry in metadata.tags], is_ours=True)

    @property
    def documents_of(self) -> dict[str, int] | None:
        return {e["tag"]: e["documents"] for e in self.entries} if all("documents" in e for e in self.entries) else None

    def predictions(self, examples: EvalSet) -> "_Answers":
        texts = examples.texts if self.is_ours else examples.raw_texts
        scores, of_bert = self.model.scores_and_bert_alone(texts)
        thresholds = {entry["tag"]: entry["threshold"] for entry in self.entries if "threshold" in entry}
        bert_alone = Predictions.of(examples, self.tags, of_bert, thresholds)
        if self.model.second_reader is None:
            return _Answers(bert_alone, None)
        thresholds = dict(zip(self.tags, self.model.second_reader.thresholds, strict=True))
        return _Answers(Predictions.of(examples, self.tags, scores, thresholds), bert_alone)

    def seen(self, examples: EvalSet) -> NDArray[np.bool_] | None:
        return training_record.was_trained_on(self.folder, examples.texts)


@dataclass(frozen=True)
class _Answers:
    """What a model answers as get-tags reads it, and its BERT alone where that is something else."""

    product: Predictions
    bert_alone: Predictions | None

    def read_by(self, reader: ReadBy) -> Predictions:
        return self.bert_alone if self.bert_alone and reader == "transformers" else self.product


def evaluate(
    folder: Path,
    test_set: EvalSet,
    *,
    top_k: int,
    device: str,
    on_event: OnEvent,
    references: References = References(),
    further: Mapping[str, EvalSet] | None = None,
) -> Evaluation:
    """Evaluate the model in a folder on the test set, and on `further` ones by their name in Evaluation."""
    started = perf_counter()
    on_event(StageStarted("evaluate"))
    candidate = _Candidate.load(folder, device)
    live = _load_live(references.live, device, on_event)
    sets = {"": test_set, **(further or {})}
    evaluated = {name: _on_set(candidate, live, references, each, top_k) for name, each in sets.items() if len(each)}
    seconds = perf_counter() - started
    on_event(StageFinished("evaluate", seconds))
    for name in ("", "held_out"):
        if name in evaluated:
            _warn(evaluated[name], on_event)
    return Evaluation(
        **{name: getattr(evaluated[""], name) for name in SetEvaluation.__dataclass_fields__},
        model=folder.name,
        set=test_set.name,
        live=references.live_name,
        read_by=references.read_by,
        min_precision_at_k=references.min_precision_at_k,
        held_out=evaluated.get("held_out"),
        newest=evaluated.get("newest"),
        rare=evaluated.get("rare"),
        judged=evaluated.get("judged"),
        tag_changes=None if live is None else tag_changes(live.entries, candidate.entries),
        baseline=None if references.baseline is None else references.baseline.as_json(),
        seconds=round(seconds, 3),
    )


def _load_live(folder: Path | None, device: str, on_event: OnEvent) -> _Candidate | None:
    """None, with a word on why, where it cannot be loaded: a new model's evaluation does not fail for that."""
    if folder is None:
        return None
    try:
        return _Candidate.load(folder, device)
    except GetTagsError as error:
        on_event(Notice(_("There is no comparison with the live model. {message}", message=error.message), "warning"))
        return None


def _on_set(
    candidate: _Candidate, live: _Candidate | None, references: References, examples: EvalSet, k: int
) -> SetEvaluation:
    answers, seen, read_by = candidate.predictions(examples), candidate.seen(examples), references.read_by
    scorecard = compute_scorecard(answers.product, k, candidate.documents_of)
    alone = None if answers.bert_alone is None else compute_scorecard(answers.bert_alone, k, None)
    comparisons, flipped = [], list[TagFlips]()
    if live is not None:
        title = _("the live model {name}", name=live.folder.name)
        before = live.predictions(examples).read_by(read_by)
        reference = Reference("live", live.folder.name, title, before, live.seen(examples))
        comparisons.append(compare(answers.read_by(read_by), seen, reference, k))
        flipped = flips(answers.read_by(read_by), before, k)
    if (baseline := references.baseline) is not None:  # its labels are the model's own, and so are its documents
        thresholds = dict(zip(candidate.tags, baseline.thresholds, strict=True))
        linear = Predictions.of(examples, candidate.tags, baseline.scores(examples.texts), thresholds)
        comparisons.append(
            compare(answers.product, seen, Reference("baseline", "linear", _title(baseline), linear, seen), k)
        )
    return SetEvaluation(
        **{name: getattr(scorecard, name) for name in Scorecard.__dataclass_fields__},
        most_frequent_precision_at_k=_always_the_most_frequent(answers.product, candidate.documents_of, k),
        bert_alone=None if alone is None else {name: getattr(alone, name) for name in _BERT_ALONE},
        trained_on=None if seen is None else int(seen.sum()),
        comparisons=comparisons,
        flips=flipped,
    )


def _title(baseline: LinearReader) -> str:
    return _("the linear baseline (trained on {documents:,} documents)", documents=baseline.documents)


def _always_the_most_frequent(
    predictions: Predictions, documents_of: dict[str, int] | None, k: int
) -> dict[str, float] | None:
    if not documents_of:
        return None
    counts = np.array([[documents_of.get(tag, 0) for tag in predictions.tags]], float)
    first = rank(counts, k)[0]
    hits = np.zeros((len(predictions.y_true), k), bool)
    hits[:, : len(first)] = predictions.y_true[:, first]
    return by_k_text(precision(hits).mean(axis=0))


def _warn(evaluated: SetEvaluation, on_event: OnEvent) -> None:
    """What should not be overlooked."""
    if evaluated.samples and evaluated.examples < FEW:
        on_event(Notice(_few(evaluated), "warning"))
    if evaluated.trained_on:
        said = _(
            "The model was trained on {trained_on} of these {examples} examples: the scores are inflated.",
            trained_on=evaluated.trained_on,
            examples=evaluated.examples,
        )
        on_event(Notice(said, "warning"))


def _few(evaluated: SetEvaluation) -> str:
    low, high = evaluated.intervals["precision_at_k"]["1"]
    return _(
        "Only {examples} test samples: precision@1 lies anywhere between {low:.2f} and "
        "{high:.2f}. Extend them to at least {few}, with documents that are not in the database.",
        examples=evaluated.examples,
        low=low,
        high=high,
        few=FEW,
    )
