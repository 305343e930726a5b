"""How often `get-tags drift` says the right thing: simulated months of real documents whose drift is known.

python benchmarks/drift.py FOLDER planted [--months 200] [--models 10] [--kinds none new ...] [--top-k 5] [--seed 1]
python benchmarks/drift.py FOLDER time [--months 200] ...

FOLDER has documents.parquet (doc_id, text, tags). The models are ridge regressions over TF-IDF of words, calibrated on
validation documents: hundreds of them are fitted in minutes. What is tested is the decision, not the model.

planted: documents in an order by chance, so that nothing drifts of itself. A month is drawn from documents that the
model never saw. Nothing to retrain for: as they are (none); with documents of a tenth of the tags five times as likely
(shift); cut to their first 20 words, which is harder (cut). To retrain for: with a tag that was taken off all the
model's documents (new); with a tag that becomes two new ones (split); with a frequent tag that becomes another one,
which the model knows (moved).
time: documents in the order of their ids. The model is of some thousand neighbouring ones, a month is what follows.

What a retraining gains is measured too: by how much precision@k rises on documents of afterwards, which neither model
saw, where the newer documents are trained on as well.
"""

import argparse
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.special import expit
from sklearn.feature_extraction.text import TfidfVectorizer

from get_tags_train.data.near_duplicates import Finder
from get_tags_train.metrics.calibration import Calibration, fit_calibration
from get_tags_train.review.drift_advice import LOSS_FROM, Evidence, decide
from get_tags_train.review.drift_statistics import (
    Answers,
    TagCounts,
    loss,
    new_tags,
    precision_difference,
    wrong_tags,
)
from get_tags_train.text.clean import clean_text
from get_tags_train.text.shingles import shingle

RIGHT = dict.fromkeys(("none", "shift", "cut"), "wait") | dict.fromkeys(("new", "split", "moved"), "retrain")
SIZES = (100, 200, 300, 500, 1000, 2000, 3000)
CUT_TO_WORDS = 20
RIDGES = (0.1, 0.3, 1.0)
_AT_ONCE = 500
Rows = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Corpus:
    """Documents by their places in `similarity`, (all, all), and their tags."""

    similarity: Floats
    rows: Rows
    labels: list[list[str]]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: Rows) -> "Corpus":
        return Corpus(self.similarity, self.rows[chosen], [self.labels[n] for n in chosen])

    def tagged(self) -> "Corpus":
        return self.take(np.array([n for n, own in enumerate(self.labels) if own], np.int64))

    def with_labels(self, labels: list[list[str]]) -> "Corpus":
        return replace(self, labels=labels)

    def __add__(self, other: "Corpus") -> "Corpus":
        return Corpus(self.similarity, np.append(self.rows, other.rows), self.labels + other.labels)

    def y_true(self, tags: Sequence[str]) -> NDArray[np.bool_]:
        place = {tag: n for n, tag in enumerate(tags)}
        y_true = np.zeros((len(self), len(tags)), bool)
        for row, own in enumerate(self.labels):
            y_true[row, [place[tag] for tag in own if tag in place]] = True
        return y_true


@dataclass(frozen=True)
class Model:
    """A ridge regression in its dual form: weights of its documents, (documents, tags)."""

    rows: Rows
    weights: Floats
    biases: Floats
    calibration: Calibration
    tags: list[str]

    @classmethod
    def fit(cls, training: Corpus, validation: Corpus, ridge: float) -> "Model":
        training = training.tagged()
        tags = sorted({tag for own in training.labels for tag in own})
        wanted = 2 * training.y_true(tags).astype(np.float32) - 1
        biases = wanted.mean(axis=0)
        squared = training.similarity[np.ix_(training.rows, training.rows)]
        squared[np.diag_indices_from(squared)] += ridge
        weights = linalg.solve(squared, wanted - biases, assume_a="pos", overwrite_a=True, check_finite=False)
        uncalibrated = cls(training.rows, weights, biases, Calibration.unchanged(len(tags)), tags)
        fitted = fit_calibration(uncalibrated.margins(validation), validation.y_true(tags))
        return replace(uncalibrated, calibration=fitted)

    def margins(self, corpus: Corpus) -> Floats:
        return corpus.similarity[np.ix_(corpus.rows, self.rows)] @ self.weights + self.biases

    def answers(self, corpus: Corpus, k: int) -> Answers:
        scale, shift = self.calibration
        y_score = expit(scale * self.margins(corpus) + shift)
        return Answers.of(corpus.y_true(self.tags), y_score, k, np.arange(len(corpus)))


