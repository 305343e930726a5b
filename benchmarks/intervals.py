"""How often the intervals hold the truth: test sets drawn from populations whose true figures are known.

python benchmarks/intervals.py [--sets 1000] [--seed 1] [--bootstraps]

Populations: examples with one tag or more, a difficulty, and a model that finds the tags of easy ones; hard, middle and
good models. "groups": four in ten draws are groups of 3 to 12 near-duplicates, nine in ten of which agree in all.
--bootstraps also tries those that were not taken (percentile, BCa, bootstrap-t), which takes far longer.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from get_tags_train.metrics.intervals import (
    Interval,
    Ratio,
    difference_interval,
    mean_of,
    mean_of_f1_interval,
    share_interval,
)
from get_tags_train.metrics.ranking import f1, ndcg, precision, recall

K = 5
TAGS = 40
POPULATION = 300_000
SIZES = (50, 100, 500)
MODELS = {"hard": (0.2, 0.8), "middle": (1.6, 0.9), "good": (3.5, 1.2)}
LIFT = 0.4  # the other model of a pair, in log-odds
RESAMPLES = 499


class Drawn(NamedTuple):
    """hits of two models on the same examples, their numbers of true tags, and which group each example is of."""

    hits: NDArray[np.bool_]
    better_hits: NDArray[np.bool_]
    true_counts: NDArray[np.int64]
    groups: NDArray[np.int64]
    true_tag: NDArray[np.int64]
    predicted_tag: NDArray[np.int64]


def draw(model: str, examples: int, is_grouped: bool, generator: np.random.Generator) -> Drawn:
    """Examples of a population."""
    groups = np.arange(examples)
    if is_grouped:
        alone = generator.random(examples) < 0.6
        sizes = np.where(alone, 1, np.minimum(2 + generator.geometric(0.35, examples), 12))
        groups = np.repeat(np.arange(examples), sizes)[:examples]
    agrees = is_grouped & (generator.random(examples) < 0.9)
    source = np.where(agrees, groups, examples + np.arange(examples))  # whose values an example has

    def values(draw: Callable[[int], NDArray[np.floating]]) -> NDArray[np.floating]:
        return draw(2 * examples)[source]

    ease = values(lambda n: generator.normal(size=n))
    true_counts = 1 + values(lambda n: generator.poisson(1.0, n)).astype(np.int64)
    common, own, other = (values(lambda n: generator.logistic(size=(n, K))) for _ in range(3))
    level, fall = MODELS[model]
    odds = level - fall * np.arange(K) + ease[:, None]
    hits = [
        _within(0.85 * common + 0.53 * noise < odds + lift, true_counts) for noise, lift in ((own, 0.0), (other, LIFT))
    ]
    true_tag = values(lambda n: np.minimum(generator.geometric(0.12, n), TAGS) - 1).astype(np.int64)
    wrong_tag = values(lambda n: np.minimum(generator.geometric(0.12, n), TAGS) - 1).astype(np.int64)
    predicted_tag = np.where(hits[0][:, 0], true_tag, wrong_tag)
    return Drawn(hits[0], hits[1], true_counts, groups, true_tag, predicted_tag)


def _within(hits: NDArray[np.bool_], true_counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """No more hits than there are true tags."""
    found: NDArray[np.bool_] = hits & (hits.cumsum(axis=1) <= true_counts[:, None])
    return found


def figures(drawn: Drawn) -> Iterator[tuple[str, Ratio, tuple[NDArray[np.floating], NDArray[np.floating]]]]:
    """Name, figure, and the sums it is made of."""
    ones = np.ones(len(drawn.groups))
    hits, counts = drawn.hits, drawn.true_counts
    columns = {
        "precision@1": precision(hits)[:, 0],
        "precision@5": precision(hits)[:, -1],
        "recall@5": recall(hits, counts)[:, -1],
        "nDCG@5": ndcg(hits, counts)[:, -1],
    }
    for name, values in columns.items():
        yield name, mean_of(values, drawn.groups), (values, ones)
    both = (2.0 * hits.sum(axis=1), counts + hits.shape[1] * ones)
    yield "micro F1", Ratio.of(*both, drawn.groups), both


def macro(drawn: Drawn) -> tuple[float, Interval]:
    """Macro F1 of the first tag."""
    true, predicted = (np.eye(TAGS, dtype=bool)[tags] for tags in (drawn.true_tag, drawn.predicted_tag))
    found = true & predicted
    supported = true.any(axis=0)
    scores = f1(*(a.sum(axis=0).astype(float) for a in (found, predicted, true)))
    columns = (found[:, supported], predicted[:, supported], true[:, supported])
    return float(scores[supported].mean()), mean_of_f1_interval(*columns, groups=drawn.groups)


def bootstraps(
    above: NDArray[np.floating],
    below: NDArray[np.floating],
    groups: NDArray[np.int64],
    generator: np.random.Generator,
) -> dict[str, Interval]:
    """What was tried and not taken: intervals from draws of groups."""
    _, place = np.unique(groups, return_inverse=True)
    a, b = np.bincount(place, above), np.bincount(place, below)
    count, ratio = len(a), a.sum() / b.sum()
    drawn = generator.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(float)
    totals = drawn @ b
    ratios = drawn @ a / totals
    squares = drawn @ (a * a) - 2 * ratios * (drawn @ (a * b)) + ratios**2 * (drawn @ (b * b))
    errors = np.sqrt(count / (count - 1) * np.maximum(squares, 0)) / totals
    error = np.sqrt(count / (count - 1) * ((a - ratio * b) ** 2).sum()) / b.sum()
    ends = np.array([0.025, 0.975])
    found = {"percentile": Interval(*np.quantile(ratios, ends))}
    bias = stats.norm.ppf(np.clip((ratios < ratio).mean() + (ratios == ratio).mean() / 2, 0.002, 0.998))
    without = (a.sum() - a) / (b.sum() - b)
    spread = without.mean() - without
    skew = (spread**3).sum() / (6 * (spread**2).sum() ** 1.5 + 1e-300)
    z = bias + stats.norm.ppf(ends)
    found["BCa"] = Interval(*np.quantile(ratios, stats.norm.cdf(bias + z / (1 - skew * z))))
    usable = errors > 1e-9
    scaled = (ratios[usable] - ratio) / errors[usable] if usable.any() else np.zeros(1)
    low, high = np.quantile(scaled, ends)
    found["bootstrap-t"] = Interval(ratio - high * error, ratio - low * error)
    return found


def cover(model: str, size: int, is_grouped: bool, args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The share of intervals that hold the truth, by figure and method."""
    generator = np.random.default_rng([args.seed, size, is_grouped, list(MODELS).index(model)])
    truth, true_differences = true_figures(model, is_grouped)
    held: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    macros: list[tuple[float, Interval]] = []
    for number in range(args.sets):
        drawn = draw(model, size, is_grouped, generator)
        for name, figure, (above, below) in figures(drawn):
            found = {"ours": share_interval(figure)}
            if args.bootstraps:
                found |= bootstraps(above, below, drawn.groups, generator)
            for method, (low, high) in found.items():
                held[name][method].append(low <= truth[name] <= high)
        for k, true_difference in true_differences.items():
            differences = precision(drawn.better_hits)[:, k - 1] - precision(drawn.hits)[:, k - 1]
            low, high = difference_interval(differences, drawn.groups, 1 / k)
            held[f"difference@{k} (90)"]["ours"].append(low <= true_difference <= high)
        if number < args.sets // 5:  # slow
            macros.append(macro(drawn))
    expected = float(np.mean([value for value, _ in macros]))  # what sets of this size have on average
    held["macro F1"]["ours"] = [low <= expected <= high for _, (low, high) in macros]
    return {name: {method: float(np.mean(h)) for method, h in by.items()} for name, by in held.items()}


