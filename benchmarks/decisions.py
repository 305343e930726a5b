"""How good decisions by the verdict are: simulated retrainings whose truth is known, compared on a few examples.

python benchmarks/decisions.py [--retrainings 200] [--examples 100] [--spread 0.03] [--seed 1]

The live and the new model score 60 tags: a signal where a tag is true, noise that both share (the example is hard) and
noise of their own. The new model's signal is drawn so that true differences in precision@5 have about --spread as
standard deviation. The truth is precision@5 by signal, fitted through populations of 20,000; the sentence is
compare.compare's.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from get_tags_train.evaluation.compare import Reference, compare
from get_tags_train.evaluation.predictions import Predictions
from get_tags_train.splits.eval_set import HELD_OUT, EvalSet

TAGS, K, POPULATION = 60, 5, 20_000
SIGNAL, SHARED, OWN = 2.5, 1.0, 0.6
SIZES = ((0.0, 0.01), (0.01, 0.03), (0.03, 1.0))
NAMES = [f"t{n:02}" for n in range(TAGS)]


def draw(examples: int, signals: tuple[float, float], generator: np.random.Generator) -> list[Predictions]:
    """The same examples, scored by two models."""
    shares = 1 / np.arange(1, TAGS + 1)
    counts = 1 + np.minimum(generator.poisson(1.2, examples), 4)
    keys = np.log(shares) + generator.gumbel(size=(examples, TAGS))  # the highest keys are a draw without replacement
    places = np.argsort(-keys, axis=1)
    y_true = np.zeros((examples, TAGS), bool)
    np.put_along_axis(y_true, places, np.arange(TAGS) < counts[:, None], axis=1)
    shared = SHARED * generator.normal(size=y_true.shape)
    labels = [[NAMES[n] for n in np.flatnonzero(row)] for row in y_true]
    test_set = EvalSet.of_documents(HELD_OUT, [str(n) for n in range(examples)], labels)
    predictions = []
    for signal in signals:
        noise = shared + OWN * generator.normal(size=y_true.shape)
        y_score = (signal * y_true + noise + 0.5 * np.log(shares)).astype(np.float32)
        predictions.append(Predictions.of(test_set, NAMES, y_score))
    return predictions


def true_precision(generator: np.random.Generator) -> np.poly1d:
    """precision@5 of a model by its signal less SIGNAL, of all there could be: a cubic fitted to nine populations."""
    signals = np.linspace(SIGNAL - 1.5, SIGNAL + 1.5, 9)
    found = [np.mean([m.hits(K).mean() for m in draw(POPULATION, (s, s), generator)]) for s in signals]
    return np.poly1d(np.polyfit(signals - SIGNAL, found, 3))


def main() -> None:
    """Print how often each decision was right, over all and by the size of the true difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--retrainings", type=int, default=200)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--spread", type=float, default=0.03)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    generator = np.random.default_rng(args.seed)
    truths, verdicts, estimates = [], [], []
    nothing_seen = np.zeros(args.examples, bool)
    precision_of = true_precision(generator)
    spread = args.spread / precision_of.deriv()(0.0)
    for _ in range(args.retrainings):
        signals = (SIGNAL, SIGNAL + float(np.clip(generator.normal() * spread, -1.5, 1.5)))
        truths.append(precision_of(signals[1] - SIGNAL) - precision_of(0.0))
        live, new = draw(args.examples, signals, generator)
        found = compare(new, nothing_seen, Reference("live", "live", "the live model", live, nothing_seen), K)
        assert found.difference_at_k is not None
        verdicts.append(found.verdict)
        estimates.append(found.difference_at_k[str(K)])
    tell(np.array(truths), np.array(verdicts), np.array(estimates), args)


def tell(
    truth: NDArray[np.float64], verdict: NDArray[np.str_], estimate: NDArray[np.float64], args: argparse.Namespace
) -> None:
    """Shares of all retrainings, then of those of each size."""
    print(f"{args.retrainings} retrainings, {args.examples} examples, true differences {truth.std():.4f} (sd)")
    unsure = verdict == "not distinguishable"
    rows = {
        "a worse model called better (would be deployed)": (verdict == "better") & (truth < 0),
        "a better model called worse (would be held back)": (verdict == "worse") & (truth > 0),
        "a better model not called better (held back by who waits for the word)": (verdict != "better") & (truth > 0),
        "not distinguishable": unsure,
        "who then goes by the sign: a worse model deployed": ((verdict == "better") | (unsure & (estimate > 0)))
        & (truth < 0),
        "who then goes by the sign: a better model held back": ((verdict == "worse") | (unsure & (estimate <= 0)))
        & (truth > 0),
    }
    for name, chosen in rows.items():
        loss = np.abs(truth[chosen]).mean() if chosen.any() else 0.0
        print(f"{100 * chosen.mean():5.1f}%  {name}; by {loss:.4f} on average")
    for low, high in SIZES:
        better = (truth > low) & (truth <= high)
        worse = (truth < -low) & (truth >= -high)
        for name, chosen in (("better", better), ("worse", worse)):
            called = {word: int((verdict[chosen] == word).sum()) for word in ("better", "not distinguishable", "worse")}
            print(f"truly {name} by {low:.2f} to {high:.2f}: {int(chosen.sum())}, called {called}")


if __name__ == "__main__":
    main()