@dataclass(frozen=True)
class Month:
    """A simulated check: what was said, and what a retraining gains, as a share of precision@k."""

    kind: str
    drawn: int
    advice: str
    reasons: tuple[str, ...]
    raw_is_lower: bool
    gain: float


@dataclass(frozen=True)
class Checked:
    """A model, how it does on held-out documents, and the tags of all documents that it comes from."""

    model: Model
    before: Answers
    counts: TagCounts

    @classmethod
    def of(cls, model: Model, parts: Sequence[Corpus], k: int) -> "Checked":
        """parts: training, validation, reference."""
        counts = Counter(tag for part in parts for own in part.labels for tag in own)
        return cls(model, model.answers(parts[2].tagged(), k), TagCounts(counts, sum(map(len, parts))))

    def month(self, now: Answers, labels: list[list[str]], *, kind: str, drawn: int, gain: float) -> Month:
        """One run of the decision, on documents that have tags."""
        lost, precision = loss(now, self.before), precision_difference(now, self.before)
        decision = decide(
            Evidence(
                documents=len(labels),
                held_out=len(self.before),
                precision=precision,
                lost=lost,
                new_tags=new_tags(labels, now.groups, self.model.tags, self.counts),
                wrong_tags=wrong_tags(now, self.before, self.model.tags),
            )
        )
        return Month(
            kind=kind,
            drawn=drawn,
            advice=decision.advice,
            reasons=tuple(decision.reasons),
            raw_is_lower=precision.high < 0 and -precision.value >= LOSS_FROM * precision.reference,
            gain=gain,
        )


def gain_of(live: Model, training: Corpus, validation: Corpus, newer: Corpus, future: Corpus, setup: "Setup") -> float:
    """What a model that is trained on the newer documents too gains on future ones, over the live one's precision."""
    future = future.tagged()
    old = live.answers(future, setup.k).precision.mean()
    new = Model.fit(training + newer, validation, setup.ridge).answers(future, setup.k).precision.mean()
    return float((new - old) / old)


@dataclass(frozen=True)
class Setup:
    """The k of precision@k, and how strongly weights are pulled to zero."""

    k: int
    ridge: float


