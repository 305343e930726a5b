"""The linear model beside the BERT on a real set: seconds, precision, and the sentence, by `get-tags train` itself.

python benchmarks/baseline.py SET HOME --base-model DIR [--epochs N]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from real_sets import make_home


def main() -> None:
    """Train, and print what the result says of both models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("home", type=Path)
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=1)
    args = parser.parse_args()
    make_home(args.name, args.home, args.base_model)
    command = ["train", "--yes", "--json", "--epochs", str(args.epochs), "--home", str(args.home)]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "get_tags_train", *command], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    trained = json.loads(done.stdout)
    model, evaluation = trained["model"], trained["evaluation"]
    (comparison,) = (found for found in evaluation["comparisons"] if found["rival"] == "baseline")
    result = {
        "set": args.name,
        "documents": model["examples"],
        "test_examples": evaluation["examples"],
        "bert": {"seconds": model["seconds"], "epochs": model["epochs"], **evaluation["precision_at_k"]},
        "linear": {**evaluation["baseline"], **comparison["rival_precision_at_k"]},
        "sentence": comparison["sentence"],
    }
    print(json.dumps(result, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
