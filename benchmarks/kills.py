"""Kill extractions from a private PostgreSQL at random moments, many times: `python benchmarks/kills.py [--kills 200]`.

Each killed run is continued by the next; every complete tags_vX on the way, and the last one, must be whole and equal
to that of an undisturbed run, and no piece that was read may be read again. A failure ends it with an assertion.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]
DOCUMENTS = 2_000


def main() -> None:
    """Run the trials and print how they went."""
    import databases
    from killing import kill_extractions

    from get_tags_train.demo.write import write_demo

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    args = parser.parse_args()
    rows = [(n, f"Titlul {n}", f"Conținutul nr. {n} " + "cuvânt " * (n % 400)) for n in range(1, DOCUMENTS + 1)]
    with tempfile.TemporaryDirectory() as server, tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        write_demo(home)
        with databases.postgresql(Path(server)) as url:
            databases.fill(url, rows, [(n, f"eticheta {n % 7}") for n, *_ in rows])
            databases.write_settings(home, url, str(home / "demo_bert"))
            counts = kill_extractions(home, args.kills, random.Random(args.seed))
    print(f"seed {args.seed}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    main()
