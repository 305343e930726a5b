"""How right the verdict of a judged sheet is: simulated judges of known error on models of known difference.

    python benchmarks/judge.py synthetic [--reviews 1000] [--documents 300] [--wanted 0.05] [--seed 1]
    python benchmarks/judge.py SET [--k 5]        for example law_articles_ro of ../shared/data

A world is many documents, on each the tags that only one of two models has among its first k, which of them are right,
and which of those the database has. A review draws documents from it and runs the product: the plan for --wanted, the
sheet, a judge who errs on a row with a known probability, the verdict. Of a SET the models are two ridge regressions on
words, one of which saw a third of the training documents; right is what the set says, and the database lacks 30% of
the right tags and has 3% of the wrong ones. In worlds without a difference the models of each document are swapped by
chance. A line for each error of the judge: how often the 95% interval held what this judge would have marked on all
documents, and the truth; how often the verdict was better or worse; rows of the sheet, and rows of judging all first
tags of as many documents as give the same error.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from get_tags_train.core.errors import InputError
from get_tags_train.review.judge_plan import draw, plan_for_difference, plan_for_rows
from get_tags_train.review.judge_pool import ComparedDocument, Document, Pool
from get_tags_train.review.judge_sheet import JudgedDocument, MarkedSheet, SheetKey, SheetRow
from get_tags_train.review.judge_verdict import judgement_of

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MISSING, WRONG = 0.3, 0.03
ERRORS = (0.0, 0.05, 0.15)
TAGS = [f"other {n}" for n in range(60)]
SIDES = ("a", "b")

Bools = NDArray[np.bool_]
Compared = list[tuple[ComparedDocument, ComparedDocument]]


@dataclass(frozen=True)
class World:
    """is_there, right, known: (documents, 2 models, k) the tags of one model alone, right ones, the database's."""

    is_there: Bools
    right: Bools
    known: Bools

    @property
    def differences(self) -> NDArray[np.float64]:
        """precision@k of the first model less that of the second: (documents,)."""
        right = (self.right & self.is_there).sum(axis=2)
        found: NDArray[np.float64] = (right[:, 0] - right[:, 1]) / self.right.shape[2]
        return found


def synthetic(difference: float, rng: np.random.Generator, documents: int = 20_000, k: int = 5) -> World:
    """Half of the documents differ, by one to five tags, right as often as a beta distribution says."""
    differs = rng.random(documents) < 0.5
    count = np.where(differs, 1 + np.minimum(rng.poisson(0.8, documents), k - 1), 0)
    shift = difference * k / count.mean() / 2
    shares = rng.beta(1.5, 2.5, documents)
    chances = np.clip(np.stack([shares + shift, shares - shift], axis=1), 0, 1)
    is_there = np.broadcast_to((np.arange(k) < count[:, None])[:, None], (documents, 2, k))
    right = rng.random(is_there.shape) < chances[:, :, None]
    return World(is_there, right, _database(right, rng))


