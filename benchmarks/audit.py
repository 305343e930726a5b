"""The audit on planted errors, beside sorting by score and cleanlab; and at the size of 170,000 documents.

    python benchmarks/audit.py SET [--kind random|confusion] [--limit N] [--seeds 0 1 2]
    python benchmarks/audit.py example [--limit 3000] [--seeds 0 1 2]
    python benchmarks/audit.py synthetic [--documents 170000] [--tags 5000]

SET is one of ../shared/data. 2% of its tags become errors, half of them removed, half added: at random, or by
confusion, where a tag is swapped for its nearest neighbour (the cosine of their documents' mean features). No document
loses its last tag but by a swap: those without any are not in the data. Which tags of the sets were wrong before is not
known; whatever is found of these counts as a miss. cleanlab, where it is installed, gets the same probabilities.

"example" draws documents as the built-in example has them, whose true tags are known: one in ten of those after the
first is forgotten, and 1% are added at random. Here every error counts, so what is foreseen can be checked.
"""

import argparse
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from get_tags_train.core.events import ignored
from get_tags_train.data.near_duplicates import group_texts
from get_tags_train.demo import corpus as demo_corpus
from get_tags_train.model.linear_fit import read_examples
from get_tags_train.review.error_probability import belongs, is_error
from get_tags_train.review.out_of_fold import Corpus, Evidence, collect, folds_of
from get_tags_train.review.yield_estimate import Shift, foresee
from get_tags_train.text.clean import clean_text
from get_tags_train.text.shingles import shingle
from get_tags_train.text.tags import normalise_tag

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PLANTED = 0.02
FIRST = (100, 500)
LISTED = (100, 200, 500)
Bools = NDArray[np.bool_]


def read(name: str, limit: int) -> Corpus:
    """A set, or some of its documents at random, near-duplicates in the same fold."""
    documents = pd.read_parquet(DATA / name / "documents.parquet")
    if limit and len(documents) > limit:
        documents = documents.sample(limit, random_state=0)
    texts = [clean_text(text) for text in documents["text"]]
    rows = [sorted({normalise_tag(tag) for tag in own}) for own in documents["tags"]]
    number = {tag: place for place, tag in enumerate(sorted({tag for own in rows for tag in own}))}
    labels = [np.array([number[tag] for tag in own]) for own in rows]
    tfidf, examples = read_examples([(texts, labels)], len(number), 1 << 26)
    folds = folds_of(group_texts(shingle(texts)), seed=0)
    return Corpus(tfidf, examples.features, examples.labels.tocsr().astype(np.float32), folds)


def draw_example(documents: int, seed: int) -> tuple[Corpus, Bools]:
    """Documents of the built-in example, and all errors in their tags: (documents, tags)."""
    generator, true = random.Random(f"audit {seed}"), list[list[str]]()
    draw_tags = demo_corpus._draw_tags

    def noted(rng: random.Random, words: int) -> list[str]:
        true.append(draw_tags(rng, words))
        return true[-1]

    demo_corpus._draw_tags = noted
    drawn = [demo_corpus.draw_document(generator) for _ in range(documents)]
    demo_corpus._draw_tags = draw_tags
    number = {tag: place for place, tag in enumerate(sorted({tag for own in true for tag in own}))}
    is_true, is_given = np.zeros((documents, len(number)), bool), np.zeros((documents, len(number)), bool)
    for row, (own, document) in enumerate(zip(true, drawn, strict=True)):
        is_true[row, [number[tag] for tag in own]] = True
        is_given[row, [number[tag] for tag in document.tags]] = True
    added = np.random.default_rng(seed).choice(np.flatnonzero(~is_true), round(is_given.sum() / 100), replace=False)
    is_given.flat[added] = True
    texts = [clean_text(f"{document.title or ''} {document.text}") for document in drawn]
    tfidf, examples = read_examples([(texts, [np.flatnonzero(row) for row in is_given])], len(number), 1 << 26)
    folds = folds_of(group_texts(shingle(texts)), seed=0)
    labels = examples.labels.tocsr().astype(np.float32)
    return Corpus(tfidf, examples.features, labels, folds), is_true != is_given


