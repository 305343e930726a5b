"""The audit on planted errors, beside sorting by score and cleanlab; and at the size of 170,000 documents.

    python benchmarks/audit.py SET... [--kind random|confusion] [--planted 0.02 ...] [--seeds 0 1 2] [--limit N]
    python benchmarks/audit.py example [--limit 3000] [--seeds 0 1 2]
    python benchmarks/audit.py SET --bert FOLDER [--epochs 10] [--context-length 128] [--kind confusion]
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
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit
from sqlalchemy import create_engine

from get_tags_train.cli.audit_bert import halves_by_bert
from get_tags_train.core.config import load_settings
from get_tags_train.core.events import ignored
from get_tags_train.data.extract import extract
from get_tags_train.data.near_duplicates import group_texts
from get_tags_train.data.prepared import PreparedData
from get_tags_train.demo import corpus as demo_corpus
from get_tags_train.model.linear_fit import read_examples
from get_tags_train.review.error_probability import belongs, is_error, rate_deviations
from get_tags_train.review.out_of_fold import BertLogits, Corpus, Evidence, collect, folds_of
from get_tags_train.review.yield_estimate import Foreseen, Shift, foresee
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
    return as_corpus(texts, labels, len(number))


def as_corpus(texts: list[str], labels: list[NDArray[np.int64]], tags: int) -> Corpus:
    """As an audit reads it."""
    tfidf, examples = read_examples([(texts, labels)], tags, 1 << 26)
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
    return as_corpus(texts, [np.flatnonzero(row) for row in is_given], len(number)), is_true != is_given


def plant(corpus: Corpus, kind: str, share: float, seed: int) -> tuple[Corpus, Bools]:
    """The same with errors, and which they are: (documents, tags)."""
    true = corpus.tags.toarray() > 0
    given, planted = true.copy(), np.zeros_like(true)
    generator, count = np.random.default_rng(seed), round(share * true.sum() / 2)
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


class Row(NamedTuple):
    """What one seed gave. found: of each way, among the first 100 and 500; foreseen: of the first 100, 200 and 500."""

    planted: int
    found: dict[str, list[int]]
    foreseen: list[Foreseen]
    among: list[int]


def measure(corpus: Corpus, planted: Bools, seed: int, bert: BertLogits | None = None) -> Row:
    """Audit a corpus whose errors are known."""
    with tempfile.TemporaryDirectory() as folder:
        evidence, _near = collect(corpus, Path(folder), seed=seed, on_event=ignored, bert=bert)
    odds = belongs(evidence, corpus, seed=seed)
    probabilities, logits = expit(odds), is_error(odds, evidence)
    is_planted = planted[evidence.document, evidence.tag]
    ways = {"sorted": np.argsort(-np.where(evidence.is_given, 1 - probabilities, probabilities), kind="stable")}
    try:
        ways["cleanlab"] = by_cleanlab(evidence, probabilities, planted.shape)
    except ImportError:
        print("cleanlab is not installed", file=sys.stderr)
    ways["audit"] = np.argsort(-logits, kind="stable")
    missing, wrong = (Shift(0.0, deviation) for deviation in rate_deviations(logits, evidence))
    foreseen, among = [], []
    for count in LISTED:
        own = ways["audit"][:count]
        chance = np.clip(expit(logits[own]), 1e-6, 1 - 1e-6)
        foreseen.append(foresee(chance, evidence.is_given[own], missing, wrong))
        among.append(int(is_planted[own].sum()))
    found = {way: [int(is_planted[order[:count]].sum()) for count in FIRST] for way, order in ways.items()}
    return Row(int(planted.sum()), found, foreseen, among)


def print_rows(name: str, rows: list[Row]) -> None:
    """A line of the table: means over the seeds."""
    found = [
        " / ".join(f"{np.mean([row.found[way][place] for row in rows]):.0f}" for place in range(len(FIRST)))
        for way in rows[0].found
    ]
    seen = [
        "{:.0f} ({:.0f} to {:.0f})".format(*np.mean([row.foreseen[place] for row in rows], axis=0)) for place in (0, 2)
    ]
    held = [f.low <= own <= f.high for row in rows for f, own in zip(row.foreseen, row.among, strict=True)]
    cells = [name, f"{np.mean([row.planted for row in rows]):.0f} ({len(rows)})", *found, *seen]
    print("|", " | ".join([*cells, f"{sum(held)} of {len(held)}"]), "|", flush=True)


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


def bert_logits(name: str, corpus: Corpus, base_model: str, epochs: int, context_length: int) -> BertLogits:
    """What the command's two trainings say of a whole set with these tags."""
    texts = pd.read_parquet(DATA / name / "documents.parquet")["text"]
    names = [f"{number:05d}" for number in range(corpus.tags.shape[1])]
    documents = pd.DataFrame({"id": np.arange(len(texts)), "text": texts})
    row, tag = corpus.tags.nonzero()
    pairs = pd.DataFrame({"id": row, "tag": [names[number] for number in tag]})
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        url = f"sqlite:///{home / 'set.db'}"
        engine = create_engine(url)
        documents.to_sql("documents", engine, index=False)
        pairs.to_sql("pairs", engine, index=False)
        engine.dispose()
        queries = {"documents_query": "SELECT id, text FROM documents", "tags_query": "SELECT id, tag FROM pairs"}
        training = {"base_model": base_model, "epochs": epochs, "context_length": context_length, "device": "cpu"}
        settings = load_settings(home, overrides={"database": {"url": url, **queries}, "training": training})
        data = PreparedData(Path(extract(settings, ignored).path))
        if data.manifest.documents_kept != len(texts) or data.tags != names:
            raise SystemExit(f"{name}: not all documents and tags came through the extraction")
        return halves_by_bert(settings, home, data, ignored)


def main() -> None:
    """Measure the sets, or the synthetic one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--kind", choices=("random", "confusion"))
    parser.add_argument("--planted", type=float, nargs="+", default=[PLANTED])
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--bert", metavar="BASE_MODEL", help="the same with two trainings of this model, too")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--context-length", type=int, default=128)
    parser.add_argument("--documents", type=int, default=170_000)
    parser.add_argument("--tags", type=int, default=5_000)
    args = parser.parse_args()
    if args.names == ["synthetic"]:
        synthetic(args.documents, args.tags)
        return
    ways = "sorted | cleanlab | audit" if find_spec("cleanlab") else "sorted | audit"
    print(f"| set, errors | planted (seeds) | {ways} | foreseen, first 100 | first 500 | within the interval |")
    print("|" + " --- |" * (ways.count("|") + 6))
    for name in args.names:
        if name == "example":
            print_rows(name, [measure(*draw_example(args.limit or 3000, seed), seed) for seed in args.seeds])
            continue
        corpus = read(name, args.limit)
        for share, kind in product(args.planted, [args.kind] if args.kind else ["random", "confusion"]):
            title, planted = f"{name}, {kind}, {share:.1%}", [plant(corpus, kind, share, seed) for seed in args.seeds]
            print_rows(title, [measure(*own, seed) for own, seed in zip(planted, args.seeds, strict=True)])
            if args.bert:
                berts = [bert_logits(name, own, args.bert, args.epochs, args.context_length) for own, _ in planted]
                rows = [measure(*own, seed, bert) for own, seed, bert in zip(planted, args.seeds, berts, strict=True)]
                print_rows(f"{title}, with BERT", rows)


if __name__ == "__main__":
    main()
