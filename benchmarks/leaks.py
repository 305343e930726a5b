"""Near-duplicates: how many planted leaks are found, how many alarms are false, what it costs, and against what.

    python benchmarks/leaks.py [--parts threshold planted scale alternatives] [--documents 170000]

threshold: for shingles of 1 to 5 words, how alike texts with a tenth of their words changed are, and real neighbours.
planted: 200 leaks among legal texts (40 each: exact, re-cased, re-spaced, re-accented, 10% of words changed), and
3,000 clean examples of the same kind. scale: 1,000 examples against all documents of the extraction benchmark, with 200
leaks planted, and held-out documents there, their near-duplicates counted by plain Python. alternatives: the same
planted set with datasketch and rensa, where they are installed. Wants the data that lie beside the checkout in shared/.
"""

import argparse
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path

import extraction
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from get_tags_train.core.arrow import with_first_row
from get_tags_train.core.csv import write_csv
from get_tags_train.data.near_duplicates import SIMILAR, Finder, find_near_duplicates, group_documents
from get_tags_train.data.prepared import PreparedData
from get_tags_train.splits.held_out import hold_out
from get_tags_train.splits.leaks import find_leaks
from get_tags_train.splits.test_samples import Samples
from get_tags_train.text.clean import clean_text, text_hash
from get_tags_train.text.shingles import CHARACTERS, shingle

DATA = extraction.SHARED / "data"
KINDS = ("exact", "re-cased", "re-spaced", "re-accented", "10% of words changed")
# What counts as truly near whatever the shingles say: so many of the words of both are the same in the same order.
TRULY_NEAR = 0.6


def read_set(name: str) -> list[str]:
    """The clean texts of a data set."""
    return [clean_text(text) for text in pq.read_table(DATA / name / "documents.parquet")["text"].to_pylist()]


def legal_documents(rng: random.Random) -> list[str]:
    """Consecutive paragraphs of legal acts as documents of 30 to 400 words, without the same text twice."""
    documents, paragraphs, wanted = [], list[str](), 0
    for line in (DATA / "legal_text_ro" / "text.txt").read_text(encoding="utf-8").splitlines():
        paragraphs.append(line)
        if sum(len(one.split()) for one in paragraphs) >= wanted:
            documents.append(clean_text("\n".join(paragraphs)))
            paragraphs, wanted = [], int(min(400, max(30, rng.lognormvariate(4.7, 0.7))))
    return list({text_hash(text): text for text in documents}.values())


def altered(text: str, kind: str, vocabulary: Sequence[str], rng: random.Random) -> str:
    """The text as somebody may have written it into the test samples."""
    words = text.split()
    if kind == "re-cased":
        return rng.choice([str.upper, str.lower, str.title, str.swapcase])(text)
    if kind == "re-spaced":
        return "".join(word + rng.choice(["  ", "\n", "\t", "\u00a0", " \n\n "]) for word in words)
    if kind == "re-accented":
        if rng.random() < 0.5:
            return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
        return "".join(c + rng.choice(["", "\u0301", "\u0302", "\u0306"]) if c in "aeiou" else c for c in text)
    if kind == "10% of words changed":
        for place in rng.sample(range(len(words)), max(1, round(len(words) / 10))):
            words[place] = rng.choice(vocabulary)
        return " ".join(words)
    return text


def plant(texts: Sequence[str], vocabulary: Sequence[str], rng: random.Random) -> list[tuple[int, str, str]]:
    """40 leaks of each kind: (place of the text, kind, what is planted)."""
    places = iter(rng.sample([n for n, text in enumerate(texts) if len(text.split()) >= 10], 40 * len(KINDS)))
    return [
        (n, kind, altered(texts[n], kind, vocabulary, rng))
        for kind in KINDS
        for _, n in zip(range(40), places, strict=False)
    ]


class Texts:
    """Texts as prepared data, as far as looking for leaks needs it."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    def batches(self) -> Iterator[pa.RecordBatch]:
        """500 at a time."""
        for start in range(0, len(self.texts), 500):
            rows = self.texts[start : start + 500]
            ids = pa.array(range(start, start + len(rows)))
            yield pa.record_batch(
                [ids, pa.array(rows), pa.array([text_hash(t) for t in rows])], names=["id", "text", "text_hash"]
            )

    def numbered_batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """500 at a time, each with the row of its first text."""
        return with_first_row(self.batches())


def read_samples(texts: Sequence[str]) -> Samples:
    """The texts through a file of test samples, as people's come."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.csv"
        write_csv(path, [("text", "labels"), *((text, "a") for text in texts)])
        return Samples.read(path)


