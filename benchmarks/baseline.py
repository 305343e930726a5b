"""The linear baseline beside what scikit-learn gives by itself: TF-IDF + LinearSVC, and logistic regression, tuned.

python benchmarks/baseline.py SET [--train-limit N] [--test-limit N] [--only NAME ...] [--seed 1]
python benchmarks/baseline.py synthetic [--documents 170000] [--tags 5000] [--exact 32]

SET is one of ../shared/data. All models read whole texts and train on the same documents; thresholds for F1 are fitted
on the set's validation documents, for all in the same way, and so is the C of the logistic regression. "synthetic"
draws texts (many_tag_texts.py) and makes the whole second reader of them, for seconds, memory and the size of its file.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent / "quality"))

from figures import Answers, Truth, measure
from many_tag_texts import batches
from sets import RealSet, read
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.svm import LinearSVC

from get_tags_train.core.events import ignored
from get_tags_train.metrics.calibration import Calibration, fit_calibration, tune_thresholds
from get_tags_train.metrics.ranking import precision_at_k
from get_tags_train.model import linear_fit
from get_tags_train.model.linear_fit import FittedReader, TextBatches, fit_linear
from get_tags_train.model.second_reader import SecondReader
from get_tags_train.model.squared_hinge import similarities_of, solve
from get_tags_train.model.working_sets import WorkingSets
from get_tags_train.training.second_reader import Readers, blend, stored_name

METRICS = ("P@1", "P@3", "P@5", "R-precision", "micro F1 tuned", "macro F1 tuned")
TRIED_C = (10, 100, 1000)
VALIDATION = 1000
BERT_BYTES = 137_000_000  # of multilingual-e5-small without the pieces that no text here has
Scores = NDArray[np.floating]


def ours(data: RealSet, rows: NDArray[np.int64], seed: int) -> tuple[Scores, str]:
    """The product's linear reader, which is its baseline."""
    parts = (_batches(data, data.train), _batches(data, data.selecting))
    found = fit_linear(*parts, len(data.tags), seed=seed, on_event=ignored).linear
    margins = found.margins(found.tfidf.features([data.texts[row] for row in rows]))
    return margins, f"{len(found.tfidf.hashes):,} features"


def ours_by_working_sets(data: RealSet, rows: NDArray[np.int64], seed: int) -> tuple[Scores, str]:
    """The same with working sets, as for 170,000 documents with 5,000 tags."""
    most = linear_fit._MOST_WORK, linear_fit.MOST_DENSE
    linear_fit._MOST_WORK, linear_fit.MOST_DENSE = 0, 0
    try:
        return ours(data, rows, seed)
    finally:
        linear_fit._MOST_WORK, linear_fit.MOST_DENSE = most


def _batches(data: RealSet, rows: NDArray[np.int64]) -> TextBatches:
    yield [data.texts[row] for row in rows], [np.flatnonzero(data.labels[row]) for row in rows]


def linear_svc(data: RealSet, rows: NDArray[np.int64], seed: int) -> tuple[Scores, str]:
    """One LinearSVC a tag, as it comes."""
    return _one_vs_rest(data, rows, lambda: LinearSVC(random_state=seed)), "C 1"


def logistic(data: RealSet, rows: NDArray[np.int64], seed: int) -> tuple[Scores, str]:
    """One logistic regression a tag, with the C that has the best R-precision on the validation documents."""
    found = {c: _one_vs_rest(data, rows, lambda c=c: LogisticRegression(C=c, solver="liblinear")) for c in TRIED_C}
    validation = len(data.selecting)

    def quality(c: int) -> float:
        truth = _truth(data, data.selecting)
        scores = found[c][:validation].astype(np.float32)
        return float(
            measure(truth, Answers(scores, scores >= 0, scores >= 0), np.ones((1, validation)))["R-precision"][0]
        )

    best = max(TRIED_C, key=quality)
    return found[best], f"C {best}"


def _one_vs_rest(data: RealSet, rows: NDArray[np.int64], make: Callable[[], Any]) -> Scores:
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    features = words.fit_transform([data.texts[row] for row in data.train])
    others = words.transform([data.texts[row] for row in rows])
    scores = np.empty((len(rows), len(data.tags)))
    for tag, y in enumerate(data.labels[data.train].T):
        scores[:, tag] = 1.0 if y.all() else make().fit(features, y).decision_function(others)
    return scores


MODELS = {
    "baseline": ours,
    "baseline, working sets": ours_by_working_sets,
    "TF-IDF + LinearSVC": linear_svc,
    "TF-IDF + logistic regression, tuned": logistic,
}


def _truth(data: RealSet, rows: NDArray[np.int64]) -> Truth:
    unknown = data.unknown_tags if rows is data.test else 0
    return Truth(data.labels[rows], data.true_counts[rows], np.arange(len(rows)), data.counts, unknown)


def measured(data: RealSet, scores: Scores) -> dict[str, float]:
    """Rankings by the scores as they come, F1 by thresholds that the validation documents give."""
    validation, test = scores[: len(data.selecting)], scores[len(data.selecting) :]
    scale, shift = fit_calibration(validation, data.labels[data.selecting])
    thresholds = tune_thresholds(scale * validation + shift)
    predicted = scale * test + shift >= np.log(thresholds / (1 - thresholds))
    answers = Answers(test.astype(np.float32), test >= 0, predicted)
    found = measure(_truth(data, data.test), answers, np.ones((1, len(test))))
    return {name: float(found[name][0]) for name in METRICS}