def plant(corpus: Corpus, kind: str, seed: int) -> tuple[Corpus, Bools]:
    """The same with errors, and which they are: (documents, tags)."""
    true = corpus.tags.toarray() > 0
    given, planted = true.copy(), np.zeros_like(true)
    generator, count = np.random.default_rng(seed), round(PLANTED * true.sum() / 2)
    pairs = generator.permutation(np.argwhere(true))
    if kind == "random":
        removed = added = 0
        for document, tag in pairs:
            if removed < count and given[document].sum() > 1:
                given[document, tag], planted[document, tag] = False, True
                removed += 1
        while added < count:
            document, tag = generator.integers(true.shape[0]), generator.integers(true.shape[1])
            if not true[document, tag] and not given[document, tag]:
                given[document, tag] = planted[document, tag] = True
                added += 1
    else:
        near = nearest_tags(corpus)
        for document, tag in pairs:
            fitting = [other for other in near[tag] if not true[document, other] and not given[document, other]]
            if fitting and planted.sum() < 2 * count:
                given[document, tag], given[document, fitting[0]] = False, True
                planted[document, tag] = planted[document, fitting[0]] = True
    return Corpus(corpus.tfidf, corpus.features, csr_matrix(given.astype(np.float32)), corpus.folds), planted


def nearest_tags(corpus: Corpus) -> NDArray[np.int64]:
    """(tags, tags) the others of each, nearest first."""
    means = (corpus.tags.T @ corpus.features).tocsr()
    lengths = np.maximum(np.sqrt(np.asarray(means.multiply(means).sum(axis=1)).ravel()), 1e-9)
    cosines = (means @ means.T).toarray() / lengths[:, None] / lengths[None]
    np.fill_diagonal(cosines, -1)
    return np.argsort(-cosines, axis=1)[:, :-1]


def found_among(order: NDArray[np.int64], is_planted: Bools) -> str:
    """Planted errors among the first 100 and 500."""
    return " | ".join(str(int(is_planted[order[:count]].sum())) for count in FIRST)


def simple_blend(evidence: Evidence, corpus: Corpus, seed: int) -> NDArray[np.float64]:
    """What the linear model and the nearest documents alone come to, calibrated by the other folds, as a start."""
    x = np.stack([evidence.linear, evidence.nearest], axis=1)
    fold, found = corpus.folds[evidence.document], np.zeros(len(evidence))
    for own in np.unique(fold):
        model = LogisticRegression(C=100).fit(
            x[fold != own], evidence.is_given[fold != own], sample_weight=evidence.weight[fold != own]
        )
        found[fold == own] = model.predict_proba(x[fold == own])[:, 1]
    return found