def report_planted(name: str, documents: Sequence[str], data: object, clean: Sequence[str], seed: int) -> None:
    """Plant leaks of these documents, look for them, and count alarms on the clean examples."""
    rng = random.Random(seed)
    planted = plant(documents, " ".join(rng.sample(list(clean), 500)).split(), rng)
    samples = read_samples([*(text for _, _, text in planted), *clean])
    found = defaultdict(set)
    for leak in find_leaks(samples, data):  # type: ignore[arg-type]
        found[leak.document_id].add(leak.example)
    # An example may be most like another document than the one it was made of; the one it was made of must be found.
    of_kind = Counter(kind for n, (place, kind, _) in enumerate(planted) if place in found)
    print(f"{name}: {len(documents):,} documents; found " + ", ".join(f"{kind} {of_kind[kind]}/40" for kind in KINDS))
    judge(
        name,
        clean,
        {e - len(planted): d for d, examples in found.items() for e in examples if e >= len(planted)},
        documents,
    )


def judge(name: str, clean: Sequence[str], alarms: dict[int, int], documents: Sequence[str]) -> None:
    """Say how many alarms on clean examples there are, and how many of these are no near-duplicates by their words."""
    ratios = {e: words_in_common(clean[e], documents[d]) for e, d in alarms.items()}
    false = {e: ratio for e, ratio in ratios.items() if ratio < TRULY_NEAR}
    print(
        f"{name}: {len(alarms)} alarms among {len(clean):,} clean examples, {len(false)} of them false "
        f"(less than {TRULY_NEAR:.0%} of the words in common, in order: {sorted(round(r, 2) for r in false.values())})"
    )


def words_in_common(one: str, other: str) -> float:
    """The share of the words of both that are the same in the same order."""
    sides = [fold(text[:CHARACTERS]) for text in (one, other)]
    return SequenceMatcher(None, *sides, autojunk=False).ratio()