def true_figures(model: str, is_grouped: bool) -> tuple[dict[str, float], dict[int, float]]:
    """The figures of the whole population, and the differences of the better model to it at 1 and 5."""
    population = draw(model, POPULATION, is_grouped, np.random.default_rng(0))
    differences = (precision(population.better_hits) - precision(population.hits)).mean(axis=0)
    return {name: figure.value for name, figure, _ in figures(population)}, {k: differences[k - 1] for k in (1, K)}


def main() -> None:
    """Print a row for each population and size, and the extremes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bootstraps", action="store_true")
    args = parser.parse_args()
    everything: dict[str, list[float]] = defaultdict(list)
    for is_grouped in (False, True):
        for size in SIZES:
            for model in MODELS:
                found = cover(model, size, is_grouped, args)
                row = "  ".join(
                    f"{name} " + "/".join(f"{100 * share:.1f}" for share in by.values()) for name, by in found.items()
                )
                print("groups" if is_grouped else "single", f"{size:>3} {model:<6} {row}", flush=True)
                for name, by in found.items():
                    for method, share in by.items():
                        kind = "difference" if "difference" in name else "macro F1" if name == "macro F1" else "95%"
                        everything[f"{'groups' if is_grouped else 'single'}, {kind}, {method}"].append(share)
    for name, shares in everything.items():
        print(f"{name}: {100 * min(shares):.1f} to {100 * max(shares):.1f}, median {100 * np.median(shares):.1f}")


if __name__ == "__main__":
    main()
