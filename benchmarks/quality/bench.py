"""Ways to train, side by side on a real set: several seeds, figures with intervals, training time, a Markdown table.

    python benchmarks/quality/bench.py SET --base-model DIR --variants before linear trainer --seeds 1 2 3

SET is a folder, or the name of one in ../shared/data, DIR a BERT such as all-MiniLM-L6-v2. Every run writes its scores
into the folder --results as it ends and is not made again; --table-only makes the table of what is there. --jobs runs
so many trainings side by side, on a processor of one thread each. Seconds are processor time of training.
"""

import argparse
import itertools
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import one_run
import sets
import table


def main() -> None:
    """Run what has not been run, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--base-model", required=True)
    parser.add_argument("--variants", nargs="+", required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--context-length", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--train-limit", type=int, default=0)
    parser.add_argument("--test-limit", type=int, default=0)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--table-only", action="store_true")
    args = parser.parse_args()
    args.results.mkdir(parents=True, exist_ok=True)
    data = sets.read(args.name, args.train_limit, args.test_limit)
    plan = one_run.Plan(args.base_model, args.context_length, args.epochs, args.results, args.device)
    wanted = [(variant, seed) for seed, variant in itertools.product(args.seeds, args.variants)]
    missing = [own for own in wanted if not one_run.path_of(plan, data.name, *own).exists()]
    if missing and not args.table_only:
        with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
            for done in [pool.submit(one_run.run, plan, data, *own) for own in missing]:
                done.result()
    print(table.markdown(plan, data, args.variants, args.seeds))


if __name__ == "__main__":
    main()