def of_set(name: str, k: int, rng: np.random.Generator) -> World:
    """Two models of a real set, on its documents that do not train."""
    frame = pd.read_parquet(DATA / name / "documents.parquet")
    frame = frame.drop_duplicates("text").reset_index(drop=True)
    is_train = (frame["split"] == "train").to_numpy()
    tags = sorted({tag for row in frame["tags"][is_train] for tag in row})
    place = {tag: n for n, tag in enumerate(tags)}
    labels = np.zeros((len(frame), len(tags)), bool)
    for row, own in enumerate(frame["tags"]):
        labels[row, [place[tag] for tag in own if tag in place]] = True
    train, test = np.flatnonzero(is_train), np.flatnonzero(~is_train & labels.any(axis=1))
    features = TfidfVectorizer(sublinear_tf=True, min_df=2).fit(frame["text"][train]).transform(frame["text"])
    first = []
    for rows in (train, rng.permutation(train)[: len(train) // 3]):
        model = Ridge(solver="sparse_cg").fit(features[rows], labels[rows].astype(float))
        first.append(np.argsort(-model.predict(features[test]), axis=1)[:, :k])
    both = np.stack(first, axis=1)
    is_there = np.stack([~(both[:, n, :, None] == both[:, 1 - n, None, :]).any(axis=2) for n in (0, 1)], axis=1)
    right = labels[test[:, None, None], both]
    return World(is_there, right, _database(right, rng))


def _database(right: Bools, rng: np.random.Generator) -> Bools:
    chance = rng.random(right.shape)
    return np.where(right, chance >= MISSING, chance < WRONG)


def compared(world: World) -> Compared:
    """The documents of a world as the product knows them, and with the two models swapped.

    Both models and the database agree on one more tag.
    """
    found = []
    for n, (is_there, known) in enumerate(zip(world.is_there.tolist(), world.known.tolist(), strict=True)):
        names = [[f"{SIDES[side]} {tag}" for tag, own in enumerate(is_there[side]) if own] for side in (0, 1)]
        labels = [name for side in (0, 1) for name in names[side] if known[side][int(name[2:])]]
        document = Document(str(n), "", [*labels, "sure"])
        ends = (["sure"], frozenset(["sure"]))
        found.append((ComparedDocument(document, *names, *ends), ComparedDocument(document, *names[::-1], *ends)))
    return found


def review(
    world: World, pool: Pool, wanted: float, error: float, rng: np.random.Generator, judges: int
) -> dict[str, float]:
    """One review from the plan to the verdict; each of the judges errs by chance of their own."""
    try:
        plan = plan_for_difference(pool, wanted)
    except InputError:  # as an operator who then judges all there is
        plan = plan_for_rows(pool, 1 << 20)
    drawn, rows = draw(pool, plan, rng)
    known = pool.population.known
    key = SheetKey(
        sheet="s", created="", model="a", model_files={}, live="b", live_files={}, top_k=pool.top_k,
        documents=pool.documents, known=[*known[drawn].tolist(), *np.delete(known, drawn).tolist()],
        judged=[JudgedDocument(**pool.differing[place].document._asdict()) for place in drawn], rows=rows,
    )  # fmt: skip
    is_right = np.array([_is_right(world, int(key.judged[row.document].id), row) for row in rows])
    flips = rng.random((judges, len(rows))) < error
    marks = np.where(is_right != flips, "right", "wrong").tolist()
    record = judgement_of(key, [MarkedSheet(own, [""] * len(rows)) for own in marks])
    low, high = record.interval
    return {"low": low, "high": high, "better": record.verdict == "better", "worse": record.verdict == "worse",
            "rows": len(rows), "none": record.verdict == "no verdict", "judged": record.judged,
            "kappa": record.kappa if record.kappa is not None else np.nan}  # fmt: skip


def _is_right(world: World, document: int, row: SheetRow) -> bool:
    if row.source in ("agreed", "absurd"):
        return row.source == "agreed"
    side, tag = row.tag.split()
    return bool(world.right[document, SIDES.index(side), int(tag)])


def reviews(
    world: World, documents: Compared, args: argparse.Namespace, error: float, *, swap: bool
) -> Iterator[dict[str, float]]:
    """Reviews of random documents of the world."""
    rng = np.random.default_rng([args.seed, round(error * 100), swap])
    for _ in range(args.reviews):
        rows = rng.integers(len(world.right), size=args.documents)
        swapped = rng.integers(2 if swap else 1, size=args.documents)
        drawn = [documents[row][way] for row, way in zip(rows.tolist(), swapped.tolist(), strict=True)]
        pool = Pool(args.k, args.documents, [one for one in drawn if one.differs], TAGS)
        yield review(world, pool, args.wanted, error, rng, args.judges)


def tell(world: World, documents: Compared, args: argparse.Namespace, *, swap: bool) -> None:
    """A line for each error of the judge."""
    truth = 0.0 if swap else float(world.differences.mean())
    count = world.is_there.sum(axis=2).max(axis=1)
    k = world.right.shape[2]
    print(f"difference {truth:+.4f}; {(count > 0).mean():.0%} of {args.documents} documents differ, by "
          f"{count[count > 0].mean():.1f} tags each way; all first tags of all documents: "
          f"{args.documents * (k + count.mean()):,.0f} rows")  # fmt: skip
    for error in ERRORS:
        frame = pd.DataFrame(list(reviews(world, documents, args, error, swap=swap)))
        marked = truth * (1 - 2 * error)
        held = [((frame["low"] <= value) & (value <= frame["high"])).mean() for value in (marked, truth)]
        # As many random documents as give the same error, judged whole; a judge's errors widen the interval.
        width = ((frame["high"] - frame["low"]) / 2 / 1.96).mean()
        needed = min(args.documents, (np.square(world.differences).mean() - truth**2) / width**2)
        whole = f"{needed * (k + count.mean()):.0f}" if not error else ""
        print(f"| {error:.0%} | {held[0]:.1%} | {held[1]:.1%} | {frame['better'].mean():.1%} | "
              f"{frame['worse'].mean():.1%} | {frame['none'].mean():.1%} | {frame['judged'].mean():.0f} | "
              f"{frame['rows'].mean():.0f} | {whole} | {frame['kappa'].mean():.2f} |", flush=True)  # fmt: skip


def main() -> None:
    """Print a Markdown table for a world with a difference and one without."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("world", help="synthetic, or a set of ../shared/data")
    parser.add_argument("--reviews", type=int, default=1000)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--wanted", type=float, default=0.05)
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--judges", type=int, choices=(1, 2), default=1)
    parser.add_argument("--only", choices=("difference", "none"), help="with a difference alone, or without")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    world = synthetic(args.wanted, rng, k=args.k) if args.world == "synthetic" else of_set(args.world, args.k, rng)
    columns = ("judge errs", "holds what the judge would say", "holds the truth", "better", "worse", "no verdict")
    columns += ("documents judged", "rows", "rows, all first tags", "kappa of two")
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    documents = compared(world)
    for swap in {"difference": [False], "none": [True], None: [False, True]}[args.only]:
        tell(world, documents, args, swap=swap)


if __name__ == "__main__":
    main()