def by_cleanlab(evidence: Evidence, probabilities: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Pairs as cleanlab sorts them: the issues of each tag, by self-confidence, then all others by it."""
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class

    dense = np.full(shape, 1e-6)
    dense[evidence.document, evidence.tag] = probabilities
    given = [[] for _ in range(shape[0])]
    for document, tag in zip(evidence.document[evidence.is_given], evidence.tag[evidence.is_given], strict=True):
        given[document].append(int(tag))
    issues = find_multilabel_issues_per_class(given, dense, n_jobs=1)
    is_issue = np.asarray(issues)[evidence.document, evidence.tag]
    confidence = np.where(evidence.is_given, probabilities, 1 - probabilities)
    return np.lexsort((confidence, ~is_issue))


def measure(name: str, kind: str, limit: int, seed: int) -> None:
    """Print a row for each way to sort, and what was foreseen beside what was found."""
    if name == "example":
        corpus, planted = draw_example(limit or 3000, seed)
    else:
        corpus, planted = plant(read(name, limit), kind, seed)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        evidence, _near = collect(corpus, Path(folder), seed=seed, on_event=ignored)
    odds = belongs(evidence, corpus, seed=seed)
    probabilities, logits = expit(odds), is_error(odds, evidence)
    seconds = time.perf_counter() - started
    is_planted = planted[evidence.document, evidence.tag]
    shape = (corpus.tags.shape[0], corpus.tags.shape[1])
    print(f"\n{name}, {kind}, seed {seed}: {shape[0]} documents, {shape[1]} tags, {planted.sum()} planted,", end=" ")
    print(f"{is_planted.sum()} of them candidates; {seconds:.0f} s\n\n| way | first 100 | first 500 |\n|---|---|---|")
    blend = simple_blend(evidence, corpus, seed)
    ways = {
        "linear + nearest, sorted": np.argsort(-np.where(evidence.is_given, 1 - blend, blend), kind="stable"),
        "all evidence, sorted": np.argsort(
            -np.where(evidence.is_given, 1 - probabilities, probabilities), kind="stable"
        ),
        "audit": np.argsort(-logits, kind="stable"),
    }
    try:
        ways["cleanlab, linear + nearest"] = by_cleanlab(evidence, blend, shape)
        ways["cleanlab, all evidence"] = by_cleanlab(evidence, probabilities, shape)
    except ImportError:
        print("cleanlab is not installed", file=sys.stderr)
    for way, order in ways.items():
        print(f"| {way} | {found_among(order, is_planted)} |")
    for count in LISTED:
        own = ways["audit"][:count]
        chance = np.clip(expit(logits[own]), 1e-6, 1 - 1e-6)
        seen = foresee(chance, evidence.is_given[own], Shift(), Shift())
        print(
            f"foreseen among {count}: {seen.errors:.0f} ({seen.low:.0f} to {seen.high:.0f}), "
            f"planted {is_planted[own].sum()}",
            flush=True,
        )


def synthetic(documents: int, tags: int, words: int = 290, vocabulary: int = 400_000) -> None:
    """Print seconds and peak memory for documents whose words and tags follow Zipf's law; texts are not hashed."""
    generator = np.random.default_rng(0)
    columns = np.minimum(generator.zipf(1.12, documents * words) - 1, vocabulary - 1).astype(np.int32)
    columns += generator.integers(0, 8, len(columns), dtype=np.int32) * (columns > 50)
    ends = np.arange(0, len(columns) + 1, words)
    features = csr_matrix((np.ones(len(columns), np.float32), columns, ends), shape=(documents, vocabulary + 8))
    features.sum_duplicates()
    counts = np.bincount(features.indices, minlength=features.shape[1])
    features.data *= np.log(documents / (1 + counts)).astype(np.float32)[features.indices].clip(0.1)
    row = np.repeat(np.arange(documents), np.diff(features.indptr))
    features.data /= np.sqrt(np.bincount(row, features.data.astype(float) ** 2))[row].astype(np.float32)
    per_document = 5
    numbers = np.minimum(generator.zipf(1.4, documents * per_document) - 1, tags - 1)
    ends = np.arange(0, len(numbers) + 1, per_document)
    labels = csr_matrix((np.ones(len(numbers), np.float32), numbers, ends), shape=(documents, tags))
    labels.sum_duplicates()
    labels.data[:] = 1
    corpus = Corpus(None, features, labels, folds_of(np.arange(documents), seed=0))  # type: ignore[arg-type]
    print(f"{documents} x {tags}, {features.nnz / documents:.0f} features a document, made with {_peak()}", flush=True)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        evidence, _near = collect(
            corpus, Path(folder), seed=0, on_event=lambda event: print(event, _peak(), flush=True)
        )
    print(f"evidence: {time.perf_counter() - started:.0f} s, {len(evidence)} pairs, {_peak()}", flush=True)
    is_error(belongs(evidence, corpus, seed=0), evidence)
    print(f"all: {time.perf_counter() - started:.0f} s, {_peak()}")


def _peak() -> str:
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most"


def main() -> None:
    """Measure one set, or the synthetic one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--kind", choices=("random", "confusion"))
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--documents", type=int, default=170_000)
    parser.add_argument("--tags", type=int, default=5_000)
    args = parser.parse_args()
    if args.name == "synthetic":
        synthetic(args.documents, args.tags)
        return
    for seed in args.seeds:
        for kind in [args.kind] if args.kind else ["random", "confusion"][: 1 if args.name == "example" else 2]:
            measure(args.name, kind, args.limit, seed)


if __name__ == "__main__":
    main()