def fold(text: str) -> list[str]:
    """The words in lower case, without accents and punctuation, by the standard library alone."""
    return re.findall(r"[^\W_]+", re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFD", text.casefold())))


def word_shingles(text: str, width: int) -> set[str]:
    """Runs of so many words, in plain Python; shorter ones at the end."""
    words = fold(text[:CHARACTERS])
    return {" ".join(words[n : n + width]) for n in range(len(words))}


def similar_pairs(
    some: Sequence[set[str]], others: Iterable[set[str]], lowest: float
) -> Iterator[tuple[int, int, float]]:
    """(place in some, place in others, Jaccard) of all pairs at least so similar, counted shingle by shingle."""
    places = defaultdict(list)
    for n, own in enumerate(some):
        for one in own:
            places[one].append(n)
    for m, own in enumerate(others):
        for n, common in Counter(n for one in own for n in places.get(one, ())).items():
            similarity = common / (len(some[n]) + len(own) - common)
            if similarity >= lowest:
                yield n, m, similarity


def run_threshold(_: argparse.Namespace) -> None:
    """The table that the number of words in a shingle and the threshold were chosen from."""
    for name in ("law_articles_ro", "law_sections_ro", "reuters21578_modapte_en", "redv2_emotions_ro"):
        rng = random.Random(1)
        texts = read_set(name)
        vocabulary = " ".join(rng.sample(texts, 500)).split()
        changed = [altered(text, "10% of words changed", vocabulary, rng) for text in texts]
        for width in range(1, 6):
            own = [word_shingles(text, width) for text in texts]
            alike = np.array(
                [
                    len(a & b) / max(len(a | b), 1)
                    for a, b in zip(own, (word_shingles(t, width) for t in changed), strict=True)
                ]
            )
            pairs = np.array([s for n, m, s in similar_pairs(own, own, 0.3) if n < m])
            print(
                f"{name}, {width} words: "
                + ", ".join(
                    f"{t}: {(alike >= t).mean():.1%} found, {(pairs >= t).sum()} pairs" for t in (0.4, 0.5, 0.6, 0.7)
                ),
                flush=True,
            )


def other_acts() -> tuple[list[str], list[str]]:
    """Documents of some acts (procurement), and 3,000 clean examples of others (construction, and four codes)."""
    rng = random.Random(2)
    texts = legal_documents(rng)
    others = [*texts[len(texts) * 3 // 4 :], *read_set("law_articles_ro"), *read_set("law_sections_ro")]
    return texts[: len(texts) * 6 // 10], rng.sample(others, 3000)


def same_acts() -> tuple[list[str], list[str]]:
    """Documents and 3,000 clean examples of the same acts and codes, split at random: many are nearly equal."""
    rng = random.Random(2)
    texts = [*legal_documents(rng), *read_set("law_articles_ro")]
    rng.shuffle(texts)
    return texts[3000:], texts[:3000]


def run_planted(_: argparse.Namespace) -> None:
    """200 leaks and 3,000 clean examples among legal texts."""
    for name, (documents, clean) in (("other acts", other_acts()), ("same acts", same_acts())):
        report_planted(name, documents, Texts(documents), clean, seed=3)


def scale_data(args: argparse.Namespace) -> PreparedData:
    """The documents of the extraction benchmark, prepared once."""
    made: Path = args.folder / str(args.documents)
    made.mkdir(parents=True, exist_ok=True)
    scale = extraction.make(made / "scale.db", lambda path: extraction.load_scale(f"sqlite:///{path}", args.documents))
    extraction.make(made / "bert", extraction.make_base_model)
    home = extraction.make_home(made, "leaks", f"sqlite:///{scale}")
    folder = home / "_cache" / "_data" / "tags_v1"
    if not folder.exists():
        command = [sys.executable, "-P", "-m", "get_tags_train", "extract", "--yes", "--json", "--home", str(home)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return PreparedData(folder)


def run_scale(args: argparse.Namespace) -> None:
    """Time and memory at full size, planted leaks there, and held-out documents against training."""
    data = scale_data(args)
    clean = [*read_set("law_articles_ro"), *read_set("law_sections_ro")]
    examples = shingle(random.Random(4).sample(clean, 1000))
    own = shingle([text for _, text in zip(range(1000), all_texts(data), strict=False)])
    for said, few in (("1,000 articles of law", examples), ("1,000 of the documents themselves", own)):
        timed(f"{said} against {args.documents:,}", args.runs, lambda few=few: find_near_duplicates(few, data))
    timed(f"groups of {args.documents:,}", args.runs, lambda: group_documents(data))
    few, whole = (most_memory(lambda data=part: group_documents(data)) for part in (Beginning(data, 20_000), data))
    growth = (whole - few) / (args.documents - 20_000)
    print(f"grouping: at most {whole / 1e6:.0f} MB of arrays, {growth:.0f} bytes for each further document")
    nobody = np.zeros(args.documents, bool)
    with tempfile.TemporaryDirectory() as home:
        timed("choosing what is held out, the first time", 1, lambda: hold_out(Path(home), data, 0.02, nobody))
        timed("finding it again", 1, lambda: hold_out(Path(home), data, 0.02, nobody))
        held = hold_out(Path(home), data, 0.02, nobody)
    kept = held.validation | held.test
    print(
        f"held out: {held.validation.sum()} + {held.test.sum()}, {held.near_duplicates.sum()} near-duplicates left out"
    )
    if args.check:
        some = [word_shingles(text, 2) for text in texts_at(data, kept)]
        in_training = sum(
            1 for _ in similar_pairs(some, (word_shingles(t, 2) for t in texts_at(data, ~held.left_out)), SIMILAR)
        )
        print(f"near-duplicates between held-out and training documents, by plain Python: {in_training}", flush=True)
        report_planted("scale", list(all_texts(data)), data, clean, seed=5)


class Beginning:
    """The first documents of prepared data."""

    def __init__(self, data: PreparedData, count: int) -> None:
        self._data = data
        self.manifest = replace(data.manifest, documents_kept=count)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches until there are enough documents."""
        left = self.manifest.documents_kept
        for batch in self._data.batches():
            yield batch[:left]
            left -= len(batch)
            if left <= 0:
                return

    def numbered_batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The same, each with the row of its first document."""
        return with_first_row(self.batches())


def most_memory(job: Callable[[], object]) -> int:
    """Bytes of Python and numpy at their highest."""
    tracemalloc.start()
    job()
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return highest


def run_real(_: argparse.Namespace) -> None:
    """What is held out of real articles and news, and their near-duplicates in training."""
    from contextlib import suppress

    for name in ("law_articles_ro", "reuters21578_modapte_en"):
        texts = list({text_hash(text): text for text in read_set(name)}.values())
        data = Texts(texts)
        data.manifest = type("Manifest", (), {"documents_kept": len(texts)})  # type: ignore[attr-defined]
        data.name = name  # type: ignore[attr-defined]
        with tempfile.TemporaryDirectory() as home, suppress(FileNotFoundError):
            held = hold_out(Path(home), data, 0.1, np.zeros(len(texts), bool))  # type: ignore[arg-type]
        kept = held.validation | held.test
        sets = [word_shingles(text, 2) for text in texts]
        some, others = ([sets[n] for n in np.flatnonzero(mask)] for mask in (kept, ~held.left_out))
        at_random = np.zeros(len(texts), bool)
        at_random[np.random.default_rng(0).choice(len(texts), int(kept.sum()), replace=False)] = True
        plain = [[sets[n] for n in np.flatnonzero(mask)] for mask in (at_random, ~at_random)]
        print(
            f"{name}: {kept.sum()} of {len(texts):,} held out, {held.near_duplicates.sum()} near-duplicates "
            f"left out; such pairs in training {len(list(similar_pairs(some, others, SIMILAR)))}, at random "
            f"{len({n for n, _, _ in similar_pairs(*plain, SIMILAR)})} documents would have one",
            flush=True,
        )


def run_alternatives(_: argparse.Namespace) -> None:
    """datasketch and rensa (128 orders, threshold 0.5, pairs of words) beside ours, on the legal texts."""
    documents, clean = other_acts()
    rng = random.Random(3)
    planted = plant(documents, " ".join(rng.sample(clean, 500)).split(), rng)
    examples = [clean_text(text) for text in [*(text for _, _, text in planted), *clean]]
    finders: dict[str, Callable[[list[str], list[str]], dict[int, set[int]]]] = {
        "ours": by_ours,
        "datasketch": by_datasketch,
        "rensa": by_rensa,
    }
    for name, find in finders.items():
        started = time.process_time()
        found = find(documents, examples)
        seconds = time.process_time() - started
        hits = Counter(kind for n, (place, kind, _) in enumerate(planted) if place in found.get(n, ()))
        print(
            f"{name}: {seconds:.1f} s of one processor for {len(documents):,} documents; "
            + ", ".join(f"{k} {hits[k]}/40" for k in KINDS)
        )
        alarms = {n - len(planted): min(found[n]) for n in found if n >= len(planted) and found[n]}
        judge(name, clean, alarms, documents)


def by_ours(documents: list[str], examples: list[str]) -> dict[int, set[int]]:
    """The documents that are like each example."""
    found = defaultdict(set)
    finder = Finder(shingle(examples))
    for first, batch in Texts(documents).numbered_batches():
        here = finder.find(shingle(batch.column("text")))
        for document, example in zip(here.documents.tolist(), here.examples.tolist(), strict=True):
            found[example].add(first + document)
    return found


def by_datasketch(documents: list[str], examples: list[str]) -> dict[int, set[int]]:
    """The same with datasketch, on folded text."""
    from datasketch import MinHash, MinHashLSH

    def sketch(text: str) -> "MinHash":
        made = MinHash(num_perm=128)
        made.update_batch([one.encode() for one in word_shingles(text, 2)])
        return made

    index = MinHashLSH(threshold=0.5, num_perm=128)
    sketches = [sketch(text) for text in examples]
    for n, one in enumerate(sketches):
        index.insert(n, one)
    found = defaultdict(set)
    for d, text in enumerate(documents):
        own = sketch(text)
        for n in index.query(own):
            if own.jaccard(sketches[n]) >= SIMILAR:
                found[n].add(d)
    return found


def by_rensa(documents: list[str], examples: list[str]) -> dict[int, set[int]]:
    """The same with rensa, on folded text."""
    from rensa import RMinHash, RMinHashLSH

    def sketch(text: str) -> "RMinHash":
        made = RMinHash(num_perm=128, seed=1)
        made.update(list(word_shingles(text, 2)))
        return made

    index = RMinHashLSH(threshold=0.5, num_perm=128, num_bands=64)
    sketches = [sketch(text) for text in examples]
    for n, one in enumerate(sketches):
        index.insert(n, one)
    found = defaultdict(set)
    for d, text in enumerate(documents):
        own = sketch(text)
        for n in index.query(own):
            if own.jaccard(sketches[n]) >= SIMILAR:
                found[n].add(d)
    return found


def all_texts(data: PreparedData) -> Iterator[str]:
    """The texts of all documents, a batch at a time."""
    for batch in data.batches():
        yield from batch.column("text").to_pylist()


def texts_at(data: PreparedData, wanted: np.ndarray) -> Iterator[str]:
    """The texts of these documents."""
    return (text for text, is_wanted in zip(all_texts(data), wanted.tolist(), strict=True) if is_wanted)


def timed(said: str, runs: int, job: Callable[[], object]) -> None:
    """Print the median of the seconds that a job takes, and of the processor's."""
    seconds, processor = [], []
    for _ in range(runs):
        started, spent = time.perf_counter(), time.process_time()
        job()
        seconds.append(time.perf_counter() - started)
        processor.append(time.process_time() - spent)
    print(
        f"{said}: {statistics.median(seconds):.1f} s, {statistics.median(processor):.1f} s of one processor", flush=True
    )


PARTS = {
    "threshold": run_threshold,
    "planted": run_planted,
    "real": run_real,
    "scale": run_scale,
    "alternatives": run_alternatives,
}


def main() -> None:
    """Run the parts in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--documents", type=int, default=170_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-check", dest="check", action="store_false", help="scale: only the timings")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "get-tags-benchmark")
    args = parser.parse_args()
    for part in args.parts:
        PARTS[part](args)


if __name__ == "__main__":
    main()
