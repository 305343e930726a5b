"""The linear model beside the BERT on a real set: seconds, precision, and the sentence.

python benchmarks/baseline.py SET HOME --base-model DIR [--epochs N]; a home that has a model is not trained again.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from real_sets import make_home

from get_tags_train import evaluate, provenance, report
from get_tags_train.baseline import fit
from get_tags_train.batches import choose_examples
from get_tags_train.dataset import PreparedData
from get_tags_train.events import Event
from get_tags_train.examples import ExampleSet
from get_tags_train.home import find_data, find_model, model_names
from get_tags_train.modelfacts import read_facts
from get_tags_train.samples import Samples


def ignore(_: Event) -> None:
    """Nobody watches."""


def main() -> None:
    """Train where there is no model yet, then fit the linear model and score both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("home", type=Path)
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=1)
    args = parser.parse_args()
    if not model_names(args.home):
        make_home(args.name, args.home, args.base_model)
        command = ["train", "--yes", "--json", "--epochs", str(args.epochs), "--home", str(args.home)]
        subprocess.run([sys.executable, "-m", "get_tags_train", *command], check=True, stdout=subprocess.DEVNULL)
    folder = find_model(args.home, args.home / "_live", None)
    facts = read_facts(folder)
    data = PreparedData(find_data(args.home, facts["data"]["name"]))
    samples = Samples.read(args.home / "test_samples_tags.csv")
    left_out: np.ndarray = samples.in_data(data)
    provenance.keep(folder, data, left_out, Path(facts["base_model"]))
    examples = choose_examples(data, left_out, 1)
    linear = fit(data, examples, training_seconds=facts["seconds"], seed=42, on_event=ignore)
    rivals = evaluate.Rivals(evaluate.find_live(folder, args.home / "_live"), linear)
    test_set = ExampleSet.of_samples(samples)
    evaluation = evaluate.evaluate(folder, test_set, top_k=5, device="cpu", on_event=ignore, rivals=rivals)
    report.record(folder, evaluation, ignore)
    comparison = next(c for c in evaluation.comparisons if c.rival == "baseline")
    result = {
        "set": args.name,
        "documents": len(examples.rows),
        "test_examples": evaluation.examples,
        "bert": {"seconds": facts["seconds"], "epochs": facts["settings"]["epochs"], **evaluation.precision_at_k},
        "linear": {**linear.as_json(), **comparison.rival_precision_at_k},
        "sentence": comparison.sentence,
    }
    print(json.dumps(result, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
