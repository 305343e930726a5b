"""The linear baseline beside what scikit-learn gives by itself: TF-IDF + LinearSVC, and logistic regression, tuned.

python benchmarks/baseline.py SET [--train-limit N] [--test-limit N] [--only NAME ...] [--seed 1]
python benchmarks/baseline.py synthetic [--documents 170000] [--tags 5000]

SET is one of ../shared/data. All models read whole texts and train on the same documents; thresholds for F1 are fitted
on the set's validation documents, for all in the same way, and so is the C of the logistic regression. "synthetic"
draws documents of 480 features by Zipf's law and solves a few of the tags, for CPU seconds and memory.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent / "quality"))

from figures import Answers, Truth, measure
from scipy.sparse import csr_matrix, vstack
from sets import RealSet, read
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from get_tags_train.core.events import ignored
from get_tags_train.metrics.calibration import fit_calibration, tune_thresholds
from get_tags_train.model import linear_fit, squared_hinge
from get_tags_train.model.linear_fit import TextBatches, fit_linear
from get_tags_train.model.squared_hinge import Solver

METRICS = ("P@1", "P@3", "P@5", "R-precision", "micro F1 tuned", "macro F1 tuned")
TRIED_C = (10, 100, 1000)
Scores = NDArray[np.floating]


def ours(data: RealSet, rows: NDArray[np.int64], seed: int) -> tuple[Scores, str]:
    """The product's linear reader, which is its baseline."""
    parts = (_batches(data, data.train), _batches(data, data.selecting))
    found = fit_linear(*parts, len(data.tags), seed=seed, on_event=ignored).linear
    margins = found.margins(found.tfidf.features([data.texts[row] for row in rows]))
    return margins, f"{len(found.tfidf.hashes):,} features, {found.passes} passes"


def ours_in_few_passes(data: RealSet, rows: NDArray[np.int64], seed: int) -> tuple[Scores, str]:
    """The same in as few passes as it makes over 170,000 documents with 5,000 tags, without their similarities."""
    squared_hinge._WORK, squared_hinge._MOST_DENSE = 0, 0
    return ours(data, rows, seed)


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
    "baseline, few passes": ours_in_few_passes,
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


def synthetic(documents: int, tags: int, seed: int) -> None:
    """Print what the product's solver takes for a block of tags, and so for all, and what it finds of them."""
    generator = np.random.default_rng(seed)
    drawn, most = 0, linear_fit._MOST_COUNTS
    parts = []
    for first in range(0, documents, 1000):
        rows = min(1000, documents - first)
        words = np.unique(
            (np.arange(rows)[:, None] << 32) + np.minimum(generator.zipf(1.15, (rows, 900)), 1 << 21), axis=None
        )
        bounds = np.searchsorted(words >> 32, np.arange(rows + 1))
        values = np.full(len(words), 0.05, np.float32)
        parts.append(csr_matrix((values, (words & 0xFFFFFFFF).astype(np.int32), bounds), (rows, (1 << 21) + 1)))
        drawn += len(words)
        if drawn > most:
            break
    features = vstack(parts, format="csr")
    documents_of = np.bincount(features.indices, minlength=features.shape[1])
    features = features[:, np.sort(np.argsort(-documents_of)[: linear_fit._MOST_FEATURES])]
    print(f"{features.shape[0]:,} documents, {features.nnz:,} counts; memory {_peak_gib():.1f} GiB", flush=True)
    blocks = linear_fit._blocks(features.shape[1], tags)
    labels = generator.random((features.shape[0], blocks[0].stop)) < 5 / documents
    solver = Solver.of(features, tags)
    started = time.process_time()
    dual, _biases = solver.solve(labels, 1.0)
    weights = features.T @ dual
    seconds = time.process_time() - started
    print(
        f"{solver.passes} passes, {blocks[0].stop} tags: {seconds:.1f} CPU seconds; {tags:,} tags "
        f"{seconds * tags / blocks[0].stop:,.0f}; weights {weights.shape}; peak {_peak_gib():.1f} GiB",
        flush=True,
    )


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
    args = parser.parse_args()
    if args.name == "synthetic":
        synthetic(args.documents, args.tags, args.seed)
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