def synthetic(documents: int, tags: int, exact_tags: int, seed: int) -> None:
    """Print what each part of the blend takes with many documents and tags, and how the linear reader ranks."""
    clock = _Clock()
    for _ in batches(documents, tags):
        pass
    clock.says("drawing the texts, which the next line does too")
    held_out = batches(VALIDATION, tags, first=10**7)
    fitted = fit_linear(batches(documents, tags), held_out, tags, seed=seed, on_event=ignored)
    features, labels = fitted.training
    counts = labels.getnnz(axis=0)
    clock.says(f"linear reader: {features.nnz:,} counts, {np.median(counts):.0f} documents of a tag in the median")
    names = [stored_name(number, f"Title of document {number}") for number in range(documents)]
    joined = np.frombuffer(b"".join(names), np.uint8), np.cumsum([len(name) for name in names])
    readers = Readers.within(BERT_BYTES, fitted, joined)
    clock.says("pruned, nearest documents")
    y_true = fitted.held_out.labels.toarray()
    noise = np.random.default_rng(seed).normal(-8, 2.5, y_true.shape).astype(np.float32)
    reader, record = blend(readers, noise + 9 * y_true, Calibration.unchanged(tags), top_k=5, seed=seed)
    clock.says(f"blend: {record.bert:.2f} BERT, {record.linear:.2f} linear, {record.nearest:.2f} nearest")
    with tempfile.TemporaryDirectory() as folder:
        reader.save(Path(folder))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        reader = SecondReader.load(Path(folder), tags)
    clock.says(f"written and loaded, {size / 1e6:.1f} MB")
    texts, numbers = next(batches(1000, tags, first=2 * 10**7))
    for at_once in (1, 32):
        started = time.process_time()
        for first in range(0, 320, at_once):
            reader.read(texts[first : first + at_once])
        print(f"reading {at_once} at once: {(time.process_time() - started) / 0.32:.1f} CPU ms a text", flush=True)
    y_true = _dense(numbers, tags)
    tagged = y_true.any(axis=1)
    for name, linear in (("linear reader", fitted.linear), ("as pruned in the file", reader.linear)):
        margins = linear.margins(linear.tfidf.features(texts))
        found = precision_at_k(y_true[tagged], margins[tagged], 5)
        print(f"{name}: precision@1, 3, 5: {found[0]:.4f} {found[2]:.4f} {found[4]:.4f}", flush=True)
    clock.says("scored")
    if exact_tags:
        _beside_exact(fitted, texts, y_true, exact_tags, seed)
        clock.says(f"{exact_tags} tags on all documents")


def _beside_exact(
    fitted: FittedReader, texts: list[str], y_true: NDArray[np.bool_], exact_tags: int, seed: int
) -> None:
    """Print average precision of some tags, over documents, by working sets and by a solution on all documents."""
    features, labels = fitted.training
    tags = np.sort(np.random.default_rng(seed).choice(labels.shape[1], exact_tags, replace=False))
    others = fitted.linear.tfidf.features(texts)
    weights, biases = WorkingSets.of(features).solve(labels[:, tags], 1.0)
    near = (others @ weights.T).toarray() + biases
    dual, biases = solve(similarities_of(features), labels[:, tags].toarray(), 1.0)
    exact = others @ (features.T @ dual) + biases
    has = y_true[:, tags].any(axis=0)
    for name, margins in (("working sets", near), ("all documents", exact)):
        scored = zip(tags[has], margins.T[has], strict=True)
        found = [average_precision_score(y_true[:, tag], own) for tag, own in scored]
        print(f"C 1, {name}: mean average precision of {has.sum()} tags {np.mean(found):.4f}", flush=True)
    print(f"margins apart by {np.sqrt(((near - exact) ** 2).mean()):.4f} (root mean square)", flush=True)


def _dense(numbers: list[NDArray[np.int64]], tags: int) -> NDArray[np.bool_]:
    dense = np.zeros((len(numbers), tags), bool)
    for row, own in zip(dense, numbers, strict=True):
        row[own] = True
    return dense


class _Clock:
    """Says how long each part took."""

    def __init__(self) -> None:
        self._started = time.process_time(), time.perf_counter()

    def says(self, what: str) -> None:
        """Print the seconds since the last time."""
        now = time.process_time(), time.perf_counter()
        cpu, wall = now[0] - self._started[0], now[1] - self._started[1]
        print(f"{cpu:7.1f} CPU s, {wall:7.1f} s, at most {_peak_gib():.2f} GiB so far: {what}", flush=True)
        self._started = now


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Print a table row for each model as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--train-limit", type=int, default=0)
    parser.add_argument("--test-limit", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--documents", type=int, default=170_000)
    parser.add_argument("--tags", type=int, default=5_000)
    parser.add_argument("--exact", type=int, default=0, help="tags that are also solved on all documents")
    args = parser.parse_args()
    if args.name == "synthetic":
        synthetic(args.documents, args.tags, args.exact, args.seed)
        return
    data = read(args.name, args.train_limit, args.test_limit)
    rows = np.concatenate([data.selecting, data.test])
    print(f"{args.name}: {len(data.train)} training documents, {len(data.test)} to test, {len(data.tags)} tags")
    for name in (name for name in MODELS if name in args.only):
        started = time.process_time()
        scores, note = MODELS[name](data, rows, args.seed)
        seconds = time.process_time() - started
        found = measured(data, scores)
        cells = " | ".join(f"{value:.4f}".lstrip("0") for value in found.values())
        print(f"| {name} | {cells} | {seconds:.0f} | {note} |", flush=True)


if __name__ == "__main__":
    main()