def read_corpus(folder: Path, most: int, *, has_cut: bool) -> Corpus:
    """The first documents of a set in the order of their ids, with tags, without near-duplicates.

    With has_cut, `similarity` has the first words of the n documents too, as n to 2 n.
    """
    table = pq.read_table(folder / "documents.parquet").sort_by("doc_id").to_pydict()
    texts, labels = [clean_text(text) for text in table["text"][:most]], [list(own) for own in table["tags"][:most]]
    kept = [n for n in originals(texts) if labels[n]]
    vectors = TfidfVectorizer(min_df=2, max_df=0.1, sublinear_tf=True, dtype=np.float32)
    features = vectors.fit_transform([texts[n] for n in kept])
    if has_cut:
        cut = vectors.transform([" ".join(texts[n].split()[:CUT_TO_WORDS]) for n in kept])
        features = sparse.vstack([features, cut], format="csr")
    similarity = np.empty((features.shape[0], features.shape[0]), np.float32)
    for first in range(0, len(similarity), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        similarity[some] = (features[some] @ features.T).toarray()
    return Corpus(similarity, np.arange(len(kept)), [labels[n] for n in kept])


def originals(texts: Sequence[str]) -> list[int]:
    """The first of each group of near-duplicates, which the product keeps out of both sides of the comparison."""
    groups = np.arange(len(texts))
    finder = Finder(shingle(texts))
    for first in range(0, len(texts), _AT_ONCE):
        found = finder.find(shingle(texts[first : first + _AT_ONCE]))
        for document, example in zip(found.documents + first, found.examples, strict=True):
            groups[max(document, example)] = min(groups[document], groups[example])
    return np.flatnonzero(groups == np.arange(len(texts))).tolist()


def planted(corpus: Corpus, kinds: Sequence[str], *, models: int, months: int, k: int, seed: int) -> list[Month]:
    """Months with planted drift, and without; so many of each kind and size."""
    done: list[Month] = []
    for number in range(models):
        generator = np.random.default_rng([seed, number])
        order = generator.permutation(len(corpus))
        cuts = (np.array([0.35, 0.4, 0.6]) * len(corpus)).astype(int)
        parts = [corpus.take(rows) for rows in np.split(order, cuts)]
        parts[2] = parts[2].take(np.arange(min(1000, len(parts[2]))))
        for kind in kinds:
            setup = Setup(k, float(generator.choice(RIDGES)))
            done += planted_months(parts, kind, months // models, setup, generator)
            show_progress(done)
    return done


def planted_months(
    parts: Sequence[Corpus], kind: str, count: int, setup: Setup, generator: np.random.Generator
) -> list[Month]:
    """parts: training, validation, reference, and what months are drawn of."""
    training, validation, reference, pool = parts
    tag = a_tag(training, generator, (0.08, 0.4) if kind == "moved" else (0.03, 0.15))
    weights = np.ones(len(pool))
    if kind == "new":
        training, validation, reference = (
            part.with_labels([[t for t in own if t != tag] for own in part.labels]).tagged() for part in parts[:3]
        )
    if kind == "split":
        pool = pool.with_labels([split(own, tag, int(row)) for own, row in zip(pool.labels, pool.rows, strict=True)])
    if kind == "moved":
        others = sorted({t for own in training.labels for t in own} - {tag})
        instead = str(generator.choice(others))
        pool = pool.with_labels([sorted({instead if t == tag else t for t in own}) for own in pool.labels])
    if kind == "shift":
        tags = sorted({t for own in training.labels for t in own})
        more = set(generator.choice(tags, max(len(tags) // 10, 1), replace=False).tolist())
        weights[[not more.isdisjoint(own) for own in pool.labels]] = 5.0
    if kind == "cut":
        pool = replace(pool, rows=pool.rows + len(pool.similarity) // 2)
    live = Model.fit(training, validation, setup.ridge)
    checked = Checked.of(live, (training, validation, reference), setup.k)
    drawn = generator.choice(len(pool), len(pool) // 2, replace=False, p=weights / weights.sum())
    rest = np.setdiff1d(np.arange(len(pool)), drawn)
    future = generator.choice(rest, min(len(rest), 1500), p=weights[rest] / weights[rest].sum())
    gain = gain_of(live, training, validation, pool.take(drawn[:1000]), pool.take(future), setup)
    answers = live.answers(pool, setup.k)
    found = []
    for size in (size for size in SIZES if size <= len(pool) // 2):
        for _ in range(count):
            rows = generator.choice(len(pool), size, replace=False, p=weights / weights.sum())
            now, labels = Answers(*(values[rows] for values in answers)), [pool.labels[row] for row in rows]
            found.append(checked.month(now, labels, kind=kind, drawn=size, gain=gain))
    return found


def a_tag(corpus: Corpus, generator: np.random.Generator, shares: tuple[float, float]) -> str:
    """A tag on such a share of the documents, by chance."""
    low, high = shares
    counts = Counter(tag for own in corpus.labels for tag in own)
    fit = sorted(tag for tag, count in counts.items() if low <= count / len(corpus) <= high)
    return str(generator.choice(fit))


def split(own: list[str], tag: str, row: int) -> list[str]:
    """One of two new tags for the old one, half of the documents each."""
    half = hashlib.blake2b(str(row).encode(), digest_size=1).digest()[0] % 2
    return [f"{tag} {half + 1}" if t == tag else t for t in own]


def in_time(corpus: Corpus, *, months: int, k: int, seed: int) -> list[Month]:
    """Months that follow the model's documents, as they came; each is what came since."""
    done: list[Month] = []
    size, step, ahead = len(corpus) // 5, len(corpus) // 20, len(corpus) // 13
    starts = range(0, len(corpus) - size - SIZES[1] - ahead, step)
    number = 0
    while len(done) < months:
        generator = np.random.default_rng([seed, number])
        number += 1
        setup = Setup(k, RIDGES[number % len(RIDGES)])
        for start in starts:
            rows = generator.permutation(np.arange(start, start + size))
            cuts = (np.array([0.7, 0.77]) * size).astype(int)
            training, validation, reference = (corpus.take(np.sort(part)) for part in np.split(rows, cuts))
            live = Model.fit(training, validation, setup.ridge)
            checked = Checked.of(live, (training, validation, reference), k)
            for newer in (200, 500, 1000, 2000):
                end = start + size + newer
                if end + ahead > len(corpus) or len(done) >= months:
                    continue
                month = corpus.take(np.arange(start + size, end))
                future = corpus.take(np.arange(end, end + ahead))
                gain = gain_of(live, training, validation, month, future, setup)
                answers = live.answers(month, k)
                done.append(checked.month(answers, month.labels, kind="time", drawn=newer, gain=gain))
            show_progress(done)
    return done


def show_progress(done: Sequence[Month]) -> None:
    """The last month, so that a long run can be watched."""
    month = done[-1]
    print(len(done), month.kind, month.drawn, month.advice, *month.reasons, f"{month.gain:+.1%}", flush=True)


def tell(months: Sequence[Month]) -> None:
    """What was said, by kind and size and by what a retraining gains, as tables."""
    print("\n| newer documents | planted | months | retrain | wait | not enough | precision@k alone: lower | gain |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for size in sorted({month.drawn for month in months}):
        of_size = [month for month in months if month.drawn == size]
        for kind in dict.fromkeys(month.kind for month in of_size):
            tell_row(f"{size} | {kind}", [month for month in of_size if month.kind == kind])
        known = [month for month in of_size if month.kind in RIGHT]
        right, unsaid = sum(m.advice == RIGHT[m.kind] for m in known), sum(m.advice == "not enough" for m in known)
        if known:
            wrong = len(known) - right - unsaid
            print(f"| {size} | right {right / len(known):.1%}, wrong {wrong / len(known):.1%} | | | | | |")
    print("\n| gain of a retraining | months | retrain | wait | not enough |\n| --- | --- | --- | --- | --- |")
    for low, high in ((-1.0, 0.0), (0.0, 0.02), (0.02, 0.05), (0.05, 0.1), (0.1, 9.0)):
        some = [month for month in months if low <= month.gain < high]
        said = Counter(month.advice for month in some)
        print(f"| {low:.0%} to {high:.0%} | {len(some)} | {said['retrain']} | {said['wait']} | {said['not enough']} |")
    print(f"\nreasons: {Counter((month.kind, *month.reasons) for month in months)}")


def tell_row(name: str, months: Sequence[Month]) -> None:
    """One row of the first table."""
    said = Counter(month.advice for month in months)
    lower, gain = (np.mean([getattr(month, key) for month in months]) for key in ("raw_is_lower", "gain"))
    cells = [name, len(months), said["retrain"], said["wait"], said["not enough"]]
    print(f"| {' | '.join(map(str, cells))} | {lower:.0%} | {gain:+.1%} |")


def main() -> None:
    """Simulate and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("order", choices=("planted", "time"))
    parser.add_argument("--months", type=int, default=200, help="of each kind and size; in time, in all")
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--kinds", nargs="+", choices=RIGHT, default=list(RIGHT))
    parser.add_argument("--top-k", type=int, default=5)
    parser.add_argument("--most", type=int, default=12_000, help="documents of the set")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    has_cut = args.order == "planted" and "cut" in args.kinds
    corpus = read_corpus(args.folder, args.most, has_cut=has_cut)
    if args.order == "planted":
        tell(planted(corpus, args.kinds, models=args.models, months=args.months, k=args.top_k, seed=args.seed))
    else:
        tell(in_time(corpus, months=args.months, k=args.top_k, seed=args.seed))


if __name__ == "__main__":
    main()
